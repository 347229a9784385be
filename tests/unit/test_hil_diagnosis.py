"""What the rig says of frames that it does not understand."""

import pytest
from peer import ACK, DEVICE_ID, IDENTITY, ack, crc, frame, report

from firmware_protocol.crc import crc16
from hil.diagnosis import MISTAKES, Sample


def told(data: bytes) -> str:
    sample = Sample()
    for byte in data:
        sample.feed(bytes((byte,)))
    return sample.tell()


def with_crc(good: bytes, value: int) -> bytes:
    return good[:-3] + value.to_bytes(2, "little") + good[-1:]


@pytest.mark.parametrize(
    ("words", "computed"),
    [
        ("exchanged", lambda covered: int.from_bytes(crc(covered).to_bytes(2, "little"), "big")),
        ("covers STX", lambda covered: crc(b"\xca" + covered)),
        ("does not cover LEN", lambda covered: crc(covered[1:])),
        ("inverted", lambda covered: crc(covered) ^ 0xFFFF),
    ],
)
def test_a_crc_that_is_always_wrong_in_the_same_way(words, computed) -> None:  # type: ignore[no-untyped-def]
    good = [report(n) for n in range(4)] + [ack(0x0F)]
    assert words in told(b"".join(with_crc(f, computed(f[1:-3])) for f in good))


def test_a_crc_from_zero() -> None:
    # Known values of CRC-16/XMODEM.
    begins_with_zero = MISTAKES["the CRC begins with 0x0000, instead of 0xFFFF"]
    assert begins_with_zero(b"123456789") == 0x31C3
    assert crc16(b"123456789") == 0x29B1


def test_chance_is_no_mistake() -> None:
    good = report(1)
    assert told(good * 5) == ""
    assert told(with_crc(good, 0x1234) * 5) == ""
    assert told(bytes(range(256)) * 3 + b"\xca" * 40) == ""


def test_a_good_crc_around_something_wrong() -> None:
    assert told(frame(DEVICE_ID, IDENTITY[:-1])) == (
        ": 1 DEVICE_ID with a good CRC, but no DEVICE_ID has LEN 15"
    )
    assert "comma" in told(frame(DEVICE_ID, IDENTITY[:-1] + b"\x00"))
    assert "there is no such command" in told(frame(0x1F, b"\x00,"))
    assert told(frame(ACK, b"\x0f,\x00,")) == ""
