"""Where records come from: a capture, or a plain recording of bytes.

The first bytes tell which it is. A plain recording has no directions and no times: all of it counts
as received, at the speed of the line.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from ruuvi_host.capture.pcapng import Reader, Record
from ruuvi_host.errors import ConfigError

BLOCK = 65536
"""Bytes to read at a time."""

_BYTE = 10 * 10**9 // 115200
"""Nanoseconds that a byte takes on the line."""
_PIECE = 16
"""Bytes of a record that is made of a plain recording: what a read of a port returns."""

_PACKED = {"1f8b": "gunzip", "28b52ffd": "unzstd", "fd377a58": "unxz", "04224d18": "unlz4"}
"""First bytes of compressed files, and the tool that decompresses them."""
_OLD_PCAP = ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1")


class Source:
    """The records of a file; can be iterated once.

    name: of the file, for messages. blocks: its bytes, as they are read.
    Raises ConfigError for a file of the older format pcap, and for a compressed file.
    """

    def __init__(self, name: str, blocks: Iterable[bytes]) -> None:
        self.name = name
        blocks = iter(blocks)
        beginning = b""
        for block in blocks:
            beginning += block
            if len(beginning) >= 4:
                break
        if beginning[:4].hex() in _OLD_PCAP:
            raise ConfigError(
                name,
                "is a file of the older format pcap, which has no directions; a capture is pcapng "
                "(editcap -F pcapng converts it)",
            )
        for magic, tool in _PACKED.items():
            if beginning.hex().startswith(magic):
                raise ConfigError(name, f"is compressed: {tool} it first")
        self._all = chain([beginning] if beginning else [], blocks)
        self._reader = Reader(self._all) if beginning.startswith(b"\n\r\r\n") else None
        self.is_capture = self._reader is not None
        """Else it is a plain recording, without directions and times."""

    def __iter__(self) -> Iterator[Record]:
        return iter(self._reader) if self._reader else self._records()

    @property
    def raw(self) -> Iterator[bytes]:
        """The bytes of a plain recording, as they are read."""
        assert not self.is_capture
        return self._all

    @property
    def is_damaged(self) -> bool:
        """Known after its last record: it is a capture whose rest cannot be read.

        One that only ends too early is read as far as it goes.
        """
        return bool(self._reader and self._reader.problem and not self._reader.cut)

    @property
    def remarks(self) -> list[str]:
        """Messages for the user about the file, complete after its last record."""
        reader = self._reader
        if reader is None:
            return []
        said = [reader.problem] if reader.problem else []
        if not reader.problem and not reader.ended and reader.is_ours:
            said.append("has no end: the program that wrote it was killed, or is still running")
        if reader.other_packets:
            said.append(f"{reader.other_packets} packets of other link types left out")
        if reader.cut_packets:
            said.append(
                f"{reader.cut_packets} packets were cut short by a snapshot length when they were "
                "recorded: their frames are lost"
            )
        return said

    def _records(self) -> Iterator[Record]:
        offset = 0
        for block in self._all:
            for start in range(0, len(block), _PIECE):
                piece = block[start : start + _PIECE]
                offset += len(piece)
                yield Record(False, 0, offset * _BYTE, piece)


def bytes_of(
    path: str, unnamed: str = "''", passed: Callable[[int], None] = lambda count: None
) -> Iterator[bytes]:
    """The blocks of a file, or of standard input (-), as they are read.

    unnamed: what an empty path is called in messages. passed: told the bytes of each block when
    that is done with. Raises ConfigError.
    """
    try:
        fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while block := os.read(fd, BLOCK):
                yield block
                passed(len(block))
        finally:
            if fd:
                os.close(fd)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        name = "standard input" if path == "-" else path or unnamed
        raise ConfigError(name, why) from error


def open_source(path: str, passed: Callable[[int], None] = lambda count: None) -> Source:
    """The records of the file, or of standard input (-). passed: as of `bytes_of`. Raises
    ConfigError, at the first record at the latest."""
    return Source("standard input" if path == "-" else path, bytes_of(path, passed=passed))
