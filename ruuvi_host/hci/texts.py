"""Lines for people about a controller: what it is, what happened, and what will disappoint."""

from firmware_protocol.messages import address_text
from ruuvi_host.hci.commands import command_name, error_name
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.happenings import (
    Asserted,
    Climbed,
    Happening,
    OtherKind,
    Recovered,
    Refused,
    Scanning,
)
from ruuvi_host.hci.identity import Identity, Origin
from ruuvi_host.hci.ladder import Rung
from ruuvi_host.hci.plan import ScanKind

_RUNGS = {
    Rung.SCAN_ANEW: "scan off and on",
    Rung.RESET: "HCI reset",
    Rung.REOPEN: "closing and opening it",
    Rung.POWER: "only its power helps (--reset-command, or unplug it)",
}


def controller_line(name: str, facts: ControllerFacts, identity: Identity) -> str:
    """Like "hci0: Bluetooth 5.3 of company 0x0002, DC:A6:…, hears legacy, extended, coded"."""
    company = "an unknown company"
    if facts.company is not None:
        company = f"company 0x{facts.company:04X}"
    heard = [
        word
        for word, has in (
            ("legacy", facts.legacy),
            ("extended", facts.extended),
            ("coded", facts.coded),
        )
        if has
    ]
    address = address_text(identity.device.addr)
    origin = "" if identity.origin is Origin.PUBLIC else f" ({identity.origin.value})"
    return (
        f"{name}: Bluetooth {facts.version} of {company}, {address}{origin}, "
        f"hears {', '.join(heard) or 'nothing'}"
    )


def happening_line(happening: Happening) -> str | None:
    """The line for the log; None: it is not worth one."""
    match happening:
        case Scanning(None):
            return "scan off: nothing is to be scanned"
        case Scanning(plan) if plan:
            phys = " and ".join(["1M"] * plan.uncoded + ["Coded"] * plan.coded)
            return f"scanning {phys}, {plan.kind.value} commands"
        case Refused(opcode, status, remedy):
            then = f": {remedy}" if remedy else ": nothing is scanned; it is tried again"
            return f"{command_name(opcode)} refused ({error_name(status)}){then}"
        case OtherKind(kind, reason):
            return f"{reason}: {kind.value} scanning from here on"
        case Asserted(file, line):
            return f"the controller's firmware stopped at an assertion: {file} line {line}"
        case Climbed(rung, reason, True):
            return f"rung {rung.value}, {_RUNGS[rung]}: {reason}"
        case Recovered(rung, silence):
            # The time of a start is not in it, so a short one would mislead.
            after = f" after {silence:.0f} s" if silence >= 1 else ""
            return f"reports again{after}; rung {rung.value} was the highest"
    return None


def disappointments(
    facts: ControllerFacts,
    identity: Identity,
    kind: ScanKind,
    counters: ControllerCounters | None = None,
) -> list[str]:
    """A line for each thing that would disappoint, for `--check`.

    kind: what it is scanned with in the end. counters: those of some seconds of scanning; None: it
    was not tried.
    """
    found = []
    if not facts.extended:
        found.append("no extended advertising: Ruuvi Air's format E1 is not heard; 6 is")
    elif kind is ScanKind.LEGACY:
        found.append("scanned with legacy commands: Ruuvi Air's format E1 is not heard; 6 is")
    if not (facts.coded and kind is ScanKind.EXTENDED):
        found.append("no Coded PHY: tags that advertise long range only are not heard")
    if not facts.legacy and kind is ScanKind.LEGACY:
        found.append("it does not list the commands of legacy scanning among its own")
    if identity.origin is Origin.DERIVED:
        found.append(
            "no address of its own (BD_ADDR is empty or that of all chips of its kind): the "
            "gateway's is derived from this machine and --hci; keep it with --address"
        )
    if counters:
        found += _of_scanning(counters)
    return found


def _of_scanning(counters: ControllerCounters) -> list[str]:
    """What some seconds of scanning have shown."""
    if not counters.reports:
        return ["nothing at all was heard: no device near, no antenna, or it does not report"]
    found = []
    if counters.no_rssi == counters.reports:
        found.append("every report was without signal strength, and is dropped")
    if counters.bytes_skipped:
        found.append(f"{counters.bytes_skipped} bytes from it belong to no packet: a bad line")
    if counters.malformed_events:
        found.append(f"{counters.malformed_events} events whose lengths do not add up")
    return found


def summary(counters: ControllerCounters) -> str:
    """At the end: reports, what was dropped and why, rungs, bytes lost."""
    reasons = {
        "scan responses": counters.scan_responses,
        "anonymous": counters.anonymous,
        "without signal strength": counters.no_rssi,
        "PHY off": counters.phy_off,
        "too long": counters.too_long,
        "other company": counters.other_company,
        "not configured": counters.not_configured,
        "no host": counters.no_host,
        "truncated": counters.truncated,
        "orphaned": counters.orphaned,
    }
    dropped = ", ".join(f"{reason} {count}" for reason, count in reasons.items() if count)
    parts = [
        f"HCI reports {counters.reports}: sent {counters.sent}, joined {counters.joined}, "
        f"dropped {counters.dropped}" + (f" ({dropped})" if dropped else ""),
        f"commands {counters.commands}, unanswered {counters.unanswered}, "
        f"refused {counters.refused}",
        f"rungs {' '.join(map(str, counters.rungs))}",
        f"bytes skipped {counters.bytes_skipped}",
    ]
    return "; ".join(parts)
