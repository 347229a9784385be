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

from math import inf

from firmware_protocol.command_slot import CommandSlot, InFlight
from firmware_protocol.commands import FIRMWARE_MAX_ADV_LEN, MAX_ADV_LEN
from firmware_protocol.damage import Damage
from firmware_protocol.dialect import Dialect, Generation
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.events import (
    Damaged,
    Event,
    Failed,
    Identified,
    Quiet,
    Ready,
    Rebooted,
    Received,
    Replied,
    SessionCounters,
)
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
)
from firmware_protocol.stream import MessageStream
from firmware_protocol.timers import Heartbeat, RebootLimit, ReportWatch, Timing
from firmware_protocol.transitions import TRANSITIONS, State, Trigger


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
        timing = timing or Timing()
        self.state = State.NEW
        self.device: DeviceId | None = None
        self._settings = settings
        self._settings_due = False
        self._events: list[Event] = []
        self._stream = MessageStream(max_adv, timing.idle)
        self._slot = CommandSlot(timing)
        self._dialect = Dialect(old)
        self._heartbeat = Heartbeat(timing.heartbeat, probe or GetDeviceId())
        self._reports = ReportWatch(timing.quiet)
        self._reboots = RebootLimit(timing.reboots_at_once, timing.reboot_window)
        self.counters = SessionCounters(self._stream.counters)

    @property
    def deadline(self) -> float:
        """When `tick` wants to be called; inf: not before the next `receive`."""
        if in_flight := self._slot.in_flight:
            at = in_flight.deadline
        elif self.state is State.READY:
            at = self._heartbeat.deadline
        else:
            at = self._reboots.deadline
        return min(at, self._stream.deadline, self._reports.deadline)

    @property
    def generation(self) -> Generation:
        """Of the firmware, as far as this life has shown it."""
        return self._dialect.generation

    @property
    def answered_at(self) -> float:
        """When it last answered a command, by the time of the calls; 0.0: never."""
        return self._heartbeat.answered_at

    @property
    def pending(self) -> int:
        """Bytes kept back because they may be the beginning of a frame."""
        return self._stream.pending

    @property
    def expects_only_reports(self) -> bool:
        """Nothing is awaited, begun or damaged: what comes next can wait for a moment."""
        return (
            self.state is State.READY
            and self._slot.in_flight is None
            and self._stream.is_settled
            and self._reboots.deadline == inf
        )

    @property
    def can_command(self) -> bool:
        """May `command` be called now?"""
        return self.state is State.READY and self._slot.in_flight is None

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
        self._slot.send(command, now, by_caller=True)

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

    @property
    def damage(self) -> Damage | None:
        """Bytes in no frame, lately; None: there are none."""
        return self._stream.damage.damage

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the port, cut anywhere."""
        self._take(self._stream.feed(data, now), now)
        return self._take_events()

    def tick(self, now: float) -> list[Event]:
        """The deadline has come: retry, give up, flush the scanner, or ask for a sign of life.

        Before that it does nothing.
        """
        if now >= self._stream.deadline:
            self._take(self._stream.flush(now), now)
        if lost := self._slot.in_flight:
            if now >= lost.deadline:
                self._unanswered(lost, now)
        elif self._reboots.deadline < inf:
            self._answer_reboot(now)
        elif self.state is State.READY and now >= self._heartbeat.deadline:
            self.counters.probes += 1
            self._slot.send(self._heartbeat.command, now)
        if self._reports.is_quiet(now):
            self._events.append(Quiet())
        return self._take_events()

    def end(self, now: float) -> list[Event]:
        """The port is gone or about to be closed: what the scanner still holds back comes out."""
        self._take(self._stream.flush(now), now)
        self._abandon()
        self._reboots.stop()
        self._reports.stop()
        self._move(Trigger.CLOSED)
        return self._take_events()

    def take_output(self) -> bytes:
        """What is to be written now; may be empty."""
        return self._slot.take_output()

    # --- what comes in

    def _take(self, received: list[Message], now: float) -> None:
        reports: list[Report] = []
        for message in received:
            if type(message) is AdvRprt2 or type(message) is AdvRprt:
                reports.append(message)
                continue
            if reports:  # keep the order of what came in one read
                self._reported(reports, now)
                reports = []
            match message:
                case Ack():
                    self._acked(message, now)
                case DeviceId():
                    self._device_id(message, now)
                case GetAll():
                    self._rebooted(now)
                case LedCtrl() if message == self._slot.awaited:
                    self._dialect.echoed()
                    self._heartbeat.led_answered()
                    self._answered(message, now)
                case _:
                    self.counters.unexpected_messages += 1
        if reports:
            self._reported(reports, now)

    def _reported(self, reports: list[Report], now: float) -> None:
        is_ready = self.state is State.READY
        self._reports.received(now, configured=is_ready)
        self._dialect.reported(reports[-1])
        if is_ready:
            self.counters.reports += len(reports)
            self._events.append(Received(reports))
        else:
            self.counters.reports_unconfigured += len(reports)

    def _acked(self, ack: Ack, now: float) -> None:
        command = self._slot.awaited
        # GET_DEVICE_ID has an answer of its own. With an ACK taken for one it would be asked again
        # at once, again and again, as fast as the other end sends them.
        if command is None or isinstance(command, GetDeviceId) or command.command != ack.acked_cmd:
            self.counters.unmatched_replies += 1
            return
        self._dialect.acknowledged(command)
        if isinstance(command, LedCtrl):
            self._heartbeat.led_answered()
        elif isinstance(command, SetAll):
            self._slot.timeouts = 0
            again = self.state is State.READY
            if not again:
                self._move(Trigger.CONFIGURED)
                self._reports.configured(now)
            self._events.append(Ready(ack.state, again))
        self._answered(ack, now)

    def _device_id(self, device: DeviceId, now: float) -> None:
        if not isinstance(self._slot.awaited, GetDeviceId):
            self.counters.unmatched_replies += 1
            return
        if device != self.device:
            self.device = device
            self._events.append(Identified(device))
        match self.state:
            case State.IDENTIFYING:
                self._slot.timeouts = 0
                self._dialect.identified(device)
                self._move(Trigger.IDENTIFIED)
            case State.CONFIGURING:  # so SET_ALL was not answered
                self._dialect.set_all_unanswered()
            case State.READY if self._slot.timeouts:
                self._heartbeat.led_unanswered()
        self._answered(device, now)

    def _answered(self, reply: Message, now: float) -> None:
        """The command in flight is answered; go on with what the state wants."""
        done = self._slot.take()
        self._heartbeat.answered(now)
        if self.state is State.READY and not self._settings_due:
            self._slot.timeouts = 0
        if done and done.by_caller:
            self._events.append(Replied(done.command, reply))
        self._send_for_state(now)

    def _rebooted(self, now: float) -> None:
        if Trigger.REBOOTED not in TRANSITIONS[self.state]:
            return
        is_ready = self.state is State.READY
        by_watchdog = is_ready and self._reports.explains_reboot(now)
        self.counters.reboots += 1
        self.counters.reboots_quiet += by_watchdog
        if is_ready:
            self._abandon()
            self._slot.timeouts = 0
            self._reboots.asked(now)
        self._move(Trigger.REBOOTED)
        self._events.append(Rebooted(by_watchdog))
        self._answer_reboot(now)

    # --- what goes out

    def _answer_reboot(self, now: float) -> None:
        """Unless too many have been answered a moment ago."""
        if self._reboots.may_answer(now):
            self._send_for_state(now)

    def _send_for_state(self, now: float) -> None:
        if self.state is State.IDENTIFYING:
            self._slot.send(GetDeviceId(), now)
        elif self.state is State.CONFIGURING or (self.state is State.READY and self._settings_due):
            self._settings_due = False
            self._slot.send(self._dialect.set_all(self._settings), now)

    def _unanswered(self, lost: InFlight, now: float) -> None:
        is_reporting = self._reports.is_reporting(now, self._slot.silence)
        is_down = self._slot.timed_out(is_reporting=is_reporting)
        self.counters.lost_acks += 1
        if not is_down and self._slot.has_tries_left(lost):
            self._send_again(lost, now)
            return
        self._abandon()
        is_question = isinstance(lost.command, GetDeviceId)
        if isinstance(lost.command, SetAll) and self.state is State.READY:
            self._settings_due = True
        if is_down:
            self._fail(lost.command, now, is_deaf=is_reporting)
        elif self.state is State.READY or not is_question:
            self.counters.recoveries += 1
            self._slot.send(GetDeviceId(), now)
        else:
            if self.state is State.IDENTIFYING:
                self._move(Trigger.UNIDENTIFIED)
            self._send_for_state(now)

    def _send_again(self, lost: InFlight, now: float) -> None:
        self.counters.resends += 1
        command = lost.command
        if isinstance(command, SetAll):  # it may have been changed meanwhile
            self._settings_due = False
            command = self._dialect.set_all(self._settings)
        self._slot.send_again(lost, command, now)

    def _fail(self, command: HostMessage, now: float, *, is_deaf: bool) -> None:
        is_unknown = isinstance(command, GetDeviceId) and self.device is None
        if is_unknown and self.state is State.READY:
            # It has never identified itself (firmware before 0.5): this command cannot probe it.
            self._slot.timeouts = 0
            self._heartbeat.answered(now)
            return
        self._events.append(Failed(self.state, command.command, is_deaf))
        self._reports.stop()
        self._move(Trigger.EXHAUSTED)

    def _abandon(self) -> None:
        """Nobody waits any longer for an answer to the command in flight."""
        lost = self._slot.take()
        if lost and lost.by_caller:
            self._events.append(Replied(lost.command, None))

    def _move(self, trigger: Trigger) -> None:
        following = TRANSITIONS[self.state].get(trigger)
        if following is None:
            raise LocalProtocolError(f"{trigger.value}: impossible while {self.state.value}")
        self.state = following

    def _take_events(self) -> list[Event]:
        if self._stream.damage.is_due and (damage := self._stream.damage.tell()):
            self._events.append(Damaged(damage))
        events, self._events = self._events, []
        return events


def _check(settings: SetAll) -> None:
    if settings.max_adv_len > FIRMWARE_MAX_ADV_LEN:
        raise LocalProtocolError(
            f"max_adv_len must be 0..{FIRMWARE_MAX_ADV_LEN}, not {settings.max_adv_len}: "
            "the firmware would write behind the end of a buffer"
        )
