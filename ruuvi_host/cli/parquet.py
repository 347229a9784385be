"""Parquet: the one module that knows pyarrow.

A process of its own reads the table as CSV, and writes row groups: so memory stays bounded, all
processes of --jobs can feed it, and pyarrow's threads are in none that forks.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ruuvi_host.cli.ring import ENDS
from ruuvi_host.errors import ConfigError, RuuviHostError
from ruuvi_host.formats.columns import kinds
from ruuvi_host.formats.measurement import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

ROWS = 1 << 17
"""Of a row group, at least: some 20 MB while it is gathered."""
BLOCK = 1 << 20
"""Bytes of CSV that are converted at a time."""


def require() -> None:
    """Raises ConfigError if pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise ConfigError(
            "--parquet",
            "needs pyarrow, which is not installed: it is in ruuvi-host[parquet] (some 55 MB; "
            "Debian has no package of it). --csv writes the same table without it",
        )


@contextmanager
def parquet_writer(path: str) -> Iterator[int]:
    """The end of a pipe that takes the table as CSV, with its header; the file is complete behind
    the block. Raises RuuviHostError if it cannot be written."""
    from multiprocessing import get_context

    context = get_context("fork")
    told, tell = context.Pipe(False)
    source, sink = os.pipe()
    # Ctrl-C is for this process, which ends that one; one that comes now waits.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *ENDS})
    try:
        process = context.Process(target=_serve, args=(source, sink, path, tell), daemon=True)
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(source)
        tell.close()
    try:
        with suppress(BrokenPipeError):  # it tells why
            yield sink
        os.close(sink)
        sink = -1
        try:
            problem = told.recv()
        except EOFError:
            problem = "the process that writes it was ended from outside"
        if problem:
            raise RuuviHostError(f"the Parquet file cannot be written: {problem}")
    finally:
        if sink >= 0:
            process.terminate()
            os.close(sink)
        process.join()
        told.close()


def _serve(source: int, sink: int, path: str, tell: Connection[str, str]) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    os.close(sink)  # or the end of the table would not be seen
    try:
        with os.fdopen(source, "rb", BLOCK) as csv:
            _convert(csv, path)
    except Exception as error:  # of a foreign library: whatever it is, it is told in one sentence
        tell.send((getattr(error, "strerror", None) or str(error)).splitlines()[0])
    else:
        tell.send("")


def _convert(csv: Any, path: str) -> None:
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    schema = arrow_schema()
    batches = pyarrow.csv.open_csv(
        csv,
        read_options=pyarrow.csv.ReadOptions(block_size=BLOCK),
        parse_options=pyarrow.csv.ParseOptions(quote_char=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True
        ),
    )
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        gathered: list[Any] = []
        rows = 0

        def write() -> None:
            table = pyarrow.Table.from_batches(gathered, batches.schema).cast(schema)
            writer.write_table(table, row_group_size=max(1, table.num_rows))

        for batch in batches:
            gathered.append(batch)
            rows += batch.num_rows
            if rows >= ROWS:
                write()
                gathered, rows = [], 0
        if rows:
            write()


def arrow_schema() -> Any:
    """The columns with their types; the unit of a field is in its metadata."""
    import pyarrow

    types = {
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
        str: pyarrow.string(),
    }

    def field(name: str, kind: type) -> Any:
        unit = QUANTITIES[name].unit if name in QUANTITIES else ""
        return pyarrow.field(name, types[kind], metadata={"unit": unit} if unit else None)

    return pyarrow.schema([field(name, kind) for name, kind in kinds().items()])
