"""One value of a gateway's configuration: from JSON, or from text, to what is kept."""

import json
import re
from typing import Any

from ruuvi_host.config.bounds import too_much_json
from ruuvi_host.config.gateway_keys import GatewayKey, Kind
from ruuvi_host.config.keys import array_from_text
from ruuvi_host.config.problems import Problems, Severity

MISSING = object()
"""In place of a value that cannot be used: as on the gateway, it counts as not given."""

_TOPS = {Kind.U16: 0xFFFF, Kind.U32: 0xFFFFFFFF}
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_value(key: GatewayKey, value: Any, problems: Problems, severity: Severity) -> Any:
    """What is kept of a JSON value; MISSING if it cannot be used; `problems` then has the reason.

    severity: of a value that cannot be used.
    """
    match key.kind:
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.TEXT if isinstance(value, str):
            return _text(key, value, problems, severity)
        case Kind.TEXTS if isinstance(value, list):
            return [
                whole(item) if isinstance(item, str) else json.dumps(item, default=str)
                for item in value
            ]
        case Kind.OBJECT if isinstance(value, dict):
            return value
        case Kind.U16 | Kind.U32:
            number = _number(key.kind, value)
            if number is not None:
                return number
        case Kind.SIGNED if type(value) in (int, float) and value in range(-128, 128):
            return int(value)
    # An address may hold a password, and so may a value in place of an object.
    shown = None if key.secret or key.refuse or key.kind is Kind.OBJECT else value
    instead = ""
    if severity is Severity.WARNING:
        severity = Severity.FAULT if key.guards else severity
        instead = "ignored" if key.closed is None else f"taking {json.dumps(key.closed)}"
    why = f"must be {key.kind.value}"
    if isinstance(value, str) and isinstance(from_text(key, value), bool | int):
        why += ", without quotes"
    problems.add(key.name, why, instead, severity=severity, value=shown)
    return MISSING


def from_text(key: GatewayKey, text: str) -> Any:
    """The JSON value that `text` (an option's, or a variable's) stands for.

    Text that stands for nothing of this kind is given back, to be refused by `read_value`.
    """
    if key.kind is Kind.TEXT:
        return text
    if key.kind is Kind.FLAG:
        return _FLAGS.get(text.strip().lower(), text)
    try:
        if key.kind is Kind.TEXTS:
            is_array = text.lstrip().startswith("[")
            return array_from_text(text) if is_array else re.findall(r"[^\s,]+", text)
        return text if too_much_json(text) else json.loads(text)
    except ValueError:
        return text


def _text(key: GatewayKey, value: str, problems: Problems, severity: Severity) -> Any:
    value = whole(value)
    data = value.encode()
    if key.limit is not None and len(data) > key.limit:
        if key.refuse:
            worst = Severity.FAULT if severity is Severity.WARNING else severity
            problems.add(key.name, f"longer than {key.limit} bytes", "ignored", severity=worst)
            return MISSING
        value = data[: key.limit].decode("utf-8", "ignore")
        problems.add(key.name, f"longer than {key.limit} bytes", "cut there")
    if key.choices and value not in key.choices:
        why = f"must be one of {', '.join(key.choices)}"
        if severity is not Severity.WARNING:
            problems.add(key.name, why, severity=severity, value=value)
            return MISSING
        level = Severity.FAULT if key.guards else Severity.WARNING
        problems.add(key.name, why, f"taking {key.otherwise}", severity=level, value=value)
        return key.otherwise
    return value


def whole(text: str) -> str:
    """JSON can hold halves of characters; nothing else can."""
    return text.encode("utf-8", "replace").decode()


def _number(kind: Kind, value: Any) -> int | None:
    """A number, or a text "0x…" (or of decimal digits, where the gateway takes them)."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, str) and re.fullmatch("0[xX][0-9A-Fa-f]{1,8}", value):
        value = int(value, 16)
    elif isinstance(value, str) and kind is Kind.U32 and re.fullmatch("[0-9]{1,10}", value):
        value = int(value)
    if type(value) is int and 0 <= value <= _TOPS[kind]:  # a bool is no number
        return value
    return None
