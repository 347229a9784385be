"""Recording: nothing waits for the file, and nothing is lost without a count."""

import os
import re
import resource
from pathlib import Path
from stat import S_IMODE
from threading import Event
from time import sleep

import pytest

from ruuvi_host.capture.file import CaptureFile
from ruuvi_host.capture.pcapng import Reader, Record
from ruuvi_host.capture.recorder import CLOSE_TIMEOUT, MAX_PENDING, Recorder
from ruuvi_host.clock import SystemClock
from ruuvi_host.errors import ConfigError


def read(path: Path) -> tuple[list[Record], Reader]:
    reader = Reader([path.read_bytes()])
    return list(reader), reader


def record(path: Path, *received: bytes) -> None:
    recorder = Recorder(CaptureFile(str(path)), SystemClock())
    for data in received:
        recorder.taps[0].received(data)
    recorder.close()


def wait_for_records(path: Path, count: int) -> None:
    while len(read(path)[0]) < count:
        sleep(0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "air.pcapng"


def test_both_directions_with_both_times(path: Path) -> None:
    clock = SystemClock()
    wall, monotonic = clock.wall(), clock.monotonic()
    recorder = Recorder(CaptureFile(str(path), "/dev/ttyX"), clock)
    recorder.taps[0].sent(b"ask")
    recorder.taps[0].received(b"answer")
    recorder.close()
    found, reader = read(path)
    assert [(record.sent, record.data) for record in found] == [(True, b"ask"), (False, b"answer")]
    for record in found:
        assert wall - 1e-3 <= record.wall / 1e9 <= clock.wall() + 1e-3
        assert record.monotonic is not None
        assert monotonic - 1e-3 <= record.monotonic / 1e9 <= clock.monotonic() + 1e-3
    assert (reader.problem, reader.ended) == (None, True)
    counters = recorder.counters
    assert (counters.records, counters.bytes_received, counters.bytes_sent) == (2, 6, 3)


def test_several_ports_in_one_file(path: Path) -> None:
    recorder = Recorder(CaptureFile(str(path), "/dev/ttyX", "/dev/ttyY"), SystemClock())
    recorder.taps[0].received(b"one")
    recorder.taps[1].received(b"two")
    recorder.taps[1].sent(b"three")
    recorder.close()
    found, reader = read(path)
    assert [(record.line, record.data) for record in found] == [
        ((0, False), b"one"),
        ((1, False), b"two"),
        ((1, True), b"three"),
    ]
    assert (reader.problem, reader.ended) == (None, True)


def test_what_was_recorded_can_be_read_while_it_is_written(path: Path) -> None:
    recorder = Recorder(CaptureFile(str(path)), SystemClock())
    recorder.taps[0].received(b"first")
    wait_for_records(path, 1)
    recorder.taps[0].received(b"second")
    wait_for_records(path, 2)
    assert read(path)[1].problem is None
    recorder.close()


def test_only_the_owner_reads_it(path: Path) -> None:
    old = os.umask(0)
    try:
        record(path, b"x")
    finally:
        os.umask(old)
    assert S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    record(path, b"y")
    assert S_IMODE(path.stat().st_mode) == 0o600


def test_a_capture_is_continued(path: Path) -> None:
    record(path, b"one")
    record(path, b"two")
    found, reader = read(path)
    assert [(record.data, record.section) for record in found] == [(b"one", 0), (b"two", 1)]
    assert reader.problem is None


@pytest.mark.parametrize("tail", ["cut", "zeros"])
def test_after_a_crash_it_is_continued_behind_the_last_whole_block(
    path: Path, tail: str, caplog: pytest.LogCaptureFixture
) -> None:
    record(path, b"one", b"two")
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] if tail == "cut" else whole + bytes(1000))
    record(path, b"three")
    found, reader = read(path)
    assert [record.data for record in found] == [b"one", b"two", b"three"]
    assert reader.problem is None
    assert "continued from there" in caplog.text


def test_a_large_capture_is_not_read_through(path: Path) -> None:
    """That it ends with a whole block is enough; so a hole in the midst is not noticed."""
    record(path, b"one")
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(100) + whole)
    record(path, b"two")
    assert path.stat().st_size > 2 * len(whole) + 100


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"my novel, which nobody may overwrite", "exists and is no capture"),
        (b"\xca", "exists and is no capture"),
        ("hole", "damaged at byte"),
    ],
)
def test_nothing_else_is_overwritten(path: Path, content: bytes | str, expected: str) -> None:
    if isinstance(content, str):
        record(path, b"one")
        content = path.read_bytes() + b"there was more" + bytes(20)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        CaptureFile(str(path))
    assert path.read_bytes() == content


def test_two_do_not_write_one_file(path: Path) -> None:
    first = CaptureFile(str(path))
    with pytest.raises(ConfigError, match="another program"):
        CaptureFile(str(path))
    first.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/dev/full", "No space left on device"),
        ("/", "Is a directory"),
        ("", "No such file"),
        ("nowhere/air.pcapng", "No such file"),
        ("nul\0", "null"),
    ],
)
def test_a_file_that_cannot_be_is_told_at_once(name: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot be written.*{expected}"):
        CaptureFile(name)


def test_a_full_disk_loses_nothing_that_was_there(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[OSError] = []
    failed = Event()

    def on_failure(error: OSError) -> None:
        failures.append(error)
        failed.set()

    recorder = Recorder(CaptureFile(str(path)), SystemClock(), on_failure)
    recorder.taps[0].received(b"one")
    wait_for_records(path, 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No longer than it is, and so not writable any further: Python ignores the signal of that.
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, limits[1]))
    try:
        recorder.taps[0].received(b"two")
        recorder.taps[0].received(b"too")
        assert failed.wait(30)
        found, reader = read(path)
        assert [record.data for record in found] == [b"one"]
        assert reader.problem is None  # the beginning of what did not fit was taken back
        recorder.taps[0].received(b"also")
        while recorder.counters.records_lost < 3:
            sleep(0.01)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    recorder.taps[0].received(b"three")
    recorder.close()
    found, reader = read(path)
    assert [(record.data, record.lost) for record in found] == [(b"one", 0), (b"three", 3)]
    assert reader.ended
    assert recorder.counters.records_lost == 3
    assert recorder.counters.bytes_lost == 10
    # One by one, if there was more than GATHER between them.
    assert re.search("cannot be written: File too large; records lost [12]$", caplog.messages[0])
    assert "can be written again" in caplog.text
    assert len(failures) == 1


def test_a_reader_that_stops_holds_up_nobody(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fd = os.open(pipe, os.O_RDWR)  # nobody reads from it
    recorder = Recorder(CaptureFile(str(pipe)), SystemClock())
    block = b"x" * 4096
    put = 0
    while not recorder.counters.records_lost:
        recorder.taps[0].received(block)
        put += 1
    assert put < 3 * MAX_PENDING // len(block)
    before = SystemClock.monotonic()
    recorder.close()
    assert SystemClock.monotonic() - before < CLOSE_TIMEOUT + 30
    counters = recorder.counters
    assert counters.records + counters.records_lost == put
    os.close(fd)


def test_a_slow_file_is_told_while_it_is_slow(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fd = os.open(pipe, os.O_RDWR)
    recorder = Recorder(CaptureFile(str(pipe)), SystemClock())
    while recorder.counters.records_lost < 100:
        recorder.taps[0].received(b"x" * 4096)
    told = [text for text in caplog.messages if "fast enough; records lost 1" in text]
    assert len(told) == len(caplog.messages) == 1
    recorder.close()
    os.close(fd)


@pytest.mark.parametrize("how", ["renamed", "removed", "replaced", "shortened", "cut"])
def test_a_file_that_is_replaced_is_followed_by_a_new_one(
    how: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(CaptureFile(str(path), "/dev/ttyX"), SystemClock())
    recorder.taps[0].received(b"one")
    wait_for_records(path, 1)
    old = path.with_name("old.pcapng")
    if how == "renamed":
        path.rename(old)
    elif how == "removed":
        path.unlink()
    elif how == "replaced":
        record(old, b"somebody's")
        old.rename(path)
    else:
        os.truncate(path, 0 if how == "shortened" else path.stat().st_size - 3)
    recorder.taps[0].received(b"two")
    recorder.close()
    before = {"replaced": [b"somebody's"]}.get(how, [])
    found, reader = read(path)
    assert [record.data for record in found] == [*before, b"two"]
    assert (reader.problem, reader.ended) == (None, True)
    assert S_IMODE(path.stat().st_mode) == 0o600
    if how == "renamed":
        found, reader = read(old)
        assert ([record.data for record in found], reader.ended) == ([b"one"], True)
    assert "a new one was begun" in caplog.text
    counters = recorder.counters
    assert (counters.records, counters.bytes_received, counters.records_lost) == (2, 6, 0)


def test_a_new_file_that_cannot_be_begun_is_a_failure_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failed = Event()
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "air.pcapng"
    recorder = Recorder(CaptureFile(str(path)), SystemClock(), lambda error: failed.set())
    recorder.taps[0].received(b"one")
    wait_for_records(path, 1)
    folder.rename(tmp_path / "away")
    recorder.taps[0].received(b"two")
    assert failed.wait(30)
    assert "it was replaced, and a new one cannot be begun" in caplog.text
    folder.mkdir()
    recorder.taps[0].received(b"three")
    recorder.close()
    found, _ = read(path)
    assert [(record.data, record.lost) for record in found] == [(b"three", 1)]
    assert read(tmp_path / "away" / "air.pcapng")[1].ended
    assert recorder.counters.records_lost == 1
