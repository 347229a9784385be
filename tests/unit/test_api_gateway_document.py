"""The text of GET /ruuvi.json: the gateway's own, byte for byte, and without any secret."""

import json
from typing import Any

import pytest
from conftest import load_vectors

from firmware_protocol.messages import DeviceId
from ruuvi_host.api.door import Identity
from ruuvi_host.api.gateway_document import FILES, printed, shown
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import GATEWAY_KEYS, Kind
from ruuvi_host.config.problems import Problems

CASES = [
    case
    for case in load_vectors("local_api.json")["cases"]
    if case["name"].startswith("ruuvi_json_")
]
DEVICE = DeviceId(bytes.fromhex("0011223344556677"), bytes.fromhex("AABBCCDDEEFF"))
IDENTITY = Identity(DEVICE, "v1.17.3", "v1.0.0")


def configured(**keys: Any) -> GatewayConfig:
    gateway = GatewayConfig()
    gateway.update(keys, Problems())
    return gateway


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_it_is_the_gateways_byte_for_byte(case: dict[str, Any]) -> None:
    files = case.get("state", {}).get("files", {})
    assert shown(configured(**case["config"]), IDENTITY, files) == case["response"]["body"]


def test_no_secret_is_in_it() -> None:
    gateway = configured()
    secrets = [key.name for key in GATEWAY_KEYS if key.secret]
    assert len(secrets) > 8
    for kind in ("basic", "bearer", "api_key", "token"):
        gateway.values |= {name: f"s3cret of {name}" for name in secrets}
        gateway.values |= {
            "use_http": True,
            "http_auth": kind,
            "http_url": "http://h/",
            "remote_cfg_auth_type": "basic" if kind == "basic" else "bearer",
            "wifi_sta_config": {"ssid": "net", "password": "s3cret", "more": "s3cret"},
            "wifi_ap_config": {"channel": 6, "password": "s3cret"},
        }
        text = shown(gateway, IDENTITY, ())
        assert "s3cret" not in text
        assert '"ssid":\t"net"' in text


def test_nothing_is_in_it_that_a_gateways_page_does_not_know() -> None:
    gateway = configured(own_key=1)
    assert gateway.unknown == {"own_key": 1}
    document = json.loads(shown(gateway, IDENTITY, {"http_path", "gw_cfg_default", "x"}))
    assert "own_key" not in document
    assert list(document["storage"]) == ["storage_ready", *FILES]


def test_what_was_read_can_be_posted_back() -> None:
    gateway = configured(
        use_http_ruuvi=False,
        use_http=True,
        http_url='https://h/ä?"\\\t',
        http_auth="basic",
        http_user="u",
        http_pass="p",
        lan_auth_api_key="k",
        coordinates="60\x1f/",
        scan_filter_list=["aa:bb:cc:dd:ee:01", "no address"],
        remote_cfg_auth_type="no",
    )
    text = shown(gateway, IDENTITY, ())
    before = dict(gateway.values)
    gateway.update(json.loads(text), Problems())
    own = {"mqtt_prefix": "", "mqtt_client_id": "", "remote_cfg_auth_type": "no"}
    listed = ["aa:bb:cc:dd:ee:01", "no address"]
    assert gateway.values | own | {"scan_filter_list": listed} == before
    assert shown(gateway, IDENTITY, ()) == text


def test_every_kind_of_key_is_printed_as_json() -> None:
    document = json.loads(shown(configured(), IDENTITY, ()))
    for key in GATEWAY_KEYS:
        if key.kind is Kind.FLAG:
            assert isinstance(document[key.name], bool), key.name


def test_the_printer_is_cjsons() -> None:
    document = {"a": {}, "b": [], "c": [1, "x"], "d": {"e": {"f": None}}, "g": 'ä"\n'}
    assert printed(document) == (
        '{\n\t"a":\t{\n\t},\n\t"b":\t[],\n\t"c":\t[1, "x"],\n'
        '\t"d":\t{\n\t\t"e":\t{\n\t\t\t"f":\tnull\n\t\t}\n\t},\n\t"g":\t"ä\\"\\n"\n}'
    )
