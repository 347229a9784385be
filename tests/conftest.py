"""What several tests share: the known vectors, a clock that stands still, hypothesis settings.

Import it by name: `from conftest import ManualClock, load_vectors`.
"""

import json
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# A failed assertion in a module that tests share tells its values, as one in a test does.
pytest.register_assert_rewrite(*(path.stem for path in HERE.rglob("*.py")))

# Under nohup every program that a test starts would inherit that a hang-up is ignored, and in the
# background of a shell that Ctrl-C is.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is not a failure.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("house")


def pytest_make_parametrize_id(val: object) -> str | None:
    """A long text is not its own name: the name of a test is in the environment of every process
    that it starts, and the system takes no more than 128 KiB for a variable."""
    if isinstance(val, str | bytes) and len(val) > 200:
        return f"{len(val)} {'bytes' if isinstance(val, bytes) else 'characters'}"
    return None


def _not_of_another_test(record: logging.LogRecord) -> bool:
    """On Python 3.11 a thread of asyncio waits for each child process. One that ends after its loop
    has been closed is told then: in whatever test runs at that moment, which may read the log."""
    return "that handles pid" not in str(record.msg)


logging.getLogger("asyncio").addFilter(_not_of_another_test)


OURS = ("ruuvi_host", "firmware_protocol", "hil", "uvicorn", "test")
"""Loggers that a test may read; uvicorn serves for us."""


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in OURS


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged, as far as it is ours: loops and threads that another test has left may still
    have something to say."""
    caplog.handler.addFilter(_is_ours)
    yield caplog
    caplog.handler.removeFilter(_is_ours)


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """A test of the log leaves the levels as they were for the tests after it."""
    loggers = [logging.getLogger(name) for name in ("", "ruuvi_host", "firmware_protocol")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What we have logged: asyncio and others may speak of what another test has left to them."""
    return [r for r in caplog.records if r.name.startswith(("ruuvi_host", "firmware_protocol"))]


VECTORS = HERE / "vectors"


def load_vectors(name: str) -> dict[str, Any]:
    """The object in tests/vectors/`name`."""
    loaded: dict[str, Any] = json.loads((VECTORS / name).read_text("utf-8"))
    return loaded


class ManualClock:
    """A ruuvi_host.clock.Clock that stands still until the test moves it.

    monotonic() begins at 0, wall() at `wall` (UTC, seconds).
    """

    def __init__(
        self, wall: float = 1_800_000_000.0, *, synchronised: bool = True, uptime: float = 0.0
    ) -> None:
        self._passed = 0.0
        self._uptime_at_start = uptime
        self._wall_at_start = wall
        self._synchronised = synchronised

    def monotonic(self) -> float:
        return self._passed

    def wall(self) -> float:
        return self._wall_at_start + self._passed

    def synchronised(self) -> bool:
        return self._synchronised

    def uptime(self) -> float:
        return self._uptime_at_start + self._passed

    def set_wall(self, wall: float) -> None:
        """Let the wall clock jump."""
        self._wall_at_start = wall - self._passed

    def set_synchronised(self, *, synchronised: bool) -> None:
        """What the kernel says from now on."""
        self._synchronised = synchronised

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._passed += seconds
