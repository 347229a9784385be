"""The write-ahead log of a spool, looked at without sqlite.

Sqlite takes the frames of a log up to the first one whose checksum is wrong, and ignores without a
word what is behind it: so one changed bit costs all batches that were written later. Here it is
told, and such a log can be mended: the checksums are computed anew, and the batches that a wrong
frame holds are found by checksums of their own (record.py).

Format: https://www.sqlite.org/fileformat2.html#walformat
"""

import struct
from pathlib import Path

from ruuvi_host import private_files
from ruuvi_host.relay.spool.schema import PAGE

_HEADER = struct.Struct(">8I")
"""Magic, format, size of a page, checkpoints, two salts, two checksums."""
_FRAME = struct.Struct(">6I")
"""Page, size of the database after a commit, two salts, two checksums."""
_STEP = _FRAME.size + PAGE
_LITTLE, _FORMAT = 0x377F0682, 3007000
_LONGEST = 1 << 30
_SAME = 2
"""Bits in which salts of one log may differ. Those of another log differ in 16 or so."""

Sums = tuple[int, int]


def path_of(database: Path) -> Path:
    return Path(f"{database}-wal")


def is_damaged(database: Path) -> bool:
    """Are there frames behind a wrong one, or is the last one wrong? Of a power cut in the middle
    of a write, too. Raises OSError."""
    data = _read(database)
    ours = _ours(data)
    if not ours:
        return False
    order, sums, right = _header(data)
    for start in range(_HEADER.size, ours, _STEP):
        if not right:
            return True
        sums = _sums(order, _summed(data, start), sums)
        right = sums == _FRAME.unpack_from(data, start)[4:] and _salts(data, start) == _salts(data)
    return not right


def mend(database: Path) -> None:
    """Have sqlite take all frames. For a file that was set aside. Raises OSError."""
    data = bytearray(_read(database))
    ours = _ours(data)
    order, _, _ = _header(data)  # any will do: the checksums are computed anew
    salts, magic = _salts(data), _LITTLE | (order == ">")
    checkpoints = _HEADER.unpack_from(data)[3]
    head = struct.pack(">6I", magic, _FORMAT, PAGE, checkpoints, *salts)
    sums = _sums(order, head, (0, 0))
    data[: _HEADER.size] = head + struct.pack(">2I", *sums)
    for start in range(_HEADER.size, ours, _STEP):
        sums = _sums(order, _summed(data, start), sums)
        page, size = _FRAME.unpack_from(data, start)[:2]
        _FRAME.pack_into(data, start, page, size, *salts, *sums)
    private_files.replace(path_of(database), bytes(data[:ours]))


def _read(database: Path) -> bytes:
    try:
        return private_files.read(path_of(database), _LONGEST)
    except FileNotFoundError:
        return b""


def _ours(data: bytes | bytearray) -> int:
    """Where the last frame ends that is of this log, and not of the one that was there before."""
    end = 0
    if len(data) >= _HEADER.size:
        salts = _salts(data)
        for start in range(_HEADER.size, len(data) - _STEP + 1, _STEP):
            there = _salts(data, start)
            changed = (salts[0] ^ there[0]).bit_count() + (salts[1] ^ there[1]).bit_count()
            if any(there) and changed <= _SAME:
                end = start + _STEP
    return end


def _header(data: bytes | bytearray) -> tuple[str, Sums, bool]:
    """Byte order of the checksums, the first of them, and whether the header is right."""
    magic, version, page, *_, one, two = _HEADER.unpack_from(data)
    order = ">" if magic & 1 else "<"
    right = _sums(order, bytes(data[:24]), (0, 0)) == (one, two)
    known = (magic & ~1, version, page) == (_LITTLE, _FORMAT, PAGE)
    return order, (one, two), right and known


def _salts(data: bytes | bytearray, frame: int | None = None) -> tuple[int, int]:
    """Of the header, or of the frame at `frame`."""
    one, two = struct.unpack_from(">2I", data, 16 if frame is None else frame + 8)
    return one, two


def _summed(data: bytes | bytearray, start: int) -> bytes:
    """What the checksum of a frame is about."""
    return bytes(data[start : start + 8] + data[start + _FRAME.size : start + _STEP])


def _sums(order: str, data: bytes, sums: Sums) -> Sums:
    one, two = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
