"""Line protocol: one point as one line of bytes.

Source: docs.influxdata.com, "Line protocol" (1.x and 2.x).
"""

import re
from collections.abc import Iterable, Mapping
from math import isfinite

Field = bool | int | float | str
"""A float stays one, whatever its value; an int is written as an integer (`7i`)."""

_IN_MEASUREMENT = re.compile(r"[, ]")
_IN_TAG = re.compile(r"[,= ]")
_IN_STRING = re.compile(r'["\\]')
_BACKSLASHES = re.compile(r"\\+(?=[,= ]|\Z)|\\+(?=\\)")
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""A line feed ends the line, and no database takes all of the rest."""
_LARGEST = 2**63


def measurement_text(name: str) -> str:
    return _IN_MEASUREMENT.sub(r"\\\g<0>", _name(name))


def tag_text(text: str) -> str:
    """A key or a value of a tag, or the key of a field."""
    return _IN_TAG.sub(r"\\\g<0>", _name(text))


def tags_text(tags: Iterable[tuple[str, str]]) -> str:
    """`,key=value` for each, by key, as databases want them; those without a value are left out."""
    return "".join(f",{tag_text(key)}={tag_text(value)}" for key, value in sorted(tags) if value)


def line(head: str, fields: Mapping[str, Field], seconds: int) -> bytes | None:
    """One line with its line feed; None: no field has a value that can be written.

    head: measurement and tags, as they are written. fields: name → value; names as they are
    written. seconds: its time, UTC.
    """
    written = [f"{name}={text}" for name, value in fields.items() if (text := _field(value))]
    if not written:
        return None
    return f"{head} {','.join(written)} {seconds}\n".encode()


def _field(value: Field) -> str:
    """Empty: it cannot be written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i" if -_LARGEST <= value < _LARGEST else ""
    if isinstance(value, float):
        return repr(value) if isfinite(value) else ""
    escaped = _IN_STRING.sub(r"\\\g<0>", _plain(value))
    return f'"{escaped}"'


def _plain(text: str) -> str:
    return _NOT_IN_A_LINE.sub("\N{REPLACEMENT CHARACTER}", text)


def _name(text: str) -> str:
    """A backslash has no escape there. Alone it is itself; where another one, or what is escaped,
    or the end stands behind it, databases read it in different ways: there it is left out."""
    return _BACKSLASHES.sub("", _plain(text)) or "_"
