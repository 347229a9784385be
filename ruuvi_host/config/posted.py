"""What a client of the local API posts, reduced to what a gateway reads of it from its network.

A name counts in any case, of equal names the first one; a value of the wrong type counts as
missing, so that its key keeps its value. Source: json_ruuvi.c, gw_cfg_json_parse*.c.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import (
    BACK_TO_DEFAULT,
    BY_NAME,
    CUSTOM_KEYS,
    FACTS,
    NEVER_GUESSED,
    OLD_NAME,
    SCAN_KEYS,
    SHOWN_ONLY,
    Kind,
)
from ruuvi_host.config.gateway_values import MISSING, read_value
from ruuvi_host.config.problems import Problems, Severity
from ruuvi_host.errors import ConfigError

_NOT_FROM_THE_NETWORK = ("wifi_", "eth_", "use_eth")
"""A gateway takes them from its own hotspot only; here they mean nothing."""
_SILENT = {*FACTS, *SHOWN_ONLY}
"""In every answer to a GET, and so in what is posted back."""
_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")

_NOT_YET_KNOWN = "00:00:00:00:00:00"
"""The address of the gateway while the coprocessor has not told it."""

_GROUPS = (
    frozenset(("use_http_ruuvi", "use_http", *CUSTOM_KEYS)),
    frozenset(("scan_default", *SCAN_KEYS)),
    *(
        frozenset(name for name in BY_NAME if name.startswith(prefixes))
        for prefixes in (
            "ntp_",
            "lan_auth_",
            "remote_cfg_",
            ("use_http_stat", "http_stat_"),
        )
    ),
)
"""What keys of a group mean, they mean together: with Ruuvi Cloud alone a GET shows use_http as
true, and scan_default follows from the others."""

SCANNING = ("company_", "scan_")
"""How the names of the keys begin that are about what is received."""


def posted(document: Mapping[str, Any], problems: Problems, mac: str = "") -> dict[str, Any]:
    """The keys of `document` that count, each with the value that is kept; `problems` has the
    others.

    mac: of the gateway. A GET shows what follows from it, where nothing is set.
    """
    known = (mac, _NOT_YET_KNOWN)
    derived = {"mqtt_prefix": [f"ruuvi/{one}/" for one in known], "mqtt_client_id": known}
    taken: dict[str, Any] = {}
    seen: set[str] = set()
    for written, value in document.items():
        name = written.lower()
        if name in seen:
            problems.add(written, "given more than once", "the first counts")
            continue
        seen.add(name)
        if name in _SILENT or name.startswith(_NOT_FROM_THE_NETWORK):
            continue
        key = BY_NAME.get("scan_2mbit_phy" if name == OLD_NAME else name)
        if key is None:
            if not problems.is_full(Severity.WARNING):
                problems.add(written, "unknown key", "ignored")
            continue
        if name != written:
            problems.add(written, f"is written {name}", "taken all the same")
        read = read_value(key, value, problems, Severity.WARNING)
        if read is MISSING:
            continue
        if key.kind is Kind.TEXTS:
            read = [text.upper() if _ADDRESS.fullmatch(text) else text for text in read]
        taken[name] = "" if read in derived.get(name, ()) else read
    return taken


def after_post(
    saved: GatewayConfig, keys: Mapping[str, Any], problems: Problems, *, source: str
) -> GatewayConfig:
    """`saved` after a POST of `keys`, as `posted` gives them; `saved` itself is changed.

    source: the file that has `saved`. Raises ConfigError: what the file says would be lost.
    """
    saved.update(
        {name: saved[name] if _same(name, value, saved) else value for name, value in keys.items()},
        problems,
    )
    for name in NEVER_GUESSED:
        if name in saved.unreadable:
            why = "what the file says of it cannot be read, and would be lost; set it, too"
            raise ConfigError(f"{source}: {name}", why)
    return saved


def _same(name: str, value: Any, saved: GatewayConfig) -> bool:
    """Is it what a GET shows of the saved value, which may be written otherwise?"""
    if name == "scan_filter_list":
        return [text.upper() for text in saved[name]] == [text.upper() for text in value]
    return name == "remote_cfg_auth_type" and (saved[name], value) == ("no", "none")


def without_fixed(
    keys: Mapping[str, Any], saved: GatewayConfig, effective: GatewayConfig
) -> dict[str, Any]:
    """Without those that are fixed elsewhere at this very value: what a GET has shown is posted
    back, and is no wish."""
    shown = effective.document()
    no_wish = {
        name
        for name in effective.own & keys.keys()
        if effective[name] == keys[name] or _same(name, keys[name], effective)
    }
    for group in _GROUPS:
        given = keys.keys() & group
        if effective.own & group and all(shown.get(name) == keys[name] for name in given):
            no_wish |= given
    # Those that missing would go back to their defaults keep what is saved.
    kept = {name: saved[name] for name in no_wish & BACK_TO_DEFAULT}
    return {name: value for name, value in keys.items() if name not in no_wish} | kept


def fixed(names: Collection[str], saved: GatewayConfig, effective: GatewayConfig) -> dict[str, str]:
    """Key → the source (file, variable, option) that keeps another value than the saved one."""
    return {
        name: effective.origins[name]
        for name in names
        if name in effective.own and effective[name] != saved[name]
    }
