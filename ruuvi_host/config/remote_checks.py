"""What is wrong with the settings of a remote configuration."""

import binascii
from base64 import b64decode
from urllib.parse import urlsplit

from ruuvi_host.config.addresses import check_url
from ruuvi_host.config.belongs import unknown_key
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_values import HostValues
from ruuvi_host.config.problems import Problems, Severity
from ruuvi_host.config.remote import PINNED, PUBLIC_KEY
from ruuvi_host.errors import ConfigError

FAST = 5
"""Minutes. Below, a server is asked more often than a change of a configuration is worth."""

_URL, _INTERVAL = "remote_cfg_url", "remote_cfg_refresh_interval_minutes"
_KEY_BYTES = 32


def look_at_remote(gateway: GatewayConfig, host: HostValues, problems: Problems) -> None:
    """Add to `problems` what keeps a configuration from being fetched, and what may not be meant.

    A gateway's file never keeps the host from running; the host's own table has to be right.
    """
    for name in host[PINNED]:
        if name not in BY_NAME:
            why = unknown_key(name, BY_NAME)
            where = host.origins[PINNED]
            problems.add(PINNED, f"{name}: {why}", severity=Severity.ERROR, source=where)
    if host[PUBLIC_KEY] and not _is_public_key(host[PUBLIC_KEY]):
        why = f"must be an Ed25519 key: base64 of {_KEY_BYTES} bytes"
        problems.add(PUBLIC_KEY, why, severity=Severity.ERROR, source=host.origins[PUBLIC_KEY])
    if not gateway["remote_cfg_use"]:
        return
    severity = Severity.ERROR if _URL in gateway.own else Severity.FAULT
    if why := address_problem(gateway[_URL]):
        problems.add(_URL, why, severity=severity, source=gateway.origins[_URL])
    minutes = gateway[_INTERVAL]
    if 0 < minutes < FAST:
        why = f"a fetch each {minutes} min is more than a server need bear"
        where = gateway.origins[_INTERVAL]
        problems.add(_INTERVAL, why, f"{FAST} or more is usual", value=minutes, source=where)


def address_problem(url: str) -> str:
    """Why nothing can be fetched from there; empty: something can."""
    if not url:
        return "empty: there is nowhere to fetch a configuration from"
    try:
        parts = urlsplit(check_url(_URL, _lower_scheme(url)))
    except ConfigError as error:
        return error.problem
    if "@" in parts.netloc:
        return "has a user in it: set remote_cfg_auth_type, and what belongs to it"
    if "#" in url:
        return "has a # in it, and no server gets to see what follows"
    if "?" in url and not parts.path.endswith(".json"):
        return "a folder has no query: only an address whose path ends in .json may"
    return ""


def _lower_scheme(url: str) -> str:
    scheme, colon, rest = url.partition(":")
    return scheme.lower() + colon + rest


def _is_public_key(text: str) -> bool:
    try:
        return len(b64decode(text, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False
