"""Lines of a file or of standard input, block by block, answered in their order by one process."""

from __future__ import annotations

import os
import select
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from ruuvi_host.cli.adverts import MAX_LINE
from ruuvi_host.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 65536
"""Bytes that one process reads at a time."""


class Work(NamedTuple):
    """What is done with lines."""

    answer: Callable[[bytes, int], bytes]
    """(lines, number of the first one) → what is written; behind the last one there is no line end.
    """
    write: Callable[[bytes], None]
    """Raises BrokenPipeError and RuuviHostError."""
    decoded: Callable[[], int]
    """How many lines this process could decode so far."""


class Turn(NamedTuple):
    """What the next one to read must know."""

    number: int = 1
    """Of its first line."""
    passed: int = 0
    """Bytes that were read so far."""
    tail: bytes = b""
    """Of an unfinished line. Of one that is too long only as much is kept as is needed to see that:
    UTF-8 has up to four bytes a character."""
    ended: bool = False


class Source:
    """A file, or standard input, read by whoever has the turn. Raises ConfigError."""

    def __init__(self, path: str, block: int) -> None:
        self.name = "standard input" if path == "-" else path or "@"
        self._block = block
        with self._named():
            self._fd = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._fd)

    def take(self, turn: Turn) -> tuple[bytes | None, Turn]:
        """The complete lines of the next block, None where there is none, and the next turn."""
        with self._named():
            block, ended = self._read()
        passed = turn.passed + len(block)
        lines, end, tail = (turn.tail + block).rpartition(b"\n")
        if ended and tail:
            lines, end, tail = turn.tail + block, b"\n", b""
        tail = tail[: 4 * MAX_LINE + 2]
        if not end:
            return None, Turn(turn.number, passed, tail, ended)
        return lines, Turn(turn.number + lines.count(b"\n") + 1, passed, tail, ended)

    def _read(self) -> tuple[bytes, bool]:
        """What is there, up to a block; waits for the first byte only. And: has it ended?"""
        block = os.read(self._fd, self._block)
        ended = not block
        while block and len(block) < self._block and select.select([self._fd], [], [], 0)[0]:
            more = os.read(self._fd, self._block - len(block))
            if not more:
                ended = True
                break
            block += more
        return block, ended

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ConfigError(self.name, why) from error


def answer_all(path: str, first: int, work: Work, passed: Callable[[int], None]) -> int:
    """One process answers all lines of `path`; they are counted from `first` on.

    passed: told the number of bytes that are done. Returns the number of the first line behind
    them. Raises ConfigError, and what `work` does.
    """
    source = Source(path, BLOCK)
    try:
        turn = Turn(first)
        while not turn.ended:
            number, before = turn.number, turn.passed
            lines, turn = source.take(turn)
            if lines is not None:
                work.write(work.answer(lines, number))
            passed(turn.passed - before)
        return turn.number
    finally:
        source.close()
