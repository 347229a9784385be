"""What a key of ruuvi-host.toml is, and what can be its value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ruuvi_host.config.bounds import too_much_json, too_much_toml
from ruuvi_host.config.problems import Problems, Severity, meant


class HostKind(Enum):
    """What a value must be."""

    FLAG = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXT = "a text"
    PATH = "a path"
    TEXTS = "a list of texts"


@dataclass(frozen=True, slots=True)
class HostKey:
    """One key."""

    name: str
    kind: HostKind
    default: Any
    meaning: str
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    required: str = ""
    """An example of its value, of a key without which its table means nothing."""


def flag(name: str, default: bool, meaning: str) -> HostKey:
    return HostKey(name, HostKind.FLAG, default, meaning)


def whole(name: str, default: int, meaning: str, lowest: int, highest: int) -> HostKey:
    return HostKey(name, HostKind.WHOLE, default, meaning, lowest, highest)


def number(name: str, default: float, meaning: str, lowest: float, highest: float) -> HostKey:
    return HostKey(name, HostKind.NUMBER, default, meaning, lowest, highest)


def text(
    name: str, default: str, meaning: str, *, secret: bool = False, required: str = ""
) -> HostKey:
    return HostKey(name, HostKind.TEXT, default, meaning, secret=secret, required=required)


def texts(name: str, meaning: str, choices: tuple[str, ...] = ()) -> HostKey:
    """choices: what each of them may be."""
    return HostKey(name, HostKind.TEXTS, [], meaning, choices=choices)


def path(name: str, default: str, meaning: str, *, required: str = "") -> HostKey:
    return HostKey(name, HostKind.PATH, default, meaning, required=required)


def choice(name: str, choices: tuple[str, ...], meaning: str) -> HostKey:
    return HostKey(name, HostKind.TEXT, choices[0], meaning, choices=choices)


def flattened(document: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Tables → dotted names. Tables in double brackets stay as they are."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def checked(key: HostKey, value: Any, problems: Problems, name: str = "") -> Any:
    """`value` as it is kept, or None if it cannot be used; `problems` then has the reason.

    name: of the key, with its table.
    """
    why = _why_not(key, value)
    if why:
        shown = None if key.secret else value
        problems.add(name or key.name, why, severity=Severity.ERROR, value=shown)
        return None
    return float(value) if key.kind is HostKind.NUMBER else value


def value_from_text(key: HostKey, text: str) -> Any:
    """What `text` (an option's, or a variable's) stands for; itself when it is nothing of this
    kind, to be refused by `checked`. A list is given as words, or as a TOML array."""
    try:
        match key.kind:
            case HostKind.FLAG:
                return _FLAGS.get(text.strip().lower(), text)
            case HostKind.WHOLE:
                return int(text)
            case HostKind.NUMBER:
                return float(text)
            case HostKind.TEXTS:
                return array_from_text(text) if text.lstrip().startswith("[") else text.split()
    except ValueError:
        pass
    return text


def array_from_text(text: str) -> list[Any]:
    """A TOML array, or a JSON one. Raises ValueError."""
    import json
    import tomllib

    if why := too_much_toml(text) or too_much_json(text):
        raise ValueError(why)
    try:
        document = tomllib.loads(f"array = {text}")
        found = document.pop("array")
        if document:
            raise ValueError("more than an array")
    except tomllib.TOMLDecodeError:
        found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("not an array")
    return found


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
        inside = value_from_text(key, value) if isinstance(value, str) else None
        is_quoted = isinstance(inside, bool | int | float)
        return f"must be {key.kind.value}" + ", without quotes" * is_quoted
    for one in value if key.kind is HostKind.TEXTS else [value]:
        if key.choices and one not in key.choices:
            # A list shows which of its texts it is.
            which = f"{one} " if key.kind is HostKind.TEXTS else ""
            return f"{which}must be one of {', '.join(key.choices)}{meant(one, key.choices)}"
    # Written so that "nan" is outside, too.
    if key.lowest is not None and not value >= key.lowest:
        return f"must be at least {key.lowest:g}"
    if key.highest is not None and not value <= key.highest:
        return f"must be at most {key.highest:.0f}"
    return ""
