"""Addresses of brokers, and what may be subscribed to."""

import pytest

from ruuvi_host.config.mqtt_target import MqttLogin, Transport
from ruuvi_host.config.mqtt_url import parse_broker
from ruuvi_host.config.target_parts import TlsFiles
from ruuvi_host.errors import ConfigError
from ruuvi_host.fleet.subscription import checked_filters


@pytest.mark.parametrize(
    ("url", "transport", "server", "port", "path"),
    [
        ("mqtt://a.example", Transport.TCP, "a.example", 1883, "/"),
        ("MQTTS://u:p@a.example:1", Transport.SSL, "a.example", 1, "/"),
        ("mqttws://[::1]/mqtt", Transport.WS, "::1", 80, "/mqtt"),
        ("mqttwss://10.0.0.1:9001/", Transport.WSS, "10.0.0.1", 9001, "/"),
    ],
)
def test_addresses(url: str, transport: Transport, server: str, port: int, path: str) -> None:
    target = parse_broker("--mqtt", url, login=MqttLogin(), tls=TlsFiles(), version="5")
    broker = target.broker
    assert (broker.transport, broker.server, broker.port) == (transport, server, port)
    assert (broker.websocket_path, broker.version) == (path, "5")


def test_who_we_are() -> None:
    given = MqttLogin("id", "other", "word")
    target = parse_broker("x", "mqtt://u%40x:p%2F%23@h", login=given, tls=TlsFiles(), version="5")
    assert target.login == MqttLogin("id", "u@x", "p/#")
    target = parse_broker("x", "mqtt://h", login=given, tls=TlsFiles(), version="5")
    assert target.login == given


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "is no address of a broker"),
        ("a.example:1883", "is no address of a broker"),
        ("http://se-cret@x", "is no address of a broker"),
        ("mqtt://", "names no host"),
        ("mqtt://u:se-cret@x:99999", "host or port is malformed"),
        ("mqtt://u:se-cret@x:0", "port must be"),
        ("mqtt://[::1", "host or port is malformed"),
        ("mqtt://u:se-cret@x?y", "has a ?"),
        ("mqtt://x/ruuvi/+", "has a path, which only WebSockets have"),
        ("mqtt://a b", "has white space"),
        ("mqtt://u:se-cret%00@x", "pass has a character"),
        ("mqttws://x/%", ""),
    ],
)
def test_what_is_no_address(url: str, why: str) -> None:
    if not why:
        assert parse_broker("x", url, login=MqttLogin(), tls=TlsFiles(), version="5")
        return
    with pytest.raises(ConfigError) as caught:
        parse_broker("--mqtt", url, login=MqttLogin(), tls=TlsFiles(), version="3.1.1")
    assert str(caught.value).startswith(f"--mqtt: {why}") or why in str(caught.value)
    assert "se-cret" not in str(caught.value)


def test_filters() -> None:
    assert checked_filters(("ruuvi/+/+", "#", "+", "a//b", "ruuvi/+/+"), None) == (
        *("ruuvi/+/+", "#", "+", "a//b"),
    )
    assert checked_filters(("ruuvi/#",), "workers") == ("$share/workers/ruuvi/#",)


@pytest.mark.parametrize(
    ("topic", "group", "why"),
    [
        ("", None, "is empty"),
        ("a/#/b", None, "has a #"),
        ("a#", None, "has a #"),
        ("a+/b", None, "has a +"),
        ("a\0", None, "has a character"),
        ("\ud800", None, "has a character"),
        ("a" * 70_000, None, "is longer"),
        ("$share/x/y", "z", "cannot be shared"),
        ("a", "", "must be a name"),
        ("a", "b/c", "must be a name"),
        ("a", "b c", "must be a name"),
    ],
)
def test_what_is_no_filter(topic: str, group: str | None, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        checked_filters((topic,), group)
