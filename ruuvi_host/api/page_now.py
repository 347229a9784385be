"""What the page shows under "Now": one JSON document, made from what the host knows at the moment.

Pure but for the door, which is only read.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

from firmware_protocol.messages import address_text
from ruuvi_host.api.door import Door
from ruuvi_host.config.targets import STATISTICS
from ruuvi_host.formats import fields
from ruuvi_host.formats.derived import battery_low
from ruuvi_host.formats.measurement import QUANTITIES
from ruuvi_host.intake.advertisement import Advertisement, rssi_or_none
from ruuvi_host.monitoring.counters import flat
from ruuvi_host.monitoring.overview import Overview
from ruuvi_host.monitoring.sensor_status import SensorStatus

MOST_SHOWN = 200
"""Sensors; a page with more is of no use to anybody."""
PER_TURN = 10
"""Sensors that are decoded, some milliseconds on a small machine, before others get their turn."""

_INTAKE = "empty too_long filtered clock_not_synchronised evicted missed".split()
_LINK = "bytes_skipped crc_errors uart_overruns reports_unconfigured".split()
_TARGET = (
    "refused_reports overflowed_reports aged_out_reports unreadable_reports lost_reports".split()
)
"""Counters of what was dropped, or never came. The page has words for each."""


async def now(door: Door) -> dict[str, Any]:
    """JSON values only."""
    identity, overview, loaded = door.identity(), door.overview(), door.loaded
    monotonic = door.clock.monotonic()
    document = overview.document(monotonic)
    return {
        "name": identity.name,
        "mac": identity.mac,
        "version": identity.version,
        "nrf_version": identity.nrf_version,
        "uptime": overview.uptime,
        "time": int(door.clock.wall()),
        "clock_is_right": door.clock_is_right,
        "coordinates": loaded.config.coordinates,
        "health": document["health"],
        "links": [_link(link) for link in document["coprocessors"]],
        "targets": [
            *(_target(target) for target in document["targets"]),
            *([_statistics(overview)] if loaded.config.statistics else ()),
        ],
        "losses": list(losses(overview)),
        "in_table": overview.sensors,
        "sensors": await sensors(door, overview, monotonic),
    }


def losses(overview: Overview) -> Iterator[dict[str, Any]]:
    """What was dropped, by the counter that has it; only what there was of it.

    where: the port, or the target; empty: between the two.
    """
    named = [(link.name, flat(link.counters), _LINK) for link in overview.links]
    named += [("", flat(overview.intake), _INTAKE)]
    named += [(name, flat(counters), _TARGET) for name, counters in overview.targets]
    for where, counters, reasons in named:
        for reason in reasons:
            if count := counters[reason]:
                yield {"where": where, "reason": reason, "count": count}


async def sensors(door: Door, overview: Overview, monotonic: float) -> list[dict[str, Any]]:
    """The newest of each sensor, and those that a person waits for; those with a name first."""
    known = {status.address: status for status in overview.known_sensors}
    found = []
    for number, advertisement in enumerate(list(islice(door.newest_first(), MOST_SHOWN)), 1):
        if number % PER_TURN == 0:
            await asyncio.sleep(0)
        status = known.pop(address_text(advertisement.address), None)
        found.append(_heard(door, advertisement, status, monotonic))
    found += [_not_heard(status, monotonic) for status in known.values()]
    return sorted(found, key=lambda s: (not s["name"], s["name"].casefold(), s["address"]))


def _heard(
    door: Door, advertisement: Advertisement, status: SensorStatus | None, monotonic: float
) -> dict[str, Any]:
    address = advertisement.address
    reading = door.readings.of(address, advertisement.data)
    values = fields(reading.measurement) if reading.measurement is not None else {}
    heard = advertisement.received
    if status and status.heard is not None:
        heard = max(heard, status.heard)
    return {
        "address": address_text(address),
        "name": reading.name,
        "rssi": rssi_or_none(advertisement.rssi),
        "age": round(max(monotonic - heard, 0.0), 1),
        "error": reading.error,
        "battery_low": status.low_battery if status else _is_low(values),
        "silent": bool(status and status.silent),
        "plots": door.quantities(address),
        "readings": [
            {"name": name, "value": value, "unit": QUANTITIES[name].unit}
            for name, value in values.items()
        ],
    }


def _not_heard(status: SensorStatus, monotonic: float) -> dict[str, Any]:
    return {
        "address": status.address,
        "name": status.name,
        "rssi": None,
        "age": None if status.heard is None else round(max(monotonic - status.heard, 0.0), 1),
        "error": "",
        "battery_low": status.low_battery,
        "silent": status.silent,
        "plots": [],
        "readings": [],
    }


def _is_low(values: dict[str, Any]) -> bool:
    voltage, temperature = values.get("battery_voltage"), values.get("temperature")
    if values.get("low_battery") is True or voltage is None:
        return values.get("low_battery") is True
    return battery_low(voltage, temperature)


def _link(link: dict[str, Any]) -> dict[str, Any]:
    damage = link["damage"]
    return {
        "port": link["port"],
        "state": link["state"],
        "problem": link["problem"],
        "damage": f"{damage['sentence']}; {damage['remedy']}" if damage else "",
        "age": link["seconds_since_report"],
    }


def _target(target: dict[str, Any]) -> dict[str, Any]:
    counters = target["counters"]
    return {
        "name": target["name"],
        "problem": target["problem"],
        "growth": target["backlog_growth"],
        "waiting_batches": counters["waiting_batches"],
        "waiting_reports": counters["waiting_reports"],
        "accepted": counters["accepted"],
        "failed": counters["failed_attempts"],
    }


def _statistics(overview: Overview) -> dict[str, Any]:
    """In the form of a target; what was not accepted is not kept."""
    return {
        "name": STATISTICS,
        "problem": "",
        "growth": None,
        "waiting_batches": 0,
        "waiting_reports": 0,
        "accepted": overview.statistics.accepted,
        "failed": overview.statistics.failed,
    }
