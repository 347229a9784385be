"""The host's own settings with their present values, and what is wrong with new ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_keys import (
    COPROCESSOR_BY_NAME,
    HOST_BY_NAME,
    HOST_KEYS,
    HostKey,
    HostKind,
)
from ruuvi_host.config.problems import Problems, Severity, meant

COPROCESSOR, GATEWAY = "coprocessor", "gateway"
"""The tables that are not made of HOST_KEYS."""

_BRACKETS = "must be a table in double brackets: [[coprocessor]]"

_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class HostValues:
    """The keys and their values; `origins` tells where each value comes from."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {key.name: key.default for key in HOST_KEYS}
        self.origins: dict[str, str] = dict.fromkeys(HOST_BY_NAME, "default")
        self.coprocessors: list[dict[str, Any]] = []
        """One for each; only the keys that were given."""
        self.coprocessor_origin = "default"

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def update(self, document: Mapping[str, Any], problems: Problems) -> None:
        """Take over a document: tables inside, or dotted names. Errors for what cannot be used."""
        for name, value in flattened(document):
            if name == COPROCESSOR:
                self._take_coprocessors(value, problems)
            elif name.startswith(f"{COPROCESSOR}."):
                problems.add(COPROCESSOR, _BRACKETS, severity=Severity.ERROR)
            elif name in HOST_BY_NAME:
                if (taken := checked(HOST_BY_NAME[name], value, problems)) is not None:
                    self.values[name] = taken
                    self.origins[name] = problems.source
            elif not problems.is_full(Severity.ERROR):
                problems.add(name, unknown(name, HOST_BY_NAME), severity=Severity.ERROR)

    def set_coprocessor(self, name: str, value: Any, problems: Problems) -> None:
        """One key of the first coprocessor."""
        if not self.coprocessors:
            self.coprocessors.append({})
        key = COPROCESSOR_BY_NAME[name]
        if (taken := checked(key, value, problems)) is not None:
            self.coprocessors[0][name] = taken
            self.coprocessor_origin = problems.source

    def _take_coprocessors(self, tables: Any, problems: Problems) -> None:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            problems.add(COPROCESSOR, _BRACKETS, severity=Severity.ERROR)
            return
        self.coprocessors = []
        self.coprocessor_origin = problems.source
        for number, table in enumerate(tables):
            taken = {}
            for name, value in table.items():
                where = f"{COPROCESSOR}[{number}].{name}"
                key = COPROCESSOR_BY_NAME.get(name)
                if key is None:
                    problems.add(where, unknown(name, COPROCESSOR_BY_NAME), severity=Severity.ERROR)
                elif (good := checked(key, value, problems, where)) is not None:
                    taken[name] = good
            if not taken.get("port"):
                problems.add(f"{COPROCESSOR}[{number}].port", "is missing", severity=Severity.ERROR)
            self.coprocessors.append(taken)


def flattened(document: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Tables → dotted names. [[coprocessor]] stays as it is."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def checked(key: HostKey, value: Any, problems: Problems, name: str = "") -> Any:
    """`value` as it is kept, or None if it cannot be used, which `problems` then tells."""
    why = _why_not(key, value)
    if why:
        shown = None if key.secret else value
        problems.add(name or key.name, why, severity=Severity.ERROR, value=shown)
        return None
    return float(value) if key.kind is HostKind.NUMBER else value


def host_value_from_text(key: HostKey, text: str) -> Any:
    """What `text` (an option's, or a variable's) stands for; itself when it is nothing of this
    kind, to be refused by `checked`."""
    try:
        match key.kind:
            case HostKind.FLAG:
                return _FLAGS.get(text.strip().lower(), text)
            case HostKind.WHOLE:
                return int(text)
            case HostKind.NUMBER:
                return float(text)
            case HostKind.TEXTS:
                return text.split()
    except ValueError:
        pass
    return text


def unknown(name: str, known: Iterable[str]) -> str:
    """Half a sentence about a key that is not there, with the one that may have been meant."""
    if name in BY_NAME:
        return "is a gateway's key: it stands in gw_cfg.json, or in the table [gateway]"
    return "unknown key" + meant(name, known)


def _why_not(key: HostKey, value: Any) -> str:
    match key.kind:
        case HostKind.FLAG:
            good = isinstance(value, bool)
        case HostKind.WHOLE:
            good = type(value) is int
        case HostKind.NUMBER:
            good = type(value) in (int, float)
        case HostKind.TEXTS:
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        case _:
            good = isinstance(value, str) and "\0" not in value
    if not good:
        return f"must be {key.kind.value}"
    if key.choices and value not in key.choices:
        return f"must be one of {', '.join(key.choices)}{meant(value, key.choices)}"
    # Written so that "nan" is outside, too.
    if key.lowest is not None and not value >= key.lowest:
        return f"must be at least {key.lowest:g}"
    if key.highest is not None and not value <= key.highest:
        return f"must be at most {key.highest:.0f}"
    return ""
