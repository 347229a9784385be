"""Plays a capture: what the coprocessor sent, at the times at which it came, to a real host.

Pure, in seconds that begin whenever the caller likes; `simulator.pty.PtyLine` serves a Player as
it serves a board.

The real host lives in other times than the recorded one, and a coprocessor that answers before it
was asked is of no use to it. So until the recorded host was configured, and again after each
reboot, the player waits for the real one where the recorded one has spoken, for a second at most;
where a capture does not hold what the host has sent, it waits before the answer to that. Afterwards
it plays by the clock. A command that the capture leaves without an answer then (the real host asks
when it wants to, and a capture that was begun late has no handshake at all) is answered by the
player itself, and that is told and counted.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from firmware_protocol.commands import FACTS, Command
from firmware_protocol.framing import Frame, FrameScanner, frames
from firmware_protocol.messages import Ack, DeviceId, Message, parse
from ruuvi_host.capture.pcapng import Record

PATIENCE = 1.0
"""Seconds to wait for what the recorded host has sent."""
FIRST_WORD = 2.0
"""Seconds for the host to say anything after it has opened the port: it may only want to listen."""
ANSWER = 0.1
"""Seconds that the capture has for an answer before the player gives one. Hosts wait for 0.1 s
(the ESP32) or more; ours for 0.25 s."""
IDLE = 0.05
"""Seconds without a byte after which an incomplete frame of the capture is given up."""
LONGEST_PIECE = 4096
"""Bytes played at once when there is no time to keep."""
_SECOND = 10**9

STAND_IN = DeviceId(bytes.fromhex("00C0FFEE00C0FFEE"), bytes.fromhex("C00000C0FFEE"))
"""Who the coprocessor is when the capture does not tell."""


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
    """The player has answered, because the capture does not."""

    command: Command


@dataclass(frozen=True, slots=True)
class Missed:
    """The host has not sent what the recorded one had sent; played on without."""

    command: Command


@dataclass(frozen=True, slots=True)
class Finished:
    """All was played and written."""


PlayerEvent = HostSent | HostNoise | Answered | Missed | Finished


@dataclass(slots=True)
class Survey:
    """What a capture holds; see `survey`."""

    size: int = 0
    """From the coprocessor."""
    frames: dict[Command, int] = field(default_factory=dict)
    """From the coprocessor."""
    device: DeviceId = STAND_IN
    configured: bool = False
    """Does it have the answer to SET_ALL?"""
    seconds: float = 0.0
    interfaces: set[int] = field(default_factory=set)
    """All that there are, this one or not."""


def survey(records: Iterable[Record], interface: int = 0) -> Survey:
    """Look through all of a capture. interface: whose bytes it is about."""
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
    """How long after the record before it a record came."""

    def __init__(self) -> None:
        self._last: Record | None = None

    def step(self, record: Record) -> float:
        """Seconds; 0 from one life of the recording program to the next."""
        last, self._last = self._last, record
        if last is None or last.section != record.section:
            return 0.0
        if last.monotonic is None or record.monotonic is None:
            return max(record.wall - last.wall, 0) / _SECOND
        return max(record.monotonic - last.monotonic, 0) / _SECOND


@dataclass(slots=True)
class _Piece:
    """Bytes of a record, or all of them."""

    data: bytes
    found: list[Message]
    """What they complete."""
    question: Command | None = None
    """What the host has to have asked before; None: nothing, or nothing any more."""


class Player:
    """See the top of this file.

    records: what to play. known: what `survey` has found in the same records.
    speed: 1 as it was, 100 in a hundredth of the time; inf: no pauses. interface: whose bytes.
    """

    def __init__(
        self, records: Iterable[Record], known: Survey, speed: float = 1.0, interface: int = 0
    ) -> None:
        self.size = 0
        """Played, as recorded."""
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
        """Of the next record, if that is the coprocessor's."""
        self._held = b""
        """The beginning of what may become an answer. Until the host has asked, none is played."""
        self._overdue = b""
        """What was held, and became nothing."""
        self._due = 0.0
        self._events: list[PlayerEvent] = []
        self._began = False
        self._heard_host = False
        self._waiting: tuple[float, float] | None = None
        """Since when, and until when at most."""
        self._scripted = known.configured
        """Does the capture have the answers of the handshake? Else they are the player's."""
        self._settled = False
        """Is the real host configured, as far as the player can tell?"""
        self._asked: dict[Command, int] = {}
        """What the host has sent that the recorded one has not sent yet."""
        self._unanswered: list[tuple[float, Message]] = []
        """When the player answers it, and what."""
        self._awaited: list[Command] = []
        """What the recorded host has sent and the real one has still to send."""
        self._earned: dict[Command, int] = {}
        """How often the recorded host has asked and has no answer to it yet. Below 0: the answers
        came first, as they do where only they were recorded."""
        self._host = FrameScanner(frames)
        self._host_given_up = inf
        """When an incomplete frame of the host is given up."""
        self._noise = 0
        """Bytes of the host that are in no frame, as far as that was told."""
        self._recorded = FrameScanner(frames)
        self._recorded_host = FrameScanner(frames)
        self._section: int | None = None

    # --- what PtyServer calls

    @property
    def deadline(self) -> float:
        """When there is something to do next, unless the host writes."""
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
        if not self._heard_host:
            self._heard_host = True
            self._go_on(now)
        self._hear(self._host.feed(data), now)
        self._host_given_up = now + IDLE if self._host.pending else inf

    def _hear(self, found: Iterable[Frame], now: float) -> None:
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
        """Let everything happen that happens until now; the bytes for the host."""
        if not self._began:
            self._began = True
            self._due = now
            self._fetch()
        if self._host_given_up <= now:
            self._host_given_up = inf
            self._hear(self._host.flush(), now)
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
        """What has happened since the last time."""
        events, self._events = self._events, []
        return events

    def restart(self, now: float) -> None:
        """Another host has opened the port, or the same one again. The capture's handshake is over,
        so this one's is the player's."""
        self._go_on(now)
        self._scripted = self._settled = self._heard_host = False
        self._asked.clear()
        self._awaited.clear()
        self._earned.clear()
        self._unanswered.clear()

    # ---

    @property
    def _may_answer(self) -> bool:
        """Before the host is configured, the capture has the answers, or none: firmware 1.0.0 does
        not answer a SET_ALL that it does not know, and hosts learn from that."""
        return self._settled or not self._scripted

    def _fetch(self) -> None:
        """Take the next record into view."""
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
        """Nothing more comes that belongs to what there is."""
        self._note_host(self._recorded_host.flush())
        self._note(map(parse, self._recorded.flush()))
        self._overdue, self._held = self._held, b""

    def _cut(self, data: bytes) -> Iterator[_Piece]:
        """In pieces that begin with an answer, as far as there are any."""
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
        """Is it the recorded one that the real host has to keep up with?"""
        return self._scripted and not self._settled

    def _step(self, now: float) -> bytes | None:
        """Go past the next record, or a piece of it, and return what is to be played of it; None:
        not yet."""
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
        """What the recorded host has sent, in as many records as it may be."""
        for frame in found:
            if not self._settled and frame.command in _HANDSHAKE:
                self._await(Command(frame.command), 1)

    def _await(self, command: Command, asked: int) -> None:
        """Wait for the command, unless that was done. asked: 1: the recorded host has sent it; -1:
        it gets the answer."""
        before = self._earned.get(command, 0)
        self._earned[command] = before + asked
        if before * asked >= 0:
            self._awaited.append(command)

    def _must_wait(self, now: float) -> bool:
        """Is there something that the host has to do first? Time stands still until then."""
        if not self._heard_host:
            if self._wait(now, FIRST_WORD):
                return True
            self._heard_host = True
        if not self._settled and not self._scripted:
            # The handshake is the player's, and comes before all else that is in the capture.
            if self._wait(now, FIRST_WORD):
                return True
            self._settled = True
        while self._awaited:
            command = self._awaited[0]
            if self._asked.get(command):
                self._asked[command] -= 1
            elif self._wait(now, PATIENCE):
                return True
            else:
                self.missed += 1
                self._events.append(Missed(command))
            self._go_on(now)
            self._awaited.pop(0)
        self._go_on(now)
        return False

    def _wait(self, now: float, patience: float) -> bool:
        """Begin to wait, or go on waiting. False: patience has run out."""
        if self._waiting is None:
            self._waiting = now, now + patience
        if now < self._waiting[1]:
            return True
        self._go_on(now)
        return False

    def _go_on(self, now: float) -> None:
        if self._waiting:
            self._due += now - self._waiting[0]
            self._waiting = None

    def _note(self, found: Iterable[Message]) -> None:
        """What the capture itself answers need not be answered; and is the host configured?"""
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
                self._go_on(now)
            self.answered += 1
            self._events.append(Answered(asked.command))
            yield answer.to_frame()


_HANDSHAKE = (Command.GET_DEVICE_ID, Command.SET_ALL)
"""What every host sends before it takes reports."""


def _question_of(message: Message) -> Command | None:
    """What a host must have asked to get this, as long as it is not configured."""
    if isinstance(message, DeviceId):
        return Command.GET_DEVICE_ID
    if isinstance(message, Ack) and message.acked_cmd == Command.SET_ALL:
        return Command.SET_ALL
    return None


def _is_answer(message: Message, asked: Message) -> bool:
    if isinstance(message, Ack):
        return message.acked_cmd == asked.command
    return message.command in (FACTS[asked.command].reply, asked.command)
