"""`ruuvi-host decode`: advertising data, or a capture of the UART, as text or JSON lines.

Both commands stream: input is read in blocks, and the output for a block is written at once, so
memory does not grow with the input. Output goes through file descriptors: no buffer is left that
could fail again when the interpreter shuts down.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli import adverts
from ruuvi_host.cli.decoding import key_option, read_keys, read_without, without_option
from ruuvi_host.cli.groups import Group
from ruuvi_host.cli.output import ALIKE
from ruuvi_host.cli.progress import progress, size_of
from ruuvi_host.errors import RuuviHostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ruuvi_host.cli.adverts import Reader

STDIN, STDOUT, STDERR = 0, 1, 2
MAX_JOBS = 64


class _Group(Group):
    def meant_by(self, name: str) -> str | None:
        is_hex = len(name) > 6 and not set(name.lower()) - set("0123456789abcdef")
        if is_hex or name.startswith("@"):
            return f"adv {name[:20]}"
        return f"uart {name}" if "." in name else None


@click.group("decode", cls=_Group)
def command() -> None:
    """Decode advertising data, or a recording of the UART."""


@command.command()
@click.argument("hexes", metavar="[HEX|@FILE|-]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--derived", is_flag=True, help="Add computed values: dew point, air quality ...")
@click.option(
    "--gateway-json",
    is_flag=True,
    help="One JSON object a line, with the names and digits of a Ruuvi Gateway. A gateway decodes "
    'fewer formats: for the others the answer is "error":"not_recognised".',
)
@click.option("--csv", "csv", metavar="OUT", help="A table as CSV, in place of text. -: stdout.")
@click.option(
    "--parquet",
    metavar="OUT",
    help="The same table as a Parquet file. It needs pyarrow, a large library: "
    "the extra ruuvi-host[parquet]; Debian does not have it.",
)
@click.option(
    "--jobs",
    type=click.IntRange(0, MAX_JOBS),
    default=1,
    metavar="N",
    help="Processes that share the work; 0: one for each core. One unless you say so: a host may "
    "run beside. The order stays.",
)
@key_option
@without_option
def adv(
    hexes: tuple[str, ...],
    as_json: bool,
    derived: bool,
    gateway_json: bool,
    csv: str | None,
    parquet: str | None,
    jobs: int,
    key_options: tuple[str, ...],
    without: tuple[str, ...],
) -> None:
    """Decode advertising data: each HEX, each line of a file, or of standard input (-).

    The keys are tried on encrypted readings in the order in which they are given.

    Each answer may be an error. Exit status 1: there were arguments, and none could be decoded.

    Tables have the same columns for all formats, and a row for each line. OUT is there when it is
    complete, and not before.
    """
    if not hexes:
        if os.isatty(STDIN):
            raise click.UsageError("Give HEX, or lines of it on standard input.")
        hexes = ("-",)
    answer = partial(_answer, write=partial(_write, STDOUT))
    jobs = jobs or len(os.sched_getaffinity(0))
    table = csv if csv is not None else parquet
    if table is not None:
        if as_json or gateway_json or derived or (csv is not None and parquet is not None):
            raise click.UsageError(
                "One kind of output at a time: --csv, --parquet, --json or --gateway-json. "
                "--derived is not part of a table."
            )
        answers = adverts.csv_answers(read_keys(key_options), read_without(without))
        answer = partial(_write_table, path=table, as_parquet=parquet is not None)
    elif gateway_json:
        if derived or key_options or without:
            raise click.UsageError(
                "--gateway-json decodes as a gateway does: it cannot be combined with --derived, "
                "--key or --without."
            )
        answers = adverts.gateway_answers()
    else:
        make = adverts.json_answers if as_json else adverts.text_answers
        answers = make(derived, read_keys(key_options), read_without(without))
    with suppress(BrokenPipeError):  # the reader has ended
        if not answer(hexes, adverts.Reader(answers), jobs=jobs):
            raise SystemExit(1)


@command.command()
@click.argument("path", metavar="FILE|-")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line, with every byte of the frames: keep it as secret as the capture.",
)
@click.option("--unknown", is_flag=True, help="Look for frames with unknown commands, too.")
@click.option(
    "--show-device-id",
    is_flag=True,
    help="Also show it without --json: it is the key that signs batches.",
)
def uart(path: str, as_json: bool, unknown: bool, show_device_id: bool) -> None:
    """Find the frames in a capture, or in a raw recording of the UART, and decode them.

    A capture is recognised by its first bytes; it has times and both directions. Bytes between
    frames are skipped. At the end, counters on standard error. Exit status 1: the capture is
    damaged, and what lies behind the damage was not read. A recording without any frame, such as
    of noise, is read to its end, and no failure: the counters tell.
    """
    from ruuvi_host.capture.source import open_source
    from ruuvi_host.cli.frames import FrameList

    with suppress(BrokenPipeError):
        with progress(f"reading {path}", size_of(path), beside_output=True) as passed:
            source = open_source(path, passed)
            found = FrameList(
                source, as_json=as_json, unknown=unknown, show_device_id=show_device_id
            )
            for text in found:
                _write(STDOUT, _encoded(text))
        _write(STDERR, _encoded(found.counted()))
        if source.is_damaged:
            raise SystemExit(1)


# Input and output


def _answer(
    hexes: tuple[str, ...],
    reader: Reader,
    write: Callable[[bytes], None],
    jobs: int,
    beside_output: bool = True,
) -> bool:
    """Answer each argument, and the lines of each file.

    Returns False if there were arguments, and nothing was decoded. Raises BrokenPipeError.
    """
    from ruuvi_host.cli.lines import Work, answer_all

    work = Work(
        lambda lines, first: _encoded(reader.block(lines, first)), write, lambda: reader.decoded
    )
    named, decoded, number = False, 0, 1
    for text in hexes:
        if text != "-" and not text.startswith("@"):
            # As bytes, so that an argument that is no UTF-8 is treated like such a line.
            write(_encoded(reader.line(os.fsencode(text), number)))
            named, number = True, number + 1
            continue
        path = text.removeprefix("@")
        shown = partial(progress, f"reading {path}", size_of(path), beside_output=beside_output)
        if jobs == 1:
            with shown() as passed:
                number = answer_all(path, number, work, passed)
        else:
            from ruuvi_host.cli.ring import Ring

            with Ring(path, number, work, jobs) as ring, shown() as passed:
                count, number = ring.answer_all(passed)
                decoded += count
    return not named or reader.decoded + decoded > 0


def _write_table(
    hexes: tuple[str, ...], reader: Reader, path: str, as_parquet: bool, jobs: int
) -> bool:
    """A table into a file, or as CSV to standard output. The rest is as with `_answer`."""
    from ruuvi_host.cli.table_file import table_file
    from ruuvi_host.formats.columns import COLUMNS

    header = (",".join(COLUMNS) + "\n").encode()
    if path == "-" and not as_parquet:
        _write(STDOUT, header)
        return _answer(hexes, reader, partial(_write, STDOUT), jobs)
    with table_file(path, as_parquet) as fd:
        write = partial(_write, fd)
        write(header)
        return _answer(hexes, reader, write, jobs, beside_output=False)


def _encoded(text: str) -> bytes:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # None: started without a stdout
    return text.encode(encoding, ALIKE)


def _write(fd: int, answers: bytes) -> None:
    data = memoryview(answers)
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RuuviHostError(f"the output cannot be written: {error.strerror}") from error
