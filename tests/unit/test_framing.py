"""Frames: known ones both ways, the scanner in known streams, its counters and limits."""

from dataclasses import asdict
from typing import Any

import pytest
from conftest import load_vectors

from firmware_protocol.commands import FACTS, Command
from firmware_protocol.errors import LocalProtocolError, RemoteProtocolError
from firmware_protocol.framing import Frame, FrameScanner, decode_frame, encode_frame, frames
from firmware_protocol.messages import Message, messages, parse

VECTORS = load_vectors("uart.json")
GET_ALL = bytes.fromhex("ca0019179e0a")
ACK = bytes.fromhex("ca04200f2c002ca2c20a")
REPORT = bytes.fromhex(  # ADV_RPRT2 with 31 bytes of advertising data
    "ca2d12cbb8334c884f2c0201061bff99040514644725c44100340000041ca936110158c6a5b9e0ad06"
    "2cbd2c1f25402c56eb0a"
)


def by_name(entry: dict[str, Any]) -> str:
    return str(entry["name"])


def data(frame: Frame) -> bytes:
    return encode_frame(frame.command, frame.payload)


def scan(*pieces: bytes, max_adv: int = 235, unknown: bool = False) -> FrameScanner[Frame]:
    """A scanner that was fed `pieces` and not flushed."""
    scanner = FrameScanner(frames, max_adv, unknown=unknown)
    for piece in pieces:
        scanner.feed(piece)
    return scanner


def where_bytes_went(scanner: FrameScanner[Frame]) -> tuple[int, int, int]:
    """In frames, skipped, pending. Received is their sum."""
    counters = scanner.counters
    places = counters.bytes_in_frames, counters.bytes_skipped, scanner.pending
    assert counters.bytes_received == sum(places)
    return places


def errors(scanner: FrameScanner[Frame]) -> dict[str, int]:
    """Why frames were given up, without the zeros."""
    reasons = [name for name in asdict(scanner.counters) if name.endswith("_errors")]
    reasons += ["unknown_commands", "idle_rescans"]
    counted = {name: getattr(scanner.counters, name) for name in reasons}
    return {name: count for name, count in counted.items() if count}


# -- one frame ------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", VECTORS["valid"], ids=by_name)
def test_valid_frame(entry: dict[str, Any]) -> None:
    whole = bytes.fromhex(entry["hex"])
    frame = decode_frame(whole)
    assert frame == Frame(entry["cmd_id"], whole[3:-3])
    assert data(frame) == whole
    assert decode_frame(whole + b"\xca\x00") == frame


@pytest.mark.parametrize("entry", VECTORS["invalid"], ids=by_name)
def test_invalid_frame(entry: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frame(bytes.fromhex(entry["hex"]), entry.get("max_adv", VECTORS["default_max_adv"]))
    assert caught.value.reason == entry["reason"]


@pytest.mark.parametrize("entry", VECTORS["valid"], ids=by_name)
def test_one_wrong_byte_or_a_missing_end_is_noticed(entry: dict[str, Any]) -> None:
    whole = bytes.fromhex(entry["hex"])
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        with pytest.raises(RemoteProtocolError):
            decode_frame(bytes(damaged))
        with pytest.raises(RemoteProtocolError, match="truncated"):
            decode_frame(whole[:position])


DELIMITERS = dict.fromkeys(Command, 1) | {
    Command.GET_ALL: 0,
    Command.GET_DEVICE_ID: 0,
    Command.ACK: 2,
    Command.DEVICE_ID: 2,
    Command.ADV_RPRT: 3,
    Command.ADV_RPRT2: 4,
}


@pytest.mark.parametrize("entry", VECTORS["valid"], ids=by_name)
def test_every_delimiter_is_checked_and_nothing_else(entry: dict[str, Any]) -> None:
    """With a right CRC. (The C codec looks at the delimiters of reports only.)"""
    command, payload = entry["cmd_id"], bytes.fromhex(entry["hex"])[3:-3]
    refused = []
    for position in range(len(payload)):
        damaged = encode_frame(command, payload[:position] + b"\x2b" + payload[position + 1 :])
        as_messages: FrameScanner[Message] = FrameScanner(messages)
        as_messages.feed(damaged)
        wrong = [s.counters.delimiter_errors for s in (scan(damaged), as_messages)]
        try:
            decode_frame(damaged)
        except RemoteProtocolError as error:
            refused.append(error.reason)
            assert wrong == [1, 1]
        else:
            assert wrong == [0, 0]
    set_all = {5: 2, 7: 3}  # short form, long form
    expected = set_all[len(payload)] if command == Command.SET_ALL else DELIMITERS[command]
    assert refused == ["bad_delimiter"] * expected


def test_encode_frame_takes_up_to_255_bytes() -> None:
    frame = encode_frame(0x30, bytes(255))
    assert (len(frame), frame[1], frame[-1]) == (261, 255, 0x0A)
    with pytest.raises(LocalProtocolError, match="256"):
        encode_frame(0x30, bytes(256))


def test_a_crc_of_zero_is_written() -> None:
    [entry] = [e for e in VECTORS["valid"] if e["name"] == "crc_zero_device_id"]
    whole = bytes.fromhex(entry["hex"])
    assert whole[-3:] == b"\x00\x00\x0a"
    assert encode_frame(whole[2], whole[3:-3]) == whole


# -- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("entry", VECTORS["streams"], ids=by_name)
def test_stream_in_pieces_of_every_size(entry: dict[str, Any], unknown: bool) -> None:
    stream = bytes.fromhex(entry["hex"])
    expected = [bytes.fromhex(frame) for frame in entry["frames"]]
    for size in range(1, len(stream) + 1):
        scanner = FrameScanner(frames, unknown=unknown)
        found: list[Frame] = []
        for start in range(0, len(stream), size):
            found += scanner.feed(stream[start : start + size])
        found += scanner.flush()
        # Whether frames with an unknown command are looked for is up to the decoder.
        known = [frame for frame in found if frame.command in FACTS]
        assert [data(frame) for frame in known] == expected, f"pieces of {size}"
        assert all(stream[f.offset :].startswith(data(f)) for f in found)


@pytest.mark.parametrize("entry", VECTORS["streams"], ids=by_name)
def test_stream_as_messages(entry: dict[str, Any]) -> None:
    stream = bytes.fromhex(entry["hex"])
    scanner: FrameScanner[Message] = FrameScanner(messages)
    found = [message for byte in stream for message in scanner.feed(bytes([byte]))]
    found += scanner.flush()
    assert found == [parse(decode_frame(bytes.fromhex(frame))) for frame in entry["frames"]]


def test_all_frames_of_one_read_come_at_once_with_their_offsets() -> None:
    scanner = FrameScanner(frames)
    assert [f.offset for f in scanner.feed(b"\x00" + GET_ALL + ACK + b"\xca")] == [1, 7]
    assert [f.offset for f in scanner.feed(b"\x00\x00" + REPORT)] == [20]


def test_one_damaged_byte_costs_one_frame() -> None:
    """Every byte of the middle frame dropped, doubled, or with any one bit flipped."""
    last = len(REPORT) - 1
    for position, byte in enumerate(REPORT):
        doubled = bytes([byte, byte])
        for instead in (b"", doubled, *(bytes([byte ^ 1 << bit]) for bit in range(8))):
            damaged = REPORT[:position] + instead + REPORT[position + 1 :]
            scanner = FrameScanner(frames)
            found = scanner.feed(ACK + damaged + GET_ALL) + scanner.flush()
            whole = instead == doubled and position in (0, last)
            expected = [ACK, REPORT, GET_ALL] if whole else [ACK, GET_ALL]
            assert [data(frame) for frame in found] == expected, (position, instead)


def test_a_frame_in_the_middle_of_another_is_kept() -> None:
    for position in range(1, len(REPORT)):
        scanner = FrameScanner(frames)
        found = scanner.feed(REPORT[:position] + ACK + REPORT[position:]) + scanner.flush()
        assert [data(frame) for frame in found] == [ACK], f"inserted at {position}"


# -- idle lines -----------------------------------------------------------------------------------


def test_a_false_header_holds_back_an_ack_until_the_line_is_idle() -> None:
    scanner = FrameScanner(frames)
    assert scanner.feed(b"\xca\xf9\x12" + ACK) == []  # would be 255 bytes long
    assert scanner.pending == 13
    assert [data(frame) for frame in scanner.flush()] == [ACK]
    assert scanner.pending == 0
    assert where_bytes_went(scanner) == (10, 3, 0)
    assert errors(scanner) == {"idle_rescans": 1}


def test_traffic_ends_the_wait_as_well() -> None:
    scanner = FrameScanner(frames)
    scanner.feed(b"\xca\xf9\x12" + ACK)
    assert scanner.feed(bytes(241)) == []
    assert [frame.offset for frame in scanner.feed(b"\x00")] == [3]
    assert scanner.counters.etx_errors == 1


def test_flush_gives_up_one_candidate_after_the_other() -> None:
    scanner = FrameScanner(frames)
    scanner.feed(b"\xca\xf9\x12\xca\xf5\x10\xca\x2d\x12" + ACK + b"\xca\x04")
    assert [frame.offset for frame in scanner.flush()] == [9]
    assert scanner.counters.idle_rescans == 4
    assert scanner.feed(GET_ALL)[0].offset == 21
    assert scanner.flush() == []
    assert scanner.counters.idle_rescans == 4


def test_flush_with_nothing_pending_changes_nothing() -> None:
    scanner = scan(GET_ALL)
    before = asdict(scanner.counters)
    assert scanner.flush() == []
    assert asdict(scanner.counters) == before


@pytest.mark.parametrize("noise", ["cacaca00ff", "caff00", "ca0d12", "cafa12", "ca0119", "ca0100"])
def test_what_cannot_begin_a_frame_holds_back_nothing(noise: str) -> None:
    """Three bytes are enough to see that it cannot."""
    scanner = FrameScanner(frames)
    scanner.feed(bytes.fromhex(noise))
    assert scanner.pending == 0
    assert len(scanner.feed(GET_ALL)) == 1


# -- counters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "counter"),
    [
        ("ca0018179e0a", "crc_errors"),
        ("ca0019179e0d", "etx_errors"),
        ("ca020a012b51080a", "delimiter_errors"),
        ("ca0119015152", "length_errors"),
        ("cafa12000000", "length_errors"),  # 236 bytes of advertising data
        ("ca000da2cc0a", "unknown_commands"),
    ],
)
def test_each_kind_of_failure_has_its_counter(stream: str, counter: str) -> None:
    damaged = bytes.fromhex(stream)
    scanner = scan(ACK + damaged + ACK)
    assert errors(scanner) == {counter: 1}
    assert where_bytes_went(scanner) == (20, len(damaged), 0)


def test_noise_without_a_candidate_is_skipped_and_nothing_else() -> None:
    scanner = scan(b"\x0a\x2c\x00noise")
    assert where_bytes_went(scanner) == (0, 8, 0)
    assert errors(scanner) == {}


def test_frames_are_counted_by_command() -> None:
    scanner = scan(GET_ALL + ACK + REPORT + ACK)
    assert scanner.counters.frames_by_name() == {"ADV_RPRT2": 1, "GET_ALL": 1, "ACK": 2}
    assert scanner.counters.frames[0x20] == 2


# -- unknown commands -----------------------------------------------------------------------------

UNKNOWN = encode_frame(0x21, b"anything")
LONGEST = encode_frame(0x30, bytes(range(255)))


def test_unknown_commands_are_listed_when_asked_for() -> None:
    scanner = FrameScanner(frames, unknown=True)
    found = scanner.feed(GET_ALL + UNKNOWN + LONGEST + ACK)
    assert [data(frame) for frame in found] == [GET_ALL, UNKNOWN, LONGEST, ACK]
    assert [frame.offset for frame in found] == [0, 6, 20, 281]
    assert where_bytes_went(scanner) == (291, 0, 0)
    by_name = scanner.counters.frames_by_name()
    assert by_name == {"GET_ALL": 1, "ACK": 1, "0x21": 1, "0x30": 1}


def test_unknown_commands_are_counted_otherwise() -> None:
    scanner = FrameScanner(frames)
    assert [data(f) for f in scanner.feed(GET_ALL + UNKNOWN + ACK)] == [GET_ALL, ACK]
    assert scanner.counters.unknown_commands == 1


def test_an_unknown_frame_hides_what_is_inside_only_when_it_is_looked_for() -> None:
    wrapped = encode_frame(0x21, GET_ALL)
    assert [f.command for f in FrameScanner(frames).feed(wrapped)] == [Command.GET_ALL]
    assert [f.command for f in FrameScanner(frames, unknown=True).feed(wrapped)] == [0x21]


def test_a_damaged_unknown_frame_is_given_up_like_any_other() -> None:
    damaged = UNKNOWN[:-1] + b"\x0b"
    scanner = FrameScanner(frames, unknown=True)
    assert [data(frame) for frame in scanner.feed(damaged + ACK)] == [ACK]
    assert scanner.counters.etx_errors == 1


def test_the_length_of_a_known_command_is_checked_all_the_same() -> None:
    assert len(FrameScanner(frames, unknown=True).feed(b"\xca\xfa\x12" + ACK)) == 1


def test_no_more_than_one_candidate_is_kept() -> None:
    scanner = scan(LONGEST[:-1], unknown=True)
    assert scanner.pending == 260
    assert scanner.feed(LONGEST[-1:]) != []


# -- limits ---------------------------------------------------------------------------------------


def report_of(command: Command, adv: int) -> bytes:
    tail = b"\x1f\x25\x40," if command == Command.ADV_RPRT2 else b""
    return encode_frame(command, b"\0\0\0\0\0\0," + b"\x55" * adv + b",\xd8," + tail)


@pytest.mark.parametrize("command", [Command.ADV_RPRT, Command.ADV_RPRT2])
@pytest.mark.parametrize("limit", [0, 31, 48, 192, 235])
def test_advertising_data_up_to_the_limit(command: Command, limit: int) -> None:
    fits, too_long = report_of(command, limit), report_of(command, limit + 1)
    assert decode_frame(fits, limit).payload == fits[3:-3]
    with pytest.raises(RemoteProtocolError, match="adv_too_long"):
        decode_frame(too_long, limit)
    # Too long is noticed from the header: what follows is not held back.
    scanner = FrameScanner(frames, limit)
    assert [data(f) for f in scanner.feed(fits + too_long[:3] + ACK)] == [fits, ACK]
    assert scanner.counters.length_errors == 1


@pytest.mark.parametrize("max_adv", [-1, 236])
def test_a_limit_that_no_frame_can_have(max_adv: int) -> None:
    with pytest.raises(LocalProtocolError, match=str(max_adv)):
        FrameScanner(frames, max_adv)


def test_only_frames_can_have_unknown_commands() -> None:
    with pytest.raises(LocalProtocolError, match="frames"):
        FrameScanner(messages, unknown=True)


def test_looking_for_unknown_commands_does_not_grow() -> None:
    """Each header in noise is a candidate then; none of them may stay in memory."""
    import tracemalloc

    headers = b"".join(bytes((0xCA, n % 256, n // 256)) for n in range(65536))
    scanner = FrameScanner(frames, unknown=True)
    scanner.feed(headers)  # fills what may be filled
    tracemalloc.start()
    scanner.feed(headers)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
