"""A gateway's gw_cfg.json: whole files, files and keys that cannot be used, time and place."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateway_config_world import CLOUD, Load, custom, problems_of, texts
from gateway_config_world import load as load

from firmware_protocol.messages import SetAll
from ruuvi_host.config.gateway_keys import RUUVI_STATUS_URL
from ruuvi_host.config.load import load_to_run
from ruuvi_host.config.model import Config
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import STATISTICS, HttpTarget
from ruuvi_host.errors import ConfigError

STATUS = HttpTarget(STATISTICS, RUUVI_STATUS_URL)


# -- files of gateways ----------------------------------------------------------------------------


SAVED = """{
	"wifi_sta_config": {"ssid": "home", "password": "SECRET"},
	"wifi_ap_config": {"password": "SECRET", "channel": 1},
	"use_eth": true, "eth_dhcp": true, "eth_static_ip": "", "eth_netmask": "", "eth_gw": "",
	"eth_dns1": "", "eth_dns2": "",
	"remote_cfg_use": false, "remote_cfg_url": "", "remote_cfg_auth_type": "basic",
	"remote_cfg_auth_basic_user": "u", "remote_cfg_auth_basic_pass": "SECRET",
	"remote_cfg_auth_bearer_token": "SECRET",
	"remote_cfg_use_ssl_client_cert": false, "remote_cfg_use_ssl_server_cert": false,
	"remote_cfg_refresh_interval_minutes": 0,
	"use_http_ruuvi": false, "use_http": true, "http_url": "https://user.example/record?key=SECRET",
	"http_period": 30, "http_data_format": "ruuvi", "http_auth": "bearer",
	"http_bearer_token": "SECRET", "http_api_key": "SECRET", "http_user": "u",
	"http_pass": "SECRET",
	"http_use_ssl_client_cert": false, "http_use_ssl_server_cert": false,
	"http_use_extra_http_path": false, "http_use_extra_http_query": false,
	"http_use_extra_http_headers": false,
	"use_http_stat": true, "http_stat_url": "https://network.ruuvi.com/status",
	"http_stat_user": "", "http_stat_pass": "SECRET",
	"http_stat_use_ssl_client_cert": false, "http_stat_use_ssl_server_cert": false,
	"use_mqtt": false, "mqtt_disable_retained_messages": false, "mqtt_transport": "TCP",
	"mqtt_data_format": "ruuvi_raw", "mqtt_server": "test.mosquitto.org", "mqtt_port": 1883,
	"mqtt_sending_interval": 0, "mqtt_prefix": "ruuvi/C8:25:2D:8E:9C:2C/",
	"mqtt_client_id": "C8:25:2D:8E:9C:2C", "mqtt_user": "", "mqtt_pass": "SECRET",
	"mqtt_use_ssl_client_cert": false, "mqtt_use_ssl_server_cert": false,
	"lan_auth_type": "lan_auth_default", "lan_auth_user": "Admin", "lan_auth_pass": "SECRET",
	"lan_auth_api_key": "SECRET", "lan_auth_api_key_rw": "SECRET",
	"auto_update_cycle": "regular", "auto_update_weekdays_bitmask": 127,
	"auto_update_interval_from": 0, "auto_update_interval_to": 24, "auto_update_tz_offset_hours": 3,
	"ntp_use": true, "ntp_use_dhcp": false, "ntp_server1": "time.google.com",
	"ntp_server2": "time.cloudflare.com", "ntp_server3": "pool.ntp.org",
	"ntp_server4": "time.ruuvi.com",
	"company_id": 1177, "company_use_filtering": true,
	"scan_coded_phy": false, "scan_1mbit_phy": true, "scan_2mbit_phy": true,
	"scan_channel_37": true, "scan_channel_38": true, "scan_channel_39": true, "scan_default": true,
	"scan_filter_allow_listed": false, "scan_filter_list": [],
	"coordinates": "60.17,24.94",
	"fw_update_url": "https://network.ruuvi.com/firmwareupdate"
}"""
"""Every key that a gateway saves, with all secrets."""
SHOWN = """{
	"fw_ver": "v1.17.3", "nrf52_fw_ver": "v1.0.0", "gw_mac": "C8:25:2D:8E:9C:2C",
	"storage": {"storage_ready": true, "http_cli_cert": false},
	"lan_auth_api_key_use": false, "lan_auth_api_key_rw_use": false,
	"scan_extended_payload": true,
	"use_http_ruuvi": true, "use_http": true, "http_url": "https://network.ruuvi.com/record"
}"""
"""What a gateway adds where it shows its configuration, and a key of old firmware."""


def test_a_gateways_saved_file_is_taken_without_a_word(load: Load) -> None:
    loaded = load(SAVED.encode())
    assert loaded.config.coordinates == "60.17,24.94"
    assert loaded.config.scan == SetAll()
    target = custom(loaded)
    assert loaded.config.targets == (target,)
    assert (target.url, target.period) == ("https://user.example/record?key=SECRET", 30)
    assert target.authorization
    assert target.authorization.value == "Bearer SECRET"
    assert loaded.config.statistics == STATUS
    assert [p.key for p in loaded.problems] == ["lan_auth_api_key", "lan_auth_api_key_rw"]
    assert "SECRET" not in repr(loaded)


def test_what_a_gateway_shows_is_taken_without_a_word(load: Load) -> None:
    loaded = load(SHOWN.encode())
    assert loaded.config.targets == (CLOUD,)
    assert texts(loaded) == []


def test_an_empty_file_is_a_gateway_as_it_was_sold(load: Load) -> None:
    assert load({}).config == Config(targets=(CLOUD,), statistics=STATUS)


# -- files that cannot be used --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not JSON: Expecting value at line 1, column 1"),
        (b"{", "not JSON: Expecting property name .* at line 1, column 2"),
        (b'{\n"use_http": tru}', "not JSON: Expecting value at line 2, column 13"),
        (b"{} {}", "not JSON: Extra data at line 1, column 4"),
        (b'{"a": "\x01"}', "not JSON: Invalid control character"),
        (b"[]", "must hold one JSON object"),
        (b"null", "must hold one JSON object"),
        (b'"{}"', "must hold one JSON object"),
        (b'{"a": "\xff"}', "not UTF-8 text .at byte 7."),
        (b"\xff\xfe{\x00}\x00", "not UTF-8 text .at byte 0."),
        (b'{"a":' * 50_000, "nested too deeply"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "nested too deeply"),
        (b'{"http_period": ' + b"9" * 5000 + b"}", "a number or a word of more than 1000"),
        (b" " * (256 << 10) + b"{}", "longer than 262144 bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_with_its_name(
    tmp_path: Path, load: Load, raw: bytes, problem: str
) -> None:
    (found,) = [p for p in load(raw).problems if p.severity is Severity.ERROR]
    sentence = str(found)
    assert re.search(problem, sentence), sentence
    assert sentence.startswith(f"{tmp_path}/gw_cfg.json: ")
    assert "\n" not in sentence
    assert len(sentence) < len(str(tmp_path)) + 120
    with pytest.raises(ConfigError, match=problem):
        load_to_run(Inputs(config=tmp_path / "gw_cfg.json"))


def test_a_mark_at_the_front_is_taken(load: Load) -> None:
    assert load(b'\xef\xbb\xbf{"coordinates": "1,2"}').config.coordinates == "1,2"


def test_a_number_without_bounds_is_no_number(load: Load) -> None:
    loaded = load(b'{"company_id": 1e999, "http_period": -1e999, "new": 1e999}')
    assert loaded.config.scan == SetAll()
    assert loaded.sources.gateway.document()["new"] is None  # as JSON can say it


# -- keys that cannot be used ---------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [None, 1, "true", 0.5, [], {}])
@pytest.mark.parametrize("key", ["ntp_use", "eth_dhcp", "scan_1mbit_phy"])
def test_only_true_and_false_are_booleans(load: Load, key: str, wrong: object) -> None:
    loaded = load({key: wrong})
    assert loaded.config == load({}).config
    (problem,) = problems_of(loaded)
    assert (problem.key, problem.why) == (
        key,
        "must be true or false" + ", without quotes" * (wrong == "true"),
    )
    assert problem.instead == "ignored"
    assert problem.severity is Severity.WARNING
    assert problem.source.endswith("/gw_cfg.json")


@pytest.mark.parametrize(
    ("key", "wrong", "wanted"),
    [
        ("eth_dns1", 65536, "a text"),
        ("company_id", True, "a whole number from 0 to 65535"),
        ("company_id", 65536, "a whole number from 0 to 65535"),
        ("company_id", -1, "a whole number from 0 to 65535"),
        ("company_id", 1.5, "a whole number from 0 to 65535"),
        ("company_id", "1177", "a whole number from 0 to 65535, without quotes"),
        ("company_id", "0x10000", "a whole number from 0 to 65535"),
        ("company_id", "0x", "a whole number from 0 to 65535"),
        ("company_id", "0x-1", "a whole number from 0 to 65535"),
        ("company_id", [1177], "a whole number from 0 to 65535"),
        ("http_period", -5, "a whole number from 0 to 4294967295"),
        ("http_period", "ten", "a whole number from 0 to 4294967295"),
        ("http_period", "٣٠", "a whole number from 0 to 4294967295"),
        ("http_url", 5, "a text"),
        ("http_auth", None, "a text"),
        ("http_data_format", {}, "a text"),
        ("coordinates", 60.17, "a text"),
        ("scan_filter_list", "AA:BB:CC:DD:EE:FF", "a list of texts"),
    ],
)
def test_a_wrong_type_is_as_good_as_missing(
    load: Load, key: str, wrong: object, wanted: str
) -> None:
    loaded = load({key: wrong})
    assert replace(loaded.config, faults=()) == load({}).config
    (problem, *_) = problems_of(loaded)
    assert (problem.key, problem.why, problem.instead) == (key, f"must be {wanted}", "ignored")


@pytest.mark.parametrize(
    ("value", "number"),
    [("0x0499", 0x0499), ("0X4c", 0x4C), (0, 0), (65535, 65535), (1177.0, 1177)],
)
def test_company_id(load: Load, value: object, number: int) -> None:
    assert load({"company_id": value}).config.scan == SetAll(fltr_id=number)


def test_an_unknown_key_is_named(load: Load) -> None:
    loaded = load({"use_htpp": True, "a\nb": "SECRET"})
    assert loaded.config == load({}).config
    assert texts(loaded) == [
        "use_htpp: unknown key; is use_http meant?; ignored",
        r"a\nb: unknown key; ignored",
    ]
    assert {p.severity for p in loaded.problems} == {Severity.WARNING}


def test_thousands_of_unknown_keys_are_not_all_told(load: Load) -> None:
    loaded = load({f"k{number}": 0 for number in range(20_000)})
    assert len(loaded.problems) == 101
    assert "warnings after these are not shown" in texts(loaded)[-1]
    assert loaded.config == load({}).config


def test_of_a_key_given_twice_the_first_counts(load: Load) -> None:
    loaded = load(b'{"coordinates": "1,2", "coordinates": "SECRET", "ntp_use": true}')
    assert loaded.config.coordinates == "1,2"
    assert texts(loaded) == ["coordinates: given more than once; the first counts"]


# -- time and place -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coordinates", "sent"),
    [
        ("170.112233,59.445566", "170.112233,59.445566"),
        ("x" * 63, "x" * 63),
        ("x" * 64, "x" * 63),
        ("x" * 62 + "ä", "x" * 62),
        ("x" * 61 + "ä", "x" * 61 + "ä"),
        ("€" * 30, "€" * 21),
        ("𝄞" * 16, "𝄞" * 15),
    ],
)
def test_coordinates_are_cut_at_the_edge_of_a_character(
    load: Load, coordinates: str, sent: str
) -> None:
    loaded = load({"coordinates": coordinates})
    assert loaded.config.coordinates == sent
    warned = ["coordinates: longer than 63 bytes; cut there"] if sent != coordinates else []
    assert texts(loaded) == warned


def test_without_a_clock(load: Load) -> None:
    config = load({"ntp_use": False}).config
    assert config == Config(use_timestamps=False, targets=(CLOUD,), statistics=STATUS)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, ["remote_cfg_url: empty"]),
        ({"remote_cfg_url": "https://u:p@cfg.example/"}, ["remote_cfg_url: has a user in it"]),
        ({"remote_cfg_url": "https://cfg.example/gw?x=1"}, ["remote_cfg_url: a folder has no"]),
        ({"remote_cfg_url": "https://cfg.example/gw.json?x=1"}, []),
        ({"remote_cfg_url": "HTTPS://cfg.example/"}, []),
        (
            {"remote_cfg_url": "https://c.example/", "remote_cfg_refresh_interval_minutes": 4},
            ["remote_cfg_refresh_interval_minutes = 4: a fetch each"],
        ),
    ],
)
def test_what_keeps_a_configuration_from_being_fetched_is_told(
    load: Load, document: dict[str, Any], told: list[str]
) -> None:
    problems = problems_of(load({"remote_cfg_use": True} | document))
    assert len(problems) == len(told), problems
    for problem, begin in zip(problems, told, strict=True):
        assert str(problem).startswith(begin)
