"""Messages as hosts publish them, for tests of those who consume them."""

import json
from typing import Any

from ruuvi_host.formats.df5 import HEADER, Format5
from ruuvi_host.formats.df5 import encode as encode5
from ruuvi_host.formats.gateway import gateway_members

UTC = 1_700_000_000


def gateway(number: int) -> str:
    return f"AA:00:00:00:00:{number:02X}"


def tag(number: int = 1) -> str:
    return f"F4:1F:0C:28:00:{number:02X}"


def data_of(number: int, temperature: float = 20.0) -> bytes:
    """Advertising data of format 5, of the measurement of this number."""
    measured = Format5(temperature=temperature, measurement_sequence=number)
    return HEADER + encode5(measured)[1:]


def message(
    number: int,
    *,
    host: int = 1,
    of: int = 1,
    ts: int | None = UTC,
    late: int = 0,
    cnt: int | None = None,
    rssi: int = -70,
    decoded: bool = False,
    **more: Any,
) -> tuple[str, bytes]:
    """Topic and payload. late: seconds between reception and sending."""
    told: dict[str, Any] = {"gw_mac": gateway(host), "rssi": rssi, "aoa": []}
    if cnt is not None:
        told["cnt"] = cnt
    elif ts is not None:
        told |= {"gwts": ts + late, "ts": ts}
    data = data_of(number)
    if decoded:
        told |= {name: json.loads(value) for name, value in gateway_members(data)}
    else:
        told["data"] = data.hex().upper()
    told = told | {"coords": ""} | more
    return f"ruuvi/{gateway(host)}/{tag(of)}", json.dumps(told).encode()
