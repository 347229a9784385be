"""What each sensor measures, as metrics: a gauge for each quantity."""

import asyncio
from collections.abc import Iterable

from firmware_protocol.messages import address_text
from ruuvi_host.api.door import Door
from ruuvi_host.api.exposition import Family, labelled
from ruuvi_host.api.host_metrics import PREFIX
from ruuvi_host.formats import fields
from ruuvi_host.formats.measurement import QUANTITIES
from ruuvi_host.intake.advertisement import Advertisement, rssi_or_none
from ruuvi_host.intake.readings import Readings

TOLD = 900.0
"""Seconds for which a reading is told. What Prometheus no longer gets is no longer there; a value
that stays for ever would hide that the sensor is gone."""
SENSORS_PER_SLICE = 100

_UNITS = {
    "°C": "celsius",
    "V": "volts",
    "Pa": "pascals",
    "lx": "lux",
    "ppm": "ppm",
    "dBm": "dbm",
    "K": "kelvin",
}
"""At the end of a name, where Prometheus has a usual word for the unit; else it is in the help."""
_NAMES = {"movement_counter": "movements"}
"""A metric's name must not end in counter."""
_ABOUT = {
    "rssi": ("dBm", "strength of the signal"),
    "age_seconds": ("", "since the last change of what the sensor sends"),
}


async def reading_families(door: Door) -> list[Family]:
    """Those of all sensors that were received lately."""
    now = door.clock.monotonic()
    recent = [a for a in door.newest_first() if now - a.received <= TOLD]
    families: dict[str, Family] = {}
    for first in range(0, len(recent), SENSORS_PER_SLICE):
        add_readings(families, recent[first : first + SENSORS_PER_SLICE], door.readings, now)
        await asyncio.sleep(0)
    return list(families.values())


def add_readings(
    families: dict[str, Family],
    advertisements: Iterable[Advertisement],
    known: Readings,
    now: float,
) -> None:
    """Add what these hold. families: by quantity. known: names and offsets of sensors. now:
    monotonic seconds."""
    for advertisement in advertisements:
        reading = known.of(advertisement.address, advertisement.data)
        labels = labelled({"address": address_text(advertisement.address), "name": reading.name})
        _add(families, "rssi", rssi_or_none(advertisement.rssi), labels)
        _add(families, "age_seconds", round(now - advertisement.received, 1), labels)
        if reading.measurement is None:
            continue
        for name, value in fields(reading.measurement).items():
            if not isinstance(value, str):
                _add(families, name, value, labels)


def _add(families: dict[str, Family], name: str, value: float | None, labels: str) -> None:
    """value: None, not available, is no sample."""
    if value is None:
        return
    if name not in families:
        unit, meaning = _ABOUT.get(name) or QUANTITIES[name]
        ending = f"_{_UNITS[unit]}" if unit in _UNITS else ""
        said = f"{meaning}, in {unit}" if unit and not ending else meaning
        said = said[0].upper() + said[1:]
        metric = f"{PREFIX}_sensor_{_NAMES.get(name, name)}{ending}"
        families[name] = Family(metric, "gauge", said)
    families[name].add(value, labels)
