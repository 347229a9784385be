"""What always holds for the scanner, whatever the line carries and wherever reads cut it.

The judge is `reference`: the rules of the protocol once more, slow and plain, with nothing of
ours in it.
"""

from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pytest
from conftest import load_vectors
from hypothesis import assume, example, given
from hypothesis import strategies as st

from firmware_protocol.commands import Command
from firmware_protocol.errors import RemoteProtocolError
from firmware_protocol.framing import Frame, FrameScanner, decode_frame, encode_frame, frames
from firmware_protocol.messages import Message, messages, parse

# -- the reference --------------------------------------------------------------------------------

# Command → LEN → where the delimiters stand in the payload. Reports: see `delimiters`.
FIXED: dict[int, dict[int, tuple[int, ...]]] = {
    **{command: {2: (1,)} for command in (0x05, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C)},
    0x06: {3: (2,)},
    0x0E: {3: (2,)},
    0x0F: {5: (2, 4), 7: (2, 4, 6)},
    0x11: {16: (8, 15)},
    0x18: {0: ()},
    0x19: {0: ()},
    0x20: {4: (1, 3)},
}


def delimiters(command: int, length: int, max_adv: int) -> tuple[int, ...] | None:
    """Where the delimiters stand; None: no such command, or not with this LEN."""
    if command == 0x10 and 0 <= length - 10 <= max_adv:
        return (6, length - 3, length - 1)
    if command == 0x12 and 0 <= length - 14 <= max_adv:
        return (6, length - 7, length - 5, length - 1)
    return FIXED.get(command, {}).get(length)


def frame_at(stream: bytes, start: int, max_adv: int, unknown: bool) -> bytes | None:
    """The intact frame that begins at `start`, if there is one."""
    if stream[start] != 0xCA or start + 3 > len(stream):
        return None
    length, command = stream[start + 1 : start + 3]
    where = delimiters(command, length, max_adv)
    if where is None:
        if not unknown or command in FIXED or command in (0x10, 0x12):
            return None
        where = ()
    frame = stream[start : start + length + 6]
    payload, crc = frame[3:-3], int.from_bytes(frame[-3:-1], "little")
    whole = len(frame) == length + 6 and frame[-1] == 0x0A and crc == crc_hqx(frame[1:-3], 0xFFFF)
    return frame if whole and all(payload[i] == 0x2C for i in where) else None


def reference(stream: bytes, max_adv: int = 235, unknown: bool = False) -> list[tuple[int, bytes]]:
    """(offset, frame) of every frame that is to be delivered from `stream` and its end."""
    found = []
    position = 0
    while position < len(stream):
        frame = frame_at(stream, position, max_adv, unknown)
        if frame:
            found.append((position, frame))
        position += len(frame) if frame else 1
    return found


# -- streams --------------------------------------------------------------------------------------

# Bytes that mean something to the framing come often.
BYTES = st.sampled_from(b"\xca\xca\x0a\x2c\x00\x04\x12\x19\x20\xff") | st.integers(0, 255)
GET_ALL = bytes.fromhex("ca0019179e0a")


def raw(max_size: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=max_size) | st.lists(BYTES, max_size=max_size).map(bytes)


@st.composite
def intact_frames(draw: st.DrawFn) -> bytes:
    """A frame of a known command; its advertising data may hold whole frames."""
    command = draw(st.sampled_from([*FIXED, 0x10, 0x12, 0x12, 0x12]))
    if command in FIXED:
        length = draw(st.sampled_from(list(FIXED[command])))
        payload = bytearray(draw(st.binary(min_size=length, max_size=length)))
    else:
        data = draw(raw(60) | raw(235) | intact_frames().map(lambda f: f[:235]))
        payload = bytearray((10 if command == 0x10 else 14) + len(data))
        payload[7 : 7 + len(data)] = data
    for position in delimiters(command, len(payload), 235) or ():
        payload[position] = 0x2C
    covered = bytes([len(payload), command]) + payload
    return b"\xca" + covered + crc_hqx(covered, 0xFFFF).to_bytes(2, "little") + b"\x0a"


@st.composite
def unknown_frames(draw: st.DrawFn) -> bytes:
    command = draw(st.sampled_from([0x00, 0x04, 0x0D, 0x13, 0x21, 0xCA, 0xFF]))
    return encode_frame(command, draw(raw(20) | raw(255)))


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """As a line damages them, as the C encoder does (no CRC), and wrong in spite of a right CRC."""
    frame = bytearray(draw(intact_frames() | unknown_frames()))
    position = draw(st.integers(0, len(frame) - 1))
    match draw(st.sampled_from(["drop", "double", "change", "change two", "no CRC", "wrong"])):
        case "drop":
            del frame[position]
        case "double":
            frame.insert(position, frame[position])
        case "change":
            frame[position] ^= draw(st.integers(1, 255))
        case "change two":
            frame[position] ^= draw(st.integers(1, 255))
            frame[draw(st.integers(0, len(frame) - 1))] ^= draw(st.integers(1, 255))
        case "no CRC":
            del frame[-3:-1]
        case "wrong":
            frame[position] ^= draw(st.integers(1, 255))
            frame[-3:-1] = crc_hqx(frame[1:-3], 0xFFFF).to_bytes(2, "little")
    return bytes(frame)


@st.composite
def truncated_frames(draw: st.DrawFn) -> bytes:
    frame = draw(intact_frames())
    return frame[: draw(st.integers(1, len(frame) - 1))]


FALSE_HEADERS = st.sampled_from(
    [bytes.fromhex(h) for h in ("caf912", "caf510", "ca2d12", "caff", "cacaff30", "ca070f", "ca")]
)
STX_RUNS = st.integers(1, 300).map(lambda n: b"\xca" * n)
NOISE = st.one_of(raw(40), STX_RUNS, FALSE_HEADERS, truncated_frames(), damaged_frames())
STREAMS = st.lists(st.one_of(intact_frames(), unknown_frames(), NOISE), max_size=8).map(b"".join)
SIZES = st.lists(st.integers(1, 70) | st.just(1), min_size=1, max_size=30)
MAX_ADV = st.sampled_from([0, 5, 31, 48, 192, 235])


def cut(stream: bytes, sizes: list[int]) -> Iterator[bytes]:
    """`stream` in pieces of these sizes, over and over."""
    position = turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        yield stream[position : position + size]
        position += size
        turn += 1


@dataclass
class Scan:
    """What came out of a scanner, and how it stood before and after the flush."""

    found: list[tuple[int, bytes]]
    pending: int
    counters: dict[str, object]
    final_counters: dict[str, object]


def scan(stream: bytes, sizes: list[int], max_adv: int = 235, unknown: bool = False) -> Scan:
    """Scan `stream` in pieces, then flush. What must hold at every moment is checked here."""
    scanner = FrameScanner(frames, max_adv, unknown=unknown)
    longest_pending = 260 if unknown else 254
    found: list[Frame] = []
    fed = 0
    for piece in cut(stream, sizes):
        found += scanner.feed(piece)
        fed += len(piece)
        counters = scanner.counters
        accounted = counters.bytes_in_frames + counters.bytes_skipped + scanner.pending
        assert counters.bytes_received == fed == accounted
        assert counters.bytes_in_frames == sum(len(f.payload) + 6 for f in found)
        assert sum(counters.frames) == len(found)
        assert 0 <= scanner.pending <= longest_pending
    pending, before = scanner.pending, asdict(scanner.counters)
    found += scanner.flush()
    counters = scanner.counters
    assert scanner.pending == 0
    assert counters.bytes_received == fed == counters.bytes_in_frames + counters.bytes_skipped
    return Scan(
        [(frame.offset, encode_frame(frame.command, frame.payload)) for frame in found],
        pending,
        before,
        asdict(counters),
    )


# -- properties -----------------------------------------------------------------------------------


@given(STREAMS, SIZES, MAX_ADV, st.booleans())
@example(b"\xca\xf9\x12" + GET_ALL, [1], 235, False)
@example(b"\xca" * 600 + GET_ALL, [7], 235, True)
@example(encode_frame(0x30, bytes(255))[:-1] + GET_ALL, [1], 235, True)
def test_the_scanner_finds_what_the_reference_finds(
    stream: bytes, sizes: list[int], max_adv: int, unknown: bool
) -> None:
    assert scan(stream, sizes, max_adv, unknown).found == reference(stream, max_adv, unknown)


@given(STREAMS, SIZES, MAX_ADV, st.booleans())
def test_cutting_never_matters(
    stream: bytes, sizes: list[int], max_adv: int, unknown: bool
) -> None:
    """Neither to the frames nor to any counter."""
    whole = scan(stream, [len(stream) or 1], max_adv, unknown)
    assert scan(stream, sizes, max_adv, unknown) == whole


@given(st.data(), SIZES, st.booleans())
def test_cutting_known_streams_never_matters(
    data: st.DataObject, sizes: list[int], unknown: bool
) -> None:
    entry = data.draw(st.sampled_from(load_vectors("uart.json")["streams"]))
    stream = bytes.fromhex(entry["hex"])
    known = [frame for _, frame in scan(stream, sizes, unknown=unknown).found if frame[2] != 0x0D]
    assert [frame.hex() for frame in known] == entry["frames"]


@given(st.lists(st.tuples(NOISE, intact_frames()), max_size=6), NOISE, SIZES)
def test_noise_never_costs_an_intact_frame(
    pairs: list[tuple[bytes, bytes]], last: bytes, sizes: list[int]
) -> None:
    stream = b"".join(noise + frame for noise, frame in pairs) + last
    expected = []
    position = 0
    for noise, frame in [*pairs, (last, b"")]:
        # Noise that happens to begin a frame is no noise.
        for start in range(position, position + len(noise)):
            assume(frame_at(stream, start, 235, False) is None)
        position += len(noise)
        if frame:
            expected.append((position, frame))
            position += len(frame)
    assert scan(stream, sizes).found == expected


@given(st.lists(intact_frames(), max_size=6), SIZES)
def test_frames_alone_come_out_without_a_flush(sent: list[bytes], sizes: list[int]) -> None:
    scanner = FrameScanner(frames)
    found = [frame for piece in cut(b"".join(sent), sizes) for frame in scanner.feed(piece)]
    assert [encode_frame(frame.command, frame.payload) for frame in found] == sent
    assert scanner.pending == 0


@given(st.lists(STREAMS, max_size=4), SIZES, st.booleans())
def test_after_a_flush_the_scanner_starts_afresh(
    bursts: list[bytes], sizes: list[int], unknown: bool
) -> None:
    """What came before an idle time and what comes after it are never put together."""
    scanner = FrameScanner(frames, unknown=unknown)
    begin = 0
    for burst in bursts:
        found = [frame for piece in cut(burst, sizes) for frame in scanner.feed(piece)]
        found += scanner.flush()
        assert [
            (frame.offset - begin, encode_frame(frame.command, frame.payload)) for frame in found
        ] == reference(burst, unknown=unknown)
        begin += len(burst)


@given(STREAMS, SIZES)
def test_both_readings_tell_the_same(stream: bytes, sizes: list[int]) -> None:
    as_frames = FrameScanner(frames)
    as_messages: FrameScanner[Message] = FrameScanner(messages)
    for piece in [*cut(stream, sizes), None]:
        found = as_frames.flush() if piece is None else as_frames.feed(piece)
        told = as_messages.flush() if piece is None else as_messages.feed(piece)
        assert told == [parse(frame) for frame in found]
        assert [message.command for message in told] == [frame.command for frame in found]
        assert as_messages.counters == as_frames.counters


@given(raw(2000), st.booleans())
def test_random_bytes_raise_nothing(stream: bytes, unknown: bool) -> None:
    scan(stream, [4096], unknown=unknown)
    FrameScanner(messages).feed(stream)


REASONS = {
    *("bad_stx", "truncated", "bad_etx", "bad_crc"),
    *("unknown_cmd", "bad_len", "adv_too_long", "bad_delimiter"),
}


@given(raw(300) | NOISE | intact_frames() | unknown_frames(), MAX_ADV)
def test_decode_takes_what_the_reference_takes(data: bytes, max_adv: int) -> None:
    expected = frame_at(data, 0, max_adv, unknown=False) if data else None
    if expected:
        frame = decode_frame(data, max_adv)
        assert encode_frame(frame.command, frame.payload) == expected
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frame(data, max_adv)
        assert caught.value.reason in REASONS


def test_the_reference_knows_every_command() -> None:
    assert {*FIXED, 0x10, 0x12} == set(Command)
