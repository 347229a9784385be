"""Targets of kind influxdb, and reports for them."""

from typing import Any

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.targets import InfluxTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.intake.readings import Readings

GATEWAY = DeviceId(bytes(8), bytes.fromhex("C8252D8E9C2C"))
ADDRESS = bytes.fromhex("CBB8334C884F")
TAG = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
AIR = bytes.fromhex(
    "2BFF9904E1170C5668C79E0065007004BD11CA00C90A0213E0AC000000DECDEE110000000000CBB8334C884F"
)
TIME = 1_777_629_600


def target(**given: Any) -> InfluxTarget:
    """given: keys of its table."""
    return InfluxTarget.from_table(
        {"name": "db", "kind": "influxdb", "url": "http://127.0.0.1:8086"} | given
    )


def heard(
    data: bytes = TAG, timestamp: int = TIME, address: bytes = ADDRESS, rssi: int = -61
) -> Advertisement:
    return Advertisement(address, data, rssi, 1, 15, 37, -8, 5.0, timestamp)


def batch(*reports: Advertisement, counted: bool = False) -> Batch:
    return Batch(7, GATEWAY, reports, counted)


def many(count: int, start: int = TIME) -> tuple[Advertisement, ...]:
    """Reports of so many sensors."""
    return tuple(heard(TAG, start, n.to_bytes(6, "big")) for n in range(count))


def named(name: str, **offsets: Any) -> Readings:
    """What is known of the sensor ADDRESS."""
    return Readings([SensorSettings(ADDRESS, name, **offsets)])
