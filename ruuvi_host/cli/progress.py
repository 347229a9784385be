"""A bar for work that takes a while: on standard error, if that is a terminal, and nothing else."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from rich.console import Console


@contextmanager
def progress(
    what: str, total: int | None, *, beside_output: bool = False
) -> Iterator[Callable[[int], None]]:
    """A bar while the block runs; it is gone afterwards. Log lines stand above it.

    total: of what is told; None: not known. beside_output: there is none when standard output is a
    terminal, too, since what is written there shows how far it is.
    """
    if not is_terminal(sys.stderr) or (beside_output and is_terminal(sys.stdout)):
        yield _nobody
        return
    import logging

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    root = logging.getLogger()
    before = root.handlers
    with bar:
        task = bar.add_task(what, total=total)
        root.handlers = [_above(console, handler.formatter) for handler in before[:1]]
        try:
            yield lambda count: bar.advance(task, count)
        finally:
            root.handlers = before


def size_of(path: str) -> int | None:
    """Of a file, in bytes; None: it is not known, as of standard input."""
    import stat

    try:
        found = os.stat(path) if path != "-" else os.fstat(0)
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def is_terminal(stream: object) -> bool:
    """One that can do more than print lines."""
    if stream is None or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return bool(stream.isatty())  # type: ignore[attr-defined]


def _nobody(count: int) -> None:
    pass


def _above(console: Console, formatter: logging.Formatter | None) -> logging.Handler:
    """Writes log lines above the bar."""
    import logging

    class Above(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)

    handler = Above()
    handler.setFormatter(formatter)
    return handler
