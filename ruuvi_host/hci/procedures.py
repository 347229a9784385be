"""What is said to a controller and in which order: the start, and a scan that begins anew.

A procedure yields a command and is sent its answer; what it returns is its result. Commands that
are not answered are not its concern: whoever runs it gives it up.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

from ruuvi_host.hci.commands import (
    INVALID_PARAMETERS,
    PUBLIC,
    RANDOM,
    READ_BD_ADDR,
    READ_LOCAL_COMMANDS,
    READ_LOCAL_FEATURES,
    READ_LOCAL_VERSION,
    READ_STATIC_ADDRESSES,
    RESET,
    RESET_TRIES,
    SET_EVENT_MASK,
    UNSUPPORTED_VALUE,
    WRITE_LE_HOST_SUPPORT,
    HciCommand,
    scan_enable,
    scan_parameters,
    set_le_event_mask,
    set_random_address,
)
from ruuvi_host.hci.events import Answer
from ruuvi_host.hci.facts import COMPANY_NORDIC, COMPANY_ZEPHYR, ControllerFacts, is_address
from ruuvi_host.hci.plan import ScanChoice, ScanKind, ScanPlan


class Refusal(NamedTuple):
    """A command that was answered with an error."""

    opcode: int
    status: int


@dataclass(frozen=True, slots=True)
class Begun:
    """The result of a start."""

    facts: ControllerFacts
    own_address: int
    """The own address type to scan with."""
    refusals: tuple[Refusal, ...]
    """Of commands that matter; it went on all the same."""


@dataclass(frozen=True, slots=True)
class NotReset:
    """The result of a start that failed: HCI_Reset itself is refused, however often."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class ScanBegun:
    """The result of a scan that began anew, or could not."""

    plan: ScanPlan | None
    """What is scanned; None: nothing is."""
    refusal: Refusal | None = None
    """What was refused, if anything; with a plan: of which a part was left out."""


@dataclass(frozen=True, slots=True)
class Alive:
    """The result of a question that only wants an answer."""


Result = Begun | NotReset | ScanBegun | Alive
Procedure = Generator[HciCommand, Answer, Result]


def start(choice: ScanChoice, random_address: bytes) -> Procedure:
    """Reset the controller, ask it what it is, and let it send reports.

    The event masks come after the reset, which sets them back.
    """
    answer = yield RESET
    for _ in range(RESET_TRIES - 1):
        if answer.status == 0:
            break
        answer = yield RESET
    if answer.status:
        return NotReset(Refusal(RESET.opcode, answer.status))
    facts, can_host_le = yield from _ask()
    refusals = []
    may_be_extended = facts.extended or choice is ScanChoice.EXTENDED
    for command in (SET_EVENT_MASK, set_le_event_mask(extended=may_be_extended)):
        answer = yield command
        if answer.status:
            refusals.append(Refusal(command.opcode, answer.status))
    if can_host_le:
        yield WRITE_LE_HOST_SUPPORT
    own = set_random_address(random_address)
    answer = yield own
    if answer.status:
        refusals.append(Refusal(own.opcode, answer.status))
    return Begun(facts, PUBLIC if answer.status else RANDOM, tuple(refusals))


def _ask() -> Generator[HciCommand, Answer, tuple[ControllerFacts, bool]]:
    """The facts, and whether LE has to be switched on. What is refused is not known."""
    version = yield READ_LOCAL_VERSION
    hci_version = company = None
    if version.status == 0:
        hci_version = version.returned[0]
        company = int.from_bytes(version.returned[4:6], "little")
    commands = yield READ_LOCAL_COMMANDS
    has = commands.returned if commands.status == 0 else None
    features = yield READ_LOCAL_FEATURES
    mask = int.from_bytes(features.returned[:8], "little") if features.status == 0 else 0
    extended = bool(has and has[37] >> 5 & 3 == 3 and mask >> 12 & 1)
    address = yield READ_BD_ADDR
    public = address.returned[5::-1] if address.status == 0 else bytes(6)
    static: tuple[bytes, ...] = ()
    if not is_address(public) and company in (COMPANY_NORDIC, COMPANY_ZEPHYR):
        static = _static_addresses((yield READ_STATIC_ADDRESSES))
    facts = ControllerFacts(
        hci_version=hci_version,
        company=company,
        legacy=has is None or has[26] >> 2 & 3 == 3,
        extended=extended,
        coded=extended and bool(mask >> 11 & 1),
        public_address=public,
        static_addresses=static,
    )
    return facts, bool(has and has[24] >> 6 & 1)


def _static_addresses(answer: Answer) -> tuple[bytes, ...]:
    """Count, and for each an address, low byte first, and 16 bytes of a key's root."""
    if answer.status:
        return ()
    entries = answer.returned[1:]
    starts = range(0, min(answer.returned[0] * 22, len(entries) - 21), 22)
    return tuple(entries[start : start + 6][::-1] for start in starts)


def scan_anew(plan: ScanPlan | None, kind: ScanKind, own_address: int) -> Procedure:
    """Scan off, and, with a plan, parameters and on: they may change only while it is off.

    kind: that of the scan which may be on. To switch off what is off may be refused; no matter.
    """
    yield scan_enable(kind, on=False)
    if plan is None:
        return ScanBegun(None)
    parameters = scan_parameters(plan, own_address)
    answer = yield parameters
    left_out = None
    if answer.status in (UNSUPPORTED_VALUE, INVALID_PARAMETERS) and plan.coded and plan.uncoded:
        # It said that it has the Coded PHY. Better without than nothing at all.
        left_out = Refusal(parameters.opcode, answer.status)
        plan = ScanPlan(plan.kind, uncoded=True, coded=False)
        answer = yield scan_parameters(plan, own_address)
    if answer.status:
        return ScanBegun(None, Refusal(parameters.opcode, answer.status))
    on = scan_enable(plan.kind, on=True)
    answer = yield on
    if answer.status:
        return ScanBegun(None, Refusal(on.opcode, answer.status))
    return ScanBegun(plan, left_out)


def ask_for_sign_of_life() -> Procedure:
    """Any answer will do."""
    yield READ_LOCAL_VERSION
    return Alive()
