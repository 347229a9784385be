"""Tables of ruuvi-host.toml that may stand there several times: [[coprocessor]] and [[target]].

What a table may hold belongs to the class that is made of it. Here is what they have in common: how
they are read, changed by `coprocessor.KEY=VALUE` and `target.NAME.KEY=VALUE`, and made.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ruuvi_host.config.belongs import unknown_key
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.keys import HostKey, HostKind, checked, flattened, value_from_text
from ruuvi_host.config.problems import Problems, Severity, meant
from ruuvi_host.config.targets import TABLE_KINDS
from ruuvi_host.errors import ConfigError

MAX_TABLES = 100
"""Of one array. Each has a relay and a spool, or a port, of its own."""


class Settings(Protocol):
    """What is made of one table."""

    KEYS: ClassVar[tuple[HostKey, ...]]

    @classmethod
    def from_table(cls, values: Mapping[str, Any]) -> Any:
        """values: those keys that were given, each of its type. Raises ConfigError with the name
        of the key."""
        ...


@dataclass(frozen=True, slots=True)
class Array:
    """[[name]]."""

    name: str
    meaning: str
    kinds: Mapping[str, type[Settings]]
    """What is made of a table, by its `kind`. Tables without that key: one, named ""."""

    @property
    def has_kinds(self) -> bool:
        """Then a table also has a name, by which `--set` reaches into it; else it reaches into the
        first one."""
        return "" not in self.kinds

    def divided(self, key: str) -> tuple[str, str]:
        """`target.NAME.KEY` → (NAME, KEY), `coprocessor.KEY` → ("", KEY)."""
        rest = key.partition(".")[2]
        if not self.has_kinds:
            return "", rest
        name, _, last = rest.partition(".")
        return name, last


ARRAYS = (
    Array(
        "coprocessor",
        "One table for each coprocessor; the first one's address names the gateway.",
        {"": CoprocessorSettings},
    ),
    Array(
        "target",
        "One table for each place that batches go to besides the servers of a gateway.",
        {kind.KIND: kind for kind in TABLE_KINDS},
    ),
)


@dataclass(eq=False, slots=True)
class Table:
    """One table: only the keys that were given."""

    where: str
    """How a person finds it: target[0], or target.NAME."""
    source: str
    """Where it began."""
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)


class Tables:
    """The tables of one array, and what is wrong with them."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.found: list[Table] = []

    def replace(self, tables: Any, problems: Problems) -> None:
        """Those of a document take the place of what was there."""
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.refuse(problems)
            return
        if len(tables) > MAX_TABLES:
            why = f"there are {len(tables)} of them, and may be {MAX_TABLES}"
            problems.add(self.array.name, why, severity=Severity.ERROR)
            return
        self.found = []
        for number, given in enumerate(tables):
            table = Table(f"{self.array.name}[{number}]", problems.source)
            self.found.append(table)
            self._take_kind(table, given.get("kind"), problems)
            for name, value in flattened(given):
                self._take(table, name, value, problems)

    def refuse(self, problems: Problems) -> None:
        """It stands there as something else."""
        why = f"must be a table in double brackets: [[{self.array.name}]]"
        problems.add(self.array.name, why, severity=Severity.ERROR)

    def set(
        self,
        name: str,
        key: str,
        text: str,
        problems: Problems,
        read: Callable[[HostKey, str], Any] = value_from_text,
    ) -> Table | None:
        """Change one key of the table `name`, which is made if it is not there, and return it.

        read: what a text stands for, which depends on the kind: that must have been set before.
        """
        if not (name or not self.array.has_kinds) or not key:
            form = f"{self.array.name}.{'NAME.' if self.array.has_kinds else ''}KEY"
            problems.add(f"{self.array.name}.{name}", f"must be {form}", severity=Severity.ERROR)
            return None
        table = self.table(name)
        if table is None:
            self.found.append(table := self._new(name, problems))
        if key == "kind":
            self._take_kind(table, text, problems)
        known = {k.name: k for k in self.keys(table)}.get(key)
        self._take(table, key, read(known, text) if known else text, problems)
        return table

    def table(self, name: str) -> Table | None:
        """The one of that name, or the first one where they have none."""
        if self.array.has_kinds:
            return next((t for t in self.found if t.values.get("name") == name), None)
        return self.found[0] if self.found else None

    def keys(self, table: Table) -> tuple[HostKey, ...]:
        """What it may hold; nothing while its kind is not known."""
        kind = self.array.kinds.get(table.values.get("kind", ""))
        return kind.KEYS if kind else ()

    def made(self, problems: Problems, path: Callable[[str], Path] = Path) -> Iterator[Any]:
        """What the tables come down to. Errors for those that cannot be used.

        path: what a relative path means.
        """
        names = set()
        for table in self.found:
            name = table.values.get("name")
            if name is not None and name in names:
                why, where = f"{name} is the name of another {self.array.name}", table.where
                problems.add(f"{where}.name", why, severity=Severity.ERROR, source=table.source)
            elif (settings := self.make(table, problems, path)) is not None:
                names.add(name)
                yield settings

    def make(self, table: Table, problems: Problems, path: Callable[[str], Path] = Path) -> Any:
        """What one table comes down to; None if it cannot be used; `problems` has the reason."""
        if not self._is_complete(table, problems):
            return None
        values = dict(table.values)
        for key in self.keys(table):
            if key.kind is HostKind.PATH and values.get(key.name):
                values[key.name] = path(values[key.name])
        try:
            return self.array.kinds[values.get("kind", "")].from_table(values)
        except ConfigError as error:
            where = f"{table.where}.{error.key}"
            problems.add(where, error.problem, severity=Severity.ERROR, source=table.source)
            return None

    def _is_complete(self, table: Table, problems: Problems) -> bool:
        def missing(key: str, which: str = "") -> None:
            where, why = f"{table.where}.{key}", f"is missing{which}"
            problems.add(where, why, severity=Severity.ERROR, source=table.source)

        if self.array.has_kinds and "kind" not in table.values:
            missing("kind", f": one of {', '.join(self.array.kinds)}")
        names = [k.name for k in self.keys(table) if k.required and not table.values.get(k.name)]
        # Without a port in any file it may come from an option, or none may be needed.
        if self.array.has_kinds or "[" in table.where:
            for name in names:
                missing(name)
        return bool(self.keys(table)) and not names

    def _new(self, name: str, problems: Problems) -> Table:
        if not self.array.has_kinds:
            return Table(self.array.name, problems.source)
        source = problems.source
        return Table(f"{self.array.name}.{name}", source, {"name": name}, {"name": source})

    def _take_kind(self, table: Table, kind: Any, problems: Problems) -> None:
        """Before everything else, as it decides on what else there can be."""
        if not self.array.has_kinds or kind is None:
            return
        kinds = self.array.kinds
        if not isinstance(kind, str) or kind not in kinds:
            why = f"must be one of {', '.join(kinds)}"
            if isinstance(kind, str):
                why += meant(kind, kinds)
            problems.add(f"{table.where}.kind", why, severity=Severity.ERROR, value=kind)
        table.values["kind"], table.origins["kind"] = str(kind), problems.source

    def _take(self, table: Table, name: str, value: Any, problems: Problems) -> None:
        # Without keys its kind is not known; that is a problem of its own.
        if keys := {key.name: key for key in self.keys(table)}:
            take(table, keys, name, value, problems)


def take(
    table: Table, keys: Mapping[str, HostKey], name: str, value: Any, problems: Problems
) -> None:
    """Keep one value, or say why not. keys: those that the table may hold."""
    where = f"{table.where}.{name}"
    if name not in keys:
        if not problems.is_full(Severity.ERROR):  # looking for what is meant takes its time
            why = unknown_key(name, keys)
            problems.add(where, why, severity=Severity.ERROR)
    elif (good := checked(keys[name], value, problems, where)) is not None:
        table.values[name], table.origins[name] = good, problems.source
