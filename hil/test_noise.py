"""What is wrong on the line: ignored, and recovered from. Frames here have no inner 0x0A unless
that is the point, since each 0x0A ends a chunk of the coprocessor."""

import pytest

from firmware_protocol.messages import Ack, DeviceId, GetAll, GetDeviceId, LedCtrl, SetAll, SetCh37

from .figures import Figures
from .identity import clear
from .marks import needs
from .plugin import Board
from .rig import Ability
from .wire import SILENCE, Wire

pytestmark = needs("answer")
GOOD = GetDeviceId().to_frame()
LED = LedCtrl(1500).to_frame()
DAMAGED = {
    "wrong STX": b"\xcb" + LED[1:],
    "LEN too small": LED[:1] + b"\x02" + LED[2:],
    "LEN too large": LED[:1] + b"\x04" + LED[2:],
    "LEN far too large": LED[:1] + b"\xf0" + LED[2:],
    "wrong CRC": LED[:-2] + bytes((LED[-2] ^ 1,)) + LED[-1:],
    "CRC bytes exchanged": LED[:-3] + LED[-2:-3:-1] + LED[-3:-2] + LED[-1:],
    "damaged payload": LED[:3] + bytes((LED[3] ^ 0x40,)) + LED[4:],
    "damaged command": LED[:2] + b"\x0f" + LED[3:],
    "a byte missing": LED[:4] + LED[5:],
    "a byte twice": LED[:4] + LED[3:],
    "noise": bytes.fromhex("00ff55aa0d13") + b"\n",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_frame_is_not_answered(
    name: str, board: Board, wire: Wire, figures: Figures
) -> None:
    """No answer; and it is recovered from. The official firmware answers the next good frame."""
    wire.send(DAMAGED[name])
    wire.no_answer(lambda m: isinstance(m, Ack | LedCtrl), f"a damaged frame ({name})")
    most = None
    if Ability.RECEIVER in board.rig.abilities:
        most = 1 if Ability.SETUP in board.rig.abilities else 3  # an answer may get lost
    figures.measure("good frames until one is answered", clear(wire), high=most)
    wire.command(LedCtrl(0))


@needs("official_receiver")
def test_wrong_etx_swallows_the_next(wire: Wire) -> None:
    """Without ETX the chunk does not end: it takes the next frame with it, but not the one
    after that."""
    wire.send(LED[:-1] + b"\x0b")
    wire.send(GOOD)
    wire.no_answer(
        lambda m: isinstance(m, Ack | LedCtrl | DeviceId),
        "a frame without ETX, or the one behind it",
    )
    wire.command(GetDeviceId())


@needs("official_receiver")
def test_garbage_before_a_frame_costs_it(wire: Wire) -> None:
    """Nothing searches for STX; a lone 0x0A in between separates."""
    wire.send(b"\x55\x55" + GOOD)
    wire.no_answer(lambda m: isinstance(m, DeviceId), "a frame with garbage before it")
    wire.exchange(b"\x55\x55\n" + GOOD, GetDeviceId())


@needs("patience")
def test_frame_in_pieces(wire: Wire) -> None:
    """Byte by byte, as slowly as one likes: there is no time-out."""
    for byte in GOOD[:-1]:
        wire.send(bytes((byte,)))
        wire.listen(0.02)
    wire.exchange(GOOD[-1:], GetDeviceId())


def test_inner_0a(wire: Wire) -> None:
    """SET_CH_37 has its ETX within, so it comes in two chunks, and is put together."""
    wire.command(SetAll(fltr_id=0xFFFF, max_adv_len=0))
    wire.command(SetCh37(True))


@needs("official_receiver")
def test_poisoned_buffer(wire: Wire) -> None:
    """A bad frame stays in the ring, where it costs each frame that comes in pieces, until one
    that decodes at once empties it."""
    wire.command(SetAll(fltr_id=0xFFFF, max_adv_len=0))
    wire.send(DAMAGED["wrong CRC"])
    for _ in range(2):
        wire.send(SetCh37(True).to_frame())
        wire.no_answer(lambda m: isinstance(m, Ack), "SET_CH_37 behind a damaged frame")
    wire.command(GetDeviceId())
    wire.command(SetCh37(True))


@needs("setup", "official_receiver")
def test_overflowing_ring_resets(wire: Wire) -> None:
    """More than 64 bytes of bad frames in a row: the original's stack is overwritten, and it
    starts anew. A host must never let it come to that."""
    bad = DAMAGED["wrong CRC"]
    for _ in range(64 // len(bad)):
        wire.send(bad)
    wire.listen(SILENCE)
    assert not any(isinstance(received.message, GetAll) for received in wire.received)
    wire.send(bad)
    wire.wait_for_boot()
    wire.command(GetDeviceId())


@needs("setup", "official_receiver")
def test_bad_long_set_all(board: Board, wire: Wire) -> None:
    """Five damaged SET_ALL are more than its ring can take; four are not."""
    frame = SetAll().to_frame()
    bad = frame[:-2] + bytes((frame[-2] ^ 1,)) + frame[-1:]
    assert b"\n" not in bad[:-1]
    for _ in range(4):
        wire.send(bad)
    wire.listen(SILENCE)
    assert not any(isinstance(received.message, GetAll) for received in wire.received)
    wire.send(bad)
    wire.wait_for_boot()
    assert board.identity.address


def test_long_noise_without_0a(wire: Wire, figures: Figures) -> None:
    """Longer than any frame, without an end: it does not hang, and can be brought back."""
    wire.send(b"\xca\xff" * 100)
    wire.listen(SILENCE)
    wire.send(b"\n")
    figures.measure("good frames until one is answered", clear(wire))
