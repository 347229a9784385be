"""One life of an open transport to a controller: start, scan, and the ladder when it goes wrong.

    session.start(now)
    happenings = session.receive(data, now)   after each read
    happenings = session.tick(now)            when session.deadline has come
    data = session.take_output()              write it whole if it is not empty, after each of these
    session.end(now)                          the transport is gone, or is to be closed

    CLOSED ──start──▶ STARTING ──all answered──▶ IDLE ──set_scan──▶ SCANNING
                         ▲                         │                   │
                         └── rung 2, other kind ───┴───────────────────┤
                                                   rungs 3 and 4 ──▶ SPENT

One command at a time. A session is used once; ladder and counters go on to the next one.
"""

from enum import Enum
from math import inf

from firmware_protocol.messages import SetAll
from ruuvi_host.hci.commands import (
    RESET,
    command_name,
    error_name,
)
from ruuvi_host.hci.conversation import Conversation
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.events import Answer, Assertion, HardwareError, Malformed, is_report, parse
from ruuvi_host.hci.facts import COMPANY_NORDIC, COMPANY_ZEPHYR, ControllerFacts
from ruuvi_host.hci.h4 import PacketSplitter
from ruuvi_host.hci.happenings import (
    Asserted,
    Climbed,
    Happening,
    Heard,
    OtherKind,
    Recovered,
    Refused,
    Scanning,
    Started,
)
from ruuvi_host.hci.ladder import Ladder, Rung
from ruuvi_host.hci.plan import ScanChoice, ScanKind, ScanPlan, plan
from ruuvi_host.hci.procedures import (
    Begun,
    NotReset,
    Procedure,
    Refusal,
    Result,
    ScanBegun,
    ask_for_sign_of_life,
    scan_anew,
    start,
)
from ruuvi_host.hci.reports import ReportReader
from ruuvi_host.hci.scan_control import ScanControl

PROBE_EVERY = 10.0
"""Seconds without anything from the controller after which it is asked for a sign of life."""


class State(Enum):
    """Of a session; see the top of this file."""

    CLOSED = "closed"
    STARTING = "starting"
    IDLE = "idle"
    SCANNING = "scanning"
    SPENT = "spent"


class ControllerSession:
    """See the top of this file.

    choice: which kind of scan.
    random_address: six random bytes; the session makes a random static address of them.
    ladder, counters: those of the life before, or new ones.
    flush: zeros before a reset, for a controller on a serial line that was left in the middle of
    a command. Not for a user channel, which takes packets.
    """

    def __init__(
        self,
        choice: ScanChoice,
        random_address: bytes,
        *,
        ladder: Ladder,
        counters: ControllerCounters,
        flush: bool = False,
    ) -> None:
        self.state = State.CLOSED
        self.facts: ControllerFacts | None = None
        """None until Started."""
        self.counters = counters
        self._random_address = random_address
        self._ladder = ladder
        self._scan = ScanControl(choice)
        self._splitter = PacketSplitter(counters)
        self._reader = ReportReader(counters)
        self._talk = Conversation(counters, flush=flush)
        self._procedure: Procedure | None = None
        self._alive_at = 0.0
        self._happenings: list[Happening] = []

    @property
    def host_present(self) -> bool:
        """Set by the owner: while False, reports are dropped, and counted as `no_host`."""
        return self._reader.host_present

    @host_present.setter
    def host_present(self, present: bool) -> None:
        self._reader.host_present = present

    @property
    def is_spent(self) -> bool:
        """Did it end, or did it ask for rung 3 or 4? Nothing follows."""
        return self.state is State.SPENT

    @property
    def kind(self) -> ScanKind:
        """What it scans with, or will."""
        return self._scan.kind

    @property
    def deadline(self) -> float:
        """When `tick` wants to be called; inf: not before the next `receive`."""
        if self._talk.in_flight:
            return self._talk.deadline
        if self.state not in (State.IDLE, State.SCANNING):
            return inf
        return min(self._alive_at + PROBE_EVERY, self._ladder.deadline)

    def start(self, now: float) -> None:
        """The transport is open: reset the controller, and ask it what it is."""
        self.state = State.STARTING
        self._ladder.pause(now)
        self._reader.configure(None)
        self._reader.clear()
        self._run(start(self._scan.choice, self._random_address), now)

    def set_scan(
        self, settings: SetAll | None, now: float, *, anew: bool = True
    ) -> list[Happening]:
        """What the host wants, as `plan.rule` has made it; None: no scan.

        Filters are in force at once. The scan is started anew, or, with `anew` False (a SET_x),
        only if something of it changes. Each Started forgets it; before the first one, and while
        the controller is being reset, it does nothing.
        """
        if self.facts is None or self.state not in (State.IDLE, State.SCANNING):
            return []
        self._reader.configure(settings)
        scan = self._scan
        wanted = plan(settings, self.facts, scan.kind) if settings else None
        if anew or wanted != scan.wanted:
            scan.wanted = wanted
            scan.is_due = True
            if wanted:
                self._ladder.watch(now)
            else:
                self._ladder.pause(now)
            self._go_on(now)
        return self._take()

    def receive(self, data: bytes, now: float) -> list[Happening]:
        """Bytes from the controller, cut anywhere."""
        if self.state in (State.CLOSED, State.SPENT):
            return []
        reports: list[bytes] = []
        for event in self._splitter.feed(data):
            if self.is_spent:
                break
            if is_report(event):
                reports.append(event)
                continue
            if reports:  # keep the order of what came in one read
                self._report(reports, now)
                reports = []
            self._handle(event, now)
        if reports:
            self._report(reports, now)
        if self._splitter.is_desynchronized and not self.is_spent:
            reason = f"H4 desynchronized: {self._splitter.longest_run} bytes in no packet"
            reason += self._doubt()
            self._climb(self._ladder.fault(now, Rung.REOPEN), reason, now)
        return self._take()

    def tick(self, now: float) -> list[Happening]:
        """The deadline has come. Before that it does nothing."""
        command = self._talk.in_flight
        if command:
            if now < self._talk.deadline:
                return []
            if not self._talk.is_held:
                self._splitter.give_up()
            if not self._talk.try_again(now):
                at_least = Rung.REOPEN if command.opcode == RESET.opcode else Rung.RESET
                reason = f"no answer to {command_name(command.opcode)}{self._doubt()}"
                self._climb(self._ladder.fault(now, at_least), reason, now)
        elif self.state in (State.IDLE, State.SCANNING):
            if now >= self._alive_at + PROBE_EVERY:
                self._run(ask_for_sign_of_life(), now)
            elif rung := self._ladder.due(now):
                silence = self._ladder.silence(now)
                reason = f"nothing heard for {silence:.0f} s; the controller answers"
                self._climb(rung, reason, now)
        return self._take()

    def end(self, now: float) -> None:
        """The transport is gone or about to be closed."""
        self.state = State.SPENT
        self._ladder.pause(now)
        self._abandon()
        self._splitter.give_up()
        self._reader.clear()

    def take_output(self) -> bytes:
        """What is to be written now, at most one packet (with zeros before it); may be empty."""
        return self._talk.take_output()

    # --- what comes in

    def _report(self, events: list[bytes], now: float) -> None:
        """Those of one read. All of them feed the watch on silence, passed or not."""
        self._alive_at = now
        reports = self._reader.read(events, now)
        if reports:
            self._happenings.append(Heard(reports))
        has_data, self._reader.heard_data = self._reader.heard_data, False
        # What was on its way when the controller was reset says nothing about what it does since.
        if has_data and self.state is not State.STARTING:
            self._scan.has_heard = True
            silence = self._ladder.silence(now)
            if ended := self._ladder.heard(now):
                self._happenings.append(Recovered(ended, silence))

    def _handle(self, raw: bytes, now: float) -> None:
        match parse(raw):
            case Answer() as answer:
                self._answered(answer, now)
            case HardwareError(code):
                reason = f"the controller reports hardware error 0x{code:02X}"
                self._climb(self._ladder.fault(now), reason, now)
            case Assertion(file, line) if self._is_zephyr(file):
                self._happenings.append(Asserted(file, line))
                reason = f"the controller stopped at an assertion, {file} line {line}"
                self._climb(self._ladder.fault(now, Rung.POWER), reason, now)
            case Malformed():
                self.counters.malformed_events += 1

    def _answered(self, told: Answer, now: float) -> None:
        answer = self._talk.answer(told, now)
        if answer is None or self._procedure is None:
            return
        self._alive_at = now
        try:
            command = self._procedure.send(answer)
        except StopIteration as done:
            self._procedure = None
            self._finish(done.value, now)
        else:
            self._talk.send(command, now)

    # --- what is done

    def _run(self, procedure: Procedure, now: float) -> None:
        self._procedure = procedure
        self._talk.send(next(procedure), now)

    def _abandon(self) -> None:
        self._procedure = None
        self._talk.drop()

    def _go_on(self, now: float) -> None:
        """With what is to be told to the controller, if it is not being told something else."""
        scan = self._scan
        if scan.is_due and self._procedure is None:
            scan.is_due = False
            self._run(scan_anew(scan.wanted, scan.kind, scan.own_address), now)

    def _finish(self, result: Result, now: float) -> None:
        match result:
            case Begun(facts, own_address, refusals):
                self.facts = facts
                self.state = State.IDLE
                self._scan.begin(facts, own_address)
                for refusal in refusals:
                    self._refused(refusal, "it goes on without")
                self._happenings.append(Started(facts, self._scan.kind))
            case NotReset(refusal):
                self._refused(refusal)
                reason = f"{command_name(refusal.opcode)} is refused"
                self._climb(self._ladder.fault(now, Rung.REOPEN), reason, now)
            case ScanBegun(scanned, refusal):
                self._scan_begun(scanned, refusal, now)
        self._go_on(now)

    def _scan_begun(self, scanned: ScanPlan | None, refusal: Refusal | None, now: float) -> None:
        scan = self._scan
        if scan.is_due:  # the host has changed its mind meanwhile
            return
        self.state = State.SCANNING if scanned else State.IDLE
        if scanned or not refusal:
            if refusal:
                self._refused(refusal, "scanning without the Coded PHY")
            if scan.began(scanned):
                self._happenings.append(Scanning(scanned))
        elif scan.other_kind_may_help(refusal.status) and scan.switch():
            self._refused(refusal, "legacy scanning is tried")
            reason = f"{command_name(refusal.opcode)} is refused"
            self._try_other_kind(reason, now)
        elif not scan.was_reset:
            scan.was_reset = True
            self._refused(refusal, "the controller is reset")
            reason = f"{command_name(refusal.opcode)} is refused: {error_name(refusal.status)}"
            self._climb(self._ladder.reset(), reason, now, keep_kind=True)
        else:
            self._refused(refusal)

    def _refused(self, refusal: Refusal, remedy: str = "") -> None:
        self._happenings.append(Refused(refusal.opcode, refusal.status, remedy))

    def _try_other_kind(self, reason: str, now: float) -> None:
        self.counters.other_kind += 1
        self._happenings.append(OtherKind(self._scan.kind, reason))
        self.start(now)

    def _climb(self, rung: Rung, reason: str, now: float, *, keep_kind: bool = False) -> None:
        self.counters.rungs[rung - 1] += 1
        self._happenings.append(Climbed(rung, reason, self._ladder.is_first))
        self._abandon()
        if rung is Rung.SCAN_ANEW:
            self._scan.is_due = True
            self._go_on(now)
        elif rung is Rung.RESET:
            tried = self._scan.wanted and not self._scan.has_heard
            if tried and not keep_kind and self._scan.switch():
                self._try_other_kind("nothing was ever heard with extended scanning", now)
            else:
                self.start(now)
        else:
            self.state = State.SPENT
            self._ladder.pause(now)
            self._reader.clear()

    def _is_zephyr(self, file: str) -> bool:
        """Other vendors' events may begin as its last words do. One that has not said yet who it
        is must name a file."""
        if self.facts and self.facts.company is not None:
            return self.facts.company in (COMPANY_NORDIC, COMPANY_ZEPHYR)
        return bool(file) and "?" not in file

    def _doubt(self) -> str:
        """While it has never answered."""
        return "" if self.facts else "; is it an HCI controller, and at this speed?"

    def _take(self) -> list[Happening]:
        happenings, self._happenings = self._happenings, []
        return happenings
