"""The keys of a gateway's gw_cfg.json: type, default, limit and meaning, in the order of the file.

Source: ruuvi.gateway_esp.c, gw_cfg_json_parse*.c and gw_cfg_json_generate*.c.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

RUUVI_CLOUD_URL = "https://network.ruuvi.com/record"
RUUVI_STATUS_URL = "https://network.ruuvi.com/status"

DATA_FORMATS = ("ruuvi", "ruuvi_raw_and_decoded", "ruuvi_decoded")
AUTH_KINDS = ("none", "basic", "bearer", "token", "api_key")


class Kind(Enum):
    """What a value must be."""

    FLAG = "true or false"
    U16 = "a whole number from 0 to 65535"
    U32 = "a whole number from 0 to 4294967295"
    SIGNED = "a whole number from -128 to 127"
    TEXT = "a text"
    TEXTS = "a list of texts"
    OBJECT = "an object"


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """One key."""

    name: str
    kind: Kind
    default: Any
    meaning: str = ""
    """For people; empty: it means nothing on a Linux host, and is kept as it is."""
    limit: int | None = None
    """Bytes."""
    refuse: bool = False
    """A longer text is refused, because cut it could never work; else it is cut."""
    choices: tuple[str, ...] = ()
    otherwise: str = ""
    """What stands for a text that is none of the choices."""
    secret: bool = False
    members: "tuple[GatewayKey, ...]" = ()
    """Of an object."""
    closed: bool | None = None
    """What stands for a value that cannot be read: the one that lets less pass, trusts fewer, and
    sends nothing. None: a gateway's rule, which is that the key keeps its value."""
    guards: bool = False
    """A value that cannot be read is a fault, not merely worth a warning."""

    @property
    def is_kept_only(self) -> bool:
        return not self.meaning


def _flag(
    name: str, default: bool, meaning: str = "", *, closed: bool | None = None, guards: bool = False
) -> GatewayKey:
    guards = guards or closed is not None
    return GatewayKey(name, Kind.FLAG, default, meaning, closed=closed, guards=guards)


def _text(name: str, default: str, meaning: str = "", limit: int | None = None) -> GatewayKey:
    return GatewayKey(name, Kind.TEXT, default, meaning, limit)


def _address(name: str, default: str, meaning: str) -> GatewayKey:
    return GatewayKey(name, Kind.TEXT, default, meaning, limit=255, refuse=True)


def _secret(name: str, limit: int, meaning: str = "") -> GatewayKey:
    guards = bool(meaning)
    return GatewayKey(name, Kind.TEXT, "", meaning, limit, refuse=True, secret=True, guards=guards)


def _local(name: str, limit: int, meaning: str) -> GatewayKey:
    """A secret that lets in here. Without it fewer are in, so nothing is at stake."""
    return GatewayKey(name, Kind.TEXT, "", meaning, limit, refuse=True, secret=True)


def _choice(
    name: str,
    choices: tuple[str, ...],
    meaning: str = "",
    otherwise: str | None = None,
    *,
    guards: bool = False,
) -> GatewayKey:
    other = choices[0] if otherwise is None else otherwise
    return GatewayKey(
        *(name, Kind.TEXT, choices[0], meaning), choices=choices, otherwise=other, guards=guards
    )


_FILES = "See --files."

GATEWAY_KEYS: tuple[GatewayKey, ...] = (
    GatewayKey(
        "wifi_sta_config",
        Kind.OBJECT,
        {"ssid": "", "password": ""},
        members=(_text("ssid", ""), _secret("password", 64)),
    ),
    GatewayKey(
        "wifi_ap_config",
        Kind.OBJECT,
        {"password": "", "channel": 1},
        members=(_secret("password", 64), GatewayKey("channel", Kind.U16, 1)),
    ),
    _flag("use_eth", True),
    _flag("eth_dhcp", True),
    _text("eth_static_ip", "", limit=16),
    _text("eth_netmask", "", limit=16),
    _text("eth_gw", "", limit=16),
    _text("eth_dns1", "", limit=16),
    _text("eth_dns2", "", limit=16),
    _flag("remote_cfg_use", False, "Fetch the configuration from `remote_cfg_url`.", closed=False),
    _address(
        "remote_cfg_url",
        "",
        "A file that ends in `.json`, or a folder with `AACCEE001122.json` (the address of the "
        "gateway) or `gw_cfg.json`.",
    ),
    _choice(
        "remote_cfg_auth_type", ("none", "no", "basic", "bearer"), "What is sent to its server."
    ),
    GatewayKey(
        *("remote_cfg_auth_basic_user", Kind.TEXT, "", "For `basic`."), limit=50, refuse=True
    ),
    _secret("remote_cfg_auth_basic_pass", 50, "For `basic`."),
    _secret("remote_cfg_auth_bearer_token", 255, "For `bearer`."),
    _flag(
        "remote_cfg_use_ssl_client_cert",
        False,
        f"Present `rcfg_cli_cert` with `rcfg_cli_key`. {_FILES}",
    ),
    _flag(
        "remote_cfg_use_ssl_server_cert",
        False,
        f"Trust only `rcfg_srv_cert`. {_FILES}",
        closed=True,
    ),
    GatewayKey(
        "remote_cfg_refresh_interval_minutes",
        Kind.U16,
        0,
        "Minutes between fetches; 0: once after the start.",
    ),
    _flag("use_http_ruuvi", True, "Post to Ruuvi Cloud.", closed=False),
    _flag("use_http", False, "Post to the server of `http_url`.", closed=False),
    _address("http_url", RUUVI_CLOUD_URL, "The address of your own server."),
    GatewayKey(
        "http_period",
        Kind.U32,
        10,
        "Seconds between two posts to it: 10 to 3600; from 1 on is taken, with a warning.",
    ),
    _choice(
        "http_data_format",
        DATA_FORMATS,
        "What it gets of each tag: the advertising data, that and the readings, or the readings. "
        "With the last RuuviBridge's listener takes nothing, and answers 200 all the same.",
    ),
    _choice("http_auth", AUTH_KINDS, "How we authenticate to it.", guards=True),
    GatewayKey("http_user", Kind.TEXT, "", "For `basic`.", limit=50, refuse=True, guards=True),
    _secret("http_pass", 50, "For `basic`."),
    _secret("http_bearer_token", 255, "For `bearer`."),
    _secret("http_api_key", 255, "For `token` and `api_key`."),
    _flag(
        "http_use_ssl_client_cert",
        False,
        f"Present the certificate `http_cli_cert` with its key `http_cli_key`. {_FILES}",
        closed=True,
    ),
    _flag(
        "http_use_ssl_server_cert",
        False,
        f"Trust `http_srv_cert` alone, in place of the public authorities. {_FILES}",
        closed=True,
    ),
    _flag(
        "http_use_extra_http_path",
        False,
        "Take the path from the file `http_path`; `http_url` must then have none.",
    ),
    _flag(
        "http_use_extra_http_query",
        False,
        "Take the query from the file `http_query`; `http_url` must then have none.",
    ),
    _flag(
        "http_use_extra_http_headers",
        False,
        "Add the header lines of the file `http_headers`.",
        closed=True,
    ),
    _flag("use_http_stat", True, "Post statistics every hour.", closed=False),
    _address("http_stat_url", RUUVI_STATUS_URL, "Where statistics go."),
    GatewayKey(
        "http_stat_user",
        Kind.TEXT,
        "",
        "Basic authentication there, unless it is empty.",
        limit=50,
        refuse=True,
        guards=True,
    ),
    _secret("http_stat_pass", 50, "Its password."),
    _flag(
        "http_stat_use_ssl_client_cert",
        False,
        "Present `stat_cli_cert` with `stat_cli_key` there.",
        closed=True,
    ),
    _flag(
        "http_stat_use_ssl_server_cert", False, "Trust `stat_srv_cert` alone there.", closed=True
    ),
    _flag("use_mqtt", False, "Publish to an MQTT broker.", closed=False),
    _flag(
        "mqtt_disable_retained_messages",
        False,
        "The state is not retained, and there is no will: for brokers that refuse that.",
    ),
    _choice(
        "mqtt_transport",
        ("TCP", "SSL", "WS", "WSS"),
        "TCP, TLS (`SSL`), WebSockets (`WS`), or WebSockets over TLS (`WSS`).",
    ),
    _choice(
        "mqtt_data_format",
        ("ruuvi_raw", "ruuvi_raw_and_decoded", "ruuvi_decoded"),
        "Advertising data in hex, decoded values, or both.",
    ),
    _text(
        "mqtt_server",
        "test.mosquitto.org",
        "Host name or IP address of the broker.",
        limit=255,
    ),
    GatewayKey("mqtt_port", Kind.U16, 1883, "Its port; 8883 is usual for SSL."),
    GatewayKey(
        "mqtt_sending_interval",
        Kind.U32,
        0,
        "Seconds between two rounds of messages, 1 to 3600; 0: each change at once.",
    ),
    _text(
        "mqtt_prefix",
        "",
        "What stands before the address of a sensor in its topic; empty: `ruuvi/ADDRESS OF THE "
        "GATEWAY/`.",
        limit=256,
    ),
    _text("mqtt_client_id", "", "Empty: the address of the gateway.", limit=50),
    _text("mqtt_user", "", "User name; empty: none is sent.", limit=128),
    _secret("mqtt_pass", 256, "Password; empty: none is sent."),
    _flag(
        "mqtt_use_ssl_client_cert",
        False,
        "Present `mqtt_cli_cert` with `mqtt_cli_key` to the broker.",
    ),
    _flag("mqtt_use_ssl_server_cert", False, "Trust `mqtt_srv_cert` alone there.", closed=True),
    _choice(
        "lan_auth_type",
        (
            *("lan_auth_default", "lan_auth_ruuvi", "lan_auth_basic", "lan_auth_digest"),
            *("lan_auth_allow", "lan_auth_deny"),
        ),
        "Who may ask the local API without a key.",
        otherwise="lan_auth_deny",
    ),
    _text("lan_auth_user", "Admin", "Who logs in to the local API.", limit=50),
    _local("lan_auth_pass", 64, "What `config password` makes of the password."),
    _local("lan_auth_api_key", 256, "Key of the local API for reading; empty: there is none."),
    _local("lan_auth_api_key_rw", 256, "The same, for reading and writing."),
    _choice("auto_update_cycle", ("regular", "beta", "manual")),
    GatewayKey("auto_update_weekdays_bitmask", Kind.U16, 127),
    GatewayKey("auto_update_interval_from", Kind.U16, 0),
    GatewayKey("auto_update_interval_to", Kind.U16, 24),
    GatewayKey("auto_update_tz_offset_hours", Kind.SIGNED, 3),
    _flag(
        "ntp_use",
        True,
        "Tell times; false: a running number in their place. RuuviBridge's listener then takes "
        "nothing, and answers 200 all the same.",
    ),
    _flag("ntp_use_dhcp", False),
    _text("ntp_server1", "time.google.com", limit=31),
    _text("ntp_server2", "time.cloudflare.com", limit=31),
    _text("ntp_server3", "pool.ntp.org", limit=31),
    _text("ntp_server4", "time.ruuvi.com", limit=31),
    GatewayKey(
        "company_id",
        Kind.U16,
        0x0499,
        "The company identifier that passes; 1177 is Ruuvi.",
        guards=True,
    ),
    _flag(
        "company_use_filtering",
        True,
        "Let only manufacturer data of `company_id` pass. The coprocessor does it.",
        closed=True,
    ),
    _flag("scan_coded_phy", False, "Scan the Coded PHY (long range)."),
    _flag("scan_1mbit_phy", True, "Scan the 1M PHY."),
    _flag("scan_2mbit_phy", True, "Follow extended advertising to the 2M PHY."),
    _flag("scan_channel_37", True, "Scan primary channel 37."),
    _flag("scan_channel_38", True, "Scan primary channel 38."),
    _flag("scan_channel_39", True, "Scan primary channel 39."),
    _flag("scan_default", True, "The six keys above have their defaults, whatever they say."),
    _flag(
        "scan_filter_allow_listed",
        False,
        "Only the addresses of `scan_filter_list` pass; false: all but these.",
        guards=True,
    ),
    GatewayKey(
        "scan_filter_list",
        Kind.TEXTS,
        [],
        "Addresses of sensors, as AA:BB:CC:DD:EE:FF, at most 100; none: no filter.",
        guards=True,
    ),
    _text("coordinates", "", "Where the gateway stands; sent as it is.", limit=63),
    _text("fw_update_url", "https://network.ruuvi.com/firmwareupdate", limit=255),
)

BY_NAME = {key.name: key for key in GATEWAY_KEYS}

NEVER_GUESSED = ("scan_filter_list", "scan_filter_allow_listed", "http_auth")
"""A file in which one of these cannot be read is not written anew: what it says would be lost."""

FACTS = frozenset({"fw_ver", "nrf52_fw_ver", "gw_mac", "storage"})
"""What a gateway says about itself at the beginning of its output; ignored when read."""

SHOWN_ONLY = {
    "lan_auth_api_key_use": "lan_auth_api_key",
    "lan_auth_api_key_rw_use": "lan_auth_api_key_rw",
}
"""In a gateway's answer, in place of a secret: is it set?"""

OLD_NAME = "scan_extended_payload"
"""Of `scan_2mbit_phy`, up to v1.15."""

SCAN_KEYS = (
    *("scan_coded_phy", "scan_1mbit_phy", "scan_2mbit_phy"),
    *("scan_channel_37", "scan_channel_38", "scan_channel_39"),
)
"""Those that `scan_default` overrules."""

CREDENTIALS = {
    "none": (),
    "basic": ("http_user", "http_pass"),
    "bearer": ("http_bearer_token",),
    "token": ("http_api_key",),
    "api_key": ("http_api_key",),
}
"""The keys that belong to each kind of `http_auth`."""

REMOTE_CREDENTIALS = {
    "none": (),
    "no": (),
    "basic": ("remote_cfg_auth_basic_user", "remote_cfg_auth_basic_pass"),
    "bearer": ("remote_cfg_auth_bearer_token",),
}

BACK_TO_DEFAULT = frozenset(("mqtt_data_format", "mqtt_prefix", "mqtt_client_id"))
"""The exceptions to "what is missing keeps its value"."""

LAN_PASSWORD_KINDS = ("lan_auth_ruuvi", "lan_auth_basic", "lan_auth_digest")
"""The kinds of `lan_auth_type` with a password that is saved."""

CUSTOM_KEYS = tuple(name for name in BY_NAME if name.startswith("http_") and "_stat_" not in name)
"""What is lost when a configuration with Ruuvi Cloud alone is written, as on a gateway."""
