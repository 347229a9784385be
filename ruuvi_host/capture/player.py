"""Plays a capture to a real host: what the coprocessor sent, at the recorded times.

Pure; times are monotonic seconds of the caller. `simulator.pty.PtyLine` serves a Player as it
serves a simulated board.

The real host sends its commands at other times than the recorded one, and an answer that comes
before the command is of no use to it. So during the handshake (until the recorded host is
configured, and again after each reboot) the player waits for each command that the recorded host
has sent, for a second at most. Where a capture has only the coprocessor's direction, it waits
before each answer. After the handshake it plays by the clock. The real host may then send commands
that have no answer in the capture, and a capture that was begun late has no handshake at all: such
commands are answered by the player itself, with an event and a counter.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from firmware_protocol.commands import FACTS, Command
from firmware_protocol.framing import Frame, FrameScanner, frames
from firmware_protocol.messages import Ack, DeviceId, Message, parse
from ruuvi_host.capture.pcapng import Record

COMMAND_TIMEOUT = 1.0
"""Seconds to wait for a command that the recorded host has sent."""
FIRST_TIMEOUT = 2.0
"""Seconds to wait for the first byte of the host after it has opened the port: it may send none."""
ANSWER = 0.1
"""Seconds to wait for an answer in the capture, before the player answers itself. Hosts wait for
0.1 s (the ESP32) or more; ours for 0.25 s."""
IDLE = 0.05
"""Seconds without a byte after which an incomplete frame of the capture is given up."""
LONGEST_PIECE = 4096
"""Bytes played at once, when there are no pauses."""
_SECOND = 10**9

STAND_IN = DeviceId(bytes.fromhex("00C0FFEE00C0FFEE"), bytes.fromhex("C00000C0FFEE"))
"""The identity of a coprocessor that is not in the capture."""


@dataclass(frozen=True, slots=True)
class HostSent:
    """A frame came from the host."""

    message: Message


@dataclass(frozen=True, slots=True)
class HostNoise:
    """Bytes came from the host that belong to no frame."""

    size: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The player has answered, because the capture has no answer."""

    command: Command


@dataclass(frozen=True, slots=True)
class Missed:
    """The host has not sent in time what the recorded one has sent; playing continues."""

    command: Command


@dataclass(frozen=True, slots=True)
class Finished:
    """Everything was played and written."""


PlayerEvent = HostSent | HostNoise | Answered | Missed | Finished


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
            for frame in scanner.feed(record.data):
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
class _Piece:
    """A record of the coprocessor, or a part of one."""

    data: bytes
    found: list[Message]
    """Messages that end in it."""
    question: Command | None = None
    """The command that the host must have sent before; None: none, or it has."""


class Player:
    """See the top of this file.

    records: what to play. known: the result of `survey` for the same records.
    speed: 1 as recorded, 100 a hundred times faster; inf: no pauses. interface: number of the
    coprocessor, from 0.
    """

    def __init__(
        self, records: Iterable[Record], known: Survey, speed: float = 1.0, interface: int = 0
    ) -> None:
        self.size = 0
        """Bytes played."""
        self.host_frames = 0
        self.host_bytes = 0
        self.answered = 0
        self.missed = 0
        self.finished = False
        self.known = known
        self._speed = speed
        self._old = Command.ADV_RPRT in known.frames and Command.ADV_RPRT2 not in known.frames
        self._timeline = _Timeline()
        self._ahead = (record for record in records if record.interface == interface)
        self._next: Record | None = None
        self._pieces: deque[_Piece] = deque()
        """Of the next record, if the coprocessor sent it."""
        self._held = b""
        """The beginning of what may be an answer, which is not played before its command."""
        self._overdue = b""
        """What was held and is no frame."""
        self._due = 0.0
        self._events: list[PlayerEvent] = []
        self._began = False
        self._host_started = False
        self._waiting: tuple[float, float] | None = None
        """Since when, and until when at the latest."""
        self._scripted = known.configured
        """Are the answers of the handshake in the capture? Else the player gives them."""
        self._settled = False
        """Is the handshake of the real host over, as far as is known?"""
        self._asked: dict[Command, int] = {}
        """Commands of the host that the recorded one has not sent yet."""
        self._unanswered: list[tuple[float, Message]] = []
        """When the player answers a command, and the command."""
        self._awaited: list[Command] = []
        """Commands of the recorded host that the real one has not sent yet."""
        self._open: dict[Command, int] = {}
        """Commands of the recorded host without an answer yet. Below 0: answers without a command,
        as in a capture of the coprocessor's direction only."""
        self._host = FrameScanner(frames)
        self._host_given_up = inf
        """When an incomplete frame of the host is given up."""
        self._noise = 0
        """Bytes of the host that are in no frame, and of which there was an event."""
        self._recorded = FrameScanner(frames)
        self._recorded_host = FrameScanner(frames)
        self._section: int | None = None

    # --- what PtyServer calls

    @property
    def deadline(self) -> float:
        """When `advance` has something to do, unless the host writes before."""
        if not self._began:
            return 0.0
        times = [at for at, _ in self._unanswered[:1] if self._may_answer]
        times.append(self._host_given_up)
        if self._waiting:
            times.append(self._waiting[1])
        elif not self.finished:
            times.append(self._due)
        return min(times, default=inf)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        self.host_bytes += len(data)
        if not self._host_started:
            self._host_started = True
            self._resume(now)
        self._take(self._host.feed(data), now)
        self._host_given_up = now + IDLE if self._host.pending else inf

    def _take(self, found: Iterable[Frame], now: float) -> None:
        for frame in found:
            self.host_frames += 1
            message = parse(frame)
            self._events.append(HostSent(message))
            command = message.command
            self._asked[command] = self._asked.get(command, 0) + 1
            if FACTS[command].reply is not None:
                self._unanswered.append((now + ANSWER, message))
        if noise := self._host.counters.bytes_skipped - self._noise:
            self._noise += noise
            self._events.append(HostNoise(noise))

    def advance(self, now: float) -> bytes:
        """Do everything that is due until now; the bytes for the host."""
        if not self._began:
            self._began = True
            self._due = now
            self._fetch()
        if self._host_given_up <= now:
            self._host_given_up = inf
            self._take(self._host.flush(), now)
        output = []
        played = 0
        while played < LONGEST_PIECE and (piece := self._step(now)) is not None:
            output.append(piece)
            played += len(piece)
        if self._may_answer:
            output += self._own_answers(now)
        if self._next is None and not output and not self.finished:
            self.finished = True
            self._events.append(Finished())
        return b"".join(output)

    def take_events(self) -> list[PlayerEvent]:
        """Events since the last call."""
        events, self._events = self._events, []
        return events

    def restart(self, now: float) -> None:
        """A host has opened the port again. The handshake of the capture is over, so the player
        answers this one's."""
        self._resume(now)
        self._scripted = self._settled = self._host_started = False
        self._asked.clear()
        self._awaited.clear()
        self._open.clear()
        self._unanswered.clear()

    # ---

    @property
    def _may_answer(self) -> bool:
        """Not during a handshake that is in the capture, even where it has no answer: firmware
        1.0.0 does not answer a SET_ALL that it does not know, and hosts detect it by that."""
        return self._settled or not self._scripted

    def _fetch(self) -> None:
        """Read the next record."""
        self._next = next(self._ahead, None)
        if self._next is None:
            self._give_up_incomplete()
            return
        pause = self._timeline.step(self._next)
        if pause > IDLE or self._next.section != self._section:
            self._give_up_incomplete()
        self._section = self._next.section
        if self._speed < inf:
            self._due += pause / self._speed
        if not self._next.sent:
            self._pieces.extend(self._cut(self._next.data))

    def _give_up_incomplete(self) -> None:
        """The recorded frames that are incomplete are never completed."""
        self._note_host(self._recorded_host.flush())
        self._note(map(parse, self._recorded.flush()))
        self._overdue, self._held = self._held, b""

    def _cut(self, data: bytes) -> Iterator[_Piece]:
        """Cut a record into pieces, of which each answer begins one."""
        start = self._recorded.counters.bytes_received - len(self._held)
        found = self._recorded.feed(data)
        data, self._held = self._held + data, b""
        if self._in_handshake and (pending := min(self._recorded.pending, len(data))):
            data, self._held = data[:-pending], data[-pending:]
        done, piece = 0, _Piece(b"", [])
        for frame in found:
            message = parse(frame)
            if question := _question_of(message):
                begin = max(frame.offset - start, done)
                piece.data, done = data[done:begin], begin
                yield piece
                piece = _Piece(b"", [], question)
            piece.found.append(message)
        piece.data = data[done:]
        yield piece

    @property
    def _in_handshake(self) -> bool:
        """Is this a handshake that is in the capture?"""
        return self._scripted and not self._settled

    def _step(self, now: float) -> bytes | None:
        """Play the next record, or a piece of it; the bytes for the host. None: not due yet."""
        if self._overdue:
            raw, self._overdue = self._overdue, b""
            self.size += len(raw)
            return raw
        record = self._next
        if self._must_wait(now) or record is None or self._due > now:
            return None
        if record.sent:
            self._note_host(self._recorded_host.feed(record.data))
            self._fetch()
            return b""
        piece = self._pieces[0]
        if piece.question and self._in_handshake:
            self._await(piece.question, -1)
            piece.question = None
            if self._must_wait(now):
                return None
        self._pieces.popleft()
        self.size += len(piece.data)
        self._note(piece.found)
        if not self._pieces:
            self._fetch()
        return piece.data

    def _note_host(self, found: Iterable[Frame]) -> None:
        """Wait for the commands of the handshake that the recorded host has sent."""
        for frame in found:
            if not self._settled and frame.command in _HANDSHAKE:
                self._await(Command(frame.command), 1)

    def _await(self, command: Command, asked: int) -> None:
        """Wait for the command, once for a command and its answer. asked: 1: the recorded host has
        sent it; -1: it gets the answer."""
        before = self._open.get(command, 0)
        self._open[command] = before + asked
        if before * asked >= 0:
            self._awaited.append(command)

    def _must_wait(self, now: float) -> bool:
        """Must the host send something first? The time until then is not counted."""
        if not self._host_started:
            if self._wait(now, FIRST_TIMEOUT):
                return True
            self._host_started = True
        if not self._settled and not self._scripted:
            # The player answers the handshake, which comes before the rest of the capture.
            if self._wait(now, FIRST_TIMEOUT):
                return True
            self._settled = True
        while self._awaited:
            command = self._awaited[0]
            if self._asked.get(command):
                self._asked[command] -= 1
            elif self._wait(now, COMMAND_TIMEOUT):
                return True
            else:
                self.missed += 1
                self._events.append(Missed(command))
            self._resume(now)
            self._awaited.pop(0)
        self._resume(now)
        return False

    def _wait(self, now: float, timeout: float) -> bool:
        """Begin to wait, or continue. False: the time is over."""
        if self._waiting is None:
            self._waiting = now, now + timeout
        if now < self._waiting[1]:
            return True
        self._resume(now)
        return False

    def _resume(self, now: float) -> None:
        if self._waiting:
            self._due += now - self._waiting[0]
            self._waiting = None

    def _note(self, found: Iterable[Message]) -> None:
        """Messages were played: they answer commands, and begin and end handshakes."""
        for message in found:
            if message.command == Command.GET_ALL:
                self._settled = False
                self._scripted = self.known.configured
                self._asked.clear()
                self._awaited.clear()
            elif isinstance(message, Ack) and message.acked_cmd == Command.SET_ALL:
                self._settled = True
            self._unanswered = [
                (at, asked) for at, asked in self._unanswered if not _is_answer(message, asked)
            ]

    def _own_answers(self, now: float) -> Iterator[bytes]:
        while self._unanswered and self._unanswered[0][0] <= now:
            _, asked = self._unanswered.pop(0)
            answer: Message = Ack(asked.command, False)
            if asked.command == Command.GET_DEVICE_ID:
                answer = self.known.device
            elif asked.command == Command.LED_CTRL and self._old:
                answer = asked
            elif asked.command == Command.SET_ALL:
                self._settled = True
                self._resume(now)
            self.answered += 1
            self._events.append(Answered(asked.command))
            yield answer.to_frame()


_HANDSHAKE = (Command.GET_DEVICE_ID, Command.SET_ALL)
"""The commands that every host sends before it takes reports."""


def _question_of(message: Message) -> Command | None:
    """The command of the handshake that this answers; None: none."""
    if isinstance(message, DeviceId):
        return Command.GET_DEVICE_ID
    if isinstance(message, Ack) and message.acked_cmd == Command.SET_ALL:
        return Command.SET_ALL
    return None


def _is_answer(message: Message, asked: Message) -> bool:
    if isinstance(message, Ack):
        return message.acked_cmd == asked.command
    return message.command in (FACTS[asked.command].reply, asked.command)
