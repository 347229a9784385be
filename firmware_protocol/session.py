"""The host's end of one life of a link: identify, configure, one command in flight, retry.

Bytes and time go in (`receive`, `tick`), events and bytes to send come out. A session is used
once: when the port is opened again, a new one begins.

    session.start(now)
    events = session.receive(data, now)     after each read
    events = session.tick(now)              when session.deadline has come
    data = session.take_output()            write it if it is not empty, after each of the above
    events = session.end(now)               the port is gone, or is to be closed

Why it behaves as it does (ruuvi.gateway_nrf.c v2.0.0):

* The coprocessor has one slot for a pending reply, so a second command before the first is
  answered would cost that answer: one command in flight, always, GET_DEVICE_ID included.
* It may have been running for hours when the port is opened, and it asks with GET_ALL only once
  per boot. So the session speaks first, and treats each GET_ALL as a reboot.
* A damaged command poisons its reassembly buffer until a frame decodes at once. GET_DEVICE_ID
  does that. After four unanswered tries of a command it is therefore asked who it is; five
  undecodable SET_ALL in a row would overflow its stack.
* Frames found inside a damaged one may be forged by whoever advertises. So GET_ALL causes no more
  than a rate-limited SET_ALL, and an ACK counts only for the command in flight.
* A coprocessor that has just asked with GET_ALL waits for 42 s. So a GET_ALL that comes while the
  session is still identifying or configuring changes nothing: the command in flight, or its next
  try, is what it asks for. No flood can thus keep a session from becoming READY or FAILED.
"""

from collections import deque
from dataclasses import dataclass, replace
from math import inf

from firmware_protocol.commands import FIRMWARE_MAX_ADV_LEN, MAX_ADV_LEN
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.events import (
    Event,
    Failed,
    Generation,
    Identified,
    Quiet,
    Ready,
    Rebooted,
    Received,
    Replied,
    SessionCounters,
)
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    Report,
    SetAll,
    messages,
)
from firmware_protocol.transitions import TRANSITIONS, State, Trigger

__all__ = [
    "HostSession",
    "Timing",
    "State",
    "Trigger",
    "TRANSITIONS",
    "Generation",
    "Event",
    "Identified",
    "Ready",
    "Received",
    "Rebooted",
    "Quiet",
    "Replied",
    "Failed",
    "SessionCounters",
]

WATCHDOG = 19.0
"""Seconds without a report after which a reboot is the coprocessor's own watchdog: a second less
than the shorter one of the two (42 s, and 20 s up to firmware 1.0.0)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds and counts. The defaults, and why."""

    ack_timeout: float = 0.25
    """The ESP32 takes 0.1 s; USB adapters hold data back for up to 16 ms each way, and the ACK of
    SET_ALL waits for a restart of the scan."""
    tries: int = 4
    """Of one command, before GET_DEVICE_ID is asked in between."""
    timeouts_to_fail: int = 10
    """In a row: the link is down. As on the ESP32."""
    patience: int = 3
    """Times as many while reports come in. In dense traffic the coprocessor loses answers as it
    loses reports: two thirds of them at 400 advertisements a second, so that ten in a row are lost
    every few minutes, but thirty only once in some days. (Simulated, by the firmware's rule.)"""
    idle: float = 0.05
    """Quiet time after which an incomplete frame is given up: the longest lasts 22 ms. For network
    bridges 0.5 s."""
    heartbeat: float = 10.0
    """Quiet time (without any answer; reports do not count) after which it is probed: reports
    alone do not prove that the coprocessor still hears. inf: never."""
    quiet: float = 50.0
    """Without a report, reboots notwithstanding, until `Quiet` tells so. As on the ESP32."""
    reboots_at_once: int = 3
    reboot_window: float = 3.0
    """At most so many GET_ALL are answered at once within so many seconds; a later one waits."""


@dataclass(slots=True)
class _InFlight:
    command: HostMessage
    deadline: float
    tries: int
    by_caller: bool


class HostSession:
    """One life of a link, seen from the host. See the top of this file.

    settings: the whole configuration of the coprocessor, sent as SET_ALL.
    max_adv: longest advertising data to accept, in bytes; longer reports are noise to it.
    probe: what it is asked for a sign of life: GET_DEVICE_ID, or LED_CTRL, whose light then tells
    people that a host is there. Firmware that does not know LED_CTRL is asked who it is.
    old: who was found to have old firmware in an earlier life: spared the long SET_ALL.
    """

    def __init__(
        self,
        settings: SetAll,
        timing: Timing | None = None,
        max_adv: int = MAX_ADV_LEN,
        *,
        probe: GetDeviceId | LedCtrl | None = None,
        old: DeviceId | None = None,
    ) -> None:
        _check(settings)
        self.state = State.NEW
        self.device: DeviceId | None = None
        self.generation = Generation.UNKNOWN
        self.counters = SessionCounters()
        self._settings = settings
        self._timing = timing or Timing()
        self._scanner: FrameScanner[Message] = FrameScanner(messages, max_adv)
        self.counters.scanner = self._scanner.counters
        self._probe = probe or GetDeviceId()
        self._probe_proven = False
        self._old = old
        self._short_form = False
        self._settings_due = False
        self._output = b""
        self._events: list[Event] = []
        self._in_flight: _InFlight | None = None
        self._timeouts = 0
        self._answered_at = 0.0
        self._received_at = 0.0
        self._configured_at = 0.0
        self._report_at: float | None = None
        self._any_report_at = -inf
        self._quiet_told = False
        self._resume_at: float | None = None
        self._reboots: deque[float] = deque(maxlen=self._timing.reboots_at_once)

    @property
    def deadline(self) -> float | None:
        """When `tick` wants to be called; None: not before the next `receive`."""
        times = []
        if self._scanner.pending:
            times.append(self._received_at + self._timing.idle)
        if self._in_flight:
            times.append(self._in_flight.deadline)
        elif self._resume_at is not None:
            times.append(self._resume_at)
        elif self.state is State.READY:
            times.append(self._answered_at + self._timing.heartbeat)
        if self._report_at is not None and not self._quiet_told:
            times.append(self._report_at + self._timing.quiet)
        return min(times, default=None)

    @property
    def answered_at(self) -> float:
        """When it last answered a command, by the time of the calls; 0.0: never."""
        return self._answered_at

    @property
    def pending(self) -> int:
        """Bytes kept back because they may be the beginning of a frame."""
        return self._scanner.pending

    @property
    def can_command(self) -> bool:
        """May `command` be called now?"""
        return self.state is State.READY and self._in_flight is None

    def start(self, now: float) -> None:
        """The port is open. Speaks first: the coprocessor may be running already."""
        self._move(Trigger.STARTED)
        self._send_for_state(now)

    def command(self, command: HostMessage, now: float) -> None:
        """Send one command; `Replied` tells how it ended.

        Raises LocalProtocolError unless `can_command`, and for SET_ALL: what the session was made
        with is sent again after each reboot, so it must stay the only one.
        """
        if isinstance(command, SetAll):
            raise LocalProtocolError("SET_ALL is the session's own; use reconfigure")
        if not self.can_command:
            ready = self.state is State.READY
            why = "another command is in flight" if ready else self.state.value
            raise LocalProtocolError(f"{command.command.name} cannot be sent now: {why}")
        self._send(command, now, by_caller=True)

    def reconfigure(self, settings: SetAll, now: float) -> None:
        """Other settings from here on, in whatever state. Reports go on meanwhile.

        SET_ALL is sent at once, or after the answer to the command in flight; `Ready` tells that
        it was answered. The same settings are sent again, too, as a gateway does.
        """
        _check(settings)
        if settings == self._settings and self.state is not State.READY:
            return  # they are on their way
        self._settings = settings
        self._settings_due = True
        if self.can_command:
            self._send_for_state(now)

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the port, cut anywhere."""
        self._received_at = now
        self._take(self._scanner.feed(data), now)
        return self._take_events()

    def tick(self, now: float) -> list[Event]:
        """The deadline has come: retry, give up, flush the scanner, or ask for a sign of life."""
        timing = self._timing
        if self._scanner.pending and now >= self._received_at + timing.idle:
            self._take(self._scanner.flush(), now)
        if self._in_flight:
            if now >= self._in_flight.deadline:
                self._unanswered(self._in_flight, now)
        elif self._resume_at is not None:
            self._resume(now)
        elif self.state is State.READY and now >= self._answered_at + timing.heartbeat:
            self._ask_for_life(now)
        if (
            self._report_at is not None
            and not self._quiet_told
            and now >= self._report_at + timing.quiet
        ):
            self._quiet_told = True
            self._events.append(Quiet())
        return self._take_events()

    def end(self, now: float) -> list[Event]:
        """The port is gone or about to be closed: what the scanner still holds back comes out."""
        self._take(self._scanner.flush(), now)
        self._abandon()
        self._resume_at = self._report_at = None
        self._output = b""
        self._move(Trigger.CLOSED)
        return self._take_events()

    def take_output(self) -> bytes:
        """What is to be written now; may be empty."""
        output, self._output = self._output, b""
        return output

    # --- what comes in

    def _take(self, received: list[Message], now: float) -> None:
        reports: list[Report] = []
        for message in received:
            if type(message) is AdvRprt2 or type(message) is AdvRprt:
                reports.append(message)
                continue
            if reports:  # keep the order of what came in one read
                self._heard(reports, now)
                reports = []
            match message:
                case Ack():
                    self._acked(message, now)
                case DeviceId():
                    self._device_id(message, now)
                case GetAll():
                    self._rebooted(now)
                case LedCtrl() if message == self._awaited:
                    self.generation = Generation.V1
                    self._probe_proven = True
                    self._answer(message, now)
                case _:
                    self.counters.unexpected_messages += 1
        if reports:
            self._heard(reports, now)

    def _heard(self, reports: list[Report], now: float) -> None:
        self._any_report_at = now
        self.generation = Generation.V2 if isinstance(reports[-1], AdvRprt2) else Generation.V1
        if self.state is State.READY:
            self.counters.reports += len(reports)
            self._events.append(Received(reports))
            self._report_at = now
            self._quiet_told = False
        else:
            self.counters.reports_unconfigured += len(reports)

    @property
    def _awaited(self) -> HostMessage | None:
        """What an answer can be for: a command that has been written and not been answered."""
        return self._in_flight.command if self._in_flight and not self._output else None

    def _acked(self, ack: Ack, now: float) -> None:
        command = self._awaited
        # GET_DEVICE_ID has an answer of its own. With an ACK taken for one it would be asked again
        # at once, again and again, as fast as the other end sends them.
        if command is None or isinstance(command, GetDeviceId) or command.command != ack.acked_cmd:
            self.counters.unmatched_replies += 1
            return
        if isinstance(command, LedCtrl):
            self.generation = Generation.V2
            self._probe_proven = True
        elif isinstance(command, SetAll):
            if command.max_adv_len:  # firmware 1.0.0 does not understand the long form
                self.generation = Generation.V2
            self._timeouts = 0
            again = self.state is State.READY
            if not again:
                self._move(Trigger.CONFIGURED)
                self._configured_at = now
                if self._report_at is None:
                    self._report_at = now
            self._events.append(Ready(ack.state, again))
        self._answer(ack, now)

    def _device_id(self, device: DeviceId, now: float) -> None:
        if not isinstance(self._awaited, GetDeviceId):
            self.counters.unmatched_replies += 1
            return
        if device != self.device:
            self.device = device
            self._events.append(Identified(device))
        if self.state is State.IDENTIFYING:
            self._timeouts = 0
            self._short_form |= device == self._old
            self._move(Trigger.IDENTIFIED)
        elif self.state is State.READY and not self._probe_proven and self._timeouts:
            self._probe = GetDeviceId()  # it hears, and yet does not know LED_CTRL
        elif self.state is State.CONFIGURING and self.generation is not Generation.V2:
            # It hears, and yet did not answer SET_ALL: old firmware knows the short form only.
            self._short_form = not self._short_form
        self._answer(device, now)

    def _answer(self, reply: Message, now: float) -> None:
        """The command in flight is answered; go on with what the state wants."""
        done, self._in_flight = self._in_flight, None
        self._answered_at = now
        if self.state is State.READY and not self._settings_due:
            self._timeouts = 0
        if done and done.by_caller:
            self._events.append(Replied(done.command, reply))
        self._send_for_state(now)

    def _rebooted(self, now: float) -> None:
        if Trigger.REBOOTED not in TRANSITIONS[self.state]:
            return
        self.counters.reboots += 1
        since = max(self._report_at or 0.0, self._configured_at)
        quiet = self.state is State.READY and now - since >= WATCHDOG
        self.counters.reboots_quiet += quiet
        if self.state is State.READY:
            self._abandon()
            self._timeouts = 0
            full = len(self._reboots) == self._reboots.maxlen
            self._resume_at = self._reboots[0] + self._timing.reboot_window if full else now
        self._move(Trigger.REBOOTED)
        self._events.append(Rebooted(quiet))
        self._resume(now)

    # --- what goes out

    def _resume(self, now: float) -> None:
        """Answer a GET_ALL, unless too many have been answered a moment ago."""
        if self._resume_at is not None and now >= self._resume_at:
            self._resume_at = None
            self._reboots.append(now)
            self._send_for_state(now)

    def _send_for_state(self, now: float) -> None:
        if self.state is State.IDENTIFYING:
            self._send(GetDeviceId(), now)
        elif self.state is State.CONFIGURING or (self.state is State.READY and self._settings_due):
            self._settings_due = False
            self._send(self._set_all(), now)

    def _set_all(self) -> SetAll:
        old = self._short_form or self.generation is Generation.V1
        short = old and self.generation is not Generation.V2
        return replace(self._settings, max_adv_len=0) if short else self._settings

    def _ask_for_life(self, now: float) -> None:
        self.counters.probes += 1
        self._send(self._probe, now)

    def _send(
        self, command: HostMessage, now: float, tries: int = 1, *, by_caller: bool = False
    ) -> None:
        self._in_flight = _InFlight(command, now + self._timing.ack_timeout, tries, by_caller)
        self._output = command.to_frame()

    def _unanswered(self, lost: _InFlight, now: float) -> None:
        self.counters.lost_acks += 1
        self._timeouts += 1
        is_probe = isinstance(lost.command, GetDeviceId)
        is_deaf = self._is_reporting(now)
        limit = self._timing.timeouts_to_fail * (self._timing.patience if is_deaf else 1)
        if self._timeouts < limit and lost.tries < self._timing.tries:
            self.counters.resends += 1
            command = lost.command
            if isinstance(command, SetAll):  # it may have been changed meanwhile
                self._settings_due = False
                command = self._set_all()
            self._send(command, now, lost.tries + 1, by_caller=lost.by_caller)
            return
        if isinstance(lost.command, SetAll) and self.state is State.READY:
            self._settings_due = True
        self._abandon()
        if self._timeouts >= limit:
            if is_probe and self.state is State.READY and self.device is None:
                # It never told who it is (firmware before 0.5): it cannot be probed so.
                self._timeouts = 0
                self._answered_at = now
            else:
                self._events.append(Failed(self.state, lost.command.command, is_deaf))
                self._report_at = None
                self._move(Trigger.EXHAUSTED)
        elif self.state is State.READY or not is_probe:
            self.counters.recoveries += 1
            self._send(GetDeviceId(), now)
        else:
            if self.state is State.IDENTIFYING:
                self._move(Trigger.UNIDENTIFIED)
            self._send_for_state(now)

    def _is_reporting(self, now: float) -> bool:
        """Does it send, whether it answers or not?"""
        silence = self._timing.timeouts_to_fail * self._timing.ack_timeout
        return now - self._any_report_at < silence

    def _abandon(self) -> None:
        """Nobody waits any longer for an answer to the command in flight."""
        lost, self._in_flight = self._in_flight, None
        if lost and lost.by_caller:
            self._events.append(Replied(lost.command, None))

    def _move(self, trigger: Trigger) -> None:
        following = TRANSITIONS[self.state].get(trigger)
        if following is None:
            raise LocalProtocolError(f"{trigger.value}: impossible while {self.state.value}")
        self.state = following

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _check(settings: SetAll) -> None:
    if settings.max_adv_len > FIRMWARE_MAX_ADV_LEN:
        raise LocalProtocolError(
            f"max_adv_len must be 0..{FIRMWARE_MAX_ADV_LEN}, not {settings.max_adv_len}: "
            "the firmware would write behind the end of a buffer"
        )
