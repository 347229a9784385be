"""What a gateway's gw_cfg.json says of scanning and of filters."""

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_config_world import Load, problems_of, texts
from gateway_config_world import load as load

from firmware_protocol.messages import SetAll
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.load import load as load_wishes
from ruuvi_host.config.model import FilterSettings
from ruuvi_host.config.problems import Problems, Severity
from ruuvi_host.config.sources import Inputs
from ruuvi_host.intake.filter import AddressFilter

SCAN_KEYS = {
    "scan_coded_phy": "use_coded_phy",
    "scan_1mbit_phy": "use_1m_phy",
    "scan_2mbit_phy": "use_2m_phy",
    "scan_channel_37": "ch_37",
    "scan_channel_38": "ch_38",
    "scan_channel_39": "ch_39",
}


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
