"""A gateway's configuration over time: parts of it taken, all of it written back."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from published import FOLDER, published

from ruuvi_host.config.files import gateway_text
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME, CUSTOM_KEYS, GATEWAY_KEYS, RUUVI_CLOUD_URL
from ruuvi_host.config.load import load
from ruuvi_host.config.problems import Problems
from ruuvi_host.config.sources import Inputs

CUSTOM_SERVER = {"use_http": True, "http_url": "http://server/", "use_http_ruuvi": False}


def gateway_of(*documents: dict[str, Any]) -> GatewayConfig:
    """After these documents, one after the other."""
    gateway = GatewayConfig()
    for document in documents:
        gateway.update(document, Problems())
    return gateway


def changed(before: GatewayConfig, after: GatewayConfig) -> set[str]:
    return {name for name in BY_NAME if before[name] != after[name]}


# -- a part changes only what it names -----------------------------------------------------------

REAL = """{
	"wifi_sta_config": {
		"ssid": "home",
		"password": "wifi-secret"
	},
	"wifi_ap_config": {
		"password": "ap-secret",
		"channel": 5
	},
	"use_eth": false,
	"eth_dhcp": false,
	"eth_static_ip": "192.168.1.10",
	"eth_netmask": "255.255.255.0",
	"eth_gw": "192.168.1.1",
	"eth_dns1": "8.8.8.8",
	"eth_dns2": "",
	"remote_cfg_use": false,
	"remote_cfg_url": "https://config.example.com/",
	"remote_cfg_auth_type": "basic",
	"remote_cfg_auth_basic_user": "fleet",
	"remote_cfg_auth_basic_pass": "fleet-secret",
	"remote_cfg_use_ssl_client_cert": false,
	"remote_cfg_use_ssl_server_cert": true,
	"remote_cfg_refresh_interval_minutes": 60,
	"use_http_ruuvi": true,
	"use_http": true,
	"http_url": "https://gateway.example.com/record",
	"http_period": 30,
	"http_data_format": "ruuvi_raw_and_decoded",
	"http_auth": "basic",
	"http_user": "user1",
	"http_pass": "http-secret",
	"http_use_ssl_client_cert": false,
	"http_use_ssl_server_cert": false,
	"http_use_extra_http_path": false,
	"http_use_extra_http_query": false,
	"http_use_extra_http_headers": false,
	"use_http_stat": true,
	"http_stat_url": "https://status.example.com/status",
	"http_stat_user": "stat",
	"http_stat_pass": "stat-secret",
	"http_stat_use_ssl_client_cert": true,
	"http_stat_use_ssl_server_cert": false,
	"use_mqtt": true,
	"mqtt_disable_retained_messages": false,
	"mqtt_transport": "SSL",
	"mqtt_data_format": "ruuvi_decoded",
	"mqtt_server": "mqtt.example.com",
	"mqtt_port": 8883,
	"mqtt_sending_interval": 10,
	"mqtt_prefix": "ruuvi/C8:25:2D:8E:9C:2C/",
	"mqtt_client_id": "C8:25:2D:8E:9C:2C",
	"mqtt_user": "m",
	"mqtt_pass": "mqtt-secret",
	"mqtt_use_ssl_client_cert": false,
	"mqtt_use_ssl_server_cert": true,
	"lan_auth_type": "lan_auth_ruuvi",
	"lan_auth_user": "Admin",
	"lan_auth_pass": "3fb1c09a8a2a1d2c",
	"lan_auth_api_key": "read-secret",
	"lan_auth_api_key_rw": "write-secret",
	"auto_update_cycle": "manual",
	"auto_update_weekdays_bitmask": 63,
	"auto_update_interval_from": 1,
	"auto_update_interval_to": 23,
	"auto_update_tz_offset_hours": -5,
	"ntp_use": true,
	"ntp_use_dhcp": false,
	"ntp_server1": "time.example.com",
	"ntp_server2": "",
	"ntp_server3": "",
	"ntp_server4": "",
	"company_id": 1177,
	"company_use_filtering": false,
	"scan_coded_phy": true,
	"scan_1mbit_phy": true,
	"scan_2mbit_phy": true,
	"scan_channel_37": true,
	"scan_channel_38": false,
	"scan_channel_39": true,
	"scan_default": false,
	"scan_filter_allow_listed": true,
	"scan_filter_list": [
		"AA:BB:CC:DD:EE:FF"
	],
	"coordinates": "60.17°N 24.94°E",
	"fw_update_url": "https://network.ruuvi.com/firmwareupdate"
}
"""
"""What a gateway saves, to the byte: its members in their order, and all secrets that it has."""


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_missing_key_keeps_its_value(name: str) -> None:
    real = json.loads(REAL)
    before = gateway_of(real)
    # Three of MQTT go back to their defaults when they are missing, and so are always given here.
    mqtt = {key: real[key] for key in ("mqtt_data_format", "mqtt_prefix", "mqtt_client_id")}
    after = gateway_of(real, mqtt | ({name: real[name]} if name in real else {}))
    assert changed(before, after) == set()
    if BY_NAME[name].closed is not None:
        return  # such a one takes its closed position
    with_wrong_type = gateway_of(real, mqtt | {name: None})
    assert changed(before, with_wrong_type) <= {"mqtt_data_format", "mqtt_prefix", "mqtt_client_id"}


def test_the_exceptions_go_back_to_their_defaults() -> None:
    before = gateway_of(json.loads(REAL))
    after = gateway_of(json.loads(REAL), {"coordinates": "60,25"})
    gone = {"mqtt_data_format", "mqtt_prefix", "mqtt_client_id"}
    assert changed(before, after) == {"coordinates"} | gone
    assert {after[name] for name in gone} == {"ruuvi_raw", ""}
    # Our user's own words change only what they name.
    gateway = gateway_of(json.loads(REAL))
    gateway.update({"coordinates": "60,25"}, Problems(), own=True)
    assert changed(before, gateway) == {"coordinates"}


# -- secrets --------------------------------------------------------------------------------------

SECRETS = {"http_user": "u", "http_pass": "p", "http_bearer_token": "t", "http_api_key": "k"}
OF_KIND = {
    "none": set(),
    "basic": {"http_user", "http_pass"},
    "bearer": {"http_bearer_token"},
    "token": {"http_api_key"},
    "api_key": {"http_api_key"},
}


@pytest.mark.parametrize("kind", OF_KIND)
def test_only_secrets_of_the_kind_are_read_and_only_with_the_target_on(kind: str) -> None:
    gateway = gateway_of(CUSTOM_SERVER | SECRETS | {"http_auth": kind})
    assert {name for name in SECRETS if gateway[name]} == OF_KIND[kind]
    off = gateway_of(CUSTOM_SERVER | SECRETS | {"http_auth": kind, "use_http": False})
    assert not any(off[name] for name in SECRETS)
    assert off["http_url"] == "http://server/", "all else is"


@pytest.mark.parametrize("kind", ["basic", "bearer", "token", "api_key"])
def test_a_missing_secret_keeps_the_saved_one_unless_the_kind_changes(kind: str) -> None:
    saved = CUSTOM_SERVER | SECRETS | {"http_auth": kind}
    kept = gateway_of(saved, {"http_auth": kind}, {"use_http": False}, {"use_http": True})
    assert {name for name in SECRETS if kept[name]} == OF_KIND[kind]
    for other in set(OF_KIND) - {kind}:
        gateway = gateway_of(saved, {"http_auth": other})
        assert not any(gateway[name] for name in SECRETS)
        gateway = gateway_of(saved, {"http_auth": other, **SECRETS})
        assert {name for name in SECRETS if gateway[name]} == OF_KIND[other]


def test_secrets_of_the_remote_configuration() -> None:
    saved = {
        "remote_cfg_auth_type": "basic",
        "remote_cfg_auth_basic_user": "u",
        "remote_cfg_auth_basic_pass": "p",
    }
    assert gateway_of(saved, {"remote_cfg_use": True})["remote_cfg_auth_basic_pass"] == "p"
    changed_kind = gateway_of(saved, {"remote_cfg_auth_type": "bearer"})
    assert changed_kind["remote_cfg_auth_basic_pass"] == ""
    assert changed_kind["remote_cfg_auth_basic_user"] == ""


@pytest.mark.parametrize("key", ["http_stat_pass", "mqtt_pass"])
def test_other_passwords_stay_when_they_are_missing(key: str) -> None:
    assert gateway_of({key: "secret"}, {"http_stat_user": "u", "mqtt_user": "u"})[key] == "secret"


@pytest.mark.parametrize("key", [k.name for k in GATEWAY_KEYS if k.secret or k.refuse])
def test_what_could_not_work_when_cut_is_refused(key: str) -> None:
    limit = BY_NAME[key].limit
    assert limit
    conditions = CUSTOM_SERVER | {"lan_auth_type": "lan_auth_basic"}
    kinds = {"http_bearer_token": "bearer", "http_api_key": "token"}
    conditions["http_auth"] = kinds.get(key, "basic")
    fits, too_long = "h" * limit, "h" * (limit - 1) + "ä"
    gateway, problems = GatewayConfig(), Problems()
    gateway.update(conditions | {key: fits}, problems)
    assert gateway[key] == fits
    gateway.update(conditions | {key: too_long}, problems)
    assert gateway[key] == fits
    assert [(p.key, p.value) for p in problems.found] == [(key, "")]


# -- the rules of single keys ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lan_auth_allow", "lan_auth_deny"])
def test_without_authentication_there_is_no_user(kind: str) -> None:
    user = {"lan_auth_user": "u", "lan_auth_pass": "p"}
    gateway = gateway_of({"lan_auth_type": "lan_auth_basic"} | user, {"lan_auth_type": kind} | user)
    assert (gateway["lan_auth_user"], gateway["lan_auth_pass"]) == ("", "")


def test_access_from_the_local_network() -> None:
    basic = {"lan_auth_type": "lan_auth_basic", "lan_auth_user": "u", "lan_auth_pass": "p"}
    gateway = gateway_of(basic, {"lan_auth_user": "x", "lan_auth_pass": "y"})
    assert (gateway["lan_auth_user"], gateway["lan_auth_pass"]) == ("u", "p"), "type is missing"
    gateway = gateway_of(basic, {"lan_auth_type": 5, "lan_auth_user": "x"})
    assert gateway["lan_auth_user"] == "u", "the type is as good as missing"
    gateway = gateway_of(basic, {"lan_auth_type": "lan_auth_default"})
    assert (gateway["lan_auth_user"], gateway["lan_auth_pass"]) == ("Admin", "")
    assert gateway_of({"lan_auth_type": "lan_auth_bearer"})["lan_auth_type"] == "lan_auth_deny"
    default = {"lan_auth_type": "lan_auth_default", "lan_auth_pass": "hash"}
    as_before = {"lan_auth_type": "lan_auth_ruuvi", "lan_auth_user": "Admin"}
    assert gateway_of(default, as_before)["lan_auth_type"] == "lan_auth_default"
    own = as_before | {"lan_auth_pass": "other"}
    assert gateway_of(default, own)["lan_auth_type"] == "lan_auth_ruuvi"


@pytest.mark.parametrize(
    ("document", "dhcp", "server"),
    [
        ({"ntp_use_dhcp": True}, True, "time.google.com"),
        ({"ntp_server1": "x"}, False, "x"),
        ({"ntp_use_dhcp": True, "ntp_server1": "x"}, True, "time.google.com"),
        ({"ntp_use": False, "ntp_use_dhcp": True, "ntp_server1": "x"}, False, "time.google.com"),
        ({"ntp_server1": "x" * 40}, False, "x" * 31),
    ],
)
def test_ntp(document: dict[str, Any], dhcp: bool, server: str) -> None:
    gateway = gateway_of(document)
    assert (gateway["ntp_use_dhcp"], gateway["ntp_server1"]) == (dhcp, server)


def test_ntp_switched_off_later() -> None:
    gateway = gateway_of({"ntp_use_dhcp": True}, {"ntp_use": False})
    assert not gateway["ntp_use_dhcp"]


@pytest.mark.parametrize(
    ("key", "switch"),
    [
        ("http_stat_use_ssl_client_cert", "use_http_stat"),
        ("http_stat_use_ssl_server_cert", "use_http_stat"),
        ("mqtt_use_ssl_client_cert", "use_mqtt"),
        ("mqtt_use_ssl_server_cert", "use_mqtt"),
    ],
)
def test_certificates_of_what_is_off_are_not_read(key: str, switch: str) -> None:
    assert gateway_of({switch: True, key: True})[key]
    assert not gateway_of({switch: False, key: True})[key]
    assert gateway_of({switch: True, key: True}, {switch: False, key: False})[key]
    assert gateway_of({"http_use_ssl_client_cert": True})["http_use_ssl_client_cert"], "always read"


def test_wifi_objects_are_taken_member_by_member() -> None:
    before = {"wifi_sta_config": {"ssid": "a", "password": "p"}, "wifi_ap_config": {"channel": 5}}
    gateway = gateway_of(before, {"wifi_sta_config": {"ssid": "b", "newer": [1]}})
    assert gateway["wifi_sta_config"] == {"ssid": "b", "password": "p", "newer": [1]}
    assert gateway["wifi_ap_config"] == {"password": "", "channel": 5}
    gateway = gateway_of(before, {"wifi_sta_config": {"ssid": 5, "password": None}})
    assert gateway["wifi_sta_config"] == {"ssid": "a", "password": "p"}
    for wrong in ("SECRET", ["SECRET"], 5):
        problems = Problems()
        gateway.update({"wifi_sta_config": wrong}, problems)
        assert [str(p) for p in problems.found] == ["wifi_sta_config: must be an object; ignored"]


def test_numbers() -> None:
    gateway = gateway_of(
        {
            "mqtt_port": "0x22B3",
            "mqtt_sending_interval": "3600",
            "http_period": "0xE10",
            "auto_update_tz_offset_hours": -11.0,
            "remote_cfg_refresh_interval_minutes": "60",
        }
    )
    assert gateway["mqtt_port"] == 8883
    assert gateway["mqtt_sending_interval"] == 3600
    assert gateway["http_period"] == 3600
    assert gateway["auto_update_tz_offset_hours"] == -11
    assert gateway["remote_cfg_refresh_interval_minutes"] == 0, "decimal digits are no u16"


def test_a_custom_address_is_never_replaced_by_that_of_somebody_else() -> None:
    assert gateway_of({"use_http": True, "http_url": 5})["http_url"] == ""
    assert gateway_of(CUSTOM_SERVER, {"http_url": 5})["http_url"] == "http://server/"
    assert gateway_of({"http_stat_url": 5})["http_stat_url"] == ""
    kept = gateway_of({"http_stat_url": "http://s/"}, {"http_stat_url": "x" * 256})
    assert kept["http_stat_url"] == "http://s/"


# -- Ruuvi's cloud and the default address --------------------------------------------------------


def test_the_default_file_is_the_cloud_alone() -> None:
    document = GatewayConfig().document()
    assert document["use_http"]
    assert document["use_http_ruuvi"]
    assert document["http_url"] == RUUVI_CLOUD_URL
    gateway = gateway_of(document)
    assert gateway["use_http_ruuvi"]
    assert not gateway["use_http"]


def test_the_rule_counts_after_all_keys_have_been_read() -> None:
    gateway = gateway_of(CUSTOM_SERVER | {"http_auth": "bearer"}, {"http_url": RUUVI_CLOUD_URL})
    assert gateway["use_http"], "with authentication it is no cloud"
    gateway.update({"http_auth": "none"}, Problems())
    assert not gateway["use_http"]
    assert gateway["use_http_ruuvi"]


def test_custom_settings_are_lost_when_only_the_cloud_is_written() -> None:
    gateway = gateway_of({"http_url": "http://server/", "http_period": 60, "http_auth": "basic"})
    assert gateway["http_period"] == 60, "they survive in memory"
    document = gateway.document()
    assert {name: document.get(name, "") for name in CUSTOM_KEYS} == {
        name: BY_NAME[name].default for name in CUSTOM_KEYS
    }
    off = gateway_of({"use_http_ruuvi": False, "http_url": "http://server/"}).document()
    assert not off["use_http"]
    assert off["http_url"] == "http://server/", "with both off nothing is lost"


# -- to a file and back ---------------------------------------------------------------------------


def test_a_real_gateways_file_comes_back_unchanged() -> None:
    gateway, problems = GatewayConfig(), Problems()
    gateway.update(json.loads(REAL), problems)
    assert problems.found == []
    assert gateway_text(gateway.document()) == REAL


@pytest.mark.parametrize(
    ("kind", "secret", "behind"),
    [
        ("bearer", {"http_bearer_token": "t"}, ["http_bearer_token"]),
        ("token", {"http_api_key": "k"}, ["http_api_key"]),
        ("api_key", {"http_api_key": "k"}, ["http_api_key"]),
        ("none", {}, []),
    ],
)
def test_the_secret_follows_its_kind_at_once(
    kind: str, secret: dict[str, str], behind: list[str]
) -> None:
    document = gateway_of(
        CUSTOM_SERVER | {"http_auth": kind, "http_period": 20} | secret
    ).document()
    names = list(document)
    at = names.index("http_auth") + 1
    assert names[at : at + len(behind) + 1] == [*behind, "http_use_ssl_client_cert"]


def test_unknown_keys_survive() -> None:
    newer = {"a_newer_key": {"x": [1, 2.5, None]}, "use_htpp": True}
    document = gateway_of(newer, {"coordinates": "1,2"}).document()
    assert newer.items() <= document.items()
    facts = {"fw_ver": "v1", "gw_mac": "x", "storage": {}, "lan_auth_api_key_use": True}
    assert not facts.keys() & gateway_of(facts).document().keys()


def schema() -> Draft202012Validator:
    return Draft202012Validator(published("ruuvi_gw_cfg.schema.json"))


@pytest.mark.parametrize(
    "documents",
    [[], [json.loads(REAL)], [CUSTOM_SERVER | SECRETS | {"http_auth": "token"}]],
    ids=["default", "real", "custom"],
)
def test_what_is_saved_passes_the_published_schema(documents: list[dict[str, Any]]) -> None:
    document = gateway_of(*documents).document()
    assert [error.message for error in schema().iter_errors(document)] == []


def test_the_published_schema_has_the_keys_that_we_have() -> None:
    properties = published("ruuvi_gw_cfg.schema.json")["properties"]
    shown_only = {"fw_ver", "nrf52_fw_ver", "gw_mac", "storage"}
    shown_only |= {"lan_auth_api_key_use", "lan_auth_api_key_rw_use"}
    assert set(properties) - shown_only - {"scan_extended_payload"} == set(BY_NAME)


EXAMPLES = [
    "gw_cfg_http_auth_basic.json",
    "gw_cfg_http_auth_bearer.json",
    "gw_cfg_http_auth_none.json",
    "gw_cfg_http_auth_token.json",
    "gw_cfg_remote_cfg_auth_basic.json",
    "gw_cfg_remote_cfg_auth_bearer.json",
    "gw_cfg_remote_cfg_auth_no.json",
    "gw_cfg_remote_cfg_auth_none.json",
    "ruuvi_1.json",
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_examples_are_taken_and_come_back(name: str, tmp_path: Path) -> None:
    document = published(f"examples/{name}")
    path = tmp_path / "gw_cfg.json"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    loaded = load(Inputs(config=path))
    told = {problem.key for problem in loaded.problems}
    # What deserves a warning, and defaults that send data somewhere.
    sending = {"use_http_ruuvi", "use_http_stat"} - document.keys()
    warned = {"remote_cfg_use", "remote_cfg_refresh_interval_minutes", "lan_auth_type"}
    assert told <= warned | sending
    saved = loaded.sources.gateway.document()
    assert [error.message for error in schema().iter_errors(saved)] == []
    assert gateway_of(saved).document() == saved
    assert any(target.name == "custom" for target in loaded.config.targets) is (
        document.get("http_auth", "none") != "none"
    )


def test_all_published_examples_are_tested() -> None:
    published("ruuvi_gw_cfg.schema.json")
    there = {
        p.name for p in (FOLDER / "examples").iterdir() if p.name.startswith(("gw_cfg", "ruuvi_"))
    }
    assert there == set(EXAMPLES)
