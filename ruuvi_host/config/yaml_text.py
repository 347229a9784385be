"""Reads the YAML of another program's configuration: texts, lists and tables, and nothing else.

A document is built from the parser's events, one by one, so that what is too large ends at its
first piece too many: depth, number of pieces, and aliases, which a few lines can make into
gigabytes. No tag is acted on. Scalars stay texts, as their program sees where a text is wanted: in
YAML 1.1 the address 001122334455 is a number, and 11:22:33:44:55:06 one to the base of 60.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

from ruuvi_host.config.files import Unreadable

Yaml: TypeAlias = "str | list[Yaml] | dict[str, Yaml] | None"

EXTRA = "ruuvi-host[import]"

MAX_YAML = 64 << 10
"""Characters. The programs' own samples have six thousand; the parser takes seconds for more."""
MAX_YAML_DEPTH = 8
"""Of lists and tables inside each other. These files have three."""
MAX_PIECES = 5000
"""Values, keys, and ends of lists and tables."""

_NULL = ("", "~", "null", "Null", "NULL")


def parse_yaml(text: str) -> Yaml:
    """The only document of a text. Raises Unreadable; its text repeats nothing that stands there,
    which may be a password."""
    if len(text) > MAX_YAML:
        raise Unreadable(f"not YAML that is read here: it is longer than {MAX_YAML} characters")
    try:
        import yaml
    except ImportError:
        why = f"is YAML, which needs the Python package PyYAML: install {EXTRA}, or Debian's "
        why += "python3-yaml"
        raise Unreadable(why) from None
    try:
        return _Reader(yaml).document(iter(yaml.parse(text, Loader=yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Unreadable(f"not YAML that can be read{where}") from None
    except (yaml.YAMLError, ValueError):
        raise Unreadable("not YAML that can be read") from None


class _Reader:
    """One document, within the limits. yaml: the library."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self._pieces = 0

    def document(self, events: Iterator[Any]) -> Yaml:
        """Raises Unreadable, YAMLError."""
        found: Yaml = None
        is_read = False
        for event in events:
            if isinstance(event, self._yaml.DocumentStartEvent):
                if is_read:
                    raise Unreadable("holds more than one YAML document")
                found, is_read = self._value(next(events), events, 0), True
        return found

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> Yaml:
        self._pieces += 1
        line = event.start_mark.line + 1
        if self._pieces > MAX_PIECES:
            raise Unreadable(f"holds more than {MAX_PIECES} values")
        if depth > MAX_YAML_DEPTH:
            raise Unreadable(f"is nested too deeply (line {line})")
        if isinstance(event, self._yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULL
            return None if is_null else str(event.value)
        if isinstance(event, self._yaml.SequenceStartEvent):
            return list(self._inside(self._yaml.SequenceEndEvent, events, depth))
        if isinstance(event, self._yaml.MappingStartEvent):
            return self._table(events, depth)
        raise Unreadable(f"has an alias (line {line}): write out what it stands for")

    def _table(self, events: Iterator[Any], depth: int) -> dict[str, Yaml]:
        table: dict[str, Yaml] = {}
        inside = self._inside(self._yaml.MappingEndEvent, events, depth)
        for key in inside:
            if not isinstance(key, str):
                raise Unreadable("has a table with a key that is no text")
            if key in table:
                raise Unreadable(f"has a table with two keys {key[:60]!r}")
            table[key] = next(inside)
        return table

    def _inside(self, end: type, events: Iterator[Any], depth: int) -> Iterator[Yaml]:
        for event in events:
            if isinstance(event, end):
                return
            yield self._value(event, events, depth + 1)
