"""The pytest plugin: options, the rig, what a test gets of it, the report.

A test asks for `wire` (the open port), `board` (what is on the other end), `rig` and `figures`.
"""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from firmware_protocol.commands import Command
from hil.board import SerialRig
from hil.emulated import NativeRig, QemuRig
from hil.figures import Figures
from hil.identity import UNKNOWN, Identity, clear, identify, listen_only
from hil.report import XML_NAME, Report
from hil.rig import Ability, BareRig, Rig, RigError, RigMissingError, Setup
from hil.simulated import SimulatedRig
from hil.wire import NoAnswerError, Wire
from ruuvi_host.errors import RuuviHostError

GENERATIONS = ("2.0.0", "1.0.0")
MADE_TO_ORDER: dict[str, Callable[[], Rig]] = {
    "sim": SimulatedRig,
    "qemu": QemuRig,
    "native": NativeRig,
}
HERE = Path(__file__).parent
MOST_REASONS = 3
LONGEST_TEST = 300.0
"""Seconds, on a machine that is busy with other things."""
AS_IT_IS = "as it is"
"""The generation of a board that is not made to order."""

_report = pytest.StashKey[Report]()
_identities = pytest.StashKey[dict[Setup, Identity]]()
_failures = pytest.StashKey[list[str]]()
_handler = pytest.StashKey[Any]()
MOST_FAILURES = 2
"""So often a board may not tell who it is; then the rest need not wait for it any more."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hil", "hardware in the loop")
    group.addoption(
        "--rig",
        choices=[*MADE_TO_ORDER, "serial", "replay"],
        default="sim",
        help="What the suite runs on: sim, the simulator (default); qemu, the reference firmware "
        "on an emulated chip; native, the same as a program under sanitizers; serial, a board on "
        "--port; replay, a recording.",
    )
    group.addoption(
        "--port",
        metavar="PORT",
        help="For --rig serial: a device, a pseudo-terminal or socket://host:port.",
    )
    group.addoption("--baud", type=int, default=115200, help="For --rig serial.")
    group.addoption(
        "--reset-command",
        metavar="COMMAND",
        help="For --rig serial: what resets the board, for instance 'nrfjprog --reset'.",
    )
    group.addoption(
        "--official",
        action="store_true",
        help="For --rig serial: the board runs the official firmware, so its receiver must have "
        "the official weaknesses, too, and its watchdog is waited for (42 s).",
    )
    group.addoption("--capture-file", metavar="FILE", help="For --rig replay.")
    group.addoption(
        "--firmware",
        choices=["both", *GENERATIONS],
        default="both",
        help="Which generation sim, qemu and native behave like.",
    )
    group.addoption(
        "--duration",
        type=float,
        default=5.0,
        metavar="S",
        help="Seconds of the endurance test (default 5).",
    )
    group.addoption(
        "--examples",
        type=int,
        metavar="N",
        help="Sequences of the differential test, drawn at random (default: 15, always the same).",
    )
    group.addoption(
        "--report",
        metavar="DIR",
        default="hil-report",
        help="Where report.html, report.json and junit.xml go (default hil-report).",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "needs(*abilities): what the rig must be able to do",
        "generation(firmware): the only one that the test is for",
        "setup(**values): how the board must be made; see hil.rig.Setup",
    ):
        config.addinivalue_line("markers", marker)
    if config.option.collectonly or not config.option.xmlpath:
        directory = Path(config.option.report)
        if not config.option.collectonly:
            config.option.xmlpath = str(directory / XML_NAME)
    problem = _wrong_options(config)
    if problem:
        raise pytest.UsageError(problem)
    name = config.option.rig
    config.stash[_report] = Report(name, "", is_hardware=False)
    config.stash[_identities] = {}
    config.stash[_failures] = []
    # So that a build server that gives up leaves nothing behind: as Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        config.stash[_handler] = signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    if handler := config.stash.get(_handler, None):
        signal.signal(signal.SIGTERM, handler)


def _wrong_options(config: pytest.Config) -> str | None:
    option = config.option
    if option.rig == "serial" and not option.port:
        return "--rig serial: name the board's port with --port"
    if option.rig == "replay" and not option.capture_file:
        return "--rig replay: name the capture with --capture (for pytest: --capture-file)"
    if option.rig == "replay":
        from hil.replayed import why_not

        if problem := why_not(option.capture_file):
            return f"--rig replay: {problem}"
    if option.rig != "serial" and (option.port or option.reset_command):
        return f"--port and --reset-command are for --rig serial, not for --rig {option.rig}"
    if option.rig not in MADE_TO_ORDER and option.firmware != "both":
        made_to_order = ", ".join(MADE_TO_ORDER)
        return f"--firmware is for {made_to_order}. What is behind --rig {option.rig} is asked"
    if option.rig != "serial" and option.official:
        return f"--official is for --rig serial, not for --rig {option.rig}"
    if option.rig != "replay" and option.capture_file:
        return f"a capture is for --rig replay, not for --rig {option.rig}"
    if option.baud <= 0:
        return "--baud: more than 0"
    if not option.collectonly and (problem := _cannot_write(Path(option.report))):
        return f"--report {option.report}: {problem}"
    if option.duration <= 0:
        return "--duration: more than 0 seconds"
    return None


def _cannot_write(directory: Path) -> str | None:
    """Better now than after an hour."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(directory, os.W_OK) else "cannot be written to"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Boards that are made to order are made in both generations."""
    if "board" not in metafunc.fixturenames:
        return
    option = metafunc.config.option
    wanted: tuple[str, ...] = (AS_IT_IS,)
    if option.rig in MADE_TO_ORDER:
        marker = metafunc.definition.get_closest_marker("generation")
        wanted = marker.args if marker else GENERATIONS
        if option.firmware != "both":
            wanted = tuple(w for w in wanted if w == option.firmware) or wanted[:1]
    metafunc.parametrize("board", wanted, indirect=True, ids=[w.replace(" ", "-") for w in wanted])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The time-out of other tests is not for these: some of them only wait."""
    if not config.pluginmanager.hasplugin("timeout"):
        return
    for item in items:
        if item.path.parent == HERE:
            seconds = LONGEST_TEST
            if item.name.startswith("test_endurance"):
                seconds += 2 * config.option.duration
            if item.name.startswith("test_simulator_and_firmware"):
                seconds += 30 * (config.option.examples or 0)
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    result = yield
    if result.failed and isinstance(item, pytest.Function):
        rig = item.funcargs.get("rig")
        if isinstance(rig, BareRig) and (trouble := rig.trouble()):
            result.sections.append((f"rig {rig.name}", trouble))
    report = item.config.stash[_report]
    report.note(item, result)
    if result.when == "teardown":
        line = report.line(item)
        for name, value in (
            ("rig", line.rig),
            ("firmware", line.generation),
            ("address", line.address),
            *(
                (f.name, f"{f.value:g} {f.unit} (bound: {f.bound or 'none'})".replace("  ", " "))
                for f in line.figures.figures
            ),
        ):
            item.user_properties.append((name, value))
        result.user_properties = item.user_properties
    return result


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    report = session.config.stash.get(_report, None)
    if report and report.lines:
        report.write(Path(session.config.option.report))
        # All skipped is not passed; that there is no rig at all has been told.
        untested = bool(report.what) and not _anything(report, "passed")
        if exitstatus == pytest.ExitCode.OK and untested:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def _anything(report: Report, *outcomes: str) -> bool:
    return any(line.outcome in outcomes for line in report.lines)


def pytest_report_header(config: pytest.Config) -> str:
    return f"rig: {config.option.rig}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """At the very end, where one looks first."""
    yield
    report = config.stash[_report]
    if not report.lines:
        return
    terminalreporter.section("hardware in the loop")
    kind = "hardware" if report.is_hardware else "no hardware was tested"
    terminalreporter.line(f"rig {report.rig} ({kind}): {report.what or 'there is none'}")
    terminalreporter.line(f"report: {Path(config.option.report) / 'report.html'}")
    for alike in report.failures():
        first = alike[0]
        others = f" and {len(alike) - 1} others alike" if len(alike) > 1 else ""
        terminalreporter.line(f"failed: {first.test}{others}", red=True)
        terminalreporter.line(f"  {first.reason.splitlines()[0] if first.reason else ''}")
    if not _anything(report, "passed", "failed"):
        terminalreporter.line("nothing was tested: every test was skipped", red=True)
        reasons = {line.reason for line in report.lines}
        terminalreporter.line(f"  {'; '.join(sorted(reasons)[:MOST_REASONS])}")


@dataclass(frozen=True, slots=True)
class Board:
    """What is on the other end: how it was made, and who it says it is."""

    rig: Rig
    setup: Setup
    identity: Identity

    @property
    def is_v1(self) -> bool:
        """Does it behave like firmware 1.0.0?"""
        return self.identity.generation == "1.0.0"

    def must_answer(self, *commands: Command) -> None:
        """Fail if it never has, in earlier tests: what needs the answers need not be waited for."""
        experience = self.rig.experience
        never = [c.name for c in commands if experience and experience.is_never_answered(c)]
        if never:
            pytest.fail(
                f"not tried: in earlier tests the board has not answered {' and '.join(never)}",
                pytrace=False,
            )

    @property
    def line_rate(self) -> float:
        """Reports of 31 bytes that the line carries in a second."""
        return self.rig.baud / 10 / (47 if self.is_v1 else 51)


@pytest.fixture(scope="session")
def rig(pytestconfig: pytest.Config) -> Iterator[Rig]:
    """The rig that was chosen."""
    made = _make_or_tell(pytestconfig)
    if isinstance(made, RigMissingError) and os.environ.get("CI") != "true":
        pytest.skip(str(made))
    if isinstance(made, Exception):
        pytest.fail(str(made), pytrace=False)
    report = pytestconfig.stash[_report]
    report.rig, report.what = made.name, made.what
    yield made
    made.stop()


def _make_or_tell(config: pytest.Config) -> Rig | RigError | RuuviHostError:
    try:
        return _make(config)
    except (RigError, RuuviHostError) as error:
        return error


def _make(config: pytest.Config) -> Rig:
    option = config.option
    if option.rig in MADE_TO_ORDER:
        return MADE_TO_ORDER[option.rig]()
    if option.rig == "replay":
        from hil.replayed import ReplayRig

        return ReplayRig(Path(option.capture_file))
    return SerialRig(option.port, option.baud, option.reset_command, official=option.official)


@pytest.fixture
def board(request: pytest.FixtureRequest, rig: Rig) -> Board:
    """A board for this test: freshly booted where that can be."""
    marker = request.node.get_closest_marker("setup")
    wishes = dict(marker.kwargs) if marker else {}
    setup = Setup(**wishes)
    if Ability.SETUP in rig.abilities:
        setup = replace(setup, firmware=request.param)
        request.config.stash[_report].line(request.node).generation = request.param
    elif wishes:
        wanted = ", ".join(f"{name} {value}" for name, value in wishes.items())
        pytest.skip(f"needs a board with {wanted}, which rig {rig.name} cannot make")
    _skip_unless_able(request, rig)
    with _dead_or_alive(request.config, rig):
        rig.start(setup)
        identity = _identity(request.config, rig, setup)
    if Ability.SETUP in rig.abilities:
        request.config.stash[_failures].clear()
    request.config.stash[_report].identify(request.node, identity)
    _skip_unless_able(request, rig)
    only = request.node.get_closest_marker("generation")
    if only and identity.generation not in only.args:
        behaves = (
            "does not tell its generation"
            if identity.generation == UNKNOWN
            else (f"behaves like firmware {identity.generation}")
        )
        pytest.skip(f"is for firmware {only.args[0]}; this board {behaves}")
    return Board(rig, setup, identity)


@contextmanager
def _dead_or_alive(config: pytest.Config, rig: Rig) -> Iterator[None]:
    """What a board must do that lives at all. If it has not, again and again, it is not tried."""
    failures = config.stash[_failures]
    if len(failures) >= MOST_FAILURES:
        pytest.fail(f"not tried, as before: {failures[-1]}", pytrace=False)
    problem = None
    try:
        yield
    except (RigError, RuuviHostError, NoAnswerError) as error:
        problem = f"rig {rig.name}: {error}"
    if problem:
        failures.append(problem)
        # "from None", or pytest tells of two exceptions.
        raise pytest.fail.Exception(problem, pytrace=False) from None


def _skip_unless_able(request: pytest.FixtureRequest, rig: Rig) -> None:
    for marker in request.node.iter_markers("needs"):
        for name in marker.args:
            if Ability(name) not in rig.abilities:
                pytest.skip(f"needs {name}, which rig {rig.name} has not")


def _identity(config: pytest.Config, rig: Rig, setup: Setup) -> Identity:
    known = config.stash[_identities]
    if setup not in known:
        with Wire(rig.path, rig.baud, experience=rig.experience) as wire:
            if Ability.ANSWER in rig.abilities:
                known[setup] = identify(wire)
            else:
                known[setup] = listen_only(wire, 2.0)
        if Ability.ANSWER not in rig.abilities:
            rig.start(setup)  # what was listened to is over
        if isinstance(rig, SerialRig):
            if known[setup].is_ours:
                rig.is_reference_firmware()
            report = config.stash[_report]
            report.is_hardware, report.what = rig.is_hardware, rig.what
    return known[setup]


@contextmanager
def open_wire(rig: Rig, *, tell_device_id: bool = False) -> Iterator[Wire]:
    """The port, open, and the board's receive buffer empty."""
    with Wire(
        rig.path, rig.baud, tell_device_id=tell_device_id, experience=rig.experience
    ) as opened:
        if Ability.ANSWER in rig.abilities:
            clear(opened)
        opened.begin()
        yield opened


@pytest.fixture
def wire(request: pytest.FixtureRequest, board: Board) -> Iterator[Wire]:
    """The port of this test's board."""
    with ExitStack() as stack:
        with _dead_or_alive(request.config, board.rig):
            opened = stack.enter_context(open_wire(board.rig))
        request.config.stash[_failures].clear()
        yield opened


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a test puts what it measures."""
    return request.config.stash[_report].line(request.node).figures
