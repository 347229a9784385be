"""What a hostile capture costs: work and memory grow with its size, whatever is in it.

Work is counted, not timed: the lines of our own code that run.
"""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct, pack
from types import FrameType
from typing import Any

import pytest

from firmware_protocol.messages import DeviceId
from ruuvi_host.capture.anonymize import Anonymizer
from ruuvi_host.capture.masks import Masks
from ruuvi_host.capture.pcapng import (
    INTERFACE,
    LINK_TYPE,
    MAX_INTERFACES,
    PACKET,
    Reader,
    Record,
    packet,
    section,
)
from ruuvi_host.capture.script import survey
from ruuvi_host.capture.source import Source
from ruuvi_host.cli.frames import FrameList

FRAME = DeviceId(bytes(8), bytes(6)).to_frame()
OURS = str(Path(__file__).parents[2])


def block(kind: int, body: bytes) -> bytes:
    length = pack("<I", 12 + len(body))
    return pack("<I", kind) + length + body + length


BEGIN = section("test")
PORT = block(INTERFACE, Struct("<HHI").pack(LINK_TYPE, 0, 0))


def sent(data: bytes = FRAME, port: int = 0) -> bytes:
    return packet(Record(False, 0, 0, data, interface=port))


def with_options(options: bytes) -> bytes:
    return BEGIN + block(PACKET, bytes(20) + options)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "interfaces": lambda n: BEGIN + n * PORT + sent(port=n),
    "a packet on each": lambda n: BEGIN + n * PORT + b"".join(sent(port=p) for p in range(n)),
    "many ports, then many sections": lambda n: (
        BEGIN + n * PORT + b"".join(sent(port=p) for p in range(n)) + n * (BEGIN + sent())
    ),
    "sections": lambda n: n * (BEGIN + sent()),
    "options": lambda n: with_options(n * 10 * pack("<HH", 77, 0)),
    "options of all kinds": lambda n: with_options(
        b"".join(pack("<HH", 1 + each % 65535, 0) for each in range(n * 10))
    ),
    "empty packets": lambda n: BEGIN + n * sent(b""),
    "frames in one packet": lambda n: BEGIN + sent(n * 10 * FRAME),
    "frames in pieces": lambda n: BEGIN + b"".join(sent(bytes([byte])) for byte in n // 8 * FRAME),
    "one port waits": lambda n: BEGIN + PORT + sent(FRAME[:5]) + n * sent(port=1),
    "one port waits each time": lambda n: (
        BEGIN + PORT + n // 100 * (sent(b"\xca\xff") + 100 * sent(port=1))
    ),
    "incomplete frames": lambda n: (
        BEGIN + n * PORT + b"".join(sent(FRAME[:7], p) for p in range(n))
    ),
    "noise": lambda n: BEGIN + n * sent(b"\xca\xff\xca"),
}


def decode(raw: bytes) -> Any:
    frames = FrameList(Source("x", iter([raw])), as_json=False, unknown=False)
    for _ in frames:
        pass
    return frames.counted()


def anonymize(raw: bytes) -> Any:
    for _ in Anonymizer(Source("x", iter([raw])), Masks(b"")):
        pass


def look_through(raw: bytes) -> Any:
    return survey(Source("x", iter([raw])))


def lines_run(work: Callable[[bytes], Any], raw: bytes) -> int:
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work(raw)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("work", [decode, anonymize, look_through])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_twice_the_input_is_twice_the_work(hostile: str, work: Callable[[bytes], Any]) -> None:
    make = HOSTILE[hostile]
    one, two = (lines_run(work, make(n)) for n in (400, 800))
    assert two < 2.3 * one


@pytest.mark.parametrize("work", [decode, anonymize, look_through])
@pytest.mark.parametrize("hostile", ["options", "options of all kinds", "frames in one packet"])
def test_a_large_block_takes_a_few_times_its_size(
    hostile: str, work: Callable[[bytes], Any]
) -> None:
    raw = HOSTILE[hostile](50_000 if "options" in hostile else 3_000)
    assert len(raw) > 600_000
    tracemalloc.start()
    try:
        work(raw)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 9 * len(raw)


def test_noise_is_not_kept() -> None:
    records = (Record(False, 0, 0, b"\xca\xff\xca") for _ in range(20_000))
    tracemalloc.start()
    try:
        assert list(Anonymizer(records, Masks(b""))) == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


def test_interfaces_are_limited() -> None:
    reader = Reader(iter([BEGIN, *(MAX_INTERFACES * [PORT]), sent()]))
    assert list(reader) == []
    assert reader.problem
    assert reader.problem.endswith("a block with invalid content")


def test_options_with_huge_numbers() -> None:
    """An option may have 65,535 bytes; what is counted in it has eight."""
    body = pack("<IIIII", 0, 0, 0, len(FRAME), len(FRAME)) + FRAME + bytes(-len(FRAME) % 4)
    raw = BEGIN + 3 * block(PACKET, body + pack("<HH", 4, 60_000) + 60_000 * b"\xff")
    assert f"{3 * (2**64 - 1)} lost" in decode(raw)


def test_what_is_first_counts() -> None:
    options = pack("<HHI", 2, 4, 2) + pack("<HHI", 2, 4, 1)
    body = pack("<IIIII", 0, 0, 0, 4, 4) + b"abcd" + options

    def read() -> Iterator[Record]:
        return iter(Reader(iter([BEGIN + block(PACKET, body)])))

    assert [record.sent for record in read()] == [True]


def test_parts_of_a_record() -> None:
    record = Record(False, 1, 2, b"abcde", lost=3)
    assert list(record.parts(5)) == [record]
    assert [(part.data, part.lost) for part in record.parts(2)] == [
        (b"ab", 3),
        (b"cd", 0),
        (b"e", 0),
    ]


def test_a_time_outside_of_the_calendar_is_one_number() -> None:
    header = int.from_bytes(BEGIN[4:8], "little")
    begin = BEGIN[:header] + PORT  # counts in microseconds
    high, low = divmod(1_700_000_000_123 * 10**6 + 456_789, 1 << 32)
    raw = begin + block(
        PACKET,
        pack("<IIIII", 0, high, low, len(FRAME), len(FRAME)) + FRAME + bytes(-len(FRAME) % 4),
    )
    line = "".join(FrameList(Source("x", iter([raw])), as_json=False, unknown=False))
    assert line.startswith("1700000000123.456789 s  coprocessor")
