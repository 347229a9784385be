"""Two implementations, one behaviour: the Python simulator beside the firmware in C, given the
same bytes. Every answer must be the same; so must the reports of the same air."""

import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from firmware_protocol.commands import Command
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetDeviceId,
    Message,
    SetAll,
    messages,
)

from .air import Air, Pattern
from .figures import Figures
from .marks import needs, with_setup
from .plugin import Board
from .sequences import damaged, frames, misfits, raw_frames, whole
from .simulated import SimulatedBoard
from .wire import NoAnswerError, Wire

NO_WATCHDOG = 3600.0
SETTLE = 0.05
"""Seconds in which the model does what one chunk causes; the real one may take longer."""
SILENCE = 0.02
TIMEOUT = 5.0
SHORTEST_SCAN = 6.0
"""Seconds; after 7 a scan period of one channel ends, and the two may not agree on the moment."""


def chunks(data: bytes) -> list[bytes]:
    """As the coprocessor takes them: each can have one answer."""
    *ended, rest = data.split(b"\n")
    return [piece + b"\n" for piece in ended] + [rest] * bool(rest)


def comparable(found: list[Message], *, reports: bool) -> list[Message]:
    """Who they are differs, and is known to."""
    return [
        DeviceId(bytes(8), bytes(6)) if isinstance(message, DeviceId) else message
        for message in found
        if isinstance(message, AdvRprt | AdvRprt2) is reports
    ]


def _is_answer(message: Message) -> bool:
    return not isinstance(message, AdvRprt | AdvRprt2)


class Pair:
    """The firmware and its model, given the same bytes at the same time."""

    def __init__(self, board: Board, wire: Wire) -> None:
        self.exchanges = 0
        self._board = board
        self._wire = wire
        self.begin()

    def begin(self) -> None:
        """Both freshly booted."""
        self._sent: list[bytes] = []
        self._wire.forget()
        self._board.rig.reset()
        self._wire.wait_for_boot()
        self._model = SimulatedBoard(self._board.setup)
        self._scanner: FrameScanner[Message] = FrameScanner(messages)
        self._zero = self._scan_begin = time.monotonic()
        self._latest = SETTLE
        self._model.advance(SETTLE)

    def send(self, data: bytes) -> None:
        """Compare what is answered to each chunk."""
        for chunk in chunks(data):
            if time.monotonic() - self._scan_begin > SHORTEST_SCAN:
                return
            expected, crashed = self._ask_model(chunk)
            found = self._ask_firmware(chunk, len(expected))
            assert found == expected, self._difference(chunk, found, expected)
            self.exchanges += 1
            if crashed:
                self.begin()
                return

    def hear(self, air: Air, others: SetAll) -> None:
        """Compare the first reports of this air under these settings."""
        limit = others.max_adv_len if not self._board.is_v1 else 0
        command = SetAll(
            air.word,
            False,
            others.use_coded_phy,
            others.use_1m_phy,
            others.use_2m_phy,
            others.ch_37,
            others.ch_38,
            others.ch_39,
            limit,
        )
        self.send(b"\n")
        self.send(GetDeviceId().to_frame())  # the ring has to be empty
        self._quiet()
        self._wire.forget()
        self._scan_begin = time.monotonic()
        at = self._now()
        self._model.receive(command.to_frame(), at)
        out = self._scanner.feed(self._model.advance(at + SETTLE))
        expected = comparable(out, reports=True)[:3]
        answers = comparable(out, reports=False)
        answered = self._ask_firmware(command.to_frame(), len(answers))
        assert answered == answers, self._difference(command.to_frame(), answered, answers)
        with suppress(NoAnswerError):  # what has not come is missing below
            for _ in expected:
                self._wire.wait_for_report(TIMEOUT)
        if not expected:
            self._wire.listen(SETTLE)
        found = comparable([h.message for h in self._wire.received], reports=True)[
            : len(expected) or 1
        ]
        assert found == expected, f"{air}, {command}: firmware {found}, simulator {expected}"
        self.exchanges += 1
        self._quiet()

    def _difference(self, chunk: bytes, found: list[Message], expected: list[Message]) -> str:
        before = ", ".join(sent.hex() for sent in self._sent[-4:-1])
        return f"{chunk.hex()} (after {before}): firmware {found}, simulator {expected}"

    def _quiet(self) -> None:
        """Nothing in the air, so that answers have the line for themselves."""
        self.send(Air(0).settings().to_frame())

    def _now(self) -> float:
        """Of the model: that of the firmware, but never back."""
        now = max(time.monotonic() - self._zero, self._latest)
        self._latest = now + SETTLE
        return now

    def _ask_model(self, chunk: bytes) -> tuple[list[Message], bool]:
        at = self._now()
        crashes = self._model.session.counters.crashes
        self._model.receive(chunk, at)
        if chunk[:3].endswith(bytes((Command.SET_ALL,))):
            self._scan_begin = time.monotonic()
        out = self._scanner.feed(self._model.advance(at + SETTLE))
        return comparable(out, reports=False), self._model.session.counters.crashes > crashes

    def _ask_firmware(self, chunk: bytes, answers: int) -> list[Message]:
        self._wire.forget()
        self._wire.send(chunk)
        self._sent = [*self._sent[-4:], chunk]
        with suppress(NoAnswerError):  # the caller tells what is missing
            for _ in range(answers):
                self._wire.wait(_is_answer, "answer", TIMEOUT)
        if not answers:
            self._wire.listen(SILENCE)
        found = [h.message for h in self._wire.received]
        return comparable(found, reports=False)


def machine(pair: Pair) -> type[RuleBasedStateMachine]:
    """What hypothesis plays with."""

    class Both(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            pair.begin()

        @rule(data=frames)
        def command(self, data: bytes) -> None:
            pair.send(data)

        @rule(data=st.one_of(damaged(), misfits, raw_frames))
        def nonsense(self, data: bytes) -> None:
            pair.send(data)

        @rule(data=st.binary(min_size=1, max_size=40))
        def noise(self, data: bytes) -> None:
            pair.send(data)

        @rule(
            pattern=st.sampled_from(
                [Pattern.PLAIN, Pattern.FRAMES, Pattern.MIXED, Pattern.EXTENDED, Pattern.CODED]
            ),
            size=st.sampled_from([0, 12, 13, 31, 32, 48, 192]),
            others=whole,
        )
        def hear(self, pattern: Pattern, size: int, others: SetAll) -> None:
            pair.hear(Air(100, size, pattern), others)

    return Both


@needs("setup", "reset")
@with_setup(watchdog=NO_WATCHDOG)
def test_simulator_and_firmware_agree(
    board: Board, wire: Wire, figures: Figures, pytestconfig: pytest.Config
) -> None:
    """Sequences of commands, damaged frames and noise; --examples also shortens what it finds."""
    if board.rig.name == "sim":
        pytest.skip("rig sim is the simulator: there is nothing to compare it with")
    examples = pytestconfig.option.examples
    pair = Pair(board, wire)
    run_state_machine_as_test(
        machine(pair),
        settings=settings(
            max_examples=examples or 15,
            stateful_step_count=25,
            deadline=None,
            database=None,
            derandomize=examples is None,
            # Making it short takes minutes, in which answers are waited for in vain.
            phases=[Phase.generate, Phase.shrink] if examples else [Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    figures.measure("exchanges compared", pair.exchanges, low=1)
