"""As long as --duration says, hours if it is wanted: nothing may get lost, hang or drift."""

import time

import pytest

from firmware_protocol.messages import AdvRprt, AdvRprt2, GetAll, LedCtrl, SetAll

from .air import Air, counters
from .figures import Figures, more_are_needed
from .marks import needs
from .plugin import Board
from .rig import Ability
from .wire import NoAnswerError, Wire

RATE = 100
DRAWN = 3600
"""Seconds at the end that are drawn."""


@needs("answer")
def test_endurance(board: Board, wire: Wire, figures: Figures, pytestconfig: pytest.Config) -> None:
    """The gateway's rhythm, LED_CTRL each second, while reports come."""
    generates = Ability.GENERATE in board.rig.abilities
    settings = Air(RATE).settings() if generates else SetAll(max_adv_len=0)
    wire.command(settings)
    duration = pytestconfig.option.duration
    end = time.monotonic() + duration
    latencies: list[float] = []
    times: list[float] = []
    last_event = last_sent = None
    last_at, longest_silence = time.monotonic(), 0.0
    reports = lost_on_the_way = lost_on_the_board = unanswered = reboots = 0
    while time.monotonic() < end:
        tick = time.monotonic() + 1
        try:
            latencies.append(wire.command(LedCtrl(0), 1.0).latency)
        except NoAnswerError:
            unanswered += 1
        wire.listen(max(tick - time.monotonic(), 0))
        for received in wire.take():
            message = received.message
            last_at, longest_silence = received.at, max(longest_silence, received.at - last_at)
            if isinstance(message, GetAll):
                reboots += 1
                last_event = last_sent = None
                wire.command(settings)
            elif isinstance(message, AdvRprt | AdvRprt2):
                reports += 1
                times.append(received.at)
                found = counters(message)
                if found and last_event is not None and last_sent is not None:
                    missing = found.sent - last_sent - 1
                    lost_on_the_way += missing
                    lost_on_the_board += found.event - last_event - 1 - missing
                if found:
                    last_event, last_sent = found.event, found.sent
        latencies = latencies[-DRAWN:]
        while times and times[-1] - times[0] > DRAWN:
            del times[: RATE * 60]
    while more_are_needed(latencies, board.rig.reply_bound, 1) and not unanswered:
        latencies.append(wire.command(LedCtrl(0)).latency)
    figures.rates("endurance", times, float(RATE) if generates else None)
    figures.measure("duration", duration, "s")
    figures.measure("reports", reports, low=1 if generates else None)
    figures.measure("unanswered", unanswered, low=0, high=max(duration / 100, 1))
    # Why something is lost, if it is: what stands still in the middle of a frame for longer than
    # hil.line.IDLE loses that.
    figures.measure("longest silence", longest_silence, "s")
    figures.measure("bytes in no frame", wire.skipped)
    figures.exactly("CRC errors", wire.crc_errors, 0)
    if generates:
        figures.exactly("lost between board and host", lost_on_the_way, 0)
        figures.measure("lost on the board", lost_on_the_board)
    # Without a report for 42 s it resets itself: that is no fault.
    figures.measure("reboots", reboots, high=0 if reports > duration else duration / 15)
    figures.latencies("LED_CTRL each second", latencies, board.rig.reply_bound)
