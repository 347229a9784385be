"""The frames of a capture, or of a raw recording, as text or JSON lines, and counters.

In a capture each direction has its own scanner: bytes of the other one may stand within a frame.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from json import JSONEncoder
from typing import TYPE_CHECKING

from firmware_protocol.commands import Command, Direction
from firmware_protocol.framing import (
    OVERHEAD,
    Frame,
    FrameScanner,
    ScannerCounters,
    encode_frame,
    frames,
)
from firmware_protocol.messages import Fields, Message, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ruuvi_host.capture.pcapng import Line, Record
    from ruuvi_host.capture.source import Source

_NAMES = {command.value: command.name for command in Command}
_SECRET = frozenset({(Command.DEVICE_ID.value, "id")})
"""Command and field that text does not show: people paste it into bug reports, and it is the key
that signs batches."""
_IDLE = 500_000_000
"""Nanoseconds without a byte after which an incomplete frame is given up, as tools/ca_uart.lua
does: 50 ms are enough on a line, but not behind every network bridge."""
_LONGEST_PART = 1 << 16
"""Bytes of a record that are shown together."""
_to_json = JSONEncoder(separators=(",", ":")).encode


class _Stream:
    """The bytes of one direction, with their times."""

    def __init__(self, *, unknown: bool) -> None:
        self.scanner = FrameScanner(frames, unknown=unknown)
        self._records: deque[tuple[int, Record]] = deque()
        """Those in which a frame may still end, each with the offset of its end."""
        self._offset = 0
        self._last: Record | None = None

    def feed(self, record: Record) -> Iterator[tuple[Frame, Record]]:
        """The frames that it completes, each with the record in which it ends. That may be an
        earlier one: a false beginning of a frame delays the frames after it."""
        if self._last and _pause(self._last, record) > _IDLE:
            yield from self.flush()
        self._last = record
        if record.data:
            self._offset += len(record.data)
            self._records.append((self._offset, record))
        yield from self._timed(self.scanner.feed(record.data))

    def flush(self) -> Iterator[tuple[Frame, Record]]:
        self._last = None
        return self._timed(self.scanner.flush())

    def _timed(self, found: list[Frame]) -> Iterator[tuple[Frame, Record]]:
        for frame in found:
            self._forget(frame.offset + OVERHEAD + len(frame.payload))
            yield frame, self._records[0][1]
        self._forget(self._offset - self.scanner.pending + 1)

    def _forget(self, end: int) -> None:
        """The records that end before this offset."""
        while self._records and self._records[0][0] < end:
            self._records.popleft()


class FrameList:
    """Iterating gives the text for standard output, piece by piece; `counted()` gives the counters
    at the end."""

    def __init__(
        self, source: Source, *, as_json: bool, unknown: bool, show_device_id: bool = False
    ) -> None:
        self._source = source
        self._as_json = as_json
        self._unknown = unknown
        self._hidden = frozenset() if show_device_id else _SECRET
        self._streams: dict[Line, _Stream] = {}
        for line in ((0, False), (0, True)):  # shown even without any byte
            self._stream(line)
        self._used: set[Line] = set()
        """Lines in the section."""
        self._records = self._lost = self._sections = 0

    def __iter__(self) -> Iterator[str]:
        if self._source.is_capture:
            yield from self._capture()
            return
        scanner = self._stream((0, False)).scanner
        for block in self._source.raw:
            yield self._recording(scanner.feed(block))
        yield self._recording(scanner.flush())

    def counted(self) -> str:
        """Counters, and remarks about the file."""
        if not self._source.is_capture:
            return _counters(self._stream((0, False)).scanner.counters)
        sections = self._sections
        return "".join(
            [
                *(
                    f"From the {_name(line)}:\n{_counters(self._streams[line].scanner.counters)}"
                    for line in sorted(self._streams)
                ),
                f"Records: {self._records} in {sections} section{'s' * (sections != 1)}, ",
                f"{self._lost} lost\n",
                *(f"{self._source.name}: {remark}\n" for remark in self._source.remarks),
            ]
        )

    def _stream(self, line: Line) -> _Stream:
        stream = self._streams.get(line)
        if stream is None:
            stream = self._streams[line] = _Stream(unknown=self._unknown)
        return stream

    def _recording(self, found: Iterable[Frame]) -> str:
        if self._as_json:
            return "".join(
                _to_json({"offset": frame.offset} | _members(frame)) + "\n" for frame in found
            )
        hidden = self._hidden
        return "".join(f"{frame.offset:>10}  {_text(frame, hidden)}\n" for frame in found)

    def _capture(self) -> Iterator[str]:
        section: int | None = None
        for record in self._source:
            if record.section != section:
                yield self._flush()
                section = record.section
                self._sections += 1
            self._used.add(record.line)
            stream = self._stream(record.line)
            for part in record.parts(_LONGEST_PART):
                if text := self._lines(stream.feed(part)):
                    yield text
            self._records += 1
            self._lost += record.lost
        yield self._flush()

    def _flush(self) -> str:
        """No frame goes on from one run of a program to the next."""
        streams = [self._streams[line] for line in sorted(self._used)]
        self._used.clear()
        return "".join(self._lines(stream.flush()) for stream in streams)

    def _lines(self, found: Iterable[tuple[Frame, Record]]) -> str:
        if self._as_json:
            return "".join(_json_line(frame, record) for frame, record in found)
        return "".join(
            f"{_start(record)}  {_text(frame, self._hidden)}\n" for frame, record in found
        )


def _json_line(frame: Frame, record: Record) -> str:
    direction = Direction.HOST_TO_COPROCESSOR if record.sent else Direction.COPROCESSOR_TO_HOST
    about: dict[str, object] = {
        "time": record.wall / 10**9,
        "monotonic": None if record.monotonic is None else record.monotonic / 10**9,
        "interface": record.interface,
        "direction": direction.value,
        "offset": frame.offset,
    }
    return _to_json(about | _members(frame)) + "\n"


def _start(record: Record) -> str:
    """The beginning of a line for people: time and sender."""
    seconds, nanoseconds = divmod(record.wall, 10**9)
    try:
        time, unit = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}", ""
    except (ValueError, OverflowError, OSError):  # beyond the year 9999
        time, unit = str(seconds), " s"
    return f"{time}.{nanoseconds // 1000:06d}{unit}  {_name(record.line):<11}"


def _pause(before: Record, record: Record) -> int:
    """Nanoseconds; by the monotonic clock, if it was recorded."""
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
    # The fields of an unknown command are unknown; its bytes are in "hex".
    fields: Fields = parse(frame).fields() if name else {}
    content = encode_frame(frame.command, frame.payload).hex()
    return {"hex": content, "command": name or f"0x{frame.command:02X}", "fields": fields}


def _text(frame: Frame, hidden: frozenset[tuple[int, str]]) -> str:
    name = _NAMES.get(frame.command)
    text = text_of(parse(frame), hidden) if name else ""
    name = name or f"0x{frame.command:02X}"
    return f"{name:<15} {text or encode_frame(frame.command, frame.payload).hex()}"


def text_of(message: Message, hidden: frozenset[tuple[int, str]] = _SECRET) -> str:
    """Its fields, for people."""
    return " ".join(
        f"{field}={'(not shown)' if (message.command.value, field) in hidden else value}"
        for field, value in message.fields().items()
    )


def _counters(counters: ScannerCounters) -> str:
    found = ", ".join(f"{n} {name}" for name, n in counters.frames_by_name().items()) or "none"
    return (
        f"Bytes: {counters.bytes_received} received, {counters.bytes_in_frames} in frames, "
        f"{counters.bytes_skipped} skipped\n"
        f"Rejected: {counters.crc_errors} CRC, {counters.etx_errors} ETX, "
        f"{counters.delimiter_errors} delimiter, {counters.length_errors} length, "
        f"{counters.unknown_commands} unknown command; "
        f"{counters.idle_rescans} idle rescans\n"
        f"Frames: {found}\n"
    )
