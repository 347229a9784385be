"""`config import` of the config.yml of RuuviBridge and of ruuvi-go-gateway: what becomes of it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from ruuvi_host.config import from_go_gateway, from_ruuvibridge
from ruuvi_host.config.files import Unreadable
from ruuvi_host.config.foreign import is_foreign, with_foreign
from ruuvi_host.config.load import load
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.takeover import Takeover, seconds
from ruuvi_host.config.targets import HttpTarget, InfluxTarget
from ruuvi_host.config.yaml_text import MAX_PIECES, MAX_YAML, parse_yaml
from ruuvi_host.errors import ConfigError

BRIDGE = """
gateway_polling:
  enabled: false
  bearer_token: SECRET-0
mqtt_listener:
  broker_url: tcp://broker:1883
  password: SECRET-1
processing:
  extended_values: true
  filter_mode: denylist
  filter_list:
    - 001122334455   # a number, if one asks YAML
    - F0:E1:D2:C3:B4:A5
    - nonsense
influxdb_publisher:
  enabled: true
  minimum_interval: 1m30s
  url: http://db.home:8086
  auth_token: ruuvi:SECRET-2
  org: ""
  bucket: ruuvi/autogen
  measurement: tags
  additional_tags:
    site: home
influxdb3_publisher:
  url: http://db3.home:8181
  auth_token: SECRET-3
  database: air
prometheus:
  port: 8081
mqtt_publisher:
  enabled: true
  minimum_interval: 30s
  broker_url: wss://broker.home/mqtt
  client_id: RuuviBridgePublisher
  username: bridge
  password: SECRET-4
  topic_prefix: ruuvitag
  homeassistant_discovery_prefix: homeassistant
  lwt_topic: bridge/state
tag_names:
  001122334455: Fridge
  F0E1D2C3B4A5: "Sauna, hot"
  nowhere: Moon
logging:
  type: simple
  level: trace
debug: false
surprise: 1
"""

GO = """
gw_mac: 11:22:33:44:55:06
all_advertisements: true
hci_index: 0
mqtt:
  enabled: true
  broker_address: broker.home
  broker_port: 1884
  username: gw
  password: SECRET-1
  topic_prefix: ruuvi
http:
  url: http://server.home:8080/record
  interval: 1m
  username: gw
  password: SECRET-2
logging:
  level: warn
"""


def taken_over(tmp_path: Path, text: str) -> tuple[dict[str, Any], Takeover]:
    """What stands in a new ruuvi-host.toml, and what is told."""
    config = tmp_path / "ruuvi-host.toml"
    texts, taken = with_foreign(config, tmp_path / "config.yml", text)
    assert list(texts) == [config]
    config.write_text(texts[config])
    config.chmod(0o600)
    return tomllib.loads(texts[config]), taken


def told(taken: Takeover) -> dict[str, str]:
    return dict(taken.left)


def test_ruuvibridge(tmp_path: Path) -> None:
    document, taken = taken_over(tmp_path, BRIDGE)
    bridge, third = document["target"]
    assert bridge == {
        "name": "ruuvibridge",
        "kind": "influxdb",
        "api": "v2",
        "schema": "ruuvibridge",
        "url": "http://db.home:8086",
        "token": "ruuvi:SECRET-2",
        "bucket": "ruuvi/autogen",
        "measurement": "tags",
        "tags": ["site=home"],
        "interval": 90,
    }
    assert third["bucket"] == "air"
    assert third["token"] == "SECRET-3"
    assert third["measurement"] == "ruuvi_measurements"
    assert document["sensors"] == {
        "00:11:22:33:44:55": {"name": "Fridge"},
        "F0:E1:D2:C3:B4:A5": {"name": "Sauna, hot"},
    }
    assert document["log"] == {"level": "debug"}
    assert document["mqtt"] == {
        "websocket_path": "/mqtt",
        "homeassistant": {"enabled": True, "prefix": "homeassistant"},
    }
    assert document["gateway"] == {
        "scan_filter_allow_listed": False,
        "scan_filter_list": ["00:11:22:33:44:55", "F0:E1:D2:C3:B4:A5"],
        "use_mqtt": True,
        "mqtt_data_format": "ruuvi_decoded",
        "mqtt_transport": "WSS",
        "mqtt_server": "broker.home",
        "mqtt_port": 443,
        "mqtt_client_id": "RuuviBridgePublisher",
        "mqtt_user": "bridge",
        "mqtt_pass": "SECRET-4",
        "mqtt_prefix": "ruuvitag/",
        "mqtt_sending_interval": 30,
    }
    assert set(told(taken)) == {
        *("gateway_polling.enabled", "gateway_polling.bearer_token", "mqtt_listener"),
        *("processing.extended_values", "processing.filter_list", "influxdb_publisher.enabled"),
        *("influxdb_publisher.org", "prometheus", "tag_names.nowhere", "debug", "surprise"),
        *("mqtt_publisher.lwt_topic", "logging.type"),
    }
    assert "SECRET" not in repr(taken.left) + repr(taken.taken)


@pytest.mark.parametrize(("prefix", "why"), [("''", "empty"), ("a/#", "must be levels")])
def test_a_discovery_prefix_that_tells_nothing(tmp_path: Path, prefix: str, why: str) -> None:
    lines = ["mqtt_publisher:", "  broker_address: broker.home"]
    lines.append(f"  homeassistant_discovery_prefix: {prefix}")
    document, taken = taken_over(tmp_path, "\n".join(lines))
    assert "mqtt" not in document
    assert why in told(taken)["mqtt_publisher.homeassistant_discovery_prefix"]


def test_ruuvi_go_gateway(tmp_path: Path) -> None:
    document, taken = taken_over(tmp_path, GO)
    assert document["gateway"] == {
        "company_use_filtering": False,
        "use_http": True,
        "http_url": "http://server.home:8080/record",
        "http_data_format": "ruuvi",
        "http_period": 60,
        "http_auth": "basic",
        "http_user": "gw",
        "http_pass": "SECRET-2",
        "use_mqtt": True,
        "mqtt_data_format": "ruuvi_raw",
        "mqtt_server": "broker.home",
        "mqtt_port": 1884,
        "mqtt_user": "gw",
        "mqtt_pass": "SECRET-1",
        "mqtt_prefix": "ruuvi/",
    }
    assert document["log"] == {"level": "warning"}
    assert set(told(taken)) == {"gw_mac", "hci_index"}
    assert "SECRET" not in repr(taken.left) + repr(taken.taken)


@pytest.mark.parametrize("text", [BRIDGE, GO])
def test_a_host_can_run_with_it(tmp_path: Path, text: str) -> None:
    taken_over(tmp_path, text)
    loaded = load(Inputs(tmp_path / "ruuvi-host.toml"))
    assert [p for p in loaded.problems if p.severity is Severity.ERROR] == []
    wanted = InfluxTarget if text is BRIDGE else HttpTarget
    assert any(isinstance(target, wanted) for target in loaded.config.targets)


@pytest.mark.parametrize("text", [BRIDGE, GO])
def test_nothing_is_sent_to_ruuvi_because_of_it(tmp_path: Path, text: str) -> None:
    texts, _ = with_foreign(tmp_path / "gw_cfg.json", tmp_path / "config.yml", text)
    for path, content in texts.items():
        path.write_text(content)
    loaded = load(Inputs(tmp_path / "gw_cfg.json"))
    assert not any("ruuvi.com" in target.address for target in loaded.config.targets)
    assert loaded.config.statistics is None


@pytest.mark.parametrize("text", [BRIDGE, GO])
def test_each_key_is_told_once(tmp_path: Path, text: str) -> None:
    _, taken = taken_over(tmp_path, text)
    names = [key for key, _ in (*taken.taken, *taken.left)]
    twice = {name for name in names if names.count(name) > 1}
    assert twice <= {"processing.filter_list"}  # taken, but for one of its addresses
    program = from_ruuvibridge if text is BRIDGE else from_go_gateway
    for theirs, ours in taken.taken:
        if not theirs.startswith("tag_names"):
            assert {*ours} <= {*program.TAKEN[theirs], "mqtt.websocket_path"}, theirs


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    config = tmp_path / "ruuvi-host.toml"
    config.write_text(
        '# mine\n[sensors."F0:E1:D2:C3:B4:A5"]\nname = "old"\nbattery_volts = 2.2\n'
        '[[target]]\nname = "log"\nkind = "file"\nfolder = "/x"\n'
    )
    first, _ = taken_over(tmp_path, BRIDGE)
    again, _ = taken_over(tmp_path, BRIDGE)
    assert config.read_text().startswith("# mine\n")
    assert first == again
    assert [target["name"] for target in first["target"]] == ["log", "ruuvibridge", "ruuvibridge3"]
    assert first["sensors"]["F0:E1:D2:C3:B4:A5"] == {"name": "Sauna, hot", "battery_volts": 2.2}


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("http: {url: 'ftp://x'}", "http.url", "must begin with http"),
        ("http: {url: 'http://u:SECRET@[x/'}", "http.url", "malformed"),
        ("http: {url: 'http://u:SECRET@x/'}", "http.url", "a user in it"),
        ("http: {url: 'http://x', interval: 10}", "http.interval", "is no time as 10s"),
        (f"http: {{url: 'http://x', username: {'u' * 51}}}", "http.username", "longer than 50"),
        ("http: {url: 'http://x', password: SECRET}", "http.password", "without username"),
        ("http: {interval: 10s}", "http.interval", "no address"),
        ("http: {enabled: no, url: 'http://x'}", "http.url", "switched off"),
        ("http:", "http", "empty"),
        ("mqtt: {broker_url: 'x://y'}", "mqtt.broker_url", "is no address"),
        ("mqtt: {broker_url: 'tcp://u:SECRET@y'}", "mqtt.broker_url", "a user in it"),
        ("mqtt: {broker_url: 'tcp://y:SECRET'}", "mqtt.broker_url", "malformed"),
        ("mqtt: {broker_address: y, broker_port: 99999}", "mqtt.broker_port", "mqtt_port"),
        ("influxdb_publisher: {url: nowhere}", "influxdb_publisher.url", "no target: url"),
        (
            'influxdb_publisher: {auth_token: "SECRET\\t"}',
            "influxdb_publisher.auth_token",
            "token must be printable",
        ),
        (
            "influxdb_publisher: {additional_tags: {mac: x}}",
            "influxdb_publisher.additional_tags",
            "mac",
        ),
        ("processing: {filter_mode: allowlist}", "processing.filter_mode", "no address"),
        ("processing: {filter_mode: x}", "processing.filter_mode", "no mode"),
        ("processing: {filter_mode: none, filter_list: [A]}", "processing.filter_list", "not used"),
        (f"tag_names: {{001122334455: {'x' * 61}}}", "tag_names.001122334455", "at most 60"),
        ("tag_names: 5", "tag_names", "no table"),
        ("tag_names: {1: x}\nlogging: {level: loud}", "logging.level", "no level"),
    ],
)
def test_why_not(tmp_path: Path, text: str, key: str, why: str) -> None:
    _, taken = with_foreign(tmp_path / "x.toml", tmp_path / "config.yml", text)
    assert why in told(taken)[key]
    assert "SECRET" not in repr(taken.left) + repr(taken.taken)
    assert key not in dict(taken.taken)


def test_names_as_a_filter(tmp_path: Path) -> None:
    text = "processing: {filter_mode: named}\ntag_names: {001122334455: x, moon: y}"
    document, _ = taken_over(tmp_path, text)
    assert document["gateway"] == {
        "scan_filter_allow_listed": True,
        "scan_filter_list": ["00:11:22:33:44:55"],
    }


def test_more_addresses_than_a_gateway_takes_are_no_filter(tmp_path: Path) -> None:
    many = "".join(f"  - {number:012X}\n" for number in range(101))
    text = f"processing:\n filter_mode: allowlist\n filter_list:\n{many}"
    _, taken = with_foreign(tmp_path / "x.toml", tmp_path / "config.yml", text)
    assert "scan_filter_list" in told(taken)["processing.filter_mode"]
    assert taken.pairs == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\nb: 2", "of RuuviBridge nor of ruuvi-go-gateway: it has a, b"),
        ("gw_mac: x\ntag_names: {}", "of both of them: gw_mac, tag_names"),
        ("- gw_mac", "no table"),
        ("", "no table"),
        ("gw_mac: [", "at line 1, column"),
        ("http: {password: @SECRET}", "at line 1, column"),
        ("http: {password: !SECRET!x y}", "at line 1, column"),
        ("gw_mac: \0", "not YAML that can be read"),
        ("gw_mac: x\n---\nhci_index: 1", "more than one"),
        ("gw_mac: x\ngw_mac: y", "two keys 'gw_mac'"),
        ("? [a]\n: b", "a key that is no text"),
        ("gw_mac: &a [x]\nhttp: *a", "alias (line 2)"),
        ("gw_mac: x\nhttp: {<<: *b}", "alias (line 2)"),
        ("gw_mac: " + "[" * 100_000, "longer"),
        ("gw_mac: " + "[" * 10_000, "nested too deeply (line 1)"),
        ("gw_mac: " + "{a: " * 10_000, "nested too deeply (line 1)"),
        ("gw_mac: [" + "x," * MAX_PIECES, f"more than {MAX_PIECES} values"),
        ("gw_mac: " + "x" * MAX_YAML, "longer"),
    ],
)
def test_what_is_none_changes_nothing(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError) as error:
        with_foreign(tmp_path / "x.toml", tmp_path / "config.yml", text)
    assert str(tmp_path / "config.yml") in str(error.value)
    assert why in str(error.value)
    assert "SECRET" not in str(error.value)


def test_a_billion_laughs_end_at_the_first() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{name}: &{name} [{','.join(['*a'] * 9)}]" for name in "bcdefghi"]
    with pytest.raises(Unreadable, match=r"alias \(line 2\)"):
        parse_yaml("\n".join(lines))


def test_scalars_stay_as_they_are_written() -> None:
    text = (
        "a: 001122334455\nb: 11:22:33:44:55:06\nc: no\nd: ~\ne: '~'\nf:\ng: 1e5\nh: !!binary eA=="
    )
    assert parse_yaml(text) == {
        "a": "001122334455",
        "b": "11:22:33:44:55:06",
        "c": "no",
        "d": None,
        "e": "~",
        "f": None,
        "g": "1e5",
        "h": "eA==",
    }


def test_what_is_taken_for_yaml() -> None:
    assert is_foreign(Path("x.yml"), "")
    assert is_foreign(Path("x.YAML"), "a: 1")
    assert is_foreign(Path("/dev/stdin"), "# mine\nhttp:\n  url: x\n")
    assert not is_foreign(Path("/dev/stdin"), "nonsense")
    assert not is_foreign(Path("/dev/stdin"), "[http]\nurl = 1")
    assert not is_foreign(Path("x.yml"), ' {"http_url": ""}')
    assert not is_foreign(Path("x.json"), "http:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("10s", 10), ("1m30s", 90), ("1h", 3600), ("0s", 0), ("0", 0), ("1.5s", 2)),
        *(("500ms", 1), ("10", None), ("", None), ("10 s", None), ("-1s", None), ("s", None)),
    ],
)
def test_times_of_go(text: str, expected: int | None) -> None:
    assert seconds(text) == expected
