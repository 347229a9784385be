"""Where a gateway's gw_cfg.json sends data: defaults, targets, credentials, statistics."""

from typing import Any

import pytest
from gateway_config_world import CLOUD, Load, custom, problems_of, texts
from gateway_config_world import load as load

from ruuvi_host.config.files import gateway_text
from ruuvi_host.config.gateway_keys import RUUVI_CLOUD_URL
from ruuvi_host.config.load import load as load_wishes
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import CUSTOM, RUUVI

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
