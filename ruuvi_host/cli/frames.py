"""The frames of a capture, or of a bare recording, as text or JSON lines, and what was counted.

In a capture the directions are told apart: a frame may be cut by what went the other way.
"""

from __future__ import annotations

from datetime import UTC, datetime
from json import JSONEncoder
from typing import TYPE_CHECKING

from firmware_protocol.commands import Command, Direction
from firmware_protocol.framing import Frame, FrameScanner, ScannerCounters, encode_frame, frames
from firmware_protocol.messages import Fields, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ruuvi_host.capture.pcapng import Line, Record
    from ruuvi_host.capture.source import Source

_NAMES = {command.value: command.name for command in Command}
_SECRET = frozenset({(Command.DEVICE_ID.value, "id")})
"""Command and field. This is what people paste into bug reports, and that one is the key that
batches are signed with."""
_IDLE = 500_000_000
"""Nanoseconds without an octet after which an incomplete frame is given up, as tools/ca_uart.lua
does: 50 ms are enough on a line, but not behind every network bridge."""
_to_json = JSONEncoder(separators=(",", ":")).encode


class FrameList:
    """Iterating gives the text for standard output, in pieces as the input comes; `counted()` is
    what to say at the end."""

    def __init__(
        self, source: Source, *, as_json: bool, unknown: bool, show_device_id: bool = False
    ) -> None:
        self._source = source
        self._as_json = as_json
        self._unknown = unknown
        self._hidden = frozenset() if show_device_id else _SECRET
        self._scanners: dict[Line, FrameScanner[Frame]] = {}
        for line in ((0, False), (0, True)):  # these are told of even when there is nothing
            self._scanner(line)
        self._records = self._lost = 0
        self._sections = set[int]()

    def __iter__(self) -> Iterator[str]:
        if self._source.is_capture:
            yield from self._capture()
            return
        scanner = self._scanner((0, False))
        for block in self._source.raw:
            yield self._recording(scanner.feed(block))
        yield self._recording(scanner.flush())

    def counted(self) -> str:
        """Counters, and what is to be said about the file."""
        if not self._source.is_capture:
            return _counters(self._scanner((0, False)).counters)
        sections = len(self._sections)
        return "".join(
            [
                *(
                    f"From the {_name(line)}:\n{_counters(self._scanners[line].counters)}"
                    for line in sorted(self._scanners)
                ),
                f"Records: {self._records} in {sections} section{'s' * (sections != 1)}, ",
                f"{self._lost} lost\n",
                *(f"{self._source.name}: {remark}\n" for remark in self._source.remarks),
            ]
        )

    def _scanner(self, line: Line) -> FrameScanner[Frame]:
        scanner = self._scanners.get(line)
        if scanner is None:
            scanner = self._scanners[line] = FrameScanner(frames, unknown=self._unknown)
        return scanner

    def _recording(self, found: Iterable[Frame]) -> str:
        if self._as_json:
            return "".join(
                _to_json({"offset": frame.offset} | _members(frame)) + "\n" for frame in found
            )
        hidden = self._hidden
        return "".join(f"{frame.offset:>10}  {_text(frame, hidden)}\n" for frame in found)

    def _capture(self) -> Iterator[str]:
        """A frame has the time of the record that completed it."""
        last: Record | None = None
        heard: dict[Line, Record] = {}
        for record in self._source:
            if last and record.section != last.section:
                yield self._flush(last)
                heard.clear()
            before = heard.get(record.line)
            if before and _pause(before, record) > _IDLE:
                # As hosts do: what is behind a false beginning was found then, not only now.
                yield self._lines(self._scanner(record.line).flush(), before)
            heard[record.line] = record
            if found := self._scanner(record.line).feed(record.data):
                yield self._lines(found, record)
            last = record
            self._records += 1
            self._lost += record.lost
            self._sections.add(record.section)
        if last:
            yield self._flush(last)

    def _flush(self, last: Record) -> str:
        """Nothing of one life of a program belongs to a frame of the next."""
        return "".join(
            self._lines(scanner.flush(), last._replace(interface=interface, sent=sent))
            for (interface, sent), scanner in self._scanners.items()
        )

    def _lines(self, found: Iterable[Frame], record: Record) -> str:
        if self._as_json:
            direction = Direction.COPROCESSOR_TO_HOST
            if record.sent:
                direction = Direction.HOST_TO_COPROCESSOR
            about: dict[str, object] = {
                "time": record.wall / 10**9,
                "monotonic": None if record.monotonic is None else record.monotonic / 10**9,
                "interface": record.interface,
                "direction": direction.value,
            }
            return "".join(
                _to_json(about | {"offset": frame.offset} | _members(frame)) + "\n"
                for frame in found
            )
        seconds, nanoseconds = divmod(record.wall, 10**9)
        try:
            time = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
        except (ValueError, OverflowError, OSError):  # beyond the year 9999
            time = f"{seconds} s"
        start = f"{time}.{nanoseconds // 1000:06d}  {_name(record.line):<11}"
        return "".join(f"{start}  {_text(frame, self._hidden)}\n" for frame in found)


def _pause(before: Record, record: Record) -> int:
    """Nanoseconds; of the clock that does not jump, if there is one."""
    if before.monotonic is None or record.monotonic is None:
        return record.wall - before.wall
    return record.monotonic - before.monotonic


def _name(line: Line) -> str:
    """Who sent it."""
    interface, sent = line
    number = f" #{interface + 1}" if interface else ""
    return f"host{number}" if sent else f"coprocessor{number}"


def _members(frame: Frame) -> dict[str, object]:
    name = _NAMES.get(frame.command)
    # What the fields of an unknown command are is not known either; the octets are in "hex".
    fields: Fields = parse(frame).fields() if name else {}
    octets = encode_frame(frame.command, frame.payload).hex()
    return {"hex": octets, "command": name or f"0x{frame.command:02X}", "fields": fields}


def _text(frame: Frame, hidden: frozenset[tuple[int, str]]) -> str:
    name = _NAMES.get(frame.command)
    fields: Fields = parse(frame).fields() if name else {}
    text = " ".join(
        f"{field}={'(not shown)' if (frame.command, field) in hidden else value}"
        for field, value in fields.items()
    )
    name = name or f"0x{frame.command:02X}"
    return f"{name:<15} {text or encode_frame(frame.command, frame.payload).hex()}"


def _counters(counters: ScannerCounters) -> str:
    found = ", ".join(f"{n} {name}" for name, n in counters.frames_by_name().items()) or "none"
    return (
        f"Octets: {counters.bytes_received} received, {counters.bytes_in_frames} in frames, "
        f"{counters.bytes_skipped} skipped\n"
        f"Rejected: {counters.crc_errors} CRC, {counters.etx_errors} ETX, "
        f"{counters.delimiter_errors} delimiter, {counters.length_errors} length, "
        f"{counters.unknown_commands} unknown command; "
        f"{counters.idle_rescans} idle rescans\n"
        f"Frames: {found}\n"
    )
