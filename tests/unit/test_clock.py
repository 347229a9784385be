"""The wall clock: when it is known to be right, and that asking cannot fail."""

import ctypes
from typing import Any

import pytest
from conftest import ManualClock

from ruuvi_host.clock import EARLIEST, SystemClock, WallClock


def test_the_kernel_can_be_asked() -> None:
    assert SystemClock().synchronised() in (True, False)


class Kernel:
    """A C library whose adjtimex answers as told."""

    def __init__(self, state: int, status: int) -> None:
        self.state = state
        self.status = status

    def adjtimex(self, buffer: Any) -> int:
        assert not any(buffer.raw), "modes 0: nothing may be changed"
        at = 5 * ctypes.sizeof(ctypes.c_long)
        ctypes.c_int.from_buffer(buffer, at).value = self.status
        return self.state


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [
        (0, 0x0001, True),  # STA_PLL
        (5, 0x0041, False),  # TIME_ERROR, STA_UNSYNC
        (1, 0x2001, True),  # a leap second is due; STA_NANO
        (-1, 0, False),  # a container without the permission
    ],
)
def test_synchronised(
    monkeypatch: pytest.MonkeyPatch, state: int, status: int, expected: bool
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Kernel(state, status))
    assert SystemClock().synchronised() is expected


def no_library(name: str | None, use_errno: bool) -> Any:
    raise OSError("cannot be loaded")


@pytest.mark.parametrize("library", [no_library, lambda name, use_errno: object()])
def test_a_system_that_cannot_be_asked_is_not_synchronised(
    monkeypatch: pytest.MonkeyPatch, library: Any
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", library)
    assert SystemClock().synchronised() is False


def test_a_clock_that_is_not_right_has_no_time() -> None:
    wall = WallClock(ManualClock(synchronised=False), trusted=False)
    assert not wall.check()
    assert wall.utc() is None


def test_a_clock_before_2026_is_wrong_whatever_the_kernel_says() -> None:
    clock = ManualClock(wall=EARLIEST - 1.0)
    wall = WallClock(clock, trusted=False)
    assert not wall.check()
    clock.advance(1.5)
    assert wall.check()
    assert wall.utc() == EARLIEST


def test_a_clock_stays_right() -> None:
    class Losing(ManualClock):
        asked = 0

        def synchronised(self) -> bool:
            self.asked += 1
            return self.asked == 1

    wall = WallClock(Losing(wall=1_800_000_000.9), trusted=False)
    assert wall.check()
    assert wall.check()
    assert wall.utc() == 1_800_000_000


def test_a_trusted_clock_is_right_even_if_it_is_not() -> None:
    wall = WallClock(ManualClock(wall=5.0, synchronised=False), trusted=True)
    assert wall.check()
    assert wall.utc() == 5


def test_a_machine_that_has_been_up_for_long_is_trusted_with_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock(synchronised=False, uptime=599.0)
    wall = WallClock(clock, trusted=False)
    assert not wall.check()
    clock.advance(1)
    assert wall.check()
    assert wall.check()
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_not_with_a_time_that_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    wall = WallClock(ManualClock(wall=5.0, synchronised=False, uptime=9999.0), trusted=False)
    assert not wall.check()
    assert not caplog.records
