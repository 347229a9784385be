"""MessageStream: an incomplete frame is given up when the line has been idle."""

from math import inf

from firmware_protocol.commands import MAX_ADV_LEN
from firmware_protocol.messages import AdvRprt2, GetDeviceId
from firmware_protocol.stream import MessageStream

REPORT = AdvRprt2(bytes(6), b"\x02\x01\x06", -60, 1, 15, 37, False, -64)


def test_nothing_is_due_while_nothing_is_incomplete() -> None:
    stream = MessageStream(MAX_ADV_LEN, idle=0.05)
    assert stream.deadline == inf
    assert stream.feed(REPORT.to_frame() + b"\0\0", 100.0) == [REPORT]
    assert (stream.deadline, stream.pending) == (inf, 0)


def test_each_read_gives_an_incomplete_frame_more_time() -> None:
    stream = MessageStream(MAX_ADV_LEN, idle=0.05)
    raw = REPORT.to_frame()
    assert stream.feed(raw[:5], 100.0) == []
    assert stream.deadline == 100.05
    assert stream.feed(raw[5:9], 101.0) == []
    assert (stream.deadline, stream.pending) == (101.05, 9)
    assert stream.feed(raw[9:], 102.0) == [REPORT]
    assert stream.deadline == inf


def test_what_stands_behind_a_false_beginning_is_found() -> None:
    stream = MessageStream(MAX_ADV_LEN, idle=0.05)
    assert stream.feed(b"\xca\xf9\x12" + GetDeviceId().to_frame(), 100.0) == []
    assert stream.flush(1.0) == [GetDeviceId()]
    assert (stream.deadline, stream.pending) == (inf, 0)
    assert stream.counters.idle_rescans == 1


def test_a_frame_that_is_cut_off_at_the_end_of_a_life_is_no_damage() -> None:
    for end, seen in ((100.04, 0), (100.05, 5)):
        stream = MessageStream(MAX_ADV_LEN, idle=0.05)
        stream.feed(REPORT.to_frame() + REPORT.to_frame()[:5], 100.0)
        assert stream.flush(end) == []
        assert stream.counters.bytes_skipped == 5
        assert (stream.damage.damage.skipped if stream.damage.damage else 0) == seen
