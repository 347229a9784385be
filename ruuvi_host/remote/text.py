"""A fetched text as a document: read strictly, every known key checked; the first fault refuses all
of it. Pure.

A local file is read more kindly: whoever wrote it sees the warnings. From afar nobody does.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ruuvi_host.config.bounds import too_much_json
from ruuvi_host.config.gateway_keys import (
    BY_NAME,
    FACTS,
    GATEWAY_KEYS,
    OLD_NAME,
    SHOWN_ONLY,
    GatewayKey,
)
from ruuvi_host.config.gateway_values import MISSING, read_value, whole
from ruuvi_host.config.problems import Problems, Severity, meant
from ruuvi_host.config.target_parts import MAX_PERIOD
from ruuvi_host.logs import printable

MOST_ADDRESSES = 100
"""In scan_filter_list. A gateway writes more into other memory of its own."""
MOST_WARNINGS = 20
DIGITS = 16
"""Of a hash that is shown."""

_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_RANGES = {"http_period": (1, MAX_PERIOD), "mqtt_port": (1, 65535)} | {
    "mqtt_sending_interval": (0, MAX_PERIOD)
}
_SECRETS = frozenset(key.name for key in GATEWAY_KEYS if key.secret)


class Refused(Exception):  # noqa: N818 - it ends as a reason in the status
    """A text cannot be taken. The text of it says why, names the key, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says."""

    document: Mapping[str, Any] = field(repr=False)
    """Names as a gateway writes them, each once; every known key has a value that can be used."""
    warnings: tuple[str, ...] = ()


def read(text: str) -> Reading:
    """Raises Refused."""
    document, warnings = _with_known_names(parse(text))
    if document.get("remote_cfg_use") is not True:
        raise Refused(
            "remote_cfg_use: must be true in the fetched file (the JSON word), or this host would "
            "not fetch again"
        )
    for name, value in document.items():
        key = BY_NAME.get("scan_2mbit_phy" if name == OLD_NAME else name)
        if key is None:
            if name not in FACTS and name not in SHOWN_ONLY:
                warnings.append(f"{printable(name)}: unknown key{meant(name, BY_NAME)}")
        elif why := _why_not(key, value):
            raise Refused(why)
    return Reading(document, tuple(warnings[:MOST_WARNINGS]))


def parse(text: str) -> dict[str, Any]:
    """One JSON object and nothing else, no name in it twice. Raises Refused."""
    if not text:
        raise Refused("the file is empty")
    if text[0] != "{":
        first = printable(text[0])
        raise Refused(f"the first byte must be {{, and it is {first!r} ({text.encode()[0]})")
    if why := too_much_json(text):
        raise Refused(f"not JSON that can be read: it {why}")
    try:
        document = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Refused(f"not JSON: {error.msg} at {where}") from error
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON that can be read: {error}") from error
    assert isinstance(document, dict)  # by its first byte
    return document


def published_hash(text: str) -> str | None:
    """The same for the same settings, whatever the secrets in them; None: no JSON, of which nobody
    could say what is a secret."""
    try:
        document = parse(text)
    except Refused:
        return None
    return hash_of(document)


def hash_of(document: Mapping[str, Any]) -> str:
    """Of a document without its secrets, in a form that does not depend on order and spaces."""
    bare = json.dumps(_bare(document), sort_keys=True, ensure_ascii=True, default=str)
    return f"sha256:{sha256(bare.encode()).hexdigest()[:DIGITS]}"


def _bare(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in document.items() if name.lower() not in _SECRETS}
    for name, value in kept.items():
        if isinstance(value, dict):
            kept[name] = {n: v for n, v in value.items() if "password" not in n.lower()}
        elif isinstance(value, str) and name.lower().endswith("_url"):
            kept[name] = re.sub(r"//[^/@]*@|[?#].*", "", value)
    return kept


def _with_known_names(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Known names as they are written in a gateway's file, and what is to be said of others."""
    document: dict[str, Any] = {}
    warnings = []
    for written, value in given.items():
        name = written.lower() if written.lower() in {*BY_NAME, OLD_NAME, *FACTS} else written
        if name in document:
            raise Refused(f"the name {name} is there twice")
        if name != written:
            warnings.append(f"{printable(written)}: is written {name}; taken all the same")
        document[name] = value
    return document, warnings


def _why_not(key: GatewayKey, value: Any) -> str:
    """Why a value cannot be used; empty: it can."""
    problems = Problems()
    read = read_value(key, value, problems, Severity.ERROR)
    if problems.found:
        return str(problems.found[0])
    if read is MISSING:
        return f"{key.name}: cannot be used"
    if key.name in _RANGES and not _RANGES[key.name][0] <= read <= _RANGES[key.name][1]:
        lowest, highest = _RANGES[key.name]
        return f"{key.name}: {read} is not {lowest} to {highest}"
    return _CHECKS[key.name](read) if key.name in _CHECKS else ""


def _bad_addresses(addresses: list[str]) -> str:
    if len(addresses) > MOST_ADDRESSES:
        return f"scan_filter_list: has more than {MOST_ADDRESSES} addresses"
    bad = next((a for a in addresses if not _ADDRESS.fullmatch(a)), None)
    return f"scan_filter_list: {printable(bad)} is no AA:BB:CC:DD:EE:FF" if bad is not None else ""


def _bad_members(value: Mapping[str, Any], key: GatewayKey) -> str:
    for member in key.members:
        if member.name in value and (why := _why_not(member, value[member.name])):
            return f"{key.name}.{why}"
    return ""


_CHECKS: dict[str, Callable[[Any], str]] = {
    "scan_filter_list": _bad_addresses,
    **{
        key.name: lambda value, key=key: _bad_members(value, key)  # type: ignore[misc]
        for key in GATEWAY_KEYS
        if key.members
    },
}


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counted = Counter(name for name, _ in pairs)
    for name, count in counted.items():
        if count > 1:
            raise Refused(f"the name {printable(name)} is there twice")
    return {whole(name): value for name, value in pairs}


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number there")
