"""The scripted controller itself: commands in, events out. Pure: times are the caller's.

Core Vol 4 Part E, chapter 7. What it insists on, because some real controller does: the order of
commands (else 0x0C), lengths and ranges (0x12), a random address before scanning with one (0x12),
no public address without one (0x12), never both kinds of scan commands between two resets (0x0C),
and both event masks before any report.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import inf

from .adverts import PHY_CODED, Advert, Air, Cycle, report_events
from .answers import (
    DISALLOWED,
    INVALID,
    LENGTHS,
    OK,
    UNKNOWN,
    UNSUPPORTED,
    Op,
    command_complete,
    command_status,
    parameters_are_valid,
    supported,
)
from .habits import (
    LE_CODED_PHY,
    LE_EXTENDED_ADVERTISING,
    NO_ADDRESS,
    NORDIC,
    ZEPHYR,
    Fault,
    Habits,
)
from .packets import CHATTER, LAST_WORDS, NOISE, take_commands

LEGACY = (Op.SCAN_PARAMETERS, Op.SCAN_ENABLE)
EXTENDED = (Op.EXTENDED_PARAMETERS, Op.EXTENDED_ENABLE)
SILENT = (Fault.DEAF, Fault.ASSERT, Fault.DIES)
LE_META_BIT, HARDWARE_ERROR_BIT = 61, 15
REPORT_BITS = {False: 1, True: 12}
SUBEVENTS = {False: 0x02, True: 0x0D}


@dataclass(slots=True)
class Registers:
    """What HCI_Reset sets back."""

    event_mask: int = 0x00001FFFFFFFFFFF
    le_event_mask: int = 0x1F
    random_address: bytes = b""
    le_host: bool = False
    kind: tuple[Op, Op] | None = None
    """Which scan commands are in use."""
    own_type: int = 0
    phys: int = 0b001
    is_scanning: bool = False


@dataclass(slots=True)
class Seen:
    """The truth, for tests."""

    commands: list[tuple[int, bytes]] = field(default_factory=list)
    statuses: list[tuple[int, int]] = field(default_factory=list)
    """Opcode and status of each answer."""
    counts: Counter[str] = field(default_factory=Counter)
    """reports: HCI reports given to the host; adverts: what they were of; masked: not told,
    because the host has not asked for them; unheard: on a PHY that is not scanned;
    early: commands that came before the controller allowed one."""

    def opcodes(self) -> list[int]:
        """The commands, without their parameters."""
        return [opcode for opcode, _ in self.commands]


class Controller:
    """See the top of this file. `receive` and `advance` are its serial line."""

    def __init__(self, habits: Habits | None = None, air: Air | None = None) -> None:
        self.habits = habits or Habits()
        self.air: Air = air or Cycle((), 0)
        self.registers = Registers()
        self.seen = Seen()
        self.fault: Fault | None = None
        self._received = bytearray(self.habits.begins_with)
        self._answers: list[tuple[float, bytes]] = []
        self._output: list[bytes] = []
        self._reports: list[bytes] = []
        self._is_busy = False

    @property
    def deadline(self) -> float:
        """When something happens next; inf: never, unless the host writes."""
        answer = self._answers[0][0] if self._answers else inf
        return min(answer, self.air.deadline if self.registers.is_scanning else inf)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        self._live_until(now)
        self._tell_reports()
        self._received += data
        for opcode, parameters in take_commands(self._received):
            self.seen.commands.append((opcode, parameters))
            if self.fault in SILENT:
                continue
            if self.habits.is_deaf_to_legacy and opcode in LEGACY:
                self.fail(Fault.DEAF, now)
                continue
            self.seen.counts["early"] += self._is_busy
            self._answer(opcode, parameters, now)

    def advance(self, now: float) -> list[bytes]:
        """The packets that have come due, each with its type byte."""
        self._live_until(now)
        self._tell_reports()
        output, self._output = self._output, []
        if output and self.habits.chatter:
            output = [packet for told in output for packet in (*CHATTER, told)]
        return output

    def fail(self, fault: Fault, now: float) -> None:
        """Break, from now on."""
        self._live_until(now)
        self.fault = fault
        if fault is Fault.NOISE:
            self.fault = None
            self._output.append(NOISE)
        elif fault is Fault.ERROR:
            if self.registers.event_mask >> HARDWARE_ERROR_BIT & 1:
                self._output.append(bytes.fromhex("04 10 01 42"))
            self.fault = Fault.QUIET_UNTIL_RESET
        elif fault is Fault.ASSERT:
            self._output.append(LAST_WORDS)
        if self.fault in SILENT:
            self._answers.clear()

    def heal(self) -> None:
        """Take its power away and give it back."""
        self.fault = None
        self.registers = Registers()
        self._received.clear()
        self._answers.clear()
        self._output.clear()
        self._reports.clear()
        self._is_busy = False

    def hear(self, advert: Advert) -> None:
        """An advertisement is in the air, now."""
        registers, counts = self.registers, self.seen.counts
        is_extended = registers.kind == EXTENDED
        if not registers.is_scanning or not self._can_hear(advert):
            counts["unheard"] += 1
            return
        if self.fault is Fault.EMPTY:
            advert = Advert(advert.address, b"", advert.rssi)
        reports = advert.extended_reports() if is_extended else [advert.legacy_report()]
        wanted = registers.event_mask >> LE_META_BIT & 1
        if not (wanted and registers.le_event_mask >> REPORT_BITS[is_extended] & 1):
            counts["masked"] += len(reports)
            return
        counts["adverts"] += 1
        counts["reports"] += len(reports)
        self._reports += reports

    def _live_until(self, now: float) -> None:
        while (at := self.deadline) <= now:
            if self._answers and self._answers[0][0] == at:
                self._tell_reports()
                self._output.append(self._answers.pop(0)[1])
                self._is_busy = self._is_busy and bool(self._answers)
            else:
                self.hear(self.air.next())

    def _tell_reports(self) -> None:
        """Those that have come together, as many in an event as it does."""
        subevent = SUBEVENTS[self.registers.kind == EXTENDED]
        self._output += report_events(subevent, self._reports, self.habits.reports_per_event)
        self._reports.clear()

    def _can_hear(self, advert: Advert) -> bool:
        is_extended = self.registers.kind == EXTENDED
        if self.fault not in (None, Fault.EMPTY) or (is_extended and self.habits.hears_legacy_only):
            return False
        if self.habits.has_two_modes and not self.registers.le_host:
            return False
        if not is_extended:
            return not advert.is_extended
        return bool(self.registers.phys >> (2 if advert.primary == PHY_CODED else 0) & 1)

    # --- commands

    def _answer(self, opcode: int, parameters: bytes, now: float) -> None:
        status, values = self._perform(opcode, parameters, now)
        self.seen.statuses.append((opcode, status))
        credit = 0 if self.habits.credits_late else 1
        if status != OK and self.habits.refuses_by_status:
            event = command_status(opcode, status, credit)
        else:
            event = command_complete(opcode, status, values, credit)
        at = now + self.habits.answer_after
        self._answers.append((at, event))
        if self.habits.credits_late:
            self._answers.append((at + 0.002, bytes.fromhex("04 0E 03 01 00 00")))
            self._is_busy = True

    def _perform(self, opcode: int, parameters: bytes, now: float) -> tuple[int, bytes]:
        habits, registers = self.habits, self.registers
        if opcode in habits.refusals:
            return habits.refusals[opcode], b""
        if opcode in (*LEGACY, *EXTENDED):
            return self._scan(opcode, parameters, now), b""
        if opcode not in LENGTHS or not self._knows(opcode):
            return UNKNOWN, b""
        if len(parameters) != LENGTHS[opcode]:
            return INVALID, b""
        match opcode:
            case Op.RESET:
                self.registers = Registers()
                if self.fault is not Fault.QUIET_FOR_GOOD:
                    self.fault = None
            case Op.EVENT_MASK:
                registers.event_mask = int.from_bytes(parameters, "little")
            case Op.LE_EVENT_MASK:
                registers.le_event_mask = int.from_bytes(parameters, "little")
            case Op.LE_HOST:
                registers.le_host = parameters[0] == 1
            case Op.RANDOM_ADDRESS:
                if registers.is_scanning:
                    return DISALLOWED, b""
                registers.random_address = parameters
            case _:
                return OK, self._values(opcode)
        return OK, b""

    def _knows(self, opcode: int) -> bool:
        if opcode == Op.STATIC_ADDRESSES:
            return bool(self.habits.static_addresses) or self.habits.company in (ZEPHYR, NORDIC)
        return opcode != Op.LE_HOST or self.habits.has_two_modes

    def _values(self, opcode: int) -> bytes:
        """What a question is answered with."""
        habits = self.habits
        match opcode:
            case Op.VERSION:
                company = habits.company.to_bytes(2, "little")
                version = bytes((habits.version,))
                return version + bytes(2) + version + company + bytes(2)
            case Op.COMMANDS:
                return supported(habits)
            case Op.LE_FEATURES:
                return habits.features.to_bytes(8, "little")
            case Op.ADDRESS:
                return habits.address[::-1]
            case _:
                known = habits.static_addresses
                return bytes((len(known),)) + b"".join(a[::-1] + bytes(16) for a in known)

    def _scan(self, opcode: int, parameters: bytes, now: float) -> int:
        registers, habits = self.registers, self.habits
        kind = EXTENDED if opcode in EXTENDED else LEGACY
        is_there = kind is LEGACY or habits.truth >> LE_EXTENDED_ADVERTISING & 1
        if not is_there:
            return UNKNOWN
        if registers.kind not in (None, kind):
            return DISALLOWED
        if opcode in (Op.SCAN_ENABLE, Op.EXTENDED_ENABLE):
            return self._enable(kind, parameters, now)
        if not parameters_are_valid(parameters, is_extended=kind is EXTENDED):
            return INVALID
        if registers.is_scanning:
            return DISALLOWED
        phys = parameters[2] if kind is EXTENDED else 0b001
        if phys & ~0b101 or (phys & 0b100 and not habits.truth >> LE_CODED_PHY & 1):
            return UNSUPPORTED
        registers.kind, registers.phys = kind, phys
        registers.own_type = parameters[0] if kind is EXTENDED else parameters[5]
        return OK

    def _enable(self, kind: tuple[Op, Op], parameters: bytes, now: float) -> int:
        registers = self.registers
        if len(parameters) != (2 if kind is LEGACY else 6) or max(parameters[:2]) > 1:
            return INVALID
        if any(parameters[2:]):
            return UNSUPPORTED  # scanning for a time: nobody here asks for it
        if not parameters[0]:
            status = OK if registers.is_scanning else self.habits.off_when_off
            registers.is_scanning = False
            return status
        own = registers.random_address if registers.own_type & 1 else self.habits.address
        if own in (b"", NO_ADDRESS):
            return INVALID
        registers.kind = kind
        if not registers.is_scanning:
            registers.is_scanning = True
            self.air.begin(now)
            if self.fault is Fault.QUIET:
                self.fault = None
        return OK
