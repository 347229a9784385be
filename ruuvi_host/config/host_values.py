"""The host's own settings with their present values, and what is wrong with new ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from ruuvi_host.config.arrays import ARRAYS, Tables
from ruuvi_host.config.belongs import unknown_key
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_keys import HOST_BY_NAME, HOST_KEYS
from ruuvi_host.config.keys import checked, flattened
from ruuvi_host.config.problems import Problems, Severity, meant
from ruuvi_host.config.sensor_tables import SENSORS, SensorTables

GATEWAY = "gateway"
"""The table of a gateway's keys."""


class HostValues:
    """The keys and their values; `origins` has the source of each value."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {key.name: key.default for key in HOST_KEYS}
        self.origins: dict[str, str] = dict.fromkeys(HOST_BY_NAME, "default")
        self.arrays = {array.name: Tables(array) for array in ARRAYS}
        self.sensors = SensorTables()

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def update(self, document: Mapping[str, Any], problems: Problems) -> None:
        """Take over a document: tables inside, or dotted names. Errors for what cannot be used."""
        if SENSORS in document:
            self.sensors.update(document[SENSORS], problems)
        others = {name: value for name, value in document.items() if name != SENSORS}
        for name, value in flattened(others):
            tables = self.arrays.get(name.partition(".")[0])
            if tables and "." in name:
                tables.refuse(problems)
            elif tables:
                tables.replace(value, problems)
            elif name in HOST_BY_NAME:
                if (taken := checked(HOST_BY_NAME[name], value, problems)) is not None:
                    self.values[name] = taken
                    self.origins[name] = problems.source
            elif not problems.is_full(Severity.ERROR):
                problems.add(name, unknown(name, HOST_BY_NAME), severity=Severity.ERROR)


def unknown(name: str, known: Iterable[str]) -> str:
    """Half a sentence about a key that is not there, with the one that may have been meant."""
    if name in BY_NAME:
        return "is a gateway's key: it belongs in gw_cfg.json, or in the table [gateway]"
    if any(key.startswith(f"{name}.") for key in HOST_BY_NAME):
        return f"must be a table: [{name}]"
    table = name.partition(".")[0]
    if table not in (name, *_TABLES) and (guess := meant(table, _TABLES)):
        return "unknown key" + guess
    return unknown_key(name, known)


_TABLES = {name.partition(".")[0] for name in HOST_BY_NAME if "." in name}
_TABLES |= {SENSORS, GATEWAY, *(array.name for array in ARRAYS)}
