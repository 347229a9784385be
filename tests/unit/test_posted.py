"""What a POST of the local API changes: as a gateway does it."""

from typing import Any

import pytest

from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.posted import after_post, fixed, posted, without_fixed
from ruuvi_host.config.problems import Problems
from ruuvi_host.errors import ConfigError

CUSTOM = {
    "use_http_ruuvi": False,
    "use_http": True,
    "http_url": "https://example.com/a",
    "http_auth": "bearer",
    "http_bearer_token": "TOK",
}


def saved(*documents: dict[str, Any], own: dict[str, Any] | None = None) -> GatewayConfig:
    gateway = GatewayConfig()
    for document in documents:
        gateway.update(document, Problems(source="gw_cfg.json"))
    if own:
        gateway.update(own, Problems(source="--set"), own=True)
    return gateway


def after(before: GatewayConfig, document: dict[str, Any], mac: str = "") -> dict[str, Any]:
    """What has changed."""
    old = dict(before.values)
    keys = posted(document, Problems(), mac)
    new = after_post(before, keys, Problems(), source="gw_cfg.json")
    return {name: new[name] for name in BY_NAME if new[name] != old[name]}


@pytest.mark.parametrize(
    ("document", "changed"),
    [
        ({}, {}),
        ({"coordinates": "60,25"}, {"coordinates": "60,25"}),
        ({"Coordinates": "9,9", "coordinates": "1,1"}, {"coordinates": "9,9"}),
        ({"http_period": "20", "use_http": 1, "coordinates": 7}, {"http_period": 20}),
        ({"use_eth": False, "eth_dhcp": False, "wifi_ap_config": {"channel": 6}}, {}),
        ({"WIFI_AP_CONFIG": {"channel": 6}, "Use_Eth": False}, {}),
        ({"gw_mac": "x", "storage": {}, "lan_auth_api_key_use": True}, {}),
        ({"lan_auth_user": "x", "lan_auth_pass": "y"}, {}),
        ({"company_use_filtering": 0}, {}),
        ({"company_use_filtering": False}, {"company_use_filtering": False}),
        ({"remote_cfg_use": True}, {"remote_cfg_use": True}),
        ({"scan_filter_list": ["aa:bb:cc:dd:ee:0f"]}, {"scan_filter_list": ["AA:BB:CC:DD:EE:0F"]}),
        ({"scan_filter_list": 5}, {}),
        ({"mqtt_prefix": "ruuvi/00:00:00:00:00:00/", "mqtt_client_id": "00:00:00:00:00:00"}, {}),
        ({"mqtt_prefix": "ruuvi/AA:BB:CC:DD:EE:FF/", "mqtt_client_id": "AA:BB:CC:DD:EE:FF"}, {}),
    ],
)
def test_what_a_post_changes(document: dict[str, Any], changed: dict[str, Any]) -> None:
    assert after(saved(), document, "AA:BB:CC:DD:EE:FF") == changed


def test_a_key_that_is_not_named_keeps_its_secret() -> None:
    change = {"use_http": True, "http_url": "https://example.com/b", "http_auth": "bearer"}
    gateway = saved(CUSTOM)
    assert after(gateway, change) == {"http_url": "https://example.com/b"}
    assert gateway.document()["http_bearer_token"] == "TOK"


def test_a_key_is_switched_off_by_an_empty_text() -> None:
    keys = {"lan_auth_api_key": "a", "lan_auth_api_key_rw": "b"}
    off = dict.fromkeys(keys, "")
    assert after(saved(keys), off) == off


def test_what_nobody_knows_is_not_kept() -> None:
    """A client must not fill the file until nobody can read it."""
    gateway, problems = saved({"new_key": 1}), Problems()
    keys = posted({"other_key": "x" * 1000}, problems)
    after_post(gateway, keys, problems, source="")
    assert gateway.unknown == {"new_key": 1}
    assert [problem.key for problem in problems.found] == ["other_key"]


def test_names_in_another_case_and_twice_are_told() -> None:
    problems = Problems()
    posted({"Coordinates": "9,9", "coordinates": "1,1"}, problems)
    assert [str(problem) for problem in problems.found] == [
        "Coordinates: is written coordinates; taken all the same",
        "coordinates: given more than once; the first counts",
    ]


def test_a_list_in_the_file_that_cannot_be_read_is_not_lost() -> None:
    broken = {"scan_filter_list": 5, "scan_filter_allow_listed": True}
    with pytest.raises(ConfigError, match="scan_filter_list"):
        after(saved(broken), {"coordinates": "1,2"})
    mended = {"scan_filter_list": ["AA:BB:CC:DD:EE:FF"]}
    assert after(saved(broken), mended) == mended


def test_what_is_fixed_elsewhere_is_saved_but_does_not_count() -> None:
    effective = saved(CUSTOM, own={"http_url": "http://other/"})
    keys = posted({"http_url": "https://example.com/c", "coordinates": "1,2"}, Problems())
    new = after_post(
        saved(CUSTOM), without_fixed(keys, saved(CUSTOM), effective), Problems(), source=""
    )
    assert new["http_url"] == "https://example.com/c"
    effective.update({"coordinates": "1,2"}, Problems())
    assert fixed(keys, new, effective) == {"http_url": "--set"}


def test_what_a_get_shows_of_the_cloud_alone_is_no_wish_either() -> None:
    """It shows use_http as true: posted back, the file must not begin to say so."""
    off = {"use_http_ruuvi": False, "use_http": False}
    effective = saved(off, own={"use_http_ruuvi": True})
    shown = posted(effective.document(), Problems())
    assert shown["use_http"] is True
    assert after(saved(off), without_fixed(shown, saved(off), effective)) == {}
    wish = posted({"use_http": True, "http_url": "http://x/"}, Problems())
    assert without_fixed(wish, saved(off), effective) == wish


def test_a_fixed_value_that_is_posted_back_is_no_wish() -> None:
    effective = saved(CUSTOM, own={"http_url": "http://other/"})
    shown = {"http_url": "http://other/", "coordinates": ""}
    assert without_fixed(posted(shown, Problems()), saved(CUSTOM), effective) == {"coordinates": ""}
