"""What damages a line is told by the bytes, how much of it there is by their number."""

import random

import pytest
from damages import (
    GREETING,
    Damaging,
    as_digits,
    as_utf8,
    cr_added,
    cr_lost,
    cr_to_lf,
    flow_control,
    jlink,
    lf_doubled,
    lf_lost,
    lf_to_cr,
    nul_behind_cr,
    replaced,
    seven_bits,
    some_bytes_lost,
    tag,
    telnet,
    traffic,
    wrong_speed,
)
from peer import IDENTITY, ack, frame, report

from firmware_protocol.commands import MAX_ADV_LEN
from firmware_protocol.damage import HEAD, OFTEN, TAIL, WINDOW, WORTH_A_WORD, Damage
from firmware_protocol.damage_causes import DamageCause, cause_of
from firmware_protocol.stream import MessageStream

SERVER_LOG = b"""
U-Boot 2023.04 (Apr 04 2023 - 00:00:00 +0000)
Hit any key to stop autoboot:  0
"""
CONSOLE_LOG = b"""
[    0.000000] Linux version 6.1.0 (gcc 12.2.0)
[    1.204711] systemd[1]: Reached target Multi-User System.
raspberrypi login: """


def stream() -> MessageStream:
    return MessageStream(MAX_ADV_LEN, idle=0.05)


def feed(line: MessageStream, data: bytes, at: float = 1.0, size: int = 50) -> None:
    """In reads of a few bytes, over ten seconds."""
    reads = [data[start : start + size] for start in range(0, len(data), size)]
    for number, read in enumerate(reads):
        line.feed(read, at + 10 * number / len(reads))


def found(line: MessageStream) -> Damage:
    damage = line.damage.damage
    assert damage is not None
    return damage


@pytest.mark.parametrize(
    ("damaging", "cause"),
    [
        (telnet, DamageCause.TELNET),
        (cr_added, DamageCause.LINE_ENDS),
        (cr_lost, DamageCause.LINE_ENDS),
        (cr_to_lf, DamageCause.LINE_ENDS),
        (lf_to_cr, DamageCause.LINE_ENDS),
        (lf_doubled, DamageCause.LINE_ENDS),
        (lf_lost, DamageCause.LINE_ENDS),
        (nul_behind_cr, DamageCause.LINE_ENDS),
        (flow_control, DamageCause.FLOW_CONTROL),
        (seven_bits, DamageCause.SEVEN_BITS),
        (as_utf8, DamageCause.AS_TEXT),
        (replaced, DamageCause.AS_TEXT),
        (as_digits, DamageCause.AS_TEXT),
        (jlink, DamageCause.JLINK),
        (wrong_speed, DamageCause.FOREIGN),
        (some_bytes_lost, DamageCause.UNKNOWN),
    ],
)
def test_each_damage_has_its_name(damaging: Damaging, cause: DamageCause) -> None:
    line = stream()
    feed(line, damaging(traffic(60)))
    damage = found(line)
    assert damage.cause is cause
    assert damage.lasts
    assert damage.share > 0.1
    assert damage.received == line.counters.bytes_received


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (SERVER_LOG, DamageCause.BOOT_LOADER),
        (b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET)\r\n", DamageCause.BOOT_LOADER),
        (b"GNU GRUB  version 2.06\r\n\r\ngrub> ", DamageCause.BOOT_LOADER),
        (CONSOLE_LOG, DamageCause.CONSOLE),
        (b"Please press Enter to activate this console.\r\n", DamageCause.CONSOLE),
        (b"pi@gateway:~$ \r\npi@gateway:~$ CA: command not found\r\n", DamageCause.CONSOLE),
        (b"temperature 21.5 C, humidity 40 %\r\n", DamageCause.TEXT),
        (bytes(range(128, 256)) * 4, DamageCause.FOREIGN),
    ],
)
def test_text_is_told_from_noise(text: bytes, cause: DamageCause) -> None:
    line = stream()
    feed(line, text * 5)
    assert found(line).cause is cause


def test_text_between_good_frames() -> None:
    line = stream()
    for number in range(20):
        line.feed(tag(number) + b"[  12.345678] usb 1-1: new device found\r\n", float(number))
    assert found(line).cause is DamageCause.CONSOLE
    assert line.counters.frames_by_name() == {"ADV_RPRT2": 20}


def test_frames_of_a_newer_firmware_are_not_called_noise() -> None:
    line = stream()
    for number in range(20):
        line.feed(tag(number) + frame(0x55, bytes((number, 0x2C)) * 4), float(number))
    assert found(line).cause is DamageCause.NEW_FRAMES


def test_a_byte_at_each_reboot_is_not_worth_a_word() -> None:
    line = stream()
    for second in range(0, 60, 10):
        line.feed(frame(0x19), float(second))
        line.feed(b"\0" + frame(0x19), second + 5.0)
    assert found(line).reads >= OFTEN
    assert found(line).share > WORTH_A_WORD
    assert not found(line).lasts


def test_a_good_line_has_no_damage() -> None:
    line = stream()
    feed(line, traffic(200))
    assert line.damage.damage is None
    assert not line.damage.is_due


@pytest.mark.parametrize("cut", range(1, len(tag(1))))
def test_what_stands_before_the_first_frame_is_no_damage(cut: int) -> None:
    line = stream()
    feed(line, tag(1)[cut:] + traffic())
    assert line.damage.damage is None


def test_only_the_first_frame_is_excused() -> None:
    line = stream()
    line.feed(traffic(), 0.0)
    line.feed(tag(1)[5:] + tag(2), 1.0)
    assert found(line).skipped == len(tag(1)) - 5
    assert not found(line).lasts, "once is a chance"


def test_answers_that_are_lost_before_the_first_frame_are_damage() -> None:
    """XON is the number of DEVICE_ID: it never comes, and four tries later SET_ALL is answered."""
    line = stream()
    line.feed(tag(0)[9:], 0.0)
    for retry in range(4):
        line.feed(flow_control(frame(0x11, IDENTITY)), 0.1 + retry)
    line.feed(ack(0x0F), 4.0)
    assert found(line).cause is DamageCause.FLOW_CONTROL
    assert found(line).reads == 3


def test_without_any_frame_nothing_is_excused() -> None:
    line = stream()
    line.feed(b"login: " * 10, 0.0)
    assert found(line).skipped == 70


def test_a_telnet_server_is_known_by_its_greeting_before_it_does_harm() -> None:
    line = stream()
    line.feed(GREETING + report(1, b"\x02\x01\x06"), 0.0)
    assert line.damage.is_due
    damage = line.damage.tell()
    assert damage
    assert (damage.cause, damage.skipped) == (DamageCause.TELNET, 0)
    line.feed(report(1, b"\x02\x01\x06"), 1.0)
    assert not line.damage.is_due, "once is enough"


def test_a_sensor_cannot_put_words_into_our_mouth() -> None:
    """What stands in an intact frame is no damage, whatever it says."""
    line = stream()
    for number in range(100):
        line.feed(report(number, b"USBSO login: U-Boot \xff\xfb\x01\xff\xfb\x03"), float(number))
    assert line.damage.damage is None


def test_a_burst_of_noise_does_not_last() -> None:
    line = stream()
    line.feed(traffic(), 0.0)
    for number in range(20):
        line.feed(tag(number)[3:], 0.1 * number)
    assert found(line).share > 0.2
    assert not found(line).lasts
    assert not line.damage.is_due


def test_it_is_told_once_in_a_window_and_known_all_the_time() -> None:
    line, told = stream(), []
    line.feed(traffic(), 0.0)
    for second in range(1, 4 * int(WINDOW)):
        line.feed(telnet(tag(6 * second)), float(second))
        if line.damage.is_due:
            told.append(second)
            assert line.damage.tell()
        if told:
            assert found(line).lasts
            assert found(line).cause is DamageCause.TELNET
    assert len(told) == 4
    assert told[0] < 10


def test_what_is_over_is_over() -> None:
    line = stream()
    line.feed(traffic(), 0.0)
    for second in range(1, 20):
        line.feed(telnet(tag(6 * second)), float(second))
    assert found(line).lasts
    assert found(line).at == 19.0
    line.feed(tag(1), 500.0)
    line.feed(tag(1)[4:], 1000.0)
    assert (found(line).at, found(line).reads, found(line).lasts) == (1000.0, 1, False)


def test_what_is_kept_is_bounded() -> None:
    line = stream()
    noise = random.Random(5).randbytes(300_000)
    for start in range(0, len(noise), 100_000):
        line.feed(noise[start : start + 100_000], float(start))
    kept = [getattr(line.damage, name) for name in ("_head", "_tail")]
    assert [len(data) for data in kept] == [HEAD, TAIL]


@pytest.mark.parametrize("byte", [0xCA, 0x0A, 0xFF, 0x4A, 0x0D, 0x00, 0x20])
def test_the_worst_bytes_are_judged_too(byte: int) -> None:
    assert cause_of(bytes([byte]) * TAIL, any_frame=True) in DamageCause
    noise = random.Random(byte).randbytes(TAIL // 2)
    mixed = bytes(b for pair in zip(noise, bytes([byte]) * len(noise), strict=True) for b in pair)
    assert cause_of(mixed, any_frame=True) in {DamageCause.UNKNOWN, DamageCause.TEXT}


def test_noise_has_no_name() -> None:
    for seed in range(50):
        noise = random.Random(seed).randbytes(TAIL)
        assert cause_of(noise, noise[:HEAD], any_frame=True) is DamageCause.UNKNOWN
