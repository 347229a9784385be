"""The files of a target: real ones, and a time that the test says."""

import errno
import fcntl
import gzip
import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ruuvi_host.config.targets import FileTarget
from ruuvi_host.relay.file.compress import compress
from ruuvi_host.relay.file.folder import BLOCK, Folder, InUseError, finished_files

HOUR = 3600.0
START = 1_777_629_600.0
"""2026-05-01 10:00:00 UTC."""


def target(folder: Path, *, max_bytes: int = 1 << 20, max_age: float = HOUR) -> FileTarget:
    return FileTarget("log", folder / "deep" / "in", max_bytes=max_bytes, max_age=max_age)


def names(of: FileTarget) -> list[str]:
    return sorted(os.listdir(of.folder))


@contextmanager
def opened(of: FileTarget) -> Iterator[Folder]:
    folder = Folder(of)
    try:
        yield folder
    finally:
        folder.close()


def lines(first: int, count: int = 1) -> list[bytes]:
    return [b'{"n":%06d}\n' % n for n in range(first, first + count)]


# -- when a file is finished ----------------------------------------------------------------------


def test_by_size(tmp_path: Path) -> None:
    wanted = target(tmp_path, max_bytes=26)
    with opened(wanted) as folder:
        for n in range(5):
            folder.append(lines(n), START + n)
    assert names(wanted) == [
        *(".log.lock", "log-20260501T100000Z.jsonl"),
        *("log-20260501T100002Z.jsonl", "log.jsonl"),
    ]
    assert (wanted.folder / "log-20260501T100000Z.jsonl").read_bytes() == b"".join(lines(0, 2))
    assert (wanted.folder / "log.jsonl").read_bytes() == b"".join(lines(4))


def test_a_batch_larger_than_a_file_is_not_torn(tmp_path: Path) -> None:
    wanted = target(tmp_path, max_bytes=26)
    with opened(wanted) as folder:
        folder.append(lines(0, 10), START)
        folder.append(lines(10, 10), START)
    assert names(wanted) == [".log.lock", "log-20260501T100000Z.jsonl", "log.jsonl"]
    assert (wanted.folder / "log.jsonl").read_bytes() == b"".join(lines(10, 10))


def test_by_age_also_over_a_restart_and_with_nothing_to_write(tmp_path: Path) -> None:
    wanted = target(tmp_path)
    with opened(wanted) as folder:
        folder.append(lines(0), START)
        folder.append(lines(1), START + HOUR - 1)
    with opened(wanted) as folder:
        folder.append(lines(2), START + HOUR - 0.5)
        assert folder.finished == 0
        folder.append([], START + HOUR)
        assert folder.finished == 1
        folder.append([], START + 2 * HOUR)
        assert folder.finished == 1, "an empty file is not finished"
    assert names(wanted) == [".log.lock", "log-20260501T100000Z.jsonl", "log.jsonl"]
    assert (wanted.folder / "log.jsonl").read_bytes() == b""


def test_no_finished_file_is_overwritten(tmp_path: Path) -> None:
    wanted = target(tmp_path, max_bytes=1)
    with opened(wanted) as folder:
        for n in range(3):
            folder.append(lines(n), START)
        compress(wanted.folder / "log-20260501T100000Z.jsonl", lambda: False)
        folder.append(lines(3), START)
        folder.append(lines(4), START)
    found = [gzip.decompress(p.read_bytes()) for p in sorted(wanted.folder.glob("*.gz"))]
    found += [p.read_bytes() for p in finished_files(wanted)]
    assert found == [line for n in range(4) for line in lines(n)]


# -- what a crash, a full disk or a person leaves -------------------------------------------------


@pytest.mark.parametrize("whole", [0, 3])
@pytest.mark.parametrize("torn", [b'{"n":', b"x" * (2 * BLOCK + 5)])
def test_a_torn_line_is_cut_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, whole: int, torn: bytes
) -> None:
    wanted = target(tmp_path)
    wanted.folder.mkdir(parents=True)
    current = wanted.folder / "log.jsonl"
    current.write_bytes(b"".join(lines(0, whole)) + torn)
    with opened(wanted) as folder, caplog.at_level(logging.WARNING):
        folder.append(lines(whole), START)
    assert current.read_bytes() == b"".join(lines(0, whole + 1))
    assert f"was not complete and was cut off: bytes {len(torn)}" in caplog.text


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    wanted = target(tmp_path)
    with opened(wanted) as folder:
        folder.append(lines(0, 5), START)
        folder.append(lines(3, 4), START)
    with opened(wanted) as folder:  # killed before it was noted that they were accepted
        folder.append(lines(0, 9), START)
    assert (wanted.folder / "log.jsonl").read_bytes() == b"".join(lines(0, 9))


def test_a_file_that_can_take_no_more_keeps_whole_lines(tmp_path: Path) -> None:
    wanted = target(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(wanted) as folder:
        folder.append(lines(0), START)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30, hard))  # two and a half lines
        try:
            with pytest.raises(OSError, match="File too large") as refused:
                folder.append(lines(1, 3), START)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert refused.value.errno == errno.EFBIG
        assert (wanted.folder / "log.jsonl").read_bytes() == b"".join(lines(0, 2))
        folder.append(lines(1, 3), START)
    assert (wanted.folder / "log.jsonl").read_bytes() == b"".join(lines(0, 4))


def test_a_file_that_is_moved_away_gets_a_successor(tmp_path: Path) -> None:
    wanted = target(tmp_path)
    with opened(wanted) as folder:
        folder.append(lines(0), START)
        (wanted.folder / "log.jsonl").rename(tmp_path / "moved")
        folder.append(lines(1), START)
        for path in wanted.folder.iterdir():
            path.unlink()
        wanted.folder.rmdir()
        folder.append(lines(2), START)
        with pytest.raises(InUseError), opened(wanted) as other:
            other.append(lines(3), START)
    assert (tmp_path / "moved").read_bytes() == b"".join(lines(0))
    assert (wanted.folder / "log.jsonl").read_bytes() == b"".join(lines(2))


# -- others ---------------------------------------------------------------------------------------


def test_two_do_not_write_one_file(tmp_path: Path) -> None:
    wanted = target(tmp_path)
    other = FileTarget("other", wanted.folder)
    with opened(wanted) as first, opened(wanted) as second, opened(other) as third:
        first.append(lines(0), START)
        third.append(lines(1), START)
        with pytest.raises(InUseError):
            second.append(lines(2), START)
        first.close()
        second.append(lines(2), START)
    assert (wanted.folder / "log.jsonl").read_bytes() == b"".join([*lines(0), *lines(2)])
    assert (wanted.folder / "other.jsonl").read_bytes() == b"".join(lines(1))


def test_what_is_no_file_is_not_written(tmp_path: Path) -> None:
    wanted = target(tmp_path)
    wanted.folder.mkdir(parents=True)
    os.mkfifo(wanted.folder / "log.jsonl")
    with opened(wanted) as folder, pytest.raises(OSError, match="it is not a file"):
        folder.append(lines(0), START)


# -- compressing ----------------------------------------------------------------------------------


def test_a_compressed_file_is_what_it_was(tmp_path: Path) -> None:
    wanted = target(tmp_path, max_bytes=1)
    with opened(wanted) as folder:
        folder.append(lines(0, 1000), START)
        folder.append(lines(1000), START)
    [finished] = finished_files(wanted)
    finished.chmod(0o640)
    before = finished.stat()
    compress(finished, lambda: True)
    assert list(finished_files(wanted)) == [finished], "told to stop"
    (wanted.folder / "log-mine.jsonl").touch()  # of the user, and not ours to touch
    compress(finished, lambda: False)
    packed = finished.with_name(finished.name + ".gz")
    assert gzip.decompress(packed.read_bytes()) == b"".join(lines(0, 1000))
    assert packed.stat().st_size < before.st_size / 2
    assert packed.stat().st_mode == before.st_mode
    assert packed.stat().st_mtime == before.st_mtime
    others = [".log.lock", "log-mine.jsonl", "log.jsonl"]
    assert names(wanted) == sorted([*others, "log-20260501T100000Z.jsonl.gz"])
    assert list(finished_files(wanted)) == []


def test_the_lock_is_given_back_with_the_process(tmp_path: Path) -> None:
    """It is a lock of the file, not the file itself: what a killed host leaves is no obstacle."""
    wanted = target(tmp_path)
    wanted.folder.mkdir(parents=True)
    lock = wanted.folder / ".log.lock"
    lock.touch()
    with opened(wanted) as folder:
        folder.append(lines(0), START)
        with lock.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
