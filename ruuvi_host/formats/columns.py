"""Readings as rows of one table: the same columns for all data formats, in a fixed order."""

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any, get_args

from ruuvi_host.formats.measurement import QUANTITIES, Measurement, Value

LINE, ERROR = "line", "error"
COLUMNS = (LINE, ERROR, *QUANTITIES)
"""Number of the line, from 1; the code of what is wrong with it, empty for a reading; every field
that a reading can have, empty where its format, or this reading, lacks it."""


def kinds() -> dict[str, type]:
    """int, float, bool or str for each column, fit for all data formats."""
    from ruuvi_host.formats import FORMATS

    found: dict[str, set[Any]] = {LINE: {int}, ERROR: {str}, "data_format": {int}}
    for known in FORMATS.values():
        for name, kind in known.reading.__annotations__.items():
            found.setdefault(name, set()).update(get_args(kind) or (kind,))
    kinds: tuple[type, ...] = (float, str, bool, int)
    return {name: next(kind for kind in kinds if kind in found[name]) for name in COLUMNS}


def csv_row(number: int, reading: Measurement) -> str:
    """Nothing in it needs quotes: texts are addresses, and one character of a URL."""
    template, in_order = _template(type(reading))
    return f"{number},,{template % tuple(map(_csv_value, in_order(reading)))}\n"


def csv_error(number: int, code: str) -> str:
    """The row of a line that could not be decoded."""
    return f"{number},{code}{',' * len(QUANTITIES)}\n"


@cache
def _template(reading: Any) -> tuple[str, Callable[[Any], tuple[Value, ...]]]:
    """For one type of readings: a place for each field that it has, and its values in their order
    in the table, which is not that of every payload."""
    has = [name for name in QUANTITIES if name in reading._fields]
    text = ",".join("%s" if name in has else "" for name in QUANTITIES)
    in_order: Callable[[Any], tuple[Value, ...]] = itemgetter(*map(reading._fields.index, has))
    return text, in_order


def _csv_value(value: Value) -> Value:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else value
