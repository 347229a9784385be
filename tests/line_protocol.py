"""A strict reader of line protocol, written from its documents and sharing no code with the host:
what is not exactly right is a ValueError."""

import re
from dataclasses import dataclass

FieldValue = bool | int | float | str

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"([+-]?\d+)i")


@dataclass(frozen=True)
class Point:
    measurement: str
    tags: dict[str, str]
    fields: dict[str, FieldValue]
    time: int


def points(body: bytes) -> list[Point]:
    """Of a whole body. Every line must be ended, and none be empty."""
    if not body.endswith(b"\n"):
        raise ValueError("the last line is not ended")
    return [_point(line) for line in body.decode("utf-8")[:-1].split("\n")]


def _point(line: str) -> Point:
    if not line or line[0] == "#" or any(c < " " or c == "\x7f" for c in line):
        raise ValueError(line)
    reader = _Reader(line)
    measurement = reader.text(", ", escapable=", ")
    if not measurement or measurement[0] == "_":
        raise ValueError(measurement)
    tags: dict[str, str] = {}
    while reader.next_is(","):
        key = reader.text("=", escapable=",= ")
        reader.expect("=")
        value = reader.text(", ", escapable=",= ")
        if not key or not value or key in tags or (tags and key < max(tags)):
            raise ValueError(f"tag {key}={value} of {line}")
        tags[key] = value
    reader.expect(" ")
    fields: dict[str, FieldValue] = {}
    while True:
        key = reader.text("=", escapable=",= ")
        reader.expect("=")
        if not key or key in fields:
            raise ValueError(f"field {key} of {line}")
        fields[key] = reader.value()
        if not reader.next_is(","):
            break
    reader.expect(" ")
    time = reader.rest()
    if not re.fullmatch(r"0|[1-9]\d*", time):
        raise ValueError(f"time {time}")
    return Point(measurement, tags, fields, int(time))


class _Reader:
    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0

    def text(self, ends: str, escapable: str) -> str:
        """Up to one of `ends`. A backslash is only allowed where readers do not differ."""
        found = []
        while self._at < len(self._line) and (c := self._line[self._at]) not in ends:
            following = self._line[self._at + 1 : self._at + 2]
            if c == "\\":
                if not following or following == "\\":
                    raise ValueError(f"a backslash that is read in different ways: {self._line}")
                if following in escapable:
                    c = following
                    self._at += 1
            elif c in escapable:
                raise ValueError(f"{c!r} is not escaped: {self._line}")
            found.append(c)
            self._at += 1
        return "".join(found)

    def value(self) -> FieldValue:
        if self.next_is('"'):
            found = []
            while not self.next_is('"'):
                if self.next_is("\\") and self._line[self._at] not in '"\\':
                    raise ValueError("a lone backslash in a text")
                found.append(self._line[self._at])
                self._at += 1
            return "".join(found)
        end = min(i for i in (self._find(","), self._find(" ")) if i >= 0)
        text, self._at = self._line[self._at : end], end
        if text in ("true", "false"):
            return text == "true"
        if whole := _INTEGER.fullmatch(text):
            return int(whole[1])
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{text} is no value")
        return float(text)

    def next_is(self, c: str) -> bool:
        if self._line[self._at : self._at + 1] != c:
            return False
        self._at += 1
        return True

    def expect(self, c: str) -> None:
        if not self.next_is(c):
            raise ValueError(f"no {c!r} at {self._at} of {self._line}")

    def rest(self) -> str:
        rest, self._at = self._line[self._at :], len(self._line)
        return rest

    def _find(self, c: str) -> int:
        return self._line.find(c, self._at)
