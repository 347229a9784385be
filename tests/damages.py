"""What damages a line, done to bytes: each as the thing itself does it."""

import re
from collections.abc import Callable
from zlib import crc32

from peer import IDENTITY, ack, frame, report

Damaging = Callable[[bytes], bytes]

GREETING = bytes.fromhex("fffb03 fffb01 fffe01 fffd00 fffd2c")
"""What ser2net 4 says to who connects to a telnet port of its."""


def telnet(data: bytes) -> bytes:
    return data.replace(b"\xff", b"\xff\xff")


def cr_added(data: bytes) -> bytes:
    """ONLCR."""
    return data.replace(b"\n", b"\r\n")


def cr_lost(data: bytes) -> bytes:
    """IGNCR."""
    return data.replace(b"\r", b"")


def cr_to_lf(data: bytes) -> bytes:
    """ICRNL."""
    return data.replace(b"\r", b"\n")


def lf_to_cr(data: bytes) -> bytes:
    """INLCR."""
    return data.replace(b"\n", b"\r")


def lf_doubled(data: bytes) -> bytes:
    return data.replace(b"\n", b"\n\n")


def lf_lost(data: bytes) -> bytes:
    return data.replace(b"\n", b"")


def nul_behind_cr(data: bytes) -> bytes:
    """As telnet has it, if the line is not binary."""
    return data.replace(b"\r", b"\r\0")


def flow_control(data: bytes) -> bytes:
    """IXON."""
    return data.replace(b"\x11", b"").replace(b"\x13", b"")


def seven_bits(data: bytes) -> bytes:
    """ISTRIP."""
    return bytes(byte & 0x7F for byte in data)


def as_utf8(data: bytes) -> bytes:
    return data.decode("latin-1").encode()


def replaced(data: bytes) -> bytes:
    """What is no UTF-8 is a question mark."""
    return data.decode("utf-8", "replace").encode()


def as_digits(data: bytes) -> bytes:
    return data.hex(" ").encode() + b" "


def jlink(data: bytes) -> bytes:
    """The first bytes of some packets are gone, as openthread's issue 2857 shows it."""
    packets = [data[at : at + 64] for at in range(0, len(data), 64)]
    return b"".join(
        packet if crc32(packet) % 4 else (b"USBSO" + bytes(37))[: len(packet)] + packet[42:]
        for packet in packets
    )


def wrong_speed(data: bytes) -> bytes:
    """Read at 230400 what is sent at 115200: each bit is seen twice."""
    bits = "".join(f"0{f'{byte:08b}'[::-1]}1" for byte in data)
    line = "".join(bit * 2 for bit in bits)
    read, at = bytearray(), line.find("0")
    while at >= 0 and at + 10 <= len(line):
        read.append(int(line[at + 1 : at + 9][::-1], 2))
        at = line.find("0", at + 10)
    return bytes(read)


def some_bytes_lost(data: bytes) -> bytes:
    """Another program reads the same port."""
    return re.sub(rb"(?s)(.{40}).", rb"\1", data)


def tag(number: int) -> bytes:
    """A report; each has one of the bytes that somebody may treat in a way of its own."""
    special = (0xFF, 0x0D, 0x11, 0x13, 0x0A, 0x80)[number % 6]
    return report(number << 8, bytes.fromhex("0201060cc79904") + bytes((5, special, 6)) + b"=" * 5)


def traffic(count: int = 30) -> bytes:
    """The answers of a handshake, and reports."""
    return frame(0x11, IDENTITY) + ack(0x0F) + b"".join(tag(n) for n in range(count))
