"""The pytest plugin: makes the rig, and what a test gets of it.

A test asks for `wire` (the open port), `board` (what is on the other end), `rig` and `figures`.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from firmware_protocol.commands import Command
from ruuvi_host.errors import RuuviHostError

from .board import SerialRig
from .emulated import NativeRig, QemuRig
from .figures import Figures
from .identity import UNKNOWN, Identity, clear, identify, listen_only
from .options import GENERATIONS, problem_with
from .report import XML_NAME
from .reporting import RUN
from .results import Run
from .rig import Ability, Rig, RigError, RigMissingError, Setup
from .simulated import SimulatedRig
from .wire import NoAnswerError, Wire

MAKERS: dict[str, Callable[[], Rig]] = {
    "sim": SimulatedRig,
    "qemu": QemuRig,
    "native": NativeRig,
}
HERE = Path(__file__).parent
LONGEST_TEST = 300.0
"""Seconds, on a machine that is busy with other things."""
AS_IT_IS = "as it is"
"""The generation of a board that is not made to order."""

_identities = pytest.StashKey[dict[Setup, Identity]]()
_failures = pytest.StashKey[list[str]]()
_handler = pytest.StashKey[Any]()
MOST_FAILURES = 2
"""So often a board may not tell who it is; then the rest need not wait for it any more."""


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
    problem = problem_with(config)
    if problem:
        raise pytest.UsageError(problem)
    name = config.option.rig
    config.stash[RUN] = Run(name, "", is_hardware=False)
    config.stash[_identities] = {}
    config.stash[_failures] = []
    # So that a build server that gives up leaves nothing behind: as Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        config.stash[_handler] = signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    if handler := config.stash.get(_handler, None):
        signal.signal(signal.SIGTERM, handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Boards that are made to order are made in both generations."""
    if "board" not in metafunc.fixturenames:
        return
    option = metafunc.config.option
    wanted: tuple[str, ...] = (AS_IT_IS,)
    if option.rig in MAKERS:
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
    run = pytestconfig.stash[RUN]
    run.rig, run.description = made.name, made.description
    run.is_hardware = getattr(made, "is_hardware", False)
    yield made
    made.stop()


def _make_or_tell(config: pytest.Config) -> Rig | RigError | RuuviHostError:
    try:
        return _make(config)
    except (RigError, RuuviHostError) as error:
        return error


def _make(config: pytest.Config) -> Rig:
    option = config.option
    if option.rig in MAKERS:
        return MAKERS[option.rig]()
    if option.rig == "replay":
        from .replayed import ReplayRig

        return ReplayRig(Path(option.capture_file))
    if option.rig == "hci":
        from .bridged import BridgedRig

        return BridgedRig(option.hci)
    return SerialRig(option.port, option.baud, option.reset_command, official=option.official)


@pytest.fixture
def board(request: pytest.FixtureRequest, rig: Rig) -> Board:
    """A board for this test: freshly booted where that can be."""
    marker = request.node.get_closest_marker("setup")
    inputs = dict(marker.kwargs) if marker else {}
    setup = Setup(**inputs)
    if Ability.SETUP in rig.abilities:
        setup = replace(setup, firmware=request.param)
        request.config.stash[RUN].of(request.node).firmware = request.param
    elif inputs:
        wanted = ", ".join(f"{name} {value}" for name, value in inputs.items())
        pytest.skip(f"needs a board with {wanted}, which rig {rig.name} cannot make")
    _skip_unless_able(request, rig)
    with _dead_or_alive(request.config, rig):
        rig.start(setup)
        identity = _identity(request.config, rig, setup)
    if Ability.SETUP in rig.abilities:
        request.config.stash[_failures].clear()
    request.config.stash[RUN].identify(request.node, identity)
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
            run = config.stash[RUN]
            run.is_hardware, run.description = rig.is_hardware, rig.description
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
    return request.config.stash[RUN].of(request.node).figures
