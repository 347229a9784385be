"""Reads a Ruuvi Gateway's gw_cfg.json.

As on the gateway, a missing key keeps its default, and a value of the wrong type counts as
missing. Where the gateway is silent we warn, naming the key; secrets are never repeated. Only a
wish that would change where data goes or who may read it, and that this version cannot fulfil,
is an error.
"""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from firmware_protocol.messages import SetAll
from ruuvi_host.config.model import (
    CUSTOM,
    DEFAULT_PERIOD,
    MAX_PERIOD,
    RUUVI,
    RUUVI_CLOUD_URL,
    Authorization,
    Config,
    DataFormat,
    Target,
    basic_authorization,
    check_url,
    split_user,
)
from ruuvi_host.errors import ConfigError
from ruuvi_host.logs import printable

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_FILTER_ADDRESSES = 100
MAX_COORDINATES = 63
SHORTEST_POLITE_PERIOD = 10
MAX_FILE = 1 << 20
"""Octets. A gateway's file has some thousand."""

_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")

_KINDS = ("none", "basic", "bearer", "token", "api_key")

_NOT_YET = {
    "http_use_ssl_client_cert": "client certificates",
    "http_use_ssl_server_cert": "a server certificate of one's own",
    "http_use_extra_http_path": "an extra path",
    "http_use_extra_http_query": "an extra query",
    "http_use_extra_http_headers": "extra headers",
}

_NOT_YET_BESIDE = {
    "use_mqtt": "MQTT is not served",
    "remote_cfg_use": "the remote configuration is not fetched",
}

_IGNORED = frozenset(
    """
    wifi_sta_config wifi_ap_config use_eth eth_dhcp eth_static_ip eth_netmask eth_gw eth_dns1
    eth_dns2 auto_update_cycle auto_update_weekdays_bitmask auto_update_interval_from
    auto_update_interval_to auto_update_tz_offset_hours fw_update_url fw_ver nrf52_fw_ver gw_mac
    storage ntp_use_dhcp ntp_server1 ntp_server2 ntp_server3 ntp_server4 remote_cfg_use
    remote_cfg_url remote_cfg_auth_type remote_cfg_auth_basic_user remote_cfg_auth_basic_pass
    remote_cfg_auth_bearer_token remote_cfg_use_ssl_client_cert remote_cfg_use_ssl_server_cert
    remote_cfg_refresh_interval_minutes use_http_stat http_stat_url http_stat_user http_stat_pass
    http_stat_use_ssl_client_cert http_stat_use_ssl_server_cert use_mqtt
    mqtt_disable_retained_messages mqtt_transport mqtt_data_format mqtt_server mqtt_port
    mqtt_sending_interval mqtt_prefix mqtt_client_id mqtt_user mqtt_pass mqtt_use_ssl_client_cert
    mqtt_use_ssl_server_cert lan_auth_type lan_auth_user lan_auth_pass lan_auth_api_key
    lan_auth_api_key_rw lan_auth_api_key_use lan_auth_api_key_rw_use
    """.split()
)
"""Keys of a gateway that mean nothing here, or nothing yet: accepted without a word."""

_CREDENTIALS = frozenset("http_user http_pass http_bearer_token http_api_key".split())
"""Read only when they are used, as on the gateway."""


def load(path: Path) -> Config:
    """The configuration in the file at `path`. Raises ConfigError when it cannot be used."""
    name = str(path)
    try:
        with open(path, "rb") as file:
            octets = file.read(MAX_FILE + 1)
        text = octets.decode("utf-8-sig")  # editors of another system begin a file with a mark
    except OSError as error:
        raise ConfigError(name, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(name, f"not UTF-8 text (at octet {error.start})") from error
    if len(octets) > MAX_FILE:
        raise ConfigError(name, f"longer than {MAX_FILE} octets: not a gateway's configuration")
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(name, f"not JSON: {error.msg} at {where}") from error
    except ValueError as error:
        raise ConfigError(name, "holds a number of thousands of digits") from error
    except RecursionError as error:
        raise ConfigError(name, "not JSON that can be read: nested too deeply") from error
    if not isinstance(document, dict):
        raise ConfigError(name, "must hold one JSON object")
    return _config(_Keys(document))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as the gateway reads it: of a key that is there twice, the first counts."""
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            log.warning("%s: given more than once; the first counts", printable(key))
        else:
            members[key] = value
    return members


class _Keys:
    """Typed access to the keys of a document, with a warning for what cannot be used."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._unread = set(document) - _IGNORED - _CREDENTIALS

    def __contains__(self, key: str) -> bool:
        return key in self._document

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key)
        if isinstance(value, bool):
            return value
        return self._wrong(key, "true or false", default)

    def text(self, key: str, default: str = "", limit: int | None = None) -> str:
        """limit: octets; a longer text is refused, because a cut secret or address never works."""
        value = self._take(key)
        if not isinstance(value, str):
            return self._wrong(key, "a text", default)
        octets = value.encode("utf-8", "replace")  # JSON can hold halves of characters
        if limit is not None and len(octets) > limit:
            raise ConfigError(key, f"longer than {limit} octets")
        return octets.decode()

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """One of `choices`; the first stands for everything else."""
        value = self.text(key, choices[0])
        if value in choices:
            return value
        log.warning("%s: must be one of %s; taking %s", key, ", ".join(choices), choices[0])
        return choices[0]

    def number(self, key: str, default: int, top: int, *, decimal_text: bool = False) -> int:
        """A number, or a text "0x…" (or of decimal digits, where the gateway takes them)."""
        value = self._take(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        elif isinstance(value, str) and re.fullmatch("0[xX][0-9A-Fa-f]{1,8}", value):
            value = int(value, 16)
        elif isinstance(value, str) and decimal_text and re.fullmatch("[0-9]{1,10}", value):
            value = int(value)
        if type(value) is int and 0 <= value <= top:  # a bool is no number
            return value
        return self._wrong(key, f"a whole number from 0 to {top}", default)

    def texts(self, key: str) -> list[str]:
        value = self._take(key)
        if isinstance(value, list):
            return [item if isinstance(item, str) else json.dumps(item) for item in value]
        return self._wrong(key, "a list of texts", [])

    def warn_about_unread(self) -> None:
        for key in sorted(self._unread):
            log.warning("%s: unknown key, ignored", printable(key))

    def _take(self, key: str) -> Any:
        self._unread.discard(key)
        return self._document.get(key)

    def _wrong(self, key: str, wanted: str, default: T) -> T:
        if key in self._document:
            log.warning("%s: must be %s; ignored", key, wanted)
        return default


def _config(keys: _Keys) -> Config:
    coordinates = keys.text("coordinates")
    addresses, allow = _filter(keys)
    targets = _targets(keys)
    scan = _scan(keys)
    use_timestamps = keys.flag("ntp_use", True)
    for key, missing in _NOT_YET_BESIDE.items():
        if keys.flag(key, False):
            log.warning("%s: %s by this version yet", key, missing)
    if keys.flag("use_http_stat", False):  # on in every gateway's file, so not worth a warning
        log.info("use_http_stat: statistics are not sent by this version yet")
    keys.warn_about_unread()
    return Config(
        scan=scan,
        filter_addresses=addresses,
        filter_allow=allow,
        use_timestamps=use_timestamps,
        coordinates=_cut("coordinates", coordinates, MAX_COORDINATES),
        targets=targets,
    )


def _cut(key: str, text: str, limit: int) -> str:
    """At most `limit` octets of UTF-8, cut at the edge of a character."""
    octets = text.encode("utf-8", "replace")
    if len(octets) > limit:
        log.warning("%s: cut at %d octets", key, limit)
    return octets[:limit].decode("utf-8", "ignore")


def _scan(keys: _Keys) -> SetAll:
    gateway = SetAll()
    # Up to v1.15 the 2M key had another name.
    two_m = keys.flag("scan_extended_payload", gateway.use_2m_phy)
    scan = SetAll(
        fltr_id=keys.number("company_id", gateway.fltr_id, 0xFFFF),
        fltr_tags=keys.flag("company_use_filtering", gateway.fltr_tags),
        use_coded_phy=keys.flag("scan_coded_phy", gateway.use_coded_phy),
        use_1m_phy=keys.flag("scan_1mbit_phy", gateway.use_1m_phy),
        use_2m_phy=keys.flag("scan_2mbit_phy", two_m),
        ch_37=keys.flag("scan_channel_37", gateway.ch_37),
        ch_38=keys.flag("scan_channel_38", gateway.ch_38),
        ch_39=keys.flag("scan_channel_39", gateway.ch_39),
    )
    # Without scan_default the given keys count: that is what the writer of the file meant.
    if keys.flag("scan_default", False):
        scan = SetAll(fltr_id=scan.fltr_id, fltr_tags=scan.fltr_tags)
    if not (scan.use_1m_phy or scan.use_2m_phy or scan.use_coded_phy):
        log.warning("scan_1mbit_phy: no PHY is enabled; nothing will be heard")
    if not (scan.ch_37 or scan.ch_38 or scan.ch_39):
        log.warning("scan_channel_37: no channel is enabled; nothing will be heard")
    return scan


def _filter(keys: _Keys) -> tuple[frozenset[bytes], bool]:
    addresses = set()
    listed = keys.texts("scan_filter_list")
    if len(listed) > MAX_FILTER_ADDRESSES:
        log.warning("scan_filter_list: only the first %d count", MAX_FILTER_ADDRESSES)
    for text in listed[:MAX_FILTER_ADDRESSES]:
        if _ADDRESS.fullmatch(text):
            addresses.add(bytes.fromhex(text.replace(":", "")))
        else:
            log.warning("scan_filter_list: %s is no AA:BB:CC:DD:EE:FF; skipped", printable(text))
    if listed and not addresses:
        log.warning("scan_filter_list: no address can be used, so nothing is filtered")
    return frozenset(addresses), keys.flag("scan_filter_allow_listed", False)


def _targets(keys: _Keys) -> tuple[Target, ...]:
    use_ruuvi = keys.flag("use_http_ruuvi", True)
    use_custom = keys.flag("use_http", False)
    # What is not used is read too, to warn about it, but is no reason to refuse the file.
    url = keys.text("http_url", RUUVI_CLOUD_URL, 255 if use_custom else None)
    kind = keys.choice("http_auth", _KINDS)
    data_format = DataFormat(keys.choice("http_data_format", [f.value for f in DataFormat]))
    period = _period(keys)
    wanted_but_missing = [key for key in _NOT_YET if keys.flag(key, False)]
    if use_custom and (url, data_format, kind) == (RUUVI_CLOUD_URL, DataFormat.RAW, "none"):
        # How firmware that knew only one target wrote "Ruuvi's cloud".
        use_ruuvi, use_custom = True, False
    targets = []
    if use_ruuvi:
        targets.append(Target(RUUVI, RUUVI_CLOUD_URL))
    if use_custom:
        for key in wanted_but_missing:
            raise ConfigError(key, f"this version does not support {_NOT_YET[key]} yet")
        bare_url, from_url = split_user(check_url("http_url", url))
        authorization = _authorization(keys, kind, from_url)
        targets.append(Target(CUSTOM, bare_url, period, authorization, data_format))
    return tuple(targets)


def _period(keys: _Keys) -> int:
    period = keys.number("http_period", DEFAULT_PERIOD, 0xFFFFFFFF, decimal_text=True)
    if period == 0:
        log.warning("http_period: 0 is no period; taking %d s", DEFAULT_PERIOD)
        return DEFAULT_PERIOD
    if period > MAX_PERIOD:
        log.warning("http_period: more than %d s; taking that", MAX_PERIOD)
        return MAX_PERIOD
    warn_if_short("http_period", period)
    return period


def warn_if_short(key: str, period: int) -> None:
    """A period that the gateway's own page would not offer is taken, with a word about it."""
    if period < SHORTEST_POLITE_PERIOD:
        log.warning("%s: %d s is shorter than the 10 s a gateway offers; taken", key, period)


def _authorization(keys: _Keys, kind: str, from_url: Authorization | None) -> Authorization | None:
    """The Authorization of the custom target.

    from_url: user and password in its address; they count for "basic" alone.
    """
    if kind == "none":
        return None
    if kind == "basic":
        user, password = keys.text("http_user", "", 50), keys.text("http_pass", "", 50)
        if from_url or user:
            return from_url or basic_authorization(user, password)
        log.warning("http_user: empty, so no Authorization is sent")
        return None
    key = "http_bearer_token" if kind == "bearer" else "http_api_key"
    secret = keys.text(key, "", 255)
    if not secret:
        log.warning("%s: empty, so no Authorization is sent", key)
        return None
    if not (secret.isascii() and secret.isprintable()) or secret != secret.strip():
        problem = "must be printable ASCII without spaces at its ends: it goes into a header"
        raise ConfigError(key, problem)
    scheme = {"bearer": "Bearer ", "token": "Token ", "api_key": ""}[kind]
    return Authorization(scheme + secret)
