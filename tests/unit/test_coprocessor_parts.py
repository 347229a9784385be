"""What a coprocessor is made of: the reader of commands, the place for a reply, the radio."""

from math import inf

import pytest

from firmware_protocol.command_reader import DECODE_SIZE, CommandReader
from firmware_protocol.commands import Command
from firmware_protocol.firmwares import FIRMWARES
from firmware_protocol.framing import Frame
from firmware_protocol.messages import GetDeviceId, LedCtrl, SetAll
from firmware_protocol.reply_slot import ReplySlot
from firmware_protocol.scan import PHY_1M, PHY_CODED, Radio
from firmware_protocol.transmitter import DropIfBusy

QUESTION = GetDeviceId().to_frame()
BAUD = 10_000  # a byte takes a millisecond


def read(reader: CommandReader, data: bytes) -> list[Frame]:
    return [frame for byte in data if (frame := reader.feed(byte))]


def test_a_frame_with_an_inner_end_is_put_together() -> None:
    inner_end = LedCtrl(0x0A0A).to_frame()
    reader = CommandReader(FIRMWARES["2.0.0"])
    assert [frame.command for frame in read(reader, inner_end)] == [Command.LED_CTRL]


def test_a_damaged_command_swallows_those_that_need_the_ring_until_one_decodes_at_once() -> None:
    inner_end = LedCtrl(0x0A0A).to_frame()
    reader = CommandReader(FIRMWARES["2.0.0"])
    assert read(reader, b"\xca\x05\n" + inner_end) == []
    assert [frame.command for frame in read(reader, QUESTION + inner_end)] == [
        Command.GET_DEVICE_ID,
        Command.LED_CTRL,
    ]


def test_too_much_noise_overflows() -> None:
    reader = CommandReader(FIRMWARES["2.0.0"])
    assert read(reader, bytes(DECODE_SIZE - 1) + b"\n") == []
    assert not reader.has_overflowed
    assert read(reader, b"\n") == []
    assert reader.has_overflowed


def test_old_firmware_knows_the_short_settings_only() -> None:
    both = SetAll().to_frame() + SetAll(max_adv_len=0).to_frame()
    lengths = {
        name: [len(f.payload) for f in read(CommandReader(firmware), both)]
        for name, firmware in FIRMWARES.items()
    }
    assert lengths == {"2.0.0": [7, 5], "1.0.0": [5]}


def test_a_reply_waits_for_the_line_once() -> None:
    line = DropIfBusy(BAUD)
    slot = ReplySlot(line, has_room=False)
    assert slot.deadline == inf
    line.send(bytes(100), 1.0)
    assert not slot.put(b"reply", 1.05)
    assert slot.send(1.05) == (0, 0)
    assert slot.deadline == pytest.approx(1.1, abs=0.001)
    assert slot.send(slot.deadline) == (1, 0)
    assert slot.deadline == inf


def test_a_lost_report_lets_a_reply_go() -> None:
    line = DropIfBusy(BAUD)
    slot = ReplySlot(line, has_room=False)
    slot.put(b"reply", 1.0)
    slot.report_was_lost(1.0)
    assert slot.deadline == 1.0, "it does not wait for the line"
    line.send(bytes(100), 1.0)
    slot.send(1.0)
    slot.report_was_lost(1.05)
    assert slot.deadline > 1.09, "the line is still busy"
    slot.report_was_lost(2.0)
    assert slot.deadline == pytest.approx(2.0, abs=0.001)


@pytest.mark.parametrize(("has_room", "sent"), [(False, 1), (True, 2)])
def test_the_next_command_replaces_a_reply_in_new_firmware(has_room: bool, sent: int) -> None:
    slot = ReplySlot(DropIfBusy(0), has_room=has_room)
    assert not slot.put(b"one", 1.2)
    assert slot.put(b"two", 1.0) is not has_room
    assert slot.deadline == 1.2, "and not before the first one was due"
    assert slot.send(1.2) == (sent, 0)


def test_a_radio_without_coded_phy_refuses_it_and_scans_all_the_same() -> None:
    radio = Radio(has_coded_phy=False)
    assert radio.scan_end == inf
    assert radio.configure(SetAll(use_coded_phy=True), 1.0)
    assert radio.scan
    assert radio.scan.phy == PHY_1M
    assert radio.set_flag("use_coded_phy", True)


def test_without_any_channel_those_from_before_stay() -> None:
    radio = Radio(has_coded_phy=True)
    assert not radio.configure(SetAll(ch_38=False, ch_39=False), 1.0)
    assert radio.configure(SetAll(ch_37=False, ch_38=False, ch_39=False), 2.0)
    assert (radio.settings.ch_37, radio.settings.ch_38, radio.settings.ch_39) == (
        True,
        False,
        False,
    )
    assert radio.set_flag("ch_37", False), "the last one cannot be taken away"
    assert not radio.set_flag("ch_39", True)


def test_both_phys_take_turns() -> None:
    radio = Radio(has_coded_phy=True)
    radio.configure(SetAll(use_coded_phy=True, use_1m_phy=True), 0.0)
    phys = []
    for _ in range(3):
        assert radio.scan
        phys.append(radio.scan.phy)
        radio.start(radio.scan_end)
    assert phys == [PHY_CODED, PHY_1M, PHY_CODED]
