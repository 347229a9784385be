"""Whatever is delivered to a folder, however often, and wherever it is killed: all lines are there,
in order, once."""

import gzip
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from ruuvi_host.config.targets import FileTarget
from ruuvi_host.relay.file.compress import compress
from ruuvi_host.relay.file.folder import Folder, finished_files

STEPS = st.lists(
    st.tuples(
        st.integers(0, 6),  # lines of a batch
        st.sampled_from(["written", "again", "killed", "torn", "moved on"]),
        st.booleans(),  # the next file is compressed meanwhile
        st.integers(0, 2000),  # seconds until the next one
    ),
    max_size=40,
)


@example([(1, "again", False, 0), (2, "killed", False, 0), (0, "written", False, 0)], 1, 1)
@given(STEPS, st.integers(1, 300), st.integers(1, 5000))
def test_all_lines_in_order_once(
    steps: list[tuple[int, str, bool, int]], max_bytes: int, max_age: int
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        target = FileTarget("log", Path(path), max_bytes=max_bytes, max_age=max_age)
        folder, now, number, expected = Folder(target), 1_777_629_600.0, 0, []
        for count, what, packs, seconds in steps:
            batch = [b'{"n":%d}\n' % n for n in range(number, number + count)]
            number += count
            expected += batch
            if what in ("killed", "torn"):
                _die_in(folder, batch, now, torn=what == "torn")
                folder = Folder(target)
            folder.append(batch, now)
            if what == "again":  # its answer was lost
                now += 1  # the names tell when: they are in order while the clock is
                folder.append(batch, now)
            elif what == "moved on":
                folder.close()
                folder = Folder(target)
            if packs:
                for finished in list(finished_files(target))[:1]:
                    compress(finished, lambda: False)
            now += seconds
        folder.close()
        assert _all_lines(target) == b"".join(expected)


def _die_in(folder: Folder, batch: list[bytes], now: float, *, torn: bool) -> None:
    """Half of a batch is written, perhaps with a part of the next line, when the end comes."""
    half = len(batch) // 2
    folder.append(batch[:half], now)
    folder.close()  # as the system does for a killed process
    if torn and batch:
        with folder.current.open("ab") as file:
            file.write(batch[half][:-1])


def _all_lines(target: FileTarget) -> bytes:
    def order(path: Path) -> tuple[str, int]:
        when, _, number = path.name.partition(".")[0].removeprefix("log-").partition("-")
        return when, int(number or 1)

    found = b""
    for path in sorted(target.folder.glob("log-*"), key=order):
        data = path.read_bytes()
        found += gzip.decompress(data) if path.suffix == ".gz" else data
    current = target.folder / "log.jsonl"
    return found + (current.read_bytes() if current.exists() else b"")
