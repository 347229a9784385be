"""The undelivered batches of the first versions, JSON objects in lines: read once, then deleted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firmware_protocol.messages import DeviceId
from ruuvi_host import private_files
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch


def read(path: Path) -> Iterator[Batch | None]:
    """A batch for each line, None for one that is damaged. Raises OSError."""
    with open(path, "rb", opener=private_files.opener) as file:
        for line in file:
            try:
                yield _from_json(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError):
                yield None


def _from_json(value: Any) -> Batch:
    gateway = DeviceId(bytes.fromhex(value["id"]), bytes.fromhex(value["addr"]))
    advertisements = tuple(_advertisement(*row) for row in value["advertisements"])
    nonce = value["nonce"]
    if (len(gateway.id), len(gateway.addr), type(nonce)) != (8, 6, int) or not advertisements:
        raise ValueError("not a batch")
    return Batch(nonce, gateway, advertisements)


def _advertisement(address: str, data: str, *numbers: Any) -> Advertisement:
    rssi, primary, secondary, channel, power, timestamp = numbers
    raw = bytes.fromhex(address)
    whole = (rssi, primary, secondary, channel, 0 if power is None else power, timestamp)
    if len(raw) != 6 or any(type(number) is not int for number in whole):
        raise ValueError("not an advertisement")
    return Advertisement(
        raw, bytes.fromhex(data), rssi, primary, secondary, channel, power, 0.0, timestamp
    )
