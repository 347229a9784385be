"""All that the host knows about itself at one moment: as a JSON document, and as lines of text.

Pure. The document is what `ruuvi-host status --json` prints; the lines are made from nothing else.
Its keys are an interface: docs/pages/status.md lists them, and a test compares the two.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruuvi_host.monitoring.accounting import IN_NO_SUM, Account, accounts, unknown
from ruuvi_host.monitoring.api_status import ApiStatus
from ruuvi_host.monitoring.api_status import line as api_line
from ruuvi_host.monitoring.configuration_status import ConfigurationStatus
from ruuvi_host.monitoring.configuration_status import lines as configuration_lines
from ruuvi_host.monitoring.counters import (
    Counters,
    IntakeCounters,
    LinkCounters,
    StatisticsCounters,
    TargetCounters,
    flat,
)
from ruuvi_host.monitoring.health import Health, rate
from ruuvi_host.monitoring.link_status import LineDamage, LinkStatus
from ruuvi_host.monitoring.sensor_status import SensorStatus

ALWAYS_SHOWN = frozenset("opened disconnects reboots lost_acks crc_errors uart_overruns".split())
"""Counters of a coprocessor of which people want to see that they are zero."""
MOST_MISSED = 20
"""Sensors that are listed with the number of their missed measurements."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The facts."""

    version: str
    pid: int
    uptime: float
    """Seconds."""
    health: Health
    links: Sequence[LinkStatus]
    intake: IntakeCounters
    sensors: int
    """In the table."""
    missed_most: Sequence[tuple[str, int]]
    """(address, measurements that never reached us)"""
    targets: Sequence[tuple[str, TargetCounters]]
    """(name, counters)"""
    problems: dict[str, str]
    """Target → why its last attempt was not accepted; empty: it was."""
    growth: dict[str, float | None]
    """Target → batches an hour by which its backlog grows; None: it does not, or is not known."""
    statistics: StatisticsCounters
    connections: Mapping[str, str] = field(default_factory=dict)
    """Target → how its connection is, where one is kept; empty: none is."""
    known_sensors: Sequence[SensorStatus] = ()
    """Those that a person has said something about."""
    api: ApiStatus | None = None
    """None: it is off."""
    configuration: ConfigurationStatus = field(default_factory=ConfigurationStatus)

    def accounts(self) -> list[Account]:
        named = [(link.name, link.counters) for link in self.links]
        return accounts(named, self.intake, self.targets)

    def document(self, now: float) -> dict[str, Any]:
        """JSON values only. now: monotonic seconds, from which ages are made."""
        health = self.health
        return {
            "version": self.version,
            "pid": self.pid,
            "uptime": int(self.uptime),
            "health": {
                "level": health.level.name.lower(),
                "sentence": health.sentence,
            },
            "coprocessors": [link_document(link, now) for link in self.links],
            "sensors": self.sensors,
            "known_sensors": [sensor.document(now) for sensor in self.known_sensors],
            "intake": flat(self.intake),
            "missed_most": dict(self.missed_most),
            "targets": [
                {
                    "name": name,
                    "problem": self.problems.get(name, ""),
                    "connection": self.connections.get(name, ""),
                    "backlog_growth": _rounded(self.growth.get(name)),
                    "counters": flat(counters),
                }
                for name, counters in self.targets
            ],
            "statistics": flat(self.statistics),
            "api": self.api.document() if self.api else None,
            "configuration": self.configuration.document(),
            "accounting": [account.document() for account in self.accounts()],
            "unknown": list(unknown([(li.name, li.counters) for li in self.links], self.intake)),
        }


def link_document(link: LinkStatus, now: float) -> dict[str, Any]:
    """One of `coprocessors`. now: monotonic seconds."""
    return {
        "port": link.name,
        "path": link.path,
        "state": link.state.value,
        "address": link.address,
        "firmware": link.firmware,
        "problem": link.problem,
        "damage": _damage_document(link.damage, now),
        "seconds_since_report": _age(link.reported, now),
        "seconds_since_answer": _age(link.answered, now),
        "counters": flat(link.counters),
    }


def _damage_document(damage: LineDamage | None, now: float) -> dict[str, Any] | None:
    if damage is None or not damage.is_recent(now):
        return None
    return {
        "cause": damage.cause,
        "is_guess": damage.is_guess,
        "sentence": damage.sentence,
        "remedy": damage.remedy,
        "bytes_skipped": damage.skipped,
        "bytes_received": damage.received,
        "reads": damage.reads,
        "seconds": damage.seconds,
        "lasts": damage.lasts,
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else round(max(now - at, 0.0), 1)


def lines(document: dict[str, Any], until: Callable[[int], str] = str) -> Iterator[str]:
    """A document as text for people. until: a time (UTC, s) to come, as they are told it."""
    yield (
        f"ruuvi-host {document['version']}, process {document['pid']}, "
        f"up {_duration(document['uptime'])}"
    )
    health = document["health"]
    yield f"health: {health['level']}: {health['sentence']}"
    for link in document["coprocessors"]:
        yield from _link_lines(link)
    yield f"sensors in the table: {document['sensors']}"
    for sensor in document["known_sensors"]:
        if said := list(_sensor_words(sensor)):
            yield f"  {_label(sensor)}: {', '.join(said)}"
    yield from _events(IntakeCounters, document["intake"])
    for target in document["targets"]:
        counters = target["counters"]
        state = f"failing ({target['problem']})" if target["problem"] else "accepted"
        yield (
            f"{target['name']}: {state}; waiting: batches {counters['waiting_batches']}, "
            f"reports {counters['waiting_reports']}"
            + (f"; {connection}" if (connection := _connection(target)) else "")
            + (f", {rate(growth)}" if (growth := target["backlog_growth"]) else "")
        )
        yield from _events(TargetCounters, counters)
    if document["statistics"]["posts"]:
        yield "statistics:"
        yield from _events(StatisticsCounters, document["statistics"])
    if document["api"]:
        yield api_line(document["api"])
    yield from configuration_lines(document["configuration"], until)
    yield "accounting:"
    for account in document["accounting"]:
        yield f"  {Account(account['name'], account['total'], account['parts'])}"
    for sentence in document["unknown"]:
        yield f"  {sentence}"
    labels = {sensor["address"]: _label(sensor) for sensor in document["known_sensors"]}
    for address, count in document["missed_most"].items():
        yield f"    {labels.get(address, address)}: {count}"


def _connection(target: dict[str, Any]) -> str:
    """How it is, without what is said already."""
    connection, problem = str(target["connection"]), str(target["problem"])
    return connection.replace(f": {problem}", "") if problem else connection


def _label(sensor: dict[str, Any]) -> str:
    return f"{sensor['name']} ({sensor['address']})" if sensor["name"] else str(sensor["address"])


def _sensor_words(sensor: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a sensor."""
    heard, voltage = sensor["seconds_since_report"], sensor["battery_voltage"]
    if sensor["silent"]:
        yield "silent since the start" if heard is None else f"silent for {_duration(heard)}"
    if sensor["low_battery"]:
        yield "low battery" if voltage is None else f"low battery, {voltage:.2f} V"


def _link_lines(link: dict[str, Any]) -> Iterator[str]:
    moved = f" (now {link['path']})" if link["path"] != link["port"] else ""
    words = [f"coprocessor {link['port']}{moved}: {link['state']}"]
    if link["address"]:
        words.append(f"{link['address']}, firmware {link['firmware']}")
    if link["seconds_since_report"] is not None:
        words.append(f"last report {_duration(link['seconds_since_report'])} ago")
    if link["problem"]:
        words.append(link["problem"])
    yield "; ".join(words)
    if damage := link["damage"]:
        yield f"  {damage['sentence']}; {damage['remedy']}"
    yield from _events(LinkCounters, link["counters"], ALWAYS_SHOWN)


def _events(
    kind: type[Counters], counters: dict[str, int | None], always: Container[str] = ()
) -> Iterator[str]:
    """The counters that are not zero and in no sum; the others are in the accounting."""
    counted = [
        f"{name.replace('_', ' ')} {'unknown' if counters[name] is None else counters[name]}"
        for name in IN_NO_SUM[kind].split()
        if counters[name] or name in always
    ]
    if counted:
        yield f"  {', '.join(counted)}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} s"
    minutes = int(seconds) // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days {hours % 24} h"
