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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from firmware_protocol.commands import FACTS, Command
from firmware_protocol.framing import Frame, FrameScanner, frames
from firmware_protocol.messages import Ack, Message, parse
from ruuvi_host.capture.handshake import Handshake
from ruuvi_host.capture.pcapng import Record
from ruuvi_host.capture.script import IDLE, LONGEST_PIECE, Script, Survey

COMMAND_TIMEOUT = 1.0
"""Seconds to wait for a command that the recorded host has sent."""
FIRST_TIMEOUT = 2.0
"""Seconds to wait for the first byte of the host after it has opened the port: it may send none."""
ANSWER = 0.1
"""Seconds to wait for an answer in the capture, before the player answers itself. Hosts wait for
0.1 s (the ESP32) or more; ours for 0.25 s."""
MOST_UNANSWERED = 100
"""Commands of the host that wait for an answer; more are left without one. A host waits for each
answer before it sends the next command."""


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
class Played:
    """What was done so far."""

    size: int = 0
    """Bytes played."""
    host_frames: int = 0
    host_bytes: int = 0
    answered: int = 0
    """Commands that the player has answered itself."""
    missed: int = 0
    """Commands that the host has not sent in time."""


class _RealHost:
    """The frames of the host."""

    def __init__(self) -> None:
        self.has_sent = False
        """Anything, since it has opened the port."""
        self.give_up_at = inf
        """When an incomplete frame is given up."""
        self._scanner = FrameScanner(frames)
        self._noise = 0

    def receive(self, data: bytes, now: float) -> list[Frame]:
        found = self._scanner.feed(data)
        self.give_up_at = now + IDLE if self._scanner.pending else inf
        return found

    def give_up(self, now: float) -> list[Frame]:
        """What is found in an incomplete frame, if its time is over."""
        if now < self.give_up_at:
            return []
        self.give_up_at = inf
        return self._scanner.flush()

    def take_noise(self) -> int:
        """Bytes that are in no frame, since the last call."""
        before, self._noise = self._noise, self._scanner.counters.bytes_skipped
        return self._noise - before


class Player:
    """See the top of this file.

    records: what to play. known: the result of `survey` for the same records.
    speed: 1 as recorded, 100 a hundred times faster; inf: no pauses. interface: number of the
    coprocessor, from 0.
    """

    def __init__(
        self, records: Iterable[Record], known: Survey, speed: float = 1.0, interface: int = 0
    ) -> None:
        self.known = known
        self.played = Played()
        self.finished = False
        self._speed = speed
        self._script = Script(records, interface)
        self._host = _RealHost()
        self._handshake = Handshake(recorded=known.configured)
        self._events: list[PlayerEvent] = []
        self._due = -inf
        """When the next record is played; -inf: before the first call of `advance`."""
        self._waiting: tuple[float, float] | None = None
        """Since when, and until when at the latest."""
        self._unanswered: list[tuple[float, Message]] = []
        """When the player answers a command, and the command."""

    # --- what PtyLine calls

    @property
    def deadline(self) -> float:
        """When `advance` has something to do, unless the host writes before."""
        times = [self._host.give_up_at]
        if self._unanswered and self._handshake.may_answer:
            times.append(self._unanswered[0][0])
        if self._waiting:
            times.append(self._waiting[1])
        elif not self.finished:
            times.append(self._due)
        return min(times)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        self.played.host_bytes += len(data)
        if not self._host.has_sent:
            self._host.has_sent = True
            self._resume(now)
        self._take(self._host.receive(data, now), now)

    def advance(self, now: float) -> bytes:
        """Do everything that is due until now; the bytes for the host."""
        if self._due == -inf:
            self._due = now
            self._read()
        self._take(self._host.give_up(now), now)
        output = []
        played = 0
        while played < LONGEST_PIECE and (piece := self._step(now)) is not None:
            output.append(piece)
            played += len(piece)
        self.played.size += played
        if self._handshake.may_answer:
            output += self._own_answers(now)
        if self._script.record is None and not output and not self.finished:
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
        self._host.has_sent = False
        self._handshake.restart()
        self._unanswered.clear()

    # --- the real host

    def _take(self, found: Iterable[Frame], now: float) -> None:
        for frame in found:
            self.played.host_frames += 1
            message = parse(frame)
            self._events.append(HostSent(message))
            self._handshake.sent(message.command)
            wants = FACTS[message.command].reply is not None
            if wants and len(self._unanswered) < MOST_UNANSWERED:
                self._unanswered.append((now + ANSWER, message))
        if noise := self._host.take_noise():
            self._events.append(HostNoise(noise))

    def _own_answers(self, now: float) -> Iterator[bytes]:
        while self._unanswered and self._unanswered[0][0] <= now:
            _, asked = self._unanswered.pop(0)
            answer: Message = Ack(asked.command, False)
            if asked.command == Command.GET_DEVICE_ID:
                answer = self.known.device
            elif asked.command == Command.LED_CTRL and self.known.is_old:
                answer = asked
            elif asked.command == Command.SET_ALL:
                self._handshake.is_over = True
                self._resume(now)
            self.played.answered += 1
            self._events.append(Answered(asked.command))
            yield answer.to_frame()

    # --- the capture

    def _read(self) -> None:
        """Go to the next record."""
        pause, gap = self._script.read()
        if gap:
            commands, messages = self._script.give_up()
            self._note_commands(commands)
            self._note(messages)
        if self._speed < inf:
            self._due += pause / self._speed
        self._script.cut(hold=self._handshake.is_followed)

    def _step(self, now: float) -> bytes | None:
        """Play the next record, or a piece of it; the bytes for the host. None: not due yet."""
        script = self._script
        if script.overdue:
            raw, script.overdue = script.overdue, b""
            return raw
        if self._must_wait(now) or script.record is None or self._due > now:
            return None
        if script.record.sent:
            self._note_commands(script.sent_by_host())
            self._read()
            return b""
        piece = script.pieces[0]
        if piece.answers and self._handshake.is_followed:
            self._handshake.recorded_answer(piece.answers)
            piece.answers = None
            if self._must_wait(now):
                return None
        script.pieces.popleft()
        self._note(piece.found)
        if not script.pieces:
            self._read()
        return piece.data

    def _note_commands(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self._handshake.recorded_sent(command)

    def _note(self, found: Iterable[Message]) -> None:
        """Messages were played: the commands that they answer need no other answer."""
        for message in found:
            self._handshake.played(message)
            self._unanswered = [
                (at, asked) for at, asked in self._unanswered if not _is_answer(message, asked)
            ]

    # --- waiting

    def _must_wait(self, now: float) -> bool:
        """Must the host send something first? The time until then is not counted."""
        handshake = self._handshake
        if not self._host.has_sent:
            if self._wait(now, FIRST_TIMEOUT):
                return True
            self._host.has_sent = True
        if not handshake.is_over and not handshake.is_scripted:
            # The player answers the handshake, which comes before the rest of the capture.
            if self._wait(now, FIRST_TIMEOUT):
                return True
            handshake.is_over = True
        while (command := handshake.awaited) is not None:
            if not handshake.is_sent(command):
                if self._wait(now, COMMAND_TIMEOUT):
                    return True
                self.played.missed += 1
                self._events.append(Missed(command))
            self._resume(now)
            handshake.go_on()
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


def _is_answer(message: Message, asked: Message) -> bool:
    if isinstance(message, Ack):
        return message.acked_cmd == asked.command
    return message.command in (FACTS[asked.command].reply, asked.command)
