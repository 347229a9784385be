"""The container of captures: what is written is read again, whatever happened to the file."""

import gzip
import lzma
from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.commands import Command
from firmware_protocol.messages import Ack, GetAll, LedCtrl, SetAll
from ruuvi_host.capture.pcapng import Reader, Record, packet, section, statistics
from ruuvi_host.capture.source import Source
from ruuvi_host.errors import ConfigError

BEGIN = section("test", "/dev/ttyX", "/dev/ttyY", None)
END = statistics(1, 2, 3, 0)
RECEIVED = Record(False, 1_790_000_000_123_456_789, 12_000_000_345, b"\xca\x00\x19\x17\x9e\x0a")
SENT = Record(True, 1_790_000_000_223_456_789, 112_000_000_345, b"\xca\x00\x18\x36\x8e\x0a", 7)

records = st.builds(
    Record,
    st.booleans(),
    st.integers(0, 2**63),
    st.integers(0, 10**18) | st.none(),
    st.binary(max_size=300),
    st.integers(0, 2**40),
    st.just(0),
    st.integers(0, 2),
)


def read(raw: bytes, piece: int = 1 << 20) -> tuple[list[Record], Reader]:
    reader = Reader(raw[i : i + piece] for i in range(0, len(raw), piece))
    return list(reader), reader


@given(st.lists(records, max_size=5), st.integers(1, 100))
def test_what_is_written_is_read(written: list[Record], piece: int) -> None:
    found, reader = read(BEGIN + b"".join(map(packet, written)) + END, piece)
    assert found == written
    assert (reader.problem, reader.ended, reader.sections) == (None, True, 1)


def test_known_bytes() -> None:
    """As laid down in draft-ietf-opsawg-pcapng, section 4.3, so that others can read it."""
    assert packet(RECEIVED) == (
        bytes.fromhex("06000000 50000000 00000000")
        + pack("<II", *divmod(1_790_000_000_123_456_789, 2**32))
        + bytes.fromhex("06000000 06000000 CA0019179E0A0000 0100 1800")
        + b"monotonic 12.000000345 s"
        + bytes.fromhex("0200 0400 01000000 00000000 50000000")
    )


def test_a_capture_without_an_end_says_so() -> None:
    found, reader = read(BEGIN + packet(RECEIVED))
    assert found == [RECEIVED]
    assert (reader.problem, reader.ended) == (None, False)


@pytest.mark.parametrize("raw", range(1, len(packet(SENT))))
def test_a_cut_block_costs_that_block_only(raw: int) -> None:
    whole = BEGIN + packet(RECEIVED)
    found, reader = read(whole + packet(SENT)[:raw])
    assert found == [RECEIVED]
    assert reader.problem
    assert "cut off" in reader.problem
    assert (reader.cut, reader.good) == (True, len(whole))


def test_zeros_at_the_end_are_a_cut() -> None:
    found, reader = read(BEGIN + packet(RECEIVED) + bytes(4096))
    assert found == [RECEIVED]
    assert reader.cut
    assert "zeros" in str(reader.problem)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "empty"),
        (b"this is no capture at all", "at its beginning"),
        (packet(RECEIVED), "at its beginning"),
        (BEGIN[:8] + bytes(4) + BEGIN[12:], "at its beginning"),
        (BEGIN + pack("<II", 6, 13) + bytes(30), "a block of 13 bytes"),
        (BEGIN + pack("<II", 6, 2**31) + bytes(30), "a block of 2147483648 bytes"),
        (BEGIN + packet(SENT)[:-4] + bytes(4), "the two lengths of a block differ"),
        (BEGIN + pack("<IIII", 6, 16, 0, 16), "invalid content"),
        (
            BEGIN + pack("<II20sI", 6, 32, pack("<5I", 9, 0, 0, 0, 0), 32),
            "invalid content",
        ),
        (
            BEGIN + pack("<II20sI", 6, 32, pack("<5I", 0, 0, 0, 5, 5), 32),
            "invalid content",
        ),
    ],
)
def test_damage_is_told(raw: bytes, problem: str) -> None:
    found, reader = read(raw)
    assert found == []
    assert problem in str(reader.problem)
    assert not reader.cut


@given(st.binary(max_size=200), st.integers(0, 300))
def test_nothing_raises(noise: bytes, where: int) -> None:
    whole = BEGIN + packet(RECEIVED) + packet(SENT) + END
    read(whole[:where] + noise + whole[where:])
    read(whole[:where] + noise)


def test_sections_follow_each_other() -> None:
    life = BEGIN + packet(RECEIVED) + END
    found, reader = read(life + life)
    assert [record.section for record in found] == [0, 1]
    assert reader.sections == 2


def test_captures_of_others_are_read() -> None:
    """Big-endian, microseconds, another user link type, no flags, no comment; and a simple packet,
    a block that nobody knows, and an interface of another kind."""
    data = b"\xca\x00\x19\x17\x9e\x0a"
    body = pack(">5I", 0, *divmod(1_790_000_000_000_001, 2**32), 6, 6) + data + bytes(2)
    found, reader = read(
        pack(">IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        + pack(">IIHHII", 1, 20, 147, 0, 0, 20)
        + pack(">IIHHII", 1, 20, 1, 0, 0, 20)
        + pack(">II4sI", 0x0BAD, 16, b"what", 16)
        + pack(f">II{len(body)}sI", 6, 12 + len(body), body, 12 + len(body))
        + pack(f">II{len(body)}sI", 6, 12 + len(body), pack(">I", 1) + body[4:], 12 + len(body))
        + pack(">III8sI", 3, 24, 6, data + bytes(2), 24)
    )
    assert reader.problem is None
    assert reader.other_packets == 1
    assert found == [
        Record(False, 1_790_000_000_000_001_000, None, data),
        Record(False, 0, None, data),
    ]


def test_packets_of_the_older_kind_are_read() -> None:
    data = b"\xca\x00\x19\x17\x9e\x0a"
    old = [
        pack("<IIHHIIII", 2, 40, 1, dropped, *divmod(1_790_000_000_000_001_000, 2**32), 6, 6)
        + data
        + pack("<HI", 0, 40)
        for dropped in (3, 0xFFFF)  # 0xFFFF: not known
    ]
    found, reader = read(BEGIN + b"".join(old) + END)
    assert reader.problem is None
    record = Record(False, 1_790_000_000_000_001_000, None, data, 3, 0, 1)
    assert found == [record, record._replace(lost=0)]


def test_numbers_that_captures_of_others_claim_can_be_written() -> None:
    """A time beyond what nanoseconds hold, a drop count of more bytes than one has."""
    body = pack("<5I", 0, 2**32 - 1, 2**32 - 1, 6, 6) + b"\xca\x00\x19\x17\x9e\x0a" + bytes(2)
    body += pack("<HH12s", 4, 12, b"\xff" * 12)
    (far,), _ = read(
        pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        + pack("<IIHHII", 1, 20, 157, 0, 0, 20)  # in microseconds
        + pack("<II", 6, 12 + len(body))
        + body
        + pack("<I", 12 + len(body))
    )
    (again,), reader = read(BEGIN + packet(far) + statistics(far.wall, far.wall, 1, 0))
    assert (reader.problem, reader.ended) == (None, True)
    assert (again.wall, again.lost) == (2**64 - 1, 2**64 - 1)


def test_without_flags_what_only_hosts_send_is_the_hosts() -> None:
    frames = SetAll().to_frame(), GetAll().to_frame(), b"noise", SetAll().to_frame()[:-1]
    bare = []
    for data in frames:
        body = pack("<5I", 0, 0, 0, len(data), len(data)) + data + bytes(-len(data) % 4)
        bare.append(pack("<II", 6, 12 + len(body)) + body + pack("<I", 12 + len(body)))
    found, reader = read(BEGIN + b"".join(bare))
    assert reader.problem is None
    assert [(record.sent, record.data) for record in found] == list(
        zip([True, False, False, False], frames, strict=True)
    )


def block(kind: int, body: bytes) -> bytes:
    return pack("<II", kind, 12 + len(body)) + body + pack("<I", 12 + len(body))


def bare_packet(data: bytes, time: int = 0, original: int | None = None) -> bytes:
    """As others write it: without any option."""
    original = len(data) if original is None else original
    body = pack("<5I", 0, *divmod(time, 1 << 32), len(data), original)
    return block(6, body + data + bytes(-len(data) % 4))


OTHERS = block(0x0A0D0D0A, pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


@pytest.mark.parametrize(
    ("offset", "wall"), [(1_700_000_000, 1_700_000_012), (-3, 9), (-(10**9), 0)]
)
def test_times_may_be_counted_from_any_moment(offset: int, wall: int) -> None:
    """if_tsoffset: seconds to add. Nothing is before 1970."""
    options = pack("<HHb3xHHqHH", 9, 1, 3, 14, 8, offset, 0, 0)
    (record,), reader = read(
        OTHERS + block(1, pack("<HHI", 157, 0, 0) + options) + bare_packet(b"\xca", 12_000)
    )
    assert (reader.problem, record.wall) == (None, wall * 10**9)


def test_without_flags_an_echo_of_the_led_is_the_coprocessors() -> None:
    """Firmware 1.0.0 answers so; one that acknowledges is sent the same frame again by the host."""
    led, ack = LedCtrl(1500).to_frame(), Ack(Command.LED_CTRL, False).to_frame()
    sent = [led, led, led, led, led, ack, led, ack]
    found, _ = read(BEGIN + b"".join(map(bare_packet, sent)))
    assert [record.sent for record in found] == [
        *(True, False, True, False),
        *(True, False, True, False),
    ]


def test_ports_are_counted_without_what_is_no_uart() -> None:
    ethernet, uart = (block(1, pack("<HHI", link_type, 0, 0)) for link_type in (1, 150))
    bare = bare_packet(b"\xca")
    second, third = (bare[:8] + pack("<I", number) + bare[12:] for number in (1, 2))
    found, reader = read(OTHERS + ethernet + uart + uart + bare_packet(b"?") + second + third)
    assert [record.interface for record in found] == [0, 1]
    assert (reader.problem, reader.other_packets) == (None, 1)


def test_what_was_cut_when_it_was_recorded_is_counted() -> None:
    _, reader = read(BEGIN + bare_packet(b"\xca\x00", original=6) + bare_packet(b"\xca") + END)
    assert (reader.problem, reader.cut_packets) == (None, 1)


def test_only_our_own_captures_must_have_an_end() -> None:
    interface = block(1, pack("<HHI", 157, 0, 0))
    assert Source("x", [OTHERS + interface + bare_packet(b"\xca")]).is_capture
    for begin, said in ((OTHERS + interface, 0), (section("ruuvi-host 1"), 1)):
        source = Source("x", [begin + bare_packet(b"\xca")])
        assert len(list(source)) == 1
        assert len(source.remarks) == said


@pytest.mark.parametrize("pack_it", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_a_compressed_capture_is_told(pack_it: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ConfigError, match=r"is compressed: g?un"):
        Source("x", [pack_it(BEGIN + END)])
