"""What facts mean: one finding each, with the remedy in a sentence. No looking, only judging."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from firmware_protocol.damage import FIRST_FRAME
from firmware_protocol.messages import SetAll
from ruuvi_host.clock import EARLIEST
from ruuvi_host.config.problems import Problem, Severity
from ruuvi_host.device.trouble import TAKERS
from ruuvi_host.monitoring.dropped import dropped
from ruuvi_host.monitoring.link_status import LinkState

RUUVI_ID = 0x0499
QUIET = 300.0
"""Seconds without a report that are worth a warning."""
NOISE = 0.001
"""Part of the frames that may be damaged before it is worth a warning. At rest it is none."""
LOW_DISK, NO_DISK = 100 << 20, 5 << 20
"""Bytes. A day's outage of 100 sensors takes 35 MiB."""
OLD_SPOOL = 3600.0
"""Seconds for which batches may wait before it is worth a warning."""


class Level(IntEnum):
    """The worse, the higher."""

    OK = 0
    WARNING = 1
    FAULT = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    level: Level
    sentence: str
    remedy: str = ""
    """What to do; empty: nothing."""

    def __str__(self) -> str:
        told = f"{self.level.name.lower():8} {self.topic}: {self.sentence}"
        return f"{told}; {self.remedy}" if self.remedy else told


def exit_status(findings: Sequence[Finding]) -> int:
    """0: all is well; 1: warnings; 3: a fault."""
    worst = max((finding.level for finding in findings), default=Level.OK)
    return {Level.OK: 0, Level.WARNING: 1, Level.FAULT: 3}[worst]


def configuration(problems: Sequence[Problem]) -> Iterator[Finding]:
    """What the loader has found."""
    for problem in problems:
        level = Level.WARNING if problem.severity is Severity.WARNING else Level.FAULT
        yield Finding("configuration", level, str(problem), "see `ruuvi-host config check`")
    if not problems:
        yield Finding("configuration", Level.OK, "no problem found")


def scan(settings: SetAll) -> Iterator[Finding]:
    """Settings with which little or nothing is received."""
    topic, silent = "scan settings", "the coprocessor hears nothing at all"
    fine = True
    if not (settings.ch_37 or settings.ch_38 or settings.ch_39):
        fine = False
        yield Finding(
            topic, Level.FAULT, f"all three channels are off: {silent}", "switch on scan_channel_37"
        )
    if not (settings.use_1m_phy or settings.use_coded_phy):
        fine = False
        remedy = "switch on scan_1mbit_phy"
        sentence = f"1M and coded PHY are off, and all advertising begins on one of them: {silent}"
        yield Finding(topic, Level.FAULT, sentence, remedy)
    if settings.fltr_tags and settings.fltr_id != RUUVI_ID:
        fine = False
        yield Finding(
            topic,
            Level.WARNING,
            f"only company 0x{settings.fltr_id:04X} passes, which is not Ruuvi (0x0499)",
            "set company_id to 1177, or switch company_use_filtering off",
        )
    if settings.use_coded_phy and not settings.use_1m_phy:
        fine = False
        sentence = "only the coded PHY is scanned: usual advertisements are not received"
        yield Finding(topic, Level.WARNING, sentence, "switch on scan_1mbit_phy")
    if fine:
        yield Finding(topic, Level.OK, "Ruuvi's sensors are received with these settings")


def clock(
    utc: float, *, synchronised: bool, used: bool, trusted: bool, taken_as_right: bool
) -> Finding:
    """used: reports get a timestamp. trusted: the user says so. taken_as_right: `run`
    would trust it now."""
    if not used:
        return Finding("clock", Level.OK, "is not used (ntp_use is off)")
    if utc < EARLIEST:
        remedy = "set it, or start chrony or systemd-timesyncd"
        return Finding("clock", Level.FAULT, "is before 2026: nothing is relayed", remedy)
    if synchronised:
        return Finding("clock", Level.OK, "the kernel calls it synchronised")
    if trusted:
        return Finding("clock", Level.OK, "is trusted, as trust_clock says")
    remedy = "start chrony or systemd-timesyncd; if it is right all the same, set trust_clock"
    if taken_as_right:
        sentence = "the kernel does not call it synchronised; it is trusted all the same"
        return Finding("clock", Level.WARNING, sentence, remedy)
    sentence = "the kernel does not call it synchronised: nothing is relayed for ten minutes"
    return Finding("clock", Level.FAULT, sentence, remedy)


def link(
    told: dict[str, Any], looked: float | None = None, scan: SetAll | None = None
) -> Iterator[Finding]:
    """The serial side of one coprocessor, as in `status --json`.

    looked: seconds for which it was listened to for this; None: a host runs and has counted.
    scan: what it is configured with.
    """
    topic = f"coprocessor {told['port']}"
    damage = told["damage"]
    if LinkState(told["state"]) in (LinkState.CLOSED, LinkState.CONNECTING):
        sentence, remedy = "does not answer", "see whether it has power, and which port it is"
        if told["problem"]:
            sentence, remedy = told["problem"], ""
        elif damage:
            sentence, remedy = f"does not answer. {damage['sentence']}", damage["remedy"]
        yield Finding(topic, Level.FAULT, sentence, remedy)
        return
    yield Finding(topic, Level.OK, f"{told['address']} answers; firmware {told['firmware']}")
    counters = told["counters"]
    if damage:
        yield _damage(topic, damage)
    only = ""
    if scan and scan.fltr_tags:
        only = f"; only company 0x{scan.fltr_id:04X} passes, see company_use_filtering"
    quiet = told["seconds_since_report"] or 0.0
    if counters["reports"] and (looked or quiet < QUIET):
        yield Finding(f"{topic}, radio", Level.OK, f"reports {counters['reports']}")
    elif counters["reports"]:
        sentence = f"reports {counters['reports']}, the last one {quiet / 60:.0f} min ago"
        remedy = f"see whether there is a sensor near, and what passes{only}"
        yield Finding(f"{topic}, radio", Level.WARNING, sentence, remedy)
    else:
        within = f" within {looked:.0f} s" if looked else ""
        yield Finding(
            f"{topic}, radio",
            Level.WARNING,
            f"it answers, and has reported nothing{within}",
            "fix its line first"
            if damage
            else "see whether there is a sensor near, its antenna, and what the scan settings let "
            f"pass{only}",
        )
    if not damage:
        yield _line(topic, counters)


def _damage(topic: str, damage: dict[str, Any]) -> Finding:
    """Bytes of the line that are in no frame. What came once, and has no known cause, is noise."""
    topic = f"{topic}, line"
    part = damage["bytes_skipped"] / max(damage["bytes_received"], 1)
    is_noise = damage["is_guess"] and damage["reads"] < 2
    if is_noise or (part < NOISE and not damage["lasts"] and damage["bytes_skipped"]):
        return Finding(topic, Level.OK, damage["sentence"])
    return Finding(topic, Level.WARNING, damage["sentence"], damage["remedy"])


def _line(topic: str, counters: dict[str, int]) -> Finding:
    """Of the whole run, while nothing is damaged right now."""
    damaged = counters["crc_errors"] + counters["etx_errors"] + counters["delimiter_errors"]
    frames = counters["report_frames"] + damaged
    skipped, received = counters["bytes_skipped"], counters["bytes_received"]
    topic = f"{topic}, line"
    if counters["uart_overruns"]:
        return Finding(
            topic,
            Level.WARNING,
            f"the UART has lost bytes {counters['uart_overruns']}",
            "use an adapter with a larger buffer, or relieve this machine",
        )
    # What stands before the first frame of each opening is no damage.
    unexplained = skipped - counters["opened"] * FIRST_FRAME
    if damaged > max(2, frames * NOISE) or unexplained > received * NOISE:
        sentence = (
            f"damaged frames {damaged} of {frames}, bytes skipped {skipped} of {received}, "
            "though not right now"
        )
        remedy = "shorten the cable, connect ground, and see that 115200 baud is set on both ends"
        return Finding(topic, Level.WARNING, sentence, remedy)
    return Finding(topic, Level.OK, f"damaged frames {damaged} of {frames}")


def port_taker(path: str, taker: str, *, has_it_open: bool) -> Finding:
    """A program that takes serial ports for something else. taker: one of `trouble.TAKERS`."""
    why, remedy = TAKERS[taker]
    if has_it_open:
        return Finding(taker, Level.FAULT, f"has {path} open right now, and {why}", remedy)
    sentence = f"runs, and when {path} is plugged in, perhaps {why}"
    return Finding(taker, Level.WARNING, sentence, remedy)


def shared(port: str, others: str) -> Finding:
    """Other programs have the port open, without a lock."""
    sentence = f"{others} has this port open, too, and takes some of its data"
    return Finding(f"coprocessor {port}, sharing", Level.WARNING, sentence, "stop that program")


def of_service(port: str, process: int) -> Finding:
    """The installed service has the port, and is asked in place of opening it."""
    sentence = f"the service has this port (process {process}), and is asked"
    return Finding(f"coprocessor {port}, host", Level.OK, sentence)


def perhaps_of_service(port: str, problem: str) -> Finding:
    """A port that cannot be opened, while a service runs that cannot be asked."""
    sentence = f"the service runs here, may have this port, and cannot be asked: {problem}"
    return Finding(f"coprocessor {port}, host", Level.WARNING, sentence, "run this with sudo")


def disk(path: str, free: int, *, writable: bool) -> Finding:
    """free: bytes that this user can still write."""
    if not writable:
        remedy = "let this user write there, or name another folder with --state-dir"
        return Finding("state directory", Level.FAULT, f"{path} cannot be written", remedy)
    room = f"{path} has {free >> 20} MiB free"
    if free < NO_DISK:
        return Finding("disk", Level.FAULT, f"{room}: an outage costs data", "make room")
    if free < LOW_DISK:
        return Finding("disk", Level.WARNING, f"{room}: not enough for a day's outage", "make room")
    return Finding("disk", Level.OK, room)


def spool(target: str, batches: int, oldest: float | None) -> Finding:
    """What waits for a server. oldest: seconds since the oldest of it was cut."""
    topic = f"{target}, spool"
    if not batches:
        return Finding(topic, Level.OK, "nothing is waiting")
    age = f", the oldest for {oldest / 60:.0f} min" if oldest is not None else ""
    sentence = f"waiting: batches {batches}{age}"
    if oldest is not None and oldest < OLD_SPOOL:
        return Finding(topic, Level.OK, sentence)
    remedy = "see what is said about the server; `ruuvi-host spool list` shows what waits"
    return Finding(topic, Level.WARNING, sentence, remedy)


def running(
    document: dict[str, Any] | None, problem: str = "", *, is_there: bool = True
) -> Finding:
    """What a running host says of itself. None: there is none, or, with a problem, one that cannot
    be asked. is_there: there is one for sure."""
    if problem:
        remedy = "run doctor as its user or with sudo; if it does not answer then, restart it"
        known = "runs" if is_there else "may run"
        return Finding("host", Level.FAULT, f"{known} and cannot be asked: {problem}", remedy)
    if document is None:
        return Finding("host", Level.OK, "does not run; the port is opened for this examination")
    health = document["health"]
    level = {"degraded": Level.WARNING, "fault": Level.FAULT}.get(health["level"], Level.OK)
    return Finding("host", level, f"runs as process {document['pid']}: {health['sentence']}")


def drops(document: dict[str, Any]) -> Iterator[Finding]:
    """What a running host has dropped because of a setting or a size."""
    targets = [(target["name"], target["counters"]) for target in document["targets"]]
    for drop in dropped(document["intake"], targets):
        level = Level.OK if drop.wanted else Level.WARNING
        yield Finding(f"{drop.where}, limits", level, f"{drop.what}: {drop.count}", drop.remedy)


def accounting(document: dict[str, Any]) -> Iterator[Finding]:
    """Accounts of a running host that do not add up."""
    for account in document["accounting"]:
        if count := account["unaccounted"]:
            sentence = f"{account['name']}: {count} are in no counter"
            yield Finding(
                "accounting", Level.WARNING, sentence, "please report this, with `status`"
            )
