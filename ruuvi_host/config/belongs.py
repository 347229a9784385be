"""Where a key belongs that stands in another table, and what a key that nobody knows may be."""

from collections.abc import Iterable

from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_keys import HOST_KEYS
from ruuvi_host.config.problems import meant
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.targets import TABLE_KINDS

MOST_TABLES = 3
"""A key that is in more of them says nothing of what was meant."""


def unknown_key(name: str, known: Iterable[str]) -> str:
    """Half a sentence about a key that is not there. name: with its table; the last part counts.

    known: those that may stand there, of which one may have been meant.
    """
    last = name.rpartition(".")[2]
    if tables := _TABLES.get(last):
        return f"unknown key; {last} belongs {tables}"
    return "unknown key" + meant(name, known)


def _tables() -> dict[str, str]:
    """The last part of each key → where it belongs, in words."""
    places: dict[str, list[str]] = {}

    def add(key: str, where: str) -> None:
        told = places.setdefault(key, [])
        if where not in told:
            told.append(where)

    for key in HOST_KEYS:
        table, _, last = key.name.rpartition(".")
        add(last, f"to [{table}]" if table else "at the top of ruuvi-host.toml, above all tables")
    for key in CoprocessorSettings.KEYS:
        add(key.name, "to [[coprocessor]]")
    for name in dict.fromkeys(key.name for kind in TABLE_KINDS for key in kind.KEYS):
        kinds = [kind.KIND for kind in TABLE_KINDS if name in {key.name for key in kind.KEYS}]
        of_kind = f" of kind {' or '.join(kinds)}" if len(kinds) < len(TABLE_KINDS) else ""
        add(name, f"to [[target]]{of_kind}")
    for key in SensorSettings.KEYS:
        add(key.name, 'to [sensors."AA:BB:CC:DD:EE:FF"]')
    for name in BY_NAME:
        add(name, "to gw_cfg.json or [gateway]")
    return {key: ", or ".join(told) for key, told in places.items() if len(told) <= MOST_TABLES}


_TABLES = _tables()
