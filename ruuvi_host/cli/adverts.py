"""The answers of `decode adv` to lines of hex: JSON, text for people, a gateway's JSON, or CSV.

Whatever a line holds gets an answer, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from ruuvi_host.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ruuvi_host.formats import Keys
    from ruuvi_host.formats.bulk import Render, Row
    from ruuvi_host.formats.measurement import Value

MAX_LINE = 4096
"""Characters that a line of hex may have; advertising data never needs as many."""
SHOWN = 64
"""Characters of a longer line that an answer repeats."""


class Answers(NamedTuple):
    """How to answer a line. Besides the error codes of the formats there are bad_hex and too_long,
    for lines that are no bytes, and not_recognised, for what a gateway does not decode."""

    reading: Callable[[str, bytes, int], str]
    """(bytes as the answer repeats them, bytes, number of the line) → text. Raises FormatError."""
    error: Callable[[str, FormatError, int], str]
    usual: Render | None = None
    """For what a RuuviTag sends, in bulk; gives the same. None: it has no way of its own."""


class Reader:
    """Answers lines, and knows how many could be decoded."""

    def __init__(self, answers: Answers) -> None:
        self.decoded = 0
        self._answers = answers

    def block(self, lines: bytes, first: int) -> str:
        """The answers to lines; behind the last one there is no line end. first: its number."""
        from ruuvi_host.formats.bulk import answer

        usual = self._answers.usual
        if usual is not None:
            return answer(lines, partial(self._usual, usual), self.line, first)
        each = lines.split(b"\n")
        return "".join(map(self.line, each, range(first, first + len(each))))

    def line(self, raw: bytes, number: int) -> str:
        """The answer to one line, or one argument."""
        line = raw.decode("utf-8", "replace").removesuffix("\r")
        if len(line) > MAX_LINE:
            error = FormatError("too_long", f"a line of more than {MAX_LINE} characters")
            return self._answers.error(line[:SHOWN], error, number)
        line = line.strip()
        try:
            data = bytes.fromhex(line)
        except ValueError:
            why = "not a sequence of hexadecimal bytes, as 0201061BFF9904… (without 0x and :)"
            error = FormatError("bad_hex", why)
            return self._answers.error(line, error, number)
        shown = data.hex().upper()
        try:
            answer = self._answers.reading(shown, data, number)
        except FormatError as error:
            return self._answers.error(shown, error, number)
        self.decoded += 1
        return answer

    def _usual(self, render: Render, rows: Iterable[Row], numbers: Iterable[int]) -> list[str]:
        answers = render(rows, numbers)
        self.decoded += len(answers)
        return answers


def csv_answers(keys: Keys, without: frozenset[int]) -> Answers:
    """Rows of `formats.columns`."""
    from ruuvi_host.formats import decode
    from ruuvi_host.formats.bulk import csv_lines
    from ruuvi_host.formats.columns import csv_error, csv_row

    def reading(shown: str, data: bytes, number: int) -> str:
        return csv_row(number, decode(data, keys, without))

    def error(shown: str, error: FormatError, number: int) -> str:
        return csv_error(number, error.code)

    return Answers(reading, error, None if 5 in without else csv_lines)


def json_answers(derived: bool, keys: Keys, without: frozenset[int]) -> Answers:
    """Our own names, one object a line."""
    from ruuvi_host.formats import decode, fields
    from ruuvi_host.formats.bulk import json_lines
    from ruuvi_host.formats.derived import derive
    from ruuvi_host.formats.json_text import json_members

    to_json = _json_encoder()

    def reading(shown: str, data: bytes, number: int) -> str:
        return f'{{"adv":"{shown}",{json_members(decode(data, keys, without))}}}\n'

    def reading_and_derived(shown: str, data: bytes, number: int) -> str:
        measurement = decode(data, keys, without)
        members, more = json_members(measurement), to_json(derive(fields(measurement)))
        return f'{{"adv":"{shown}",{members},"derived":{more}}}\n'

    if derived:
        return Answers(reading_and_derived, _json_error)
    return Answers(reading, _json_error, None if 5 in without else json_lines)


def gateway_answers() -> Answers:
    """What a gateway says of the same bytes."""
    from ruuvi_host.formats.gateway import gateway_members

    def reading(shown: str, data: bytes, number: int) -> str:
        members = [f'"{name}":{value}' for name, value in gateway_members(data)]
        if not members:
            raise FormatError("not_recognised")
        return f'{{"adv":"{shown}",{",".join(members)}}}\n'

    return Answers(reading, _json_error)


def _json_error(shown: str, error: FormatError, number: int) -> str:
    return _json_encoder()({"adv": shown, "error": error.code}) + "\n"


def text_answers(derived: bool, keys: Keys, without: frozenset[int]) -> Answers:
    """For people."""
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

    def reading(shown: str, data: bytes, number: int) -> str:
        measurement = decode(data, keys, without)
        named = fields(measurement)
        shown_as = named | {"data_format": FORMATS[measurement.data_format].title}
        rows = [row(name, value) for name, value in shown_as.items()]
        if derived:
            rows += [row(name, value) for name, value in derive(named).items() if value is not None]
        return f"{title(shown)}\n{''.join(rows)}\n"

    def error(shown: str, error: FormatError, number: int) -> str:
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
