"""The tables [sensors."AA:BB:CC:DD:EE:FF"]: how they are read, changed key by key, and made."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ruuvi_host.config.arrays import Table, take
from ruuvi_host.config.keys import HostKey, value_from_text
from ruuvi_host.config.problems import Problems, Severity
from ruuvi_host.config.sensors import MAX_SENSORS, SensorSettings, normal_address
from ruuvi_host.errors import ConfigError

SENSORS = "sensors"
"""The table of these tables."""
MEANING = (
    "One table for each sensor that a person wants to name, correct, watch or decrypt. "
    "`--set sensors.AA:BB:CC:DD:EE:FF.KEY=VALUE` reaches into it."
)
EXAMPLE = "AA:BB:CC:DD:EE:FF"
_KEYS = {key.name: key for key in SensorSettings.KEYS}


class SensorTables:
    """One table for each address, and what is wrong with them."""

    def __init__(self) -> None:
        self.found: dict[str, Table] = {}
        """By address, in capitals."""

    def update(self, tables: Any, problems: Problems) -> None:
        """Take over those of a document, on top of what an earlier one has said."""
        form = f'must be tables: [{SENSORS}."{EXAMPLE}"]'
        if not isinstance(tables, Mapping):
            problems.add(SENSORS, form, severity=Severity.ERROR)
            return
        earlier = dict(self.found)
        for name, values in tables.items():
            if problems.is_full(Severity.ERROR):
                return
            if not isinstance(values, Mapping):
                problems.add(f"{SENSORS}.{name}", form, severity=Severity.ERROR)
            elif (table := earlier.get(name.upper()) or self._new(name, problems)) is not None:
                for key, value in values.items():
                    take(table, _KEYS, key, value, problems)

    def set(
        self,
        name: str,
        text: str,
        problems: Problems,
        read: Callable[[HostKey, str], Any] = value_from_text,
    ) -> Table | None:
        """Change one key of a table, which is made if it is not there, and return it.

        name: as in an option, sensors.AA:BB:CC:DD:EE:FF.KEY.
        """
        address, key = divided(name)
        if not address or not key:
            form = f"must be {SENSORS}.{EXAMPLE}.KEY"
            problems.add(name, form, severity=Severity.ERROR)
            return None
        table = self.found.get(address.upper()) or self._new(address, problems)
        if table is not None:
            known = _KEYS.get(key)
            take(table, _KEYS, key, read(known, text) if known else text, problems)
        return table

    def made(self, problems: Problems) -> Iterator[SensorSettings]:
        """What the tables come down to. Errors for those that cannot be used."""
        for address in self.found:
            if (settings := self.make(address, problems)) is not None:
                yield settings

    def make(self, address: str, problems: Problems) -> SensorSettings | None:
        """What one table comes down to; None if it cannot be used; `problems` has the reason."""
        table = self.found[address]
        try:
            return SensorSettings.from_table(address, table.values)
        except ConfigError as error:
            where, source = f"{table.where}.{error.key}", table.origins[error.key]
            problems.add(where, error.problem, severity=Severity.ERROR, source=source)
            return None

    def has_secret(self) -> bool:
        return any(table.values.get("key") for table in self.found.values())

    def _new(self, name: str, problems: Problems) -> Table | None:
        where = f"{SENSORS}.{name}"
        try:
            address = normal_address(name)
        except ValueError as error:
            problems.add(where, str(error), severity=Severity.ERROR)
            return None
        if address in self.found:
            problems.add(where, "there is another table for it", severity=Severity.ERROR)
            return None
        if len(self.found) >= MAX_SENSORS:
            why = f"there may be {MAX_SENSORS} of them"
            problems.add(SENSORS, why, severity=Severity.ERROR)
            return None
        self.found[address] = table = Table(f"{SENSORS}.{address}", problems.source)
        return table


def is_of_sensor(name: str) -> bool:
    """Does a key, as an option has it, belong into one of these tables?"""
    return name.partition(".")[0] == SENSORS


def divided(name: str) -> tuple[str, str]:
    """sensors.AA:BB:CC:DD:EE:FF.KEY → (AA:BB:CC:DD:EE:FF, KEY); the address may be in quotes."""
    address, _, key = name.partition(".")[2].rpartition(".")
    return address.strip("\"'"), key


def is_secret(name: str) -> bool:
    """Is the value of this key of a table never shown?"""
    known = _KEYS.get(divided(name)[1])
    return known is not None and known.secret
