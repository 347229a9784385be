"""A gateway's gw_cfg.json: what its keys mean, and what becomes of those that cannot be used."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_protocol.messages import SetAll
from ruuvi_host.config.files import gateway_text
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import RUUVI_CLOUD_URL, RUUVI_STATUS_URL
from ruuvi_host.config.load import Loaded, load_to_run
from ruuvi_host.config.load import load as load_wishes
from ruuvi_host.config.model import Config, FilterSettings
from ruuvi_host.config.problems import Problem, Problems, Severity
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import CUSTOM, RUUVI, STATISTICS, HttpTarget
from ruuvi_host.errors import ConfigError
from ruuvi_host.intake.filter import AddressFilter

Load = Callable[[Any], Loaded]

CLOUD = HttpTarget(RUUVI, RUUVI_CLOUD_URL)
STATUS = HttpTarget(STATISTICS, RUUVI_STATUS_URL)
SCAN_KEYS = {
    "scan_coded_phy": "use_coded_phy",
    "scan_1mbit_phy": "use_1m_phy",
    "scan_2mbit_phy": "use_2m_phy",
    "scan_channel_37": "ch_37",
    "scan_channel_38": "ch_38",
    "scan_channel_39": "ch_39",
}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a document: bytes as they are, all else as JSON."""

    def load(document: Any) -> Loaded:
        path = tmp_path / "gw_cfg.json"
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        path.write_bytes(raw)
        path.chmod(0o600)
        return load_wishes(Inputs(config=path))

    return load


def problems_of(loaded: Loaded) -> list[Problem]:
    """Without the warnings of defaults that send data somewhere: nearly all files here get them."""
    return [problem for problem in loaded.problems if " by default " not in problem.why]


def texts(loaded: Loaded) -> list[str]:
    return [str(problem) for problem in problems_of(loaded)]


def custom(loaded: Loaded) -> HttpTarget:
    (target,) = [target for target in loaded.config.targets if target.name == CUSTOM]
    assert isinstance(target, HttpTarget)
    return target


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


# -- scanning and filters -------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "field"), SCAN_KEYS.items())
def test_scan_keys(load: Load, key: str, field: str) -> None:
    value = not getattr(SetAll(), field)
    expected = SetAll(**{field: value})
    # A file without scan_default means what it says.
    assert load({key: value}).config.scan == expected
    assert load({key: value, "scan_default": False}).config.scan == expected
    assert load({key: value, "scan_default": True}).config.scan == SetAll()


def test_scan_default_leaves_the_company_filter_alone(load: Load) -> None:
    document = {"scan_default": True, "company_id": 5, "company_use_filtering": False}
    assert load(document).config.scan == SetAll(fltr_id=5, fltr_tags=False)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"scan_extended_payload": False}, False),
        ({"scan_extended_payload": True}, True),
        ({"scan_extended_payload": False, "scan_2mbit_phy": True}, True),
        ({"scan_extended_payload": True, "scan_2mbit_phy": False}, False),
        ({"scan_extended_payload": False, "scan_default": True}, True),
    ],
)
def test_the_old_name_of_the_2m_phy(load: Load, document: object, expected: bool) -> None:
    assert load(document).config.scan == SetAll(use_2m_phy=expected)


def test_keys_without_scan_default_count_also_later() -> None:
    gateway, problems = GatewayConfig(), Problems()
    gateway.update({"scan_coded_phy": True}, problems)
    assert not gateway["scan_default"]
    gateway.update({"coordinates": "1,2"}, problems)
    assert gateway["scan_coded_phy"]
    gateway.update({"scan_coded_phy": False}, problems)
    assert gateway["scan_default"]
    gateway.update({"scan_channel_37": 0}, problems)  # no value, and so no scan key
    assert gateway["scan_default"]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (["scan_1mbit_phy", "scan_2mbit_phy", "scan_coded_phy"], "no PHY is enabled"),
        (["scan_channel_37", "scan_channel_38", "scan_channel_39"], "no channel is enabled"),
        (["scan_1mbit_phy"], "legacy advertisements"),
    ],
)
def test_settings_that_mean_silence_are_warned_about(
    load: Load, keys: list[str], what: str
) -> None:
    (problem,) = problems_of(load(dict.fromkeys(keys, False)))
    assert what in problem.why
    assert texts(load(dict.fromkeys(keys[1:], False) | {keys[0]: True})) == []


def test_another_companys_filter_is_warned_about(load: Load) -> None:
    (problem,) = problems_of(load({"company_id": 76}))
    assert (problem.key, problem.value) == ("company_id", "76")
    assert texts(load({"company_id": 76, "company_use_filtering": False})) == []


def test_filter_list(load: Load) -> None:
    listed = ["AA:BB:CC:DD:EE:FF", "aa:bb:cc:dd:ee:01"]
    config = load({"scan_filter_list": listed, "scan_filter_allow_listed": True}).config
    assert config.filter.allow
    assert config.filter.addresses == {
        bytes.fromhex("AABBCCDDEEFF"),
        bytes.fromhex("AABBCCDDEE01"),
    }
    assert not load({"scan_filter_list": listed}).config.filter.allow


def test_the_list_stays_when_only_its_sense_changes() -> None:
    gateway, problems = GatewayConfig(), Problems()
    gateway.update({"scan_filter_list": ["AA:BB:CC:DD:EE:FF"]}, problems)
    gateway.update({"scan_filter_allow_listed": True}, problems)
    assert gateway["scan_filter_list"] == ["AA:BB:CC:DD:EE:FF"]


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        ("AABBCCDDEEFF", "AABBCCDDEEFF"),
        ("AA-BB-CC-DD-EE-FF", "AA-BB-CC-DD-EE-FF"),
        ("AA:BB:CC:DD:EE:FF\n", r"AA:BB:CC:DD:EE:FF\n"),
        ("AA:BB:CC:DD:EE", "AA:BB:CC:DD:EE"),
        ("", ""),
        (5, "5"),
        (None, "null"),
        (["x"] * 1000, '["x", "x"'),
    ],
)
def test_a_bad_entry_is_skipped_and_named(load: Load, bad: object, shown: str) -> None:
    loaded = load({"scan_filter_list": [bad, "AA:BB:CC:DD:EE:FF"]})
    assert loaded.config.filter == FilterSettings(frozenset([bytes.fromhex("AABBCCDDEEFF")]))
    (problem,) = problems_of(loaded)
    assert problem.severity is Severity.FAULT, "what was to be dropped passes"
    assert str(problem).startswith(f"scan_filter_list: {shown}")
    assert len(str(problem)) < 200


ONE = "AA:BB:CC:DD:EE:FF"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"scan_filter_list": ["x"], "scan_filter_allow_listed": True}, "scan_filter_list"),
        ({"scan_filter_list": ONE, "scan_filter_allow_listed": True}, "scan_filter_list"),
        ({"scan_filter_list": None, "scan_filter_allow_listed": True}, "scan_filter_list"),
        (
            {"scan_filter_list": [ONE], "scan_filter_allow_listed": "true"},
            "scan_filter_allow_listed",
        ),
        ({"scan_filter_list": [ONE], "scan_filter_allow_listed": 1}, "scan_filter_allow_listed"),
        ({"scan_filter_list": 5, "scan_filter_allow_listed": 1}, "scan_filter_allow_listed"),
    ],
)
def test_a_filter_that_cannot_be_read_passes_nothing_and_is_a_fault(
    load: Load, document: dict[str, Any], told: str
) -> None:
    loaded = load(document)
    assert loaded.config.filter.closed
    fault = problems_of(loaded)[-1]
    assert (fault.key, fault.severity, fault.instead) == (told, Severity.FAULT, "nothing passes")
    assert str(fault) in loaded.config.faults
    settings = loaded.config.filter
    passes = AddressFilter(settings.addresses, settings.allow, settings.closed).passes
    assert not passes(bytes.fromhex(ONE.replace(":", "")))
    assert not passes(bytes(6))


def test_what_a_later_source_says_readably_opens_the_filter(load: Load, tmp_path: Path) -> None:
    load({"scan_filter_list": 5, "scan_filter_allow_listed": True})
    given = ("scan_filter_list", f'["{ONE}"]', "--set")
    config = load_wishes(Inputs(config=tmp_path / "gw_cfg.json", overrides=(given,))).config
    assert config.filter == FilterSettings(frozenset([bytes.fromhex(ONE.replace(":", ""))]), True)


def test_a_list_without_a_good_entry_that_only_drops_is_a_fault_and_drops_nothing(
    load: Load,
) -> None:
    loaded = load({"scan_filter_list": ["x"]})
    assert loaded.config.filter == FilterSettings()
    assert texts(loaded)[-1] == "scan_filter_list: no address can be used; nothing is filtered"
    assert {p.severity for p in problems_of(loaded)} == {Severity.FAULT}


@pytest.mark.parametrize(
    ("key", "closed"),
    [
        *[(key, False) for key in ("use_http_ruuvi", "use_http", "use_http_stat", "use_mqtt")],
        *[(key, True) for key in ("company_use_filtering", "http_use_ssl_client_cert")],
        *[(key, True) for key in ("http_use_ssl_server_cert", "http_use_extra_http_headers")],
        *[(key, True) for key in ("http_stat_use_ssl_server_cert", "mqtt_use_ssl_server_cert")],
        *[("remote_cfg_use", False), ("remote_cfg_use_ssl_server_cert", True)],
    ],
)
@pytest.mark.parametrize("wrong", [None, 0, 1, "true", "false", [], 0.5])
def test_a_switch_that_cannot_be_read_takes_its_closed_position(
    load: Load, key: str, closed: bool, wrong: object
) -> None:
    on = {"use_http_stat": True, "use_mqtt": True} if "_ssl_" in key else {"http_url": "http://s/"}
    (tmp := load({}).sources.gateway).update({key: not closed} | on, Problems())
    assert tmp[key] is not closed
    tmp.update({key: wrong}, problems := Problems())
    assert tmp[key] is closed
    (problem,) = problems.found
    assert (problem.key, problem.severity) == (key, Severity.FAULT)
    assert problem.instead == f"taking {json.dumps(closed)}"


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *[("http_auth", "digest"), ("http_auth", "Basic"), ("http_auth", None)],
        *[("http_user", 5), ("http_pass", 5), ("http_pass", None)],
    ],
)
def test_nothing_is_posted_without_the_credentials_that_cannot_be_read(
    load: Load, key: str, wrong: object
) -> None:
    document = {"use_http": True, "http_url": "http://server/", "use_http_ruuvi": False}
    document |= {"http_auth": "basic", "http_user": "u", "http_pass": "p"}
    loaded = load(document | {key: wrong})
    assert loaded.config.targets == ()
    assert [p.key for p in loaded.problems if p.severity is Severity.FAULT] == [key]
    stat = {"http_stat_user": "u", "http_stat_pass": "p", "http_stat_url": "http://server/"}
    assert load(stat | {"http_stat_pass": 5}).config.statistics is None
    assert load(stat | {"http_stat_user": []}).config.statistics is None


def test_a_key_in_another_spelling_counts_as_on_a_gateway(load: Load) -> None:
    loaded = load(b'{"Use_HTTP_Ruuvi": false, "use_http_ruuvi": true, "USE_HTTP_STAT": false}')
    assert (loaded.config.targets, loaded.config.statistics) == ((), None)
    assert texts(loaded) == [
        "Use_HTTP_Ruuvi: is written use_http_ruuvi; taken all the same",
        "USE_HTTP_STAT: is written use_http_stat; taken all the same",
    ]


# -- defaults that send data somewhere, and credentials that are not used -------------------------


def test_a_file_of_old_firmware(load: Load) -> None:
    document = {"use_http": True, "http_url": "https://server/", "http_user": "u"}
    loaded = load(document | {"http_pass": "SECRET"})
    without = "is not sent without http_auth, as in files from before firmware 1.14; ignored"
    assert [str(problem) for problem in loaded.problems] == [
        f"http_user: {without}",
        f"http_pass: {without}",
        "use_http_ruuvi: is not given, and by default true: Ruuvi Cloud gets the data; set it to "
        "true or false",
        "use_http_stat: is not given, and by default true: Ruuvi gets statistics; set it to true "
        "or false",
    ]
    said = {"use_http_ruuvi": False, "use_http_stat": False, "http_auth": "basic"}
    assert load(document | {"http_pass": "SECRET"} | said).problems == []


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "use_http_ruuvi: is not given"),
        ({"use_http": True}, "use_http_ruuvi: is not given"),
        ({"use_http": True, "use_http_ruuvi": False}, "http_url: is not given"),
        ({"use_http_stat": False}, "use_http_ruuvi: is not given"),
        (
            {"http_stat_url": "http://server/"},
            "use_http_stat: is not given, and by default true: the",
        ),
        ({"http_stat_user": "u"}, "http_stat_url: is not given, and by default Ruuvi's"),
        (
            {"use_http": True, "http_auth": "basic", "http_user": "u", "http_pass": "p"},
            "http_url: is not given, and by default Ruuvi Cloud's",
        ),
        ({"http_stat_pass": "p"}, "http_stat_pass: not sent without http_stat_user"),
        ({"http_stat_user": "u"}, "http_stat_pass: empty"),
        (
            {"use_http": True, "http_url": "http://s/", "http_auth": "basic", "http_user": "u"},
            "http_pass: empty",
        ),
        (
            {"use_http": True, "http_url": "http://u:p@s/"},
            "http_url: the user in it is not sent with http_auth none; set http_auth to basic",
        ),
        ({"lan_auth_pass": "x"}, "lan_auth_pass: read only together with lan_auth_type"),
        (
            {"lan_auth_type": "lan_auth_basic"},
            "lan_auth_type: the local API, which it is for, is off",
        ),
        ({"lan_auth_api_key": "x"}, "lan_auth_api_key: the local API, which it is for, is off"),
        (
            {"lan_auth_api_key_rw": "x"},
            "lan_auth_api_key_rw: the local API, which it is for, is off",
        ),
    ],
)
def test_what_goes_somewhere_by_default_and_what_is_not_used_are_told(
    load: Load, document: dict[str, Any], told: str
) -> None:
    sentences = [str(problem) for problem in load(document).problems]
    assert any(sentence.startswith(told) for sentence in sentences), sentences


@pytest.mark.parametrize(("api", "ntp_use", "told"), [(1, 0, True), (1, 1, False), (0, 0, False)])
def test_home_assistant_needs_timestamps(api: bool, ntp_use: bool, told: bool) -> None:
    overrides = [("ntp_use", str(bool(ntp_use)).lower(), "--set")]
    overrides += [("api.listen", "127.0.0.1:0", "--set")] if api else []
    problems = load_wishes(Inputs(overrides=tuple(overrides))).problems
    assert [str(p) for p in problems] == told * [
        "ntp_use: false: /history has no timestamps, and Home Assistant cannot use it; "
        "set it to true"
    ]


def test_ruuvis_address_is_a_wish_for_the_cloud(load: Load) -> None:
    said = {"use_http": True, "http_url": RUUVI_CLOUD_URL, "use_http_stat": False}
    assert load(said).problems == []
    assert load({"use_http_ruuvi": True, "use_http_stat": True}).problems == []


def test_entries_behind_the_hundredth_do_not_count(load: Load) -> None:
    listed = [f"00:00:00:00:00:{n:02X}" for n in range(101)]
    loaded = load({"scan_filter_list": listed[:100]})
    assert len(loaded.config.filter.addresses) == 100
    assert texts(loaded) == []
    loaded = load({"scan_filter_list": listed})
    assert len(loaded.config.filter.addresses) == 100
    assert bytes([0, 0, 0, 0, 0, 100]) not in loaded.config.filter.addresses
    (fault,) = problems_of(loaded)
    assert (str(fault), fault.severity) == (
        "scan_filter_list: only the first 100 count; the others pass",
        Severity.FAULT,
    )
    allowed = load({"scan_filter_list": listed, "scan_filter_allow_listed": True})
    (warning,) = problems_of(allowed)
    assert (warning.instead, warning.severity) == ("the others do not pass", Severity.WARNING)


# -- targets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ruuvi", [{}, {"use_http_ruuvi": True}, {"use_http_ruuvi": False}])
@pytest.mark.parametrize(
    "same",
    [
        {},
        {"http_url": RUUVI_CLOUD_URL},
        {"http_data_format": "ruuvi", "http_auth": "none", "http_period": 30},
        {"http_data_format": "x", "http_auth": "x"},  # which mean ruuvi and none
        {"http_auth": "none", "http_user": "u", "http_pass": "p"},
    ],
)
def test_the_default_address_means_the_cloud_alone(
    load: Load, ruuvi: dict[str, Any], same: dict[str, Any]
) -> None:
    assert load({"use_http": True} | ruuvi | same).config.targets == (CLOUD,)


@pytest.mark.parametrize(
    "other",
    [
        {"http_url": "https://network.ruuvi.com/record2"},
        {"http_auth": "basic"},  # even without a user
        {"http_auth": "bearer", "http_bearer_token": "t"},
        {"http_data_format": "ruuvi_decoded"},
    ],
)
def test_anything_else_is_a_custom_target(load: Load, other: dict[str, Any]) -> None:
    config = load({"use_http": True, "use_http_ruuvi": False} | other).config
    assert [target.name for target in config.targets] == [CUSTOM]
    config = load({"use_http": True} | other).config
    assert [target.name for target in config.targets] == [RUUVI, CUSTOM]


def test_no_target(load: Load) -> None:
    config = load({"use_http_ruuvi": False, "use_http_stat": False}).config
    assert config.targets == ()
    assert config.statistics is None


def test_nothing_of_the_custom_target_reaches_the_cloud(load: Load) -> None:
    document = {"http_period": 60, "http_auth": "token", "http_api_key": "k"}
    assert load(document | {"http_url": "http://server/"}).config.targets == (CLOUD,)


@pytest.mark.parametrize(
    ("value", "period", "warning"),
    [
        (10, 10, None),
        (3600, 3600, None),
        ("30", 30, None),
        ("0x1E", 30, None),
        (9, 9, "http_period = 9: shorter than the 10 s a gateway offers; taken"),
        (1, 1, "http_period = 1: shorter than the 10 s a gateway offers; taken"),
        (0, 10, "http_period = 0: 0 is no period; taking 10 s"),
        (3601, 3600, "http_period = 3601: more than 3600 s; taking 3600 s"),
        (65536, 3600, "http_period = 65536: more than 3600 s; taking 3600 s"),
        (0xFFFFFFFF, 3600, "http_period = 4294967295: more than 3600 s; taking 3600 s"),
    ],
)
def test_period(load: Load, value: object, period: int, warning: str | None) -> None:
    loaded = load({"use_http": True, "http_url": "http://server/", "http_period": value})
    assert custom(loaded).period == period
    assert texts(loaded) == ([warning] if warning else [])


ALL_SECRETS = {
    "http_user": "user1",
    "http_pass": "pass1",
    "http_bearer_token": "token1",
    "http_api_key": "key1",
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("none", None),
        ("basic", "Basic dXNlcjE6cGFzczE="),
        ("bearer", "Bearer token1"),
        ("token", "Token key1"),
        ("api_key", "key1"),
    ],
)
def test_authorization(load: Load, kind: str, value: str | None) -> None:
    document = {"use_http": True, "http_url": "http://server/", "http_auth": kind}
    authorization = custom(load(document | ALL_SECRETS)).authorization
    assert (authorization.value if authorization else None) == value


@pytest.mark.parametrize(
    ("url", "kind", "value"),
    [
        ("http://us:pw@server/", "basic", "Basic dXM6cHc="),
        ("http://:pw@server/", "basic", "Basic dXNlcjE6cGFzczE="),  # no user: no replacement
        ("http://us:pw@server/", "none", None),
        ("http://us:pw@server/", "bearer", "Bearer token1"),
    ],
)
def test_user_information_in_the_address_counts_for_basic_alone(
    load: Load, url: str, kind: str, value: str | None
) -> None:
    document = {"use_http": True, "http_url": url, "http_auth": kind}
    target = custom(load(document | ALL_SECRETS))
    assert target.url == "http://server/"
    assert (target.authorization.value if target.authorization else None) == value


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("basic", "http_user"),
        ("bearer", "http_bearer_token"),
        ("token", "http_api_key"),
        ("api_key", "http_api_key"),
    ],
)
@pytest.mark.parametrize("missing", [{}, {"http_user": "", "http_bearer_token": ""}])
def test_without_its_secret_nothing_is_sent_and_that_is_said(
    load: Load, kind: str, key: str, missing: dict[str, str]
) -> None:
    document = {"use_http": True, "http_url": "http://server/", "http_auth": kind}
    loaded = load(document | missing)
    assert custom(loaded).authorization is None
    assert texts(loaded) == [f"{key}: empty; no Authorization is sent"]


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("http_url", "http://server/" + "x" * 242, "longer than 255 bytes"),
        ("http_url", "server", "must begin with http"),
        ("http_url", "http://u:SECRET@server:x/", "from 1 to 65535"),
        ("http_url", "http://[::1", "malformed"),
        ("http_user", "ä" * 26, "longer than 50 bytes"),
        ("http_pass", "SECRET" * 9, "longer than 50 bytes"),
        ("http_bearer_token", "SECRET" * 50, "longer than 255 bytes"),
        ("http_bearer_token", "SECRET\r\nX: y", "printable ASCII"),
        ("http_bearer_token", "SECRETä", "printable ASCII"),
        ("http_bearer_token", "SECRET ", "printable ASCII"),
        ("http_bearer_token", " SECRET", "printable ASCII"),
        ("http_api_key", "SECRET\n", "printable ASCII"),
        ("http_api_key", "SECRET\x7f", "printable ASCII"),
        ("http_url", "http://256.1.1.1/", "the address cannot be used: its host is no"),
        ("http_url", "http://\u2603.example/", "the address cannot be used: its host is no"),
        ("http_url", 5, "must begin with http"),
    ],
)
def test_a_custom_target_that_cannot_work_is_left_out_unless_it_is_off(
    load: Load, key: str, value: object, problem: str
) -> None:
    kinds = {"http_bearer_token": "bearer", "http_api_key": "api_key"}
    document = {"http_url": "http://server/", "http_auth": kinds.get(key, "basic"), key: value}
    if key != "http_user":
        document.setdefault("http_user", "u")
    loaded = load(document)
    assert loaded.config.targets == (CLOUD,)
    assert not any(p.severity is Severity.ERROR for p in loaded.problems)
    loaded = load(document | {"use_http": True})
    assert loaded.config.targets == (CLOUD,), "with nobody else in its place"
    (fault,) = [p for p in loaded.problems if p.severity is Severity.FAULT]
    assert fault.key == key
    assert problem in fault.why
    assert fault.source.endswith("gw_cfg.json")
    assert "SECRET" not in str(loaded.problems)


def test_secrets_of_other_kinds_are_not_looked_at(load: Load) -> None:
    document = {"use_http": True, "http_url": "http://server/", "http_auth": "none"}
    document |= {"http_pass": "x" * 500, "http_api_key": "\n", "http_bearer_token": 5}
    assert texts(load(document)) == []


@pytest.mark.parametrize(
    ("key", "taken"),
    [
        ("http_auth", "none"),
        ("http_data_format", "ruuvi"),
        ("mqtt_data_format", "ruuvi_raw"),
        ("lan_auth_type", "lan_auth_deny"),
        ("remote_cfg_auth_type", "none"),
        ("auto_update_cycle", "regular"),
        ("mqtt_transport", "TCP"),
    ],
)
def test_unknown_choices(load: Load, key: str, taken: str) -> None:
    loaded = load({key: "x"})
    assert loaded.sources.gateway[key] == taken
    (problem, *_) = problems_of(loaded)
    assert (problem.key, problem.value, problem.instead) == (key, "x", f"taking {taken}")
    assert problem.why.startswith("must be one of ")


def test_half_a_character_does_no_harm(load: Load) -> None:
    half = b"\\ud800"
    document = b'{"use_http": true, "http_url": "http://server/", "http_auth": "basic",'
    document += (
        b'"http_user": "u%s", "coordinates": "c%s", "scan_filter_list": ["%s"], "n%s": "%s"}'
    )
    loaded = load(document.replace(b"%s", half))
    assert loaded.config.coordinates == "c?"
    assert custom(loaded).authorization
    gateway_text(loaded.sources.gateway.document()).encode()


def test_extra_parts_and_an_address_that_has_them_already(load: Load) -> None:
    document = {
        "use_http": True,
        "use_http_ruuvi": False,
        "http_use_extra_http_path": True,
        "http_use_extra_http_query": True,
    }
    assert texts(load(document | {"http_url": "http://server"})) == []
    (fault,) = problems_of(load(document | {"http_url": "http://server/"}))
    assert (fault.key, fault.severity) == ("http_url", Severity.FAULT)
    assert "must have no path" in fault.why
    (fault,) = problems_of(load(document | {"http_url": "http://server?a"}))
    assert "must have no query" in fault.why


# -- statistics -----------------------------------------------------------------------------------


def test_statistics(load: Load) -> None:
    document = {"http_stat_url": "http://server/status", "http_stat_user": "u"}
    statistics = load(document | {"http_stat_pass": "p"}).config.statistics
    assert statistics
    assert statistics.url == "http://server/status"
    assert statistics.authorization
    assert statistics.authorization.value == "Basic dTpw"
    statistics = load(
        {"http_stat_url": "http://server/status", "http_stat_pass": "p"}
    ).config.statistics
    assert statistics
    assert statistics.authorization is None


@pytest.mark.parametrize("wrong", ["http://server/" + "x" * 242, 5, "server", "http://256.1.1.1/"])
def test_statistics_for_an_address_that_cannot_be_used_go_nowhere_else(
    load: Load, wrong: object
) -> None:
    loaded = load({"http_stat_url": wrong, "http_stat_user": "u", "http_stat_pass": "SECRET"})
    assert loaded.config.statistics is None
    assert [p.key for p in loaded.problems if p.severity is Severity.FAULT] == ["http_stat_url"]


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
