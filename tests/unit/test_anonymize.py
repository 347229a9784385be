"""Anonymizing records: the pieces stay where they were, and nothing else comes through."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.framing import Frame, FrameScanner, frames
from firmware_protocol.messages import AdvRprt2, DeviceId, GetAll, GetDeviceId, SetAll, parse
from ruuvi_host.capture.anonymize import LONGEST_WAIT, Anonymizer, write_anonymized
from ruuvi_host.capture.masks import Masks
from ruuvi_host.capture.pcapng import Reader, Record, packet, section
from ruuvi_host.capture.source import Source

DEVICE = DeviceId(bytes.fromhex("4098A778581AE138"), bytes.fromhex("C8252D8E9C2C"))
DATA = bytes.fromhex("02010607095275757669203834")
FROM_COPROCESSOR = [
    GetAll().to_frame(),
    DEVICE.to_frame(),
    *(
        AdvRprt2(bytes((0xC0, 1, 2, 3, 4, n)), DATA, -n, 1, 15, 37, False, -64).to_frame()
        for n in range(1, 6)
    ),
]
FROM_HOST = [GetDeviceId().to_frame(), SetAll().to_frame()]


def records(*lines: tuple[int, bool, bytes], section: int = 0) -> list[Record]:
    return [
        Record(sent, number * 10**6, number * 10**6 + 5, data, 0, section, interface)
        for number, (interface, sent, data) in enumerate(lines)
    ]


def masked(original: Sequence[Record]) -> tuple[list[Record], Anonymizer]:
    anonymizer = Anonymizer(original, Masks(b"key"))
    return list(anonymizer), anonymizer


def found(some: Sequence[Record]) -> dict[tuple[int, int, bool], list[Frame]]:
    scanners: dict[tuple[int, int, bool], FrameScanner[Frame]] = {}
    result: dict[tuple[int, int, bool], list[Frame]] = {}
    for record in some:
        line = record.section, *record.line
        scanner = scanners.setdefault(line, FrameScanner(frames))
        result.setdefault(line, []).extend(scanner.feed(record.data))
    for line, scanner in scanners.items():
        result[line] += scanner.flush()
    return result


@st.composite
def conversations(draw: st.DrawFn) -> list[Record]:
    """Both directions of two ports, cut anywhere, mixed anyhow, in two sections."""
    made = []
    for number in range(2):
        streams = []
        for interface in range(2):
            for sent, whole in ((False, FROM_COPROCESSOR), (True, FROM_HOST)):
                data = b"".join(whole)
                cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
                edges = zip([0, *cuts], [*cuts, len(data)], strict=True)
                pieces = [data[start:end] for start, end in edges if start < end]
                streams.append([(interface, sent, piece) for piece in pieces])
        lines = []
        while any(streams):
            stream = draw(st.sampled_from([stream for stream in streams if stream]))
            lines.append(stream.pop(0))
        made += records(*lines, section=number)
    return made


@given(conversations())
def test_records_keep_their_place_and_size(original: list[Record]) -> None:
    after, anonymizer = masked(original)
    assert [record.line for record in after] == [record.line for record in original]
    assert [len(record.data) for record in after] == [len(record.data) for record in original]
    assert [record.wall for record in after] == [record.wall for record in original]
    assert anonymizer.done.dropped == 0
    before, now = found(original), found(after)
    assert before.keys() == now.keys()
    for line, frames_before in before.items():
        assert [f[::2] for f in frames_before] == [f[::2] for f in now[line]]  # command, offset
    assert b"Ruuvi" not in b"".join(record.data for record in after)


@given(st.lists(st.sampled_from([*FROM_COPROCESSOR, b"noise", b"\xca\xf0\x12", b"\xca"])))
def test_only_frames_come_through(pieces: list[bytes]) -> None:
    original = records(*((0, False, piece) for piece in pieces))
    after, anonymizer = masked(original)
    before, now = found(original), found(after)
    assert [f.command for f in before.get((0, 0, False), [])] == [
        f.command for f in now.get((0, 0, False), [])
    ]
    scanner = FrameScanner(frames)
    for record in after:
        scanner.feed(record.data)
    assert (scanner.counters.bytes_skipped, scanner.pending) == (0, 0)
    assert anonymizer.done.dropped == sum(len(r.data) for r in original) - sum(
        len(r.data) for r in after
    )


def test_a_device_is_the_same_wherever_it_occurs() -> None:
    whole = b"".join(FROM_COPROCESSOR)
    after, _ = masked([*records((0, False, whole)), *records((1, False, whole), section=1)])
    first, second = found(after).values()
    assert [frame.payload for frame in first] == [frame.payload for frame in second]
    device = parse(first[1])
    assert device == Masks(b"key").device(DEVICE)


def test_what_waits_for_ever_does_not_hold_up_the_rest() -> None:
    """The beginning of a frame from the host, which is never completed, and a long capture."""
    lines = [(0, True, b"\xca\x07\x0f"), *[(0, False, FROM_COPROCESSOR[2])] * (3 * LONGEST_WAIT)]
    anonymizer = Anonymizer(records(*lines), Masks(b"key"))
    given = iter(anonymizer)
    next(given)
    assert len(anonymizer._slots) <= LONGEST_WAIT + 1
    assert sum(1 for _ in given) == 3 * LONGEST_WAIT - 1
    assert anonymizer.done.dropped == 3


def test_lost_records_stay_counted() -> None:
    original = records((0, False, b"noise"), (0, False, FROM_COPROCESSOR[0]))
    lossy = [original[0]._replace(lost=3), original[1]._replace(lost=4)]
    assert [record.lost for record in masked(lossy)[0]] == [7]


def test_time_begins_at_zero_in_each_section() -> None:
    frame = FROM_COPROCESSOR[0]
    original = [
        *records((0, False, frame), (0, False, frame)),
        *records((0, False, frame), section=1),
    ]
    unknown = [record._replace(monotonic=None) for record in original]
    assert [record.monotonic for record in masked(original)[0]] == [0, 10**6, 0]
    assert [record.monotonic for record in masked(unknown)[0]] == [None] * 3


def test_the_file_has_all_ports_and_sections(tmp_path: Path) -> None:
    frame = FROM_COPROCESSOR[2]
    original = records((0, False, frame), (1, False, frame), (1, True, FROM_HOST[1]))
    raw = section("x", "/dev/ttyX", "/dev/ttyY") + b"".join(map(packet, original))
    path = tmp_path / "out"
    done = write_anonymized(Source("in", [raw + raw]), str(path), "seed")
    reader = Reader([path.read_bytes()])
    after = list(reader)
    assert [record.line for record in after] == [record.line for record in original] * 2
    assert (reader.sections, reader.problem, reader.ended) == (2, None, True)
    assert (done.frames, done.reports, done.dropped) == (6, 4, 0)
    assert b"tty" not in path.read_bytes()
