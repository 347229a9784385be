"""What is wrong with frames that nobody understands, in words for those who built the board."""

from binascii import crc_hqx
from collections import Counter
from collections.abc import Callable, Iterator

from firmware_protocol.commands import Command
from firmware_protocol.crc import crc16
from firmware_protocol.errors import RemoteProtocolError
from firmware_protocol.framing import decode_frame

SIZE = 4096
"""Bytes that are looked at; so many are enough to tell."""
LEAST = 3
"""Frames; what fewer have in common may be chance."""
MOST = 3
STX, ETX = 0xCA, 0x0A


def _exchanged(value: int) -> int:
    return value >> 8 | (value & 0xFF) << 8


MISTAKES: dict[str, Callable[[bytes], int]] = {
    "the two bytes of the CRC are exchanged: the low one comes first": (
        lambda covered: _exchanged(crc16(covered))
    ),
    "the CRC begins with 0x0000, instead of 0xFFFF": lambda covered: crc_hqx(covered, 0),
    "the CRC covers STX, too; it begins with LEN": lambda covered: crc16(bytes((STX,)) + covered),
    "the CRC does not cover LEN": lambda covered: crc16(covered[1:]),
    "the CRC is inverted": lambda covered: crc16(covered) ^ 0xFFFF,
}
"""What is computed wrongly → how. It is given LEN, CMD and the payload."""


REFUSED = {
    "bad_len": "but no {name} has LEN {length}",
    "bad_delimiter": "but a field is not followed by a comma (0x2C)",
    "adv_too_long": "but too many bytes of advertising data",
    "unknown_cmd": "but there is no such command",
}
"""A reason of `decode_frame`, for people."""


class Sample:
    """The first bytes of a line."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, raw: bytes) -> None:
        """More of them."""
        if len(self._bytes) < SIZE:
            self._bytes += raw

    def tell(self) -> str:
        """What the frames have in common that are not understood: "" or ": " and some words."""
        damaged: list[bytes] = []
        refused: Counter[str] = Counter()
        for frame in self._frames():
            try:
                decode_frame(frame)
            except RemoteProtocolError as error:
                if error.reason == "bad_crc":
                    damaged.append(frame)
                else:
                    name, length = _name(frame[2]), frame[1]
                    but = REFUSED[error.reason].format(name=name, length=length)
                    refused[f"{name} with a good CRC, {but}"] += 1
        found = [f"{count} {what}" for what, count in refused.most_common(MOST)]
        if len(damaged) >= LEAST:
            found += [
                words
                for words, wrong in MISTAKES.items()
                if all(wrong(frame[1:-3]) == _crc_in(frame) for frame in damaged)
            ][:1]
        return "".join(f": {what}" if not at else f"; {what}" for at, what in enumerate(found))

    def _frames(self) -> Iterator[bytes]:
        """What begins and ends like a frame, and has a good CRC or a command that there is."""
        raw = bytes(self._bytes)
        at = raw.find(STX)
        while 0 <= at <= len(raw) - 6:
            frame = raw[at : at + 6 + raw[at + 1]]
            if len(frame) == 6 + frame[1] and frame[-1] == ETX and _is_meant(frame):
                yield frame
                at += len(frame) - 1
            at = raw.find(STX, at + 1)


def _is_meant(frame: bytes) -> bool:
    return frame[2] in set(Command) or crc16(frame[1:-3]) == _crc_in(frame)


def _crc_in(frame: bytes) -> int:
    return int.from_bytes(frame[-3:-1], "little")


def _name(command: int) -> str:
    return Command(command).name if command in set(Command) else f"command 0x{command:02X}"
