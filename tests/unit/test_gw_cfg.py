"""A gateway's gw_cfg.json: what its keys mean, and what becomes of those that cannot be used."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_protocol.messages import SetAll
from ruuvi_host.config import gw_cfg
from ruuvi_host.config.model import CUSTOM, RUUVI, RUUVI_CLOUD_URL, Config, Target
from ruuvi_host.errors import ConfigError

Load = Callable[[Any], Config]

CLOUD = Target(RUUVI, RUUVI_CLOUD_URL)
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
    """Load a document: octets as they are, all else as JSON."""

    def load(document: Any) -> Config:
        path = tmp_path / "gw_cfg.json"
        octets = document if isinstance(document, bytes) else json.dumps(document).encode()
        path.write_bytes(octets)
        return gw_cfg.load(path)

    return load


@pytest.fixture(autouse=True)
def _all_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def custom(config: Config) -> Target:
    (target,) = [target for target in config.targets if target.name == CUSTOM]
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


def test_a_gateways_saved_file_is_taken_with_a_word_on_statistics_only(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    config = load(SAVED.encode())
    assert config.coordinates == "60.17,24.94"
    assert config.scan == SetAll()
    (target,) = config.targets
    assert (target.url, target.period) == ("https://user.example/record?key=SECRET", 30)
    assert target.authorization
    assert target.authorization.value == "Bearer SECRET"
    assert [r.getMessage().split(":")[0] for r in caplog.records] == ["use_http_stat"]
    assert "SECRET" not in repr(config)


def test_what_a_gateway_shows_is_taken_without_a_word(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(SHOWN.encode()).targets == (CLOUD,)
    assert not caplog.records


def test_an_empty_file_is_a_gateway_as_it_was_sold(load: Load) -> None:
    assert load({}) == Config(targets=(CLOUD,))


# -- files that cannot be used --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"", "not JSON: Expecting value at line 1, column 1"),
        (b"{", "not JSON: Expecting property name .* at line 1, column 2"),
        (b'{\n"use_http": tru}', "not JSON: Expecting value at line 2, column 13"),
        (b"{} {}", "not JSON: Extra data at line 1, column 4"),
        (b'{"a": "\x01"}', "not JSON: Invalid control character"),
        (b"[]", "must hold one JSON object"),
        (b"null", "must hold one JSON object"),
        (b'"{}"', "must hold one JSON object"),
        (b'{"a": "\xff"}', "not UTF-8 text .at octet 7."),
        (b"\xff\xfe{\x00}\x00", "not UTF-8 text .at octet 0."),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"http_period": ' + b"9" * 5000 + b"}", "a number of thousands of digits"),
        (b" " * (1 << 20) + b"{}", "longer than 1048576 octets"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_with_its_name(
    tmp_path: Path, load: Load, octets: bytes, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        load(octets)
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path}/gw_cfg.json: ")
    assert "\n" not in sentence
    assert len(sentence) < len(str(tmp_path)) + 120


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read: No such file"):
        gw_cfg.load(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        gw_cfg.load(tmp_path)


def test_a_file_without_an_end() -> None:
    with pytest.raises(ConfigError, match="/dev/zero: longer than 1048576 octets"):
        gw_cfg.load(Path("/dev/zero"))


def test_a_mark_at_the_front_is_taken(load: Load) -> None:
    assert load(b'\xef\xbb\xbf{"coordinates": "1,2"}').coordinates == "1,2"


# -- keys that cannot be used ---------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [None, 1, "true", 0.5, [], {}])
@pytest.mark.parametrize(
    "key", ["use_http", "use_http_ruuvi", "ntp_use", "company_use_filtering", "scan_1mbit_phy"]
)
def test_only_true_and_false_are_booleans(
    load: Load, caplog: pytest.LogCaptureFixture, key: str, wrong: object
) -> None:
    assert load({key: wrong}) == load({})
    assert [r.getMessage() for r in caplog.records] == [f"{key}: must be true or false; ignored"]


@pytest.mark.parametrize(
    ("key", "wrong", "wanted"),
    [
        ("company_id", True, "a whole number from 0 to 65535"),
        ("company_id", 65536, "a whole number from 0 to 65535"),
        ("company_id", -1, "a whole number from 0 to 65535"),
        ("company_id", 1.5, "a whole number from 0 to 65535"),
        ("company_id", float("nan"), "a whole number from 0 to 65535"),
        ("company_id", float("inf"), "a whole number from 0 to 65535"),
        ("company_id", "1177", "a whole number from 0 to 65535"),
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
    load: Load, caplog: pytest.LogCaptureFixture, key: str, wrong: object, wanted: str
) -> None:
    assert load({key: wrong}) == load({})
    assert [r.getMessage() for r in caplog.records] == [f"{key}: must be {wanted}; ignored"]


@pytest.mark.parametrize(
    ("value", "number"),
    [("0x0499", 0x0499), ("0X4c", 0x4C), (0, 0), (65535, 65535), (1177.0, 1177)],
)
def test_company_id(load: Load, value: object, number: int) -> None:
    assert load({"company_id": value}).scan == SetAll(fltr_id=number)


def test_an_unknown_key_is_named(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    assert load({"use_htpp": True, "a\nb": "SECRET"}) == load({})
    assert [r.getMessage() for r in caplog.records] == [
        r"a\nb: unknown key, ignored",
        "use_htpp: unknown key, ignored",
    ]
    assert all(r.levelno == logging.WARNING for r in caplog.records)


def test_of_a_key_given_twice_the_first_counts(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    config = load(b'{"coordinates": "1,2", "coordinates": "SECRET", "ntp_use": true}')
    assert config.coordinates == "1,2"
    (record,) = caplog.records
    assert record.getMessage() == "coordinates: given more than once; the first counts"


# -- scanning and filters -------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "field"), SCAN_KEYS.items())
def test_scan_keys(load: Load, key: str, field: str) -> None:
    value = not getattr(SetAll(), field)
    expected = SetAll(**{field: value})
    # A file without scan_default means what it says.
    assert load({key: value}).scan == expected
    assert load({key: value, "scan_default": False}).scan == expected
    assert load({key: value, "scan_default": True}).scan == SetAll()


def test_scan_default_leaves_the_company_filter_alone(load: Load) -> None:
    document = {"scan_default": True, "company_id": 5, "company_use_filtering": False}
    assert load(document).scan == SetAll(fltr_id=5, fltr_tags=False)


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
    assert load(document).scan == SetAll(use_2m_phy=expected)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (["scan_1mbit_phy", "scan_2mbit_phy", "scan_coded_phy"], "no PHY is enabled"),
        (["scan_channel_37", "scan_channel_38", "scan_channel_39"], "no channel is enabled"),
    ],
)
def test_settings_that_mean_silence_are_warned_about(
    load: Load, caplog: pytest.LogCaptureFixture, keys: list[str], what: str
) -> None:
    load(dict.fromkeys(keys, False))
    (record,) = caplog.records
    assert what in record.getMessage()
    caplog.clear()
    load(dict.fromkeys(keys[1:], False) | {keys[0]: True})
    assert not caplog.records


def test_filter_list(load: Load) -> None:
    listed = ["AA:BB:CC:DD:EE:FF", "aa:bb:cc:dd:ee:01"]
    config = load({"scan_filter_list": listed, "scan_filter_allow_listed": True})
    assert config.filter_allow
    assert config.filter_addresses == {
        bytes.fromhex("AABBCCDDEEFF"),
        bytes.fromhex("AABBCCDDEE01"),
    }
    assert not load({"scan_filter_list": listed}).filter_allow


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
def test_a_bad_entry_is_skipped_and_named(
    load: Load, caplog: pytest.LogCaptureFixture, bad: object, shown: str
) -> None:
    config = load({"scan_filter_list": [bad, "AA:BB:CC:DD:EE:FF"]})
    assert config.filter_addresses == {bytes.fromhex("AABBCCDDEEFF")}
    (record,) = caplog.records
    assert record.getMessage().startswith(f"scan_filter_list: {shown}")
    assert len(record.getMessage()) < 200


def test_a_list_without_a_good_entry_filters_nothing_and_says_so(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    config = load({"scan_filter_list": ["x"], "scan_filter_allow_listed": True})
    assert not config.filter_addresses
    assert caplog.records[-1].getMessage() == (
        "scan_filter_list: no address can be used, so nothing is filtered"
    )


def test_entries_behind_the_hundredth_do_not_count(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    listed = [f"00:00:00:00:00:{n:02X}" for n in range(101)]
    assert len(load({"scan_filter_list": listed[:100]}).filter_addresses) == 100
    assert not caplog.records
    config = load({"scan_filter_list": listed})
    assert len(config.filter_addresses) == 100
    assert bytes([0, 0, 0, 0, 0, 100]) not in config.filter_addresses
    (record,) = caplog.records
    assert record.getMessage() == "scan_filter_list: only the first 100 count"


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
    assert load({"use_http": True} | ruuvi | same).targets == (CLOUD,)


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
    config = load({"use_http": True, "use_http_ruuvi": False} | other)
    assert [target.name for target in config.targets] == [CUSTOM]
    config = load({"use_http": True} | other)
    assert [target.name for target in config.targets] == [RUUVI, CUSTOM]


def test_no_target(load: Load) -> None:
    assert load({"use_http_ruuvi": False}).targets == ()


def test_nothing_of_the_custom_target_reaches_the_cloud(load: Load) -> None:
    document = {"http_period": 60, "http_auth": "token", "http_api_key": "k"}
    assert load(document | {"http_url": "http://server/"}).targets == (CLOUD,)


@pytest.mark.parametrize(
    ("value", "period", "warning"),
    [
        (10, 10, None),
        (3600, 3600, None),
        ("30", 30, None),
        ("0x1E", 30, None),
        (9, 9, "http_period: 9 s is shorter than the 10 s a gateway offers; taken"),
        (1, 1, "http_period: 1 s is shorter than the 10 s a gateway offers; taken"),
        (0, 10, "http_period: 0 is no period; taking 10 s"),
        (3601, 3600, "http_period: more than 3600 s; taking that"),
        (0xFFFFFFFF, 3600, "http_period: more than 3600 s; taking that"),
    ],
)
def test_period(
    load: Load, caplog: pytest.LogCaptureFixture, value: object, period: int, warning: str | None
) -> None:
    config = load({"use_http": True, "http_url": "http://server/", "http_period": value})
    assert custom(config).period == period
    assert [r.getMessage() for r in caplog.records] == ([warning] if warning else [])


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
        ("x", None),
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
    load: Load, caplog: pytest.LogCaptureFixture, kind: str, key: str, missing: dict[str, str]
) -> None:
    document = {"use_http": True, "http_url": "http://server/", "http_auth": kind}
    assert custom(load(document | missing)).authorization is None
    (record,) = caplog.records
    assert record.getMessage() == f"{key}: empty, so no Authorization is sent"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("http_url", "http://server/" + "x" * 242, "longer than 255 octets"),
        ("http_url", "server", "must begin with http"),
        ("http_url", "http://u:SECRET@server:x/", "from 1 to 65535"),
        ("http_url", "http://[::1", "malformed"),
        ("http_user", "ä" * 26, "longer than 50 octets"),
        ("http_pass", "SECRET" * 9, "longer than 50 octets"),
        ("http_bearer_token", "SECRET" * 50, "longer than 255 octets"),
        ("http_bearer_token", "SECRET\r\nX: y", "printable ASCII"),
        ("http_bearer_token", "SECRETä", "printable ASCII"),
        ("http_bearer_token", "SECRET ", "printable ASCII"),
        ("http_bearer_token", " SECRET", "printable ASCII"),
        ("http_api_key", "SECRET\n", "printable ASCII"),
        ("http_api_key", "SECRET\x7f", "printable ASCII"),
        ("http_use_ssl_client_cert", True, "does not support client certificates yet"),
        ("http_use_ssl_server_cert", True, "does not support a server certificate"),
        ("http_use_extra_http_path", True, "does not support an extra path yet"),
        ("http_use_extra_http_query", True, "does not support an extra query yet"),
        ("http_use_extra_http_headers", True, "does not support extra headers yet"),
    ],
)
def test_a_custom_target_that_cannot_work_is_refused_unless_it_is_off(
    load: Load, caplog: pytest.LogCaptureFixture, key: str, value: object, problem: str
) -> None:
    kinds = {"http_bearer_token": "bearer", "http_api_key": "api_key"}
    document = {"http_url": "http://server/", "http_auth": kinds.get(key, "basic"), key: value}
    if key != "http_user":
        document.setdefault("http_user", "u")
    assert load(document).targets == (CLOUD,)
    assert not caplog.records
    with pytest.raises(ConfigError, match=problem) as caught:
        load(document | {"use_http": True})
    assert caught.value.key == key
    assert "SECRET" not in str(caught.value)


def test_secrets_of_other_kinds_are_not_looked_at(load: Load) -> None:
    document = {"use_http": True, "http_url": "http://server/", "http_auth": "none"}
    load(document | {"http_pass": "x" * 500, "http_api_key": "\n", "http_bearer_token": 5})


@pytest.mark.parametrize(
    ("key", "value", "warning"),
    [
        (
            "http_auth",
            "SECRET",
            "http_auth: must be one of none, basic, bearer, token, api_key; taking none",
        ),
        (
            "http_data_format",
            "SECRET",
            "http_data_format: must be one of ruuvi, ruuvi_raw_and_decoded, ruuvi_decoded; "
            "taking ruuvi",
        ),
    ],
)
def test_unknown_choices(
    load: Load, caplog: pytest.LogCaptureFixture, key: str, value: str, warning: str
) -> None:
    target = custom(load({"use_http": True, "http_url": "http://server/", key: value}))
    assert target.authorization is None
    assert [r.getMessage() for r in caplog.records] == [warning]


def test_half_a_character_does_no_harm(load: Load) -> None:
    half = b"\\ud800"
    document = b'{"use_http": true, "http_url": "http://server/", "http_auth": "basic",'
    config = load(document + b'"http_user": "u%s", "coordinates": "c%s"}' % (half, half))
    config.coordinates.encode()
    assert config.coordinates == "c?"
    assert custom(config).authorization


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
    load: Load, caplog: pytest.LogCaptureFixture, coordinates: str, sent: str
) -> None:
    assert load({"coordinates": coordinates}).coordinates == sent
    warned = [r.getMessage() for r in caplog.records]
    assert warned == (["coordinates: cut at 63 octets"] if sent != coordinates else [])


def test_without_a_clock(load: Load) -> None:
    assert load({"ntp_use": False}) == Config(use_timestamps=False, targets=(CLOUD,))


@pytest.mark.parametrize("key", ["use_mqtt", "remote_cfg_use"])
def test_what_this_version_cannot_do_is_told(
    load: Load, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    load(f'{{"{key}": true}}'.encode())
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [key]
    caplog.clear()
    load(f'{{"{key}": false}}'.encode())
    assert not caplog.records
