"""`ruuvi-host decode`: advertising data, or a capture of the UART, as text or JSON lines.

Both commands stream: input is read in blocks, and the output for a block is written at once, so
memory does not grow with the input. Output goes through file descriptors: no buffer is left that
could fail again when the interpreter shuts down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import click

from ruuvi_host.cli.decoding import key_option, read_keys, read_without, without_option
from ruuvi_host.cli.groups import Group
from ruuvi_host.cli.output import ALIKE
from ruuvi_host.cli.progress import progress, size_of
from ruuvi_host.errors import FormatError, RuuviHostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruuvi_host.formats import Keys
    from ruuvi_host.formats.measurement import Value

STDIN, STDOUT, STDERR = 0, 1, 2
MAX_LINE = 4096
"""Characters that a line of hex may have; advertising data never needs as many."""
SHOWN = 64
"""Characters of a longer line that an answer repeats."""


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
@key_option
@without_option
def adv(
    hexes: tuple[str, ...],
    as_json: bool,
    derived: bool,
    gateway_json: bool,
    key_options: tuple[str, ...],
    without: tuple[str, ...],
) -> None:
    """Decode advertising data: each HEX, each line of a file, or of standard input (-).

    The keys are tried on encrypted readings in the order in which they are given.

    Each answer may be an error. Exit status 1: there were arguments, and none could be decoded.
    """
    if not hexes:
        if os.isatty(STDIN):
            raise click.UsageError("Give HEX, or lines of it on standard input.")
        hexes = ("-",)
    if gateway_json:
        if derived or key_options or without:
            raise click.UsageError(
                "--gateway-json decodes as a gateway does: it cannot be combined with --derived, "
                "--key or --without."
            )
        answers = _gateway_answers()
    else:
        make = _json_answers if as_json else _text_answers
        answers = make(derived, read_keys(key_options), read_without(without))
    read = _Reader(answers)
    named = False
    with suppress(BrokenPipeError):  # the reader has ended
        for text in hexes:
            if text == "-" or text.startswith("@"):
                path = text.removeprefix("@")
                with progress(f"reading {path}", size_of(path), beside_output=True) as passed:
                    for lines in _lines(path, passed):
                        _write(STDOUT, "".join(map(read, lines)))
            else:  # as bytes, so that an argument that is no UTF-8 is treated like such a line
                _write(STDOUT, read(os.fsencode(text)))
                named = True
    if named and not read.decoded:
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
    damaged, and what lies behind the damage was not read.
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
                _write(STDOUT, text)
        _write(STDERR, found.counted())
        if source.is_damaged:
            raise SystemExit(1)


# Input and output


def _write(fd: int, text: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # None: started without a stdout
    data = memoryview(text.encode(encoding, ALIKE))
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RuuviHostError(f"the output cannot be written: {error.strerror}") from error


def _lines(path: str, passed: Callable[[int], None]) -> Iterator[list[bytes]]:
    """The lines that each read of a file, or of standard input (-), completes.

    Of a line that is too long only as much is kept as is needed to see that: UTF-8 has up to four
    bytes a character. passed: told how many bytes are done with.
    """
    from ruuvi_host.capture.source import bytes_of

    tail = b""
    for block in bytes_of(path, "@", passed):
        *lines, tail = (tail + block).split(b"\n")
        tail = tail[: 4 * MAX_LINE + 2]
        yield lines
    if tail:
        yield [tail]


# Advertising data


class Answers(NamedTuple):
    """How to answer a line. Besides the error codes of the formats there are bad_hex and too_long,
    for lines that are no bytes, and not_recognised, for what a gateway does not decode."""

    reading: Callable[[str, bytes], str]
    """(bytes as the answer repeats them, bytes) → text. Raises FormatError."""
    error: Callable[[str, FormatError], str]


class _Reader:
    """Answers one line, or one argument, and knows whether any could be decoded."""

    def __init__(self, answers: Answers) -> None:
        self.decoded = False
        self._answers = answers

    def __call__(self, raw: bytes) -> str:
        line = raw.decode("utf-8", "replace").removesuffix("\r")
        if len(line) > MAX_LINE:
            error = FormatError("too_long", f"a line of more than {MAX_LINE} characters")
            return self._answers.error(line[:SHOWN], error)
        line = line.strip()
        try:
            data = bytes.fromhex(line)
        except ValueError:
            why = "not a sequence of hexadecimal bytes, as 0201061BFF9904… (without 0x and :)"
            error = FormatError("bad_hex", why)
            return self._answers.error(line, error)
        shown = data.hex().upper()
        try:
            answer = self._answers.reading(shown, data)
        except FormatError as error:
            return self._answers.error(shown, error)
        self.decoded = True
        return answer


def _json_answers(derived: bool, keys: Keys, without: frozenset[int]) -> Answers:
    from ruuvi_host.formats import decode, fields
    from ruuvi_host.formats.derived import derive
    from ruuvi_host.formats.json_text import json_members

    to_json = _json_encoder()

    def reading(shown: str, data: bytes) -> str:
        return f'{{"adv":"{shown}",{json_members(decode(data, keys, without))}}}\n'

    def reading_and_derived(shown: str, data: bytes) -> str:
        measurement = decode(data, keys, without)
        members, more = json_members(measurement), to_json(derive(fields(measurement)))
        return f'{{"adv":"{shown}",{members},"derived":{more}}}\n'

    return Answers(reading_and_derived if derived else reading, _json_error)


def _gateway_answers() -> Answers:
    from ruuvi_host.formats.gateway import gateway_members

    def reading(shown: str, data: bytes) -> str:
        members = [f'"{name}":{value}' for name, value in gateway_members(data)]
        if not members:
            raise FormatError("not_recognised")
        return f'{{"adv":"{shown}",{",".join(members)}}}\n'

    return Answers(reading, _json_error)


def _json_error(shown: str, error: FormatError) -> str:
    return _json_encoder()({"adv": shown, "error": error.code}) + "\n"


def _text_answers(derived: bool, keys: Keys, without: frozenset[int]) -> Answers:
    from ruuvi_host.formats import FORMATS, decode, fields
    from ruuvi_host.formats.derived import QUANTITIES as DERIVED
    from ruuvi_host.formats.derived import derive
    from ruuvi_host.formats.measurement import QUANTITIES

    quantities = QUANTITIES | DERIVED

    def row(name: str, value: Value) -> str:
        unit, meaning = quantities.get(name, ("", ""))
        match value:
            case None:
                text = "not available"
            case bool():
                text = "yes" if value else "no"
            case float():
                text = f"{round(value, 4)} {unit}"
            case _:
                text = f"{value} {unit}"
        return f"  {name:<28}{text:<20}{meaning}\n"

    def title(shown: str) -> str:
        # Text from outside: it must not control the terminal.
        return shown.encode("unicode_escape").decode() or "(empty)"

    def reading(shown: str, data: bytes) -> str:
        measurement = decode(data, keys, without)
        named = fields(measurement)
        shown_as = named | {"data_format": FORMATS[measurement.data_format].title}
        rows = [row(name, value) for name, value in shown_as.items()]
        if derived:
            rows += [row(name, value) for name, value in derive(named).items() if value is not None]
        return f"{title(shown)}\n{''.join(rows)}\n"

    def error(shown: str, error: FormatError) -> str:
        return f"{title(shown)}\n  {error.code}: {error}{_hint(shown)}\n\n"

    return Answers(reading, error)


def _hint(shown: str) -> str:
    """Is it a part of advertising data, as pages about the formats show it?"""
    from ruuvi_host.formats import FORMATS

    try:
        data = bytes.fromhex(shown)
    except ValueError:
        return ""
    for beginning, missing in ((b"\x99\x04", "FF"), (b"", "FF9904")):
        payload = data.removeprefix(beginning)
        known = FORMATS.get(payload[0]) if payload and data.startswith(beginning) else None
        if known and known.length == len(payload):
            what = "manufacturer data" if beginning else "a payload"
            size = len(data) + len(missing) // 2
            return f" (this looks like {what} alone: put {size:02X}{missing} in front)"
    return ""


@cache
def _json_encoder() -> Callable[[object], str]:
    from json import JSONEncoder

    return JSONEncoder(separators=(",", ":")).encode
