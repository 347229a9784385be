"""The input of the benchmarks: what a coprocessor sends, with 31 bytes of advertising data."""

from collections.abc import Iterator
from random import Random

from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import AdvRprt2, Message, messages

CHUNK = 256
"""Bytes per read, for parsers that are compared."""

TAGS = 100
TAG_HEADER = bytes.fromhex("0201061BFF990405")
"""How a RuuviTag's advertising data begins: flags, company identifier, data format 5."""


def reports(count: int, *, seed: int = 1, tags: int = TAGS, repeats: int = 1) -> list[AdvRprt2]:
    """Reports of `tags` tags in turn, each reading sent `repeats` times before the next one,
    and numbered as a tag numbers its readings."""
    random = Random(seed)
    addresses = [b"\xcb" + number.to_bytes(5) for number in range(tags)]
    readings: dict[bytes, bytes] = {}
    made = []
    for number in range(count):
        address = addresses[number % tags]
        if number // tags % repeats == 0:
            sequence = (number // tags // repeats % 0xFFFF).to_bytes(2)
            readings[address] = TAG_HEADER + random.randbytes(15) + sequence + address
        made.append(
            AdvRprt2(address, readings[address], random.randrange(-95, -40), 1, 15, 37, False, -64)
        )
    return made


def chunks(stream: bytes, size: int = CHUNK) -> list[bytes]:
    """`stream` as it comes from a port, `size` bytes a read."""
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def damaged(frames: list[bytes], every: int) -> Iterator[bytes]:
    """`frames`, one byte of each `every`th being wrong."""
    random = Random(2)
    for number, frame in enumerate(frames):
        if number % every == 0:
            position = random.randrange(len(frame))
            wrong = frame[position] ^ random.randrange(1, 256)
            frame = frame[:position] + bytes([wrong]) + frame[position + 1 :]
        yield frame


def scan(pieces: list[bytes]) -> int:
    """Our own chain from bytes to typed reports; how many there were."""
    feed = FrameScanner[Message](messages).feed
    return sum(len(feed(piece)) for piece in pieces)
