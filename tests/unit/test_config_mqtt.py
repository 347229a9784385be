"""The keys of a broker: what they come down to, and what is said about them."""

import json
from pathlib import Path
from typing import Any

import pytest

from ruuvi_host.config.broker_options import BrokerOptions
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.mqtt import is_private
from ruuvi_host.config.mqtt_target import Backlog, MqttTarget, Transport
from ruuvi_host.config.sources import Inputs
from ruuvi_host.relay.kinds import kind_of

OFF = {"use_http": False, "use_http_ruuvi": False, "use_http_stat": False}
ON = {"use_mqtt": True, "mqtt_server": "broker.lan"}


def of_gateway(folder: Path, keys: dict[str, Any], own: str = "") -> Loaded:
    path = folder / "gw_cfg.json"
    path.write_text(json.dumps({**OFF, **ON, **keys}), "utf-8")
    path.chmod(0o600)
    (folder / "ruuvi-host.toml").write_text(own, "utf-8")
    return load(Inputs(config=path))


def of_table(folder: Path, lines: str, own: str = "") -> Loaded:
    path = folder / "ruuvi-host.toml"
    table = f'[[target]]\nname = "site"\nkind = "mqtt"\nserver = "broker.lan"\n{lines}'
    path.write_text(f"{own}\n{table}\n", "utf-8")
    path.chmod(0o600)
    return load(Inputs(config=path))


def broker(loaded: Loaded) -> MqttTarget:
    [target] = loaded.config.targets
    assert isinstance(target, MqttTarget)
    return target


def said(loaded: Loaded) -> list[tuple[str, str]]:
    return [(p.key, p.severity.value) for p in loaded.problems]


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"mqtt_prefix": "a/+/"}, "mqtt_prefix"),
        ({"mqtt_prefix": "#"}, "mqtt_prefix"),
        ({"mqtt_prefix": "a\0/"}, "mqtt_prefix"),
        ({"mqtt_client_id": "a\0"}, "mqtt_client_id"),
        ({"mqtt_server": ""}, "mqtt_server"),
        ({"mqtt_server": "mqtt://broker.lan"}, "mqtt_server"),
        ({"mqtt_server": "broker.lan:1883"}, "mqtt_server"),
        ({"mqtt_server": "broker lan"}, "mqtt_server"),
        ({"mqtt_port": 0}, "mqtt_port"),
    ],
)
def test_what_no_broker_can_be_told_is_a_fault(
    tmp_path: Path, keys: dict[str, Any], key: str
) -> None:
    loaded = of_gateway(tmp_path, keys)
    assert loaded.config.targets == ()
    assert (key, "fault") in said(loaded)
    assert any(key in fault for fault in loaded.config.faults)


@pytest.mark.parametrize("server", ["broker.lan", "192.168.1.2", "fd00::1", "fe80::1%eth0", "a_b"])
def test_servers(tmp_path: Path, server: str) -> None:
    target = broker(of_gateway(tmp_path, {"mqtt_server": server}))
    assert target.broker.server == server
    assert said(of_gateway(tmp_path, {"mqtt_server": server})) == []


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"mqtt_prefix": "home"}, "mqtt_prefix"),
        ({"mqtt_server": "broker.example.com", "mqtt_pass": "p"}, "mqtt_pass"),
        ({"mqtt_server": "8.8.8.8", "mqtt_pass": "p"}, "mqtt_pass"),
        ({"mqtt_sending_interval": 5}, "mqtt_sending_interval"),
        ({"mqtt_sending_interval": 65546}, "mqtt_sending_interval"),
    ],
)
def test_what_may_not_be_meant_is_a_warning(tmp_path: Path, keys: dict[str, Any], key: str) -> None:
    loaded = of_gateway(tmp_path, keys)
    assert said(loaded) == [(key, "warning")]
    assert broker(loaded).period == min(keys.get("mqtt_sending_interval", 0), 3600)


def test_a_password_is_not_warned_of_with_tls(tmp_path: Path) -> None:
    keys = {"mqtt_server": "broker.example.com", "mqtt_pass": "p", "mqtt_transport": "SSL"}
    assert said(of_gateway(tmp_path, keys)) == []


def test_the_public_broker_of_the_defaults_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gw_cfg.json"
    path.write_text(json.dumps({**OFF, "use_mqtt": True}), "utf-8")
    loaded = load(Inputs(config=path))
    assert said(loaded) == [("mqtt_server", "warning")]
    assert broker(loaded).broker.server == "test.mosquitto.org"


def test_every_message_of_an_outage_needs_times(tmp_path: Path) -> None:
    own = '[mqtt]\nbacklog = "all"\n'
    assert broker(of_gateway(tmp_path, {}, own)).backlog is Backlog.ALL
    loaded = of_gateway(tmp_path, {"ntp_use": False}, own)
    assert broker(loaded).backlog is Backlog.NEWEST
    assert said(loaded) == [("mqtt.backlog", "warning")]
    (tmp_path / "other").mkdir()
    table = of_table(tmp_path / "other", 'backlog = "all"', "gateway = { ntp_use = false }")
    assert broker(table).backlog is Backlog.NEWEST


def test_a_table(tmp_path: Path) -> None:
    target = broker(
        of_table(
            tmp_path,
            'transport = "WSS"\nport = 443\nprefix = "a/"\npass = "SECRET"\nqos = 0\n'
            'srv_cert = "ca.pem"\nsending_interval = 60\ndata_format = "ruuvi_decoded"\n',
        )
    )
    assert (target.name, target.period, target.qos) == ("site", 60, 0)
    assert target.broker.transport is Transport.WSS
    assert target.broker.tls.server_cert == tmp_path / "ca.pem"
    assert target.address == "mqttwss://broker.lan:443"
    assert "SECRET" not in str(target)


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('prefix = "#"', "prefix"),
        ('cli_cert = "c.pem"', "cli_key"),
        ('websocket_path = "mqtt"', "websocket_path"),
        ("qos = 2", "qos"),
        ('version = "4"', "version"),
        ("sending_interval = 3601", "sending_interval"),
    ],
)
def test_a_table_that_cannot_be(tmp_path: Path, lines: str, key: str) -> None:
    loaded = of_table(tmp_path, lines)
    assert any(k.endswith(f".{key}") and severity == "error" for k, severity in said(loaded))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    flags = {"mqtt_use_ssl_server_cert": True, "mqtt_use_ssl_client_cert": True}
    target = broker(of_gateway(tmp_path, {**flags, "mqtt_transport": "SSL"}))
    keys = [key for key, _ in kind_of(target).faults(target)]
    assert keys == ["mqtt_srv_cert", "mqtt_cli_cert"]
    target = broker(of_gateway(tmp_path, flags))  # for TCP they mean nothing
    assert list(kind_of(target).faults(target)) == []


def test_who_can_read_a_password_is_told(tmp_path: Path) -> None:
    of_table(tmp_path, 'pass = "x"')
    path = tmp_path / "ruuvi-host.toml"
    path.chmod(0o644)
    problems = [str(problem) for problem in load(Inputs(config=path)).problems]
    assert any("may read its secrets" in problem for problem in problems)


@pytest.mark.parametrize(
    ("server", "private"),
    [
        *(("127.0.0.1", True), ("10.1.2.3", True), ("fe80::1%eth0", True), ("8.8.8.8", False)),
        *(("broker", True), ("broker.local", True), ("broker.example.com.", False)),
    ],
)
def test_which_servers_are_ours(server: str, private: bool) -> None:
    assert is_private(server) is private


@pytest.mark.parametrize(
    ("keys", "line", "key"),
    [
        ({}, "message_expiry_s = 60", "message_expiry_s"),
        ({}, "will_delay_s = 30", "will_delay_s"),
        ({"mqtt_disable_retained_messages": True}, "retain_readings = true", "retain_readings"),
        (
            {"mqtt_disable_retained_messages": True},
            'version = "5"\nwill_delay_s = 30',
            "will_delay_s",
        ),
        ({}, 'status_topic = "a/+"', "status_topic"),
        ({}, f'status_topic = "{"a" * 257}"', "status_topic"),
        ({}, 'status_topic = "ruuvi/<gateway MAC>/state"', "status_topic"),
        ({}, 'status_topic = "ruuvi/AA:BB:CC:DD:EE:FF/state"', "status_topic"),
        ({"mqtt_prefix": "home/"}, 'status_topic = "home/state"', "status_topic"),
    ],
)
def test_options_that_cannot_be_had(
    tmp_path: Path, keys: dict[str, object], line: str, key: str
) -> None:
    loaded = of_gateway(tmp_path, keys, f"[mqtt]\n{line}\n")
    assert (f"mqtt.{key}", "fault") in said(loaded)
    options = broker(loaded).options
    assert options.without(key) == options, "it is off"
    (tmp_path / "other").mkdir()
    prefix = "".join(f'prefix = "{v}"\n' for k, v in keys.items() if k == "mqtt_prefix")
    if "mqtt_disable_retained_messages" in keys:
        prefix += "disable_retained_messages = true\n"
    table = of_table(tmp_path / "other", prefix + line)
    assert any(k.endswith(f".{key}") and severity == "error" for k, severity in said(table))


def test_options_of_a_broker(tmp_path: Path) -> None:
    own = (
        '[mqtt]\nversion = "5"\nmessage_expiry_s = 60\nwill_delay_s = 30\nretain_readings = true\n'
        'status_topic = "ruuvi-host/<gateway MAC>/status"\n'
    )
    loaded = of_gateway(tmp_path, {}, own)
    assert said(loaded) == []
    options = broker(loaded).options
    assert options == BrokerOptions(60, 30, True, "ruuvi-host/<gateway MAC>/status")


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("", ["target.site.client_id", "target.site.prefix"]),
        ('client_id = "site"', ["target.site.prefix"]),
        ('client_id = "site"\nprefix = "site/"', []),
        ("port = 1884", []),
        ('server = "BROKER.lan"', ["target.site.client_id", "target.site.prefix"]),
    ],
)
def test_two_at_one_broker_need_names_of_their_own(
    lines: str, keys: list[str], tmp_path: Path
) -> None:
    server = "" if "server" in lines else 'server = "broker.lan"'
    table = f'[[target]]\nname = "site"\nkind = "mqtt"\n{server}\n{lines}\n'
    loaded = of_gateway(tmp_path, {}, table)
    assert len(loaded.config.targets) == 2
    assert said(loaded) == [(key, "warning") for key in keys]
