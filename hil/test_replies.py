"""The slot for a reply: there is one, and the next command takes it."""

import pytest

from firmware_protocol.messages import Ack, DeviceId, GetDeviceId, LedCtrl, SetAll

from .air import Air
from .figures import Figures
from .marks import generation, needs
from .plugin import Board
from .wire import Wire

pytestmark = needs("answer")


@generation("2.0.0")
def test_second_command_takes_the_slot(board: Board, wire: Wire, figures: Figures) -> None:
    """SET_ALL and at once GET_DEVICE_ID: the second is answered. The first may not be, since its
    answer waits for the start of the scan; on boards that are made to order it never is."""
    times = 10
    both = 0
    for _ in range(times):
        wire.forget()
        data = SetAll(fltr_id=0xFFFF).to_frame() + GetDeviceId().to_frame()
        wire.exchange(data, GetDeviceId())
        wire.command(LedCtrl(0))  # whatever was to come of the two has come
        acked = [h.message for h in wire.received if isinstance(h.message, Ack)]
        both += any(ack.acked_cmd == SetAll.command for ack in acked)
    exact = 0 if "setup" in board.rig.abilities else None
    figures.measure(f"both answered, of {times}", both, high=exact)


@needs("setup")
@generation("1.0.0")
def test_old_firmware_answers_both(wire: Wire) -> None:
    """Firmware 1.0.0 has no slot: it sends each answer."""
    wire.send(SetAll(fltr_id=0xFFFF, max_adv_len=0).to_frame() + GetDeviceId().to_frame())
    wire.wait(lambda m: isinstance(m, Ack | DeviceId), "answer")
    wire.wait(lambda m: isinstance(m, Ack | DeviceId), "second answer")
    kinds = {type(h.message) for h in wire.received if isinstance(h.message, Ack | DeviceId)}
    assert kinds == {Ack, DeviceId}


@needs("generate")
@pytest.mark.parametrize("rate", [50, 226])
def test_replies_among_reports(rate: int, board: Board, wire: Wire, figures: Figures) -> None:
    """With a busy line answers wait for the frame that is on it. What is lost is asked again."""
    wire.command(Air(rate).settings())
    wire.wait_for_report()
    times, lost = [], 0
    for _ in range(20):
        sent = wire.send(GetDeviceId().to_frame())
        while True:
            try:
                received = wire.wait(lambda m: isinstance(m, DeviceId), "DEVICE_ID", 2.0)
            except AssertionError:
                lost += 1
                sent = wire.send(GetDeviceId().to_frame())
                continue
            break
        times.append(received.at - sent)
    figures.measure(f"answers lost at {rate}/s", lost, high=None)
    figures.latencies(f"DEVICE_ID at {rate}/s", times, board.rig.reply_bound)
