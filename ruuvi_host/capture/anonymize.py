"""A capture that can be published: the same frames, with masks for all that identifies sensors.

Each frame is encoded again, masked and with a new CRC, in the same pieces and at the same times as
the original. Bytes that belong to no frame are left out, because what is in them is unknown. So are
the name of the port, and the uptime of the machine, which monotonic time usually is.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from firmware_protocol.framing import Frame, FrameScanner, encode_frame, frames
from firmware_protocol.messages import AdvRprt, AdvRprt2, DeviceId, parse
from ruuvi_host import __version__
from ruuvi_host.capture.masks import Masks
from ruuvi_host.capture.pcapng import Line, Record, interface, packet, section, statistics
from ruuvi_host.capture.source import Source
from ruuvi_host.errors import ConfigError

LONGEST_PART = 1 << 16
"""Bytes of a record that are looked at together."""
LONGEST_WAIT = 1000
"""Records after which an incomplete frame is given up. Records of the other direction may come
between its parts, but not that many."""


@dataclass(slots=True)
class Anonymized:
    """What was done."""

    frames: int = 0
    reports: int = 0
    dropped: int = 0
    """Bytes that were in no frame."""


@dataclass(slots=True)
class _Slot:
    """A record of which it is not yet known which bytes belong to frames."""

    record: Record
    start: int
    """Offset of its first byte among all bytes of its direction."""
    masked: bytearray = field(default_factory=bytearray)
    """What of it is in frames, masked."""

    @property
    def end(self) -> int:
        return self.start + len(self.record.data)


class _Line:
    """The bytes of one port in one direction, within a section."""

    def __init__(self) -> None:
        self.scanner = FrameScanner(frames)
        self.size = 0
        self.slots: deque[_Slot] = deque()
        """Those in which a frame may still begin or continue."""

    def add(self, record: Record) -> _Slot:
        slot = _Slot(record, self.size)
        self.size += len(record.data)
        self.slots.append(slot)
        return slot

    def leaves(self, slot: _Slot) -> None:
        """It is decided, and the first."""
        if self.slots and self.slots[0] is slot:
            self.slots.popleft()

    def place(self, start: int, masked: bytes) -> None:
        """Put a masked frame, which begins at this offset, in the place of the original. Frames
        come in their order."""
        while self.slots[0].end <= start:
            self.slots.popleft()
        for slot in self.slots:
            if not masked:
                return
            size = slot.end - max(start, slot.start)
            slot.masked += masked[:size]
            masked = masked[size:]

    def is_decided(self, slot: _Slot) -> bool:
        """Is it known which of its bytes are in frames?"""
        return slot.end <= self.size - self.scanner.pending


class Anonymizer:
    """Iterating over it gives the masked records, once; then `done` has the counters."""

    def __init__(self, records: Iterable[Record], masks: Masks) -> None:
        self.done = Anonymized()
        self._records = records
        self._masks = masks
        self._lines: dict[Line, _Line] = {}
        """Of the section."""
        self._slots: deque[_Slot] = deque()
        """In order, from the first one that is not decided."""
        self._lost = 0

    def __iter__(self) -> Iterator[Record]:
        section: int | None = None
        beginning: int | None = None
        for record in self._records:
            if record.section != section:
                yield from self._flush()
                self._lines.clear()
                section, beginning = record.section, record.monotonic
            if record.monotonic is not None and beginning is not None:
                record = record._replace(monotonic=max(record.monotonic - beginning, 0))
            line = self._lines.get(record.line) or self._lines.setdefault(record.line, _Line())
            self._slots.append(line.add(record))
            for part in record.parts(LONGEST_PART):
                self._place(line, line.scanner.feed(part.data))
            if len(self._slots) > LONGEST_WAIT:
                line = self._lines[self._slots[0].record.line]
                self._place(line, line.scanner.flush())
            yield from self._decided()
        yield from self._flush()

    def _flush(self) -> Iterator[Record]:
        """No frame continues from one section to the next."""
        for line in self._lines.values():
            self._place(line, line.scanner.flush())
        yield from self._decided()

    def _place(self, line: _Line, found: list[Frame]) -> None:
        for frame in found:
            self.done.frames += 1
            line.place(frame.offset, self._masked(frame))

    def _masked(self, frame: Frame) -> bytes:
        message = parse(frame)
        if isinstance(message, AdvRprt | AdvRprt2):
            self.done.reports += 1
            data = self._masks.advertising_data(message.data)
            address = self._masks.address(message.address)
            # Only what is masked changes; the rest of the frame stays as it is.
            payload = address + frame.payload[6:7] + data + frame.payload[7 + len(data) :]
            return encode_frame(frame.command, payload)
        if isinstance(message, DeviceId):
            return self._masks.device(message).to_frame()
        return encode_frame(frame.command, frame.payload)

    def _decided(self) -> Iterator[Record]:
        """The records of which every byte is known to be in a frame, or in none."""
        while self._slots:
            slot = self._slots[0]
            line = self._lines[slot.record.line]
            if not line.is_decided(slot):
                return
            self._slots.popleft()
            line.leaves(slot)
            data = bytes(slot.masked)
            self.done.dropped += len(slot.record.data) - len(data)
            self._lost += slot.record.lost
            if data:
                yield slot.record._replace(data=data, lost=self._lost)
                self._lost = 0


def anonymized(records: Iterable[Record], masks: Masks) -> tuple[bytes, Anonymized]:
    """A whole capture, from records in memory."""
    anonymizer, file = Anonymizer(records, masks), BytesIO()
    _write(anonymizer, file)
    return file.getvalue(), anonymizer.done


def write_anonymized(source: Source, path: str, seed: str | None) -> Anonymized:
    """Write the capture `path`, which must not exist; "-" is standard output.

    seed: the same text gives the same masks; None: random masks.
    Raises ConfigError, and leaves no file then.
    """
    masks = Masks(os.urandom(32) if seed is None else seed.encode())
    anonymizer = Anonymizer(source, masks)
    try:
        fd = 1 if path == "-" else os.open(path, _NEW, 0o600)
    except FileExistsError as error:
        raise ConfigError(path, "exists; choose another name, or remove it") from error
    except (OSError, ValueError) as error:
        raise ConfigError(path, f"cannot be written: {_why(error)}") from error
    try:
        with open(fd, "wb", closefd=fd != 1) as file:
            _write(anonymizer, file)
        if not anonymizer.done.frames:
            why = "".join(f"; {remark}" for remark in source.remarks)
            raise ConfigError(source.name, f"holds no frame: nothing is left to write{why}")
    except BaseException as error:
        if fd != 1:
            os.unlink(path)  # an incomplete file would look complete
        if isinstance(error, OSError):
            raise ConfigError(path, f"cannot be written: {_why(error)}") from error
        raise
    return anonymizer.done


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _write(records: Iterable[Record], file: BinaryIO) -> None:
    current: int | None = None
    first = last = 0
    kept: list[int] = []
    """Records of each interface of the section."""

    def end() -> None:
        for number, count in enumerate(kept):
            file.write(statistics(first, last, count, 0, number))

    for record in records:
        if record.section != current:
            end()
            file.write(section(f"ruuvi-host {__version__}, anonymized"))
            current, first, kept = record.section, record.wall, [0]
        while len(kept) <= record.interface:
            file.write(interface())
            kept.append(0)
        file.write(packet(record))
        kept[record.interface] += 1
        last = record.wall
    end()
