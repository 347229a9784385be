"""What a capture contains, and its records cut into the pieces that are played one by one."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from firmware_protocol.commands import Command
from firmware_protocol.framing import Frame, FrameScanner, frames
from firmware_protocol.messages import Ack, DeviceId, Message, parse
from ruuvi_host.capture.handshake import command_of
from ruuvi_host.capture.pcapng import Record

IDLE = 0.05
"""Seconds without a byte after which an incomplete frame is given up."""
LONGEST_PIECE = 4096
"""Bytes played at once, when there are no pauses."""
_SECOND = 10**9

STAND_IN = DeviceId(bytes.fromhex("00C0FFEE00C0FFEE"), bytes.fromhex("C00000C0FFEE"))
"""The identity of a coprocessor that is not in the capture."""


@dataclass(slots=True)
class Survey:
    """What a capture contains; see `survey`."""

    size: int = 0
    """From the coprocessor."""
    frames: dict[Command, int] = field(default_factory=dict)
    """From the coprocessor."""
    device: DeviceId = STAND_IN
    configured: bool = False
    """Is the answer to SET_ALL in it?"""
    seconds: float = 0.0
    interfaces: set[int] = field(default_factory=set)
    """All interfaces in the file."""

    @property
    def is_old(self) -> bool:
        """Is the firmware older than 2.0.0?"""
        return Command.ADV_RPRT in self.frames and Command.ADV_RPRT2 not in self.frames


def survey(records: Iterable[Record], interface: int = 0) -> Survey:
    """Read all of a capture. interface: number of the coprocessor, from 0."""
    found = Survey()
    scanner = FrameScanner(frames)
    timeline = _Timeline()

    def note(frame: Frame) -> None:
        command = Command(frame.command)
        found.frames[command] = found.frames.get(command, 0) + 1
        message = parse(frame)
        if isinstance(message, DeviceId):
            found.device = message
        elif message == Ack(Command.SET_ALL, False) or message == Ack(Command.SET_ALL, True):
            found.configured = True

    for record in records:
        found.interfaces.add(record.interface)
        if record.interface != interface:
            continue
        found.seconds += timeline.step(record)
        if not record.sent:
            found.size += len(record.data)
            for part in record.parts(LONGEST_PIECE):
                for frame in scanner.feed(part.data):
                    note(frame)
    for frame in scanner.flush():
        note(frame)
    return found


class _Timeline:
    """Times between records."""

    def __init__(self) -> None:
        self._last: Record | None = None

    def step(self, record: Record) -> float:
        """Seconds since the record before; 0 at the beginning of a section."""
        last, self._last = self._last, record
        if last is None or last.section != record.section:
            return 0.0
        if last.monotonic is None or record.monotonic is None:
            return max(record.wall - last.wall, 0) / _SECOND
        return max(record.monotonic - last.monotonic, 0) / _SECOND


@dataclass(slots=True)
class Piece:
    """A record of the coprocessor, or a part of one."""

    data: bytes
    found: list[Message]
    """Messages that end in it."""
    answers: Command | None = None
    """The command of the handshake that it answers, and that the host must have sent before."""


class Script:
    """The records of one coprocessor, one after the other.

    interface: number of the coprocessor, from 0.
    """

    def __init__(self, records: Iterable[Record], interface: int) -> None:
        self.record: Record | None = None
        """The next one; None: before the first and after the last one."""
        self.pieces: deque[Piece] = deque()
        """Of the next record, if the coprocessor sent it."""
        self.overdue = b""
        """Bytes that were held and turned out to be no frame; to be played at once."""
        self._held = b""
        """The beginning of what may be an answer, which is not played before its command."""
        self._records = (
            part
            for record in records
            if record.interface == interface
            for part in record.parts(LONGEST_PIECE)
        )
        self._timeline = _Timeline()
        self._coprocessor = FrameScanner(frames)
        self._host = FrameScanner(frames)

    def read(self) -> tuple[float, bool]:
        """Go to the next record: the seconds between the two, and whether no frame continues."""
        before, self.record = self.record, next(self._records, None)
        if self.record is None:
            return 0.0, True
        pause = self._timeline.step(self.record)
        return pause, before is None or pause > IDLE or self.record.section != before.section

    def sent_by_host(self) -> list[Command]:
        """The commands that end in the record, which the host sent."""
        assert self.record
        return [Command(frame.command) for frame in self._host.feed(self.record.data)]

    def give_up(self) -> tuple[list[Command], list[Message]]:
        """No frame continues: what is found in the incomplete ones, of host and coprocessor."""
        commands = [Command(frame.command) for frame in self._host.flush()]
        messages = [parse(frame) for frame in self._coprocessor.flush()]
        self.overdue, self._held = self._held, b""
        return commands, messages

    def cut(self, *, hold: bool) -> None:
        """Cut the record into pieces, of which each answer of the handshake begins one.

        hold: keep an incomplete frame at the end for the next record, as it may be an answer.
        """
        if self.record and not self.record.sent:
            self.pieces.extend(self._cut(self.record.data, hold))

    def _cut(self, data: bytes, hold: bool) -> Iterator[Piece]:
        start = self._coprocessor.counters.bytes_received - len(self._held)
        found = self._coprocessor.feed(data)
        data, self._held = self._held + data, b""
        if hold and (pending := min(self._coprocessor.pending, len(data))):
            data, self._held = data[:-pending], data[-pending:]
        done, piece = 0, Piece(b"", [])
        for frame in found:
            message = parse(frame)
            if command := command_of(message):
                begin = max(frame.offset - start, done)
                piece.data, done = data[done:begin], begin
                yield piece
                piece = Piece(b"", [], command)
            piece.found.append(message)
        piece.data = data[done:]
        yield piece
