"""H4: events out of a stream, whatever stands between them."""

import pytest
from hci_events import complete, event, h4, legacy_event, legacy_report

from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.h4 import DESYNCHRONIZED, PacketSplitter

RESET_DONE = bytes.fromhex("0E0401030C00")
REPORT = legacy_event(legacy_report())


def split(*reads: bytes) -> tuple[list[bytes], ControllerCounters]:
    counters = ControllerCounters()
    splitter = PacketSplitter(counters)
    return [found for data in reads for found in splitter.feed(data)], counters


def test_an_event_is_given_without_its_type() -> None:
    assert split(b"\x04" + RESET_DONE)[0] == [RESET_DONE] == [complete(0x0C03)]


def test_one_packet_per_read_and_many() -> None:
    assert split(h4(RESET_DONE), h4(REPORT))[0] == [RESET_DONE, REPORT]
    assert split(h4(RESET_DONE, REPORT, REPORT))[0] == [RESET_DONE, REPORT, REPORT]


def test_an_event_may_be_empty_or_as_long_as_can_be() -> None:
    events = [event(0xFF, b""), event(0xFF, bytes(255))]
    assert split(h4(*events))[0] == events


def test_reads_may_cut_anywhere() -> None:
    stream = h4(RESET_DONE) + b"\x00" + h4(REPORT)
    for cut in range(len(stream) + 1):
        events, counters = split(stream[:cut], stream[cut:])
        assert (events, counters.bytes_skipped) == ([RESET_DONE, REPORT], 1)
    assert split(*(bytes((byte,)) for byte in stream))[0] == [RESET_DONE, REPORT]


@pytest.mark.parametrize("stray", [b"\x00", b"\x01", b"\x06\x07", b"\xff" * 20])
def test_a_stray_byte_costs_nothing_but_itself(stray: bytes) -> None:
    events, counters = split(stray + h4(RESET_DONE) + stray + h4(REPORT))
    assert events == [RESET_DONE, REPORT]
    assert counters.bytes_skipped == 2 * len(stray)


@pytest.mark.parametrize(
    "packet",
    [
        bytes.fromhex("02 40 20 05 00") + b"\x04\x0e\x04\x01\x03",  # ACL, five bytes
        bytes.fromhex("02 40 20 00 02") + b"\x04" * 512,
        bytes.fromhex("03 40 00 03") + b"\x04\x04\x04",  # SCO
        bytes.fromhex("03 40 00 00"),
        bytes.fromhex("05 40 00 03 C0") + b"\x04\x04\x04",  # ISO: two bits are not of the length
    ],
)
def test_data_packets_are_skipped_by_their_length(packet: bytes) -> None:
    stream = packet + h4(RESET_DONE)
    for cut in range(len(stream) + 1):
        events, counters = split(stream[:cut], stream[cut:])
        assert events == [RESET_DONE]
        assert split(*(bytes((byte,)) for byte in stream))[0] == events
        assert (counters.packets_skipped, counters.bytes_skipped) == (1, 0)


def test_a_long_run_of_skipped_bytes_is_no_h4() -> None:
    splitter = PacketSplitter(ControllerCounters())
    splitter.feed(bytes(DESYNCHRONIZED - 1))
    assert not splitter.is_desynchronized
    splitter.feed(h4(REPORT))
    splitter.feed(bytes(DESYNCHRONIZED - 1))
    assert not splitter.is_desynchronized, "not in a row"
    splitter.feed(bytes(1) + h4(REPORT))
    assert splitter.is_desynchronized, "whatever follows in the same read"


def test_what_only_looks_like_an_event_does_not_end_the_run() -> None:
    splitter = PacketSplitter(ControllerCounters())
    splitter.feed((b"\xaa" * 20 + h4(event(0x77, b"noise"))) * 15)
    assert splitter.is_desynchronized


def test_what_is_incomplete_can_be_given_up() -> None:
    counters = ControllerCounters()
    splitter = PacketSplitter(counters)
    splitter.feed(h4(REPORT)[:10])
    splitter.give_up()
    assert splitter.feed(h4(RESET_DONE)) == [RESET_DONE]
    splitter.feed(bytes.fromhex("02 40 20 FF FF"))
    splitter.give_up()
    assert splitter.feed(h4(RESET_DONE)) == [RESET_DONE]
    assert counters.bytes_skipped == 10
