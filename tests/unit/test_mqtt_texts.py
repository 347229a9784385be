"""What is published, and what CONNECT says, byte for byte as on the gateway.

Source of the vectors: compiled code of ruuvi.gateway_esp.c 5d0ab90, see `sources` in the file.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.config.load import load
from ruuvi_host.config.model import Config
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.config.sources import Inputs
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.mqtt.messages import ONLINE, MessageMaker, status_topic
from ruuvi_host.relay.mqtt.parameters import KEEP_ALIVE, Connect, connect_of
from ruuvi_host.relay.mqtt.pauses import Pauses

VECTORS = load_vectors("mqtt.json")


def cases(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", VECTORS[kind], ids=lambda case: case["name"])


def configured(folder: Path, keys: dict[str, Any]) -> Config:
    """As from a gateway's file."""
    path = folder / "gw_cfg.json"
    off = {"use_http": False, "use_http_ruuvi": False, "use_http_stat": False}
    path.write_text(json.dumps({**off, "use_mqtt": True, **keys}), "utf-8")
    return load(Inputs(config=path)).config


def broker(config: Config) -> MqttTarget:
    [target] = config.targets
    assert isinstance(target, MqttTarget)
    return target


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def packed(text: str | None) -> bytes:
    data = (text or "").encode()
    return len(data).to_bytes(2, "big") + data


def packet(hello: Connect) -> bytes:
    """CONNECT of MQTT 3.1.1."""
    flags = 0x02
    body = packed(hello.client_id)
    if hello.will:
        flags |= 0x04 | 1 << 3 | 0x20
        body += packed(hello.will.topic) + packed(hello.will.payload.decode())
    if hello.user is not None:
        flags |= 0x80
        body += packed(hello.user)
    if hello.password is not None:
        flags |= 0x40
        body += packed(hello.password)
    rest = packed("MQTT") + bytes([4, flags]) + KEEP_ALIVE.to_bytes(2, "big") + body
    length, size = b"", len(rest)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return b"\x10" + length + bytes([size]) + rest


@cases("message")
def test_messages(case: dict[str, Any], tmp_path: Path) -> None:
    config = configured(tmp_path, case["config"])
    target, report = broker(config), case["report"]
    maker = MessageMaker(target.prefix, target.data_format, config.coordinates)
    heard = Advertisement(
        mac(report["mac"]),
        bytes.fromhex(report["data"]),
        rssi=report["rssi"],
        primary_phy=1,
        secondary_phy=0,
        channel=37,
        tx_power=None,
        received=0.0,
        timestamp=report["stamp"],
    )
    message = maker.message(
        *(heard, mac(case["gateway"]["mac"]), case["now"]), counted=not config.use_timestamps
    )
    assert message.topic == case["publish"]["topic"]
    assert message.payload == case["publish"]["payload"].encode()


@cases("connect")
def test_connect(case: dict[str, Any], tmp_path: Path) -> None:
    target, gateway = broker(configured(tmp_path, case["config"])), mac(case["gateway"]["mac"])
    assert packet(connect_of(target, gateway)).hex().upper() == case["packet"]
    assert target.broker.transport.value == case["transport"]
    assert target.broker.port == case["port"]
    [online] = case["publish_after_connack"]
    assert status_topic(target.prefix, gateway) == online["topic"]
    assert online["payload"].encode() == ONLINE
    assert online["retain"] is target.retains
    tls, is_tls = target.broker.tls, target.broker.transport.is_tls
    files = (tls.server_cert, tls.client_cert, tls.client_key)
    wanted = [case[name] for name in ("server_cert", "client_cert", "client_key")]
    assert [f and f.name for f in files] == (wanted if is_tls else [None] * 3)


def test_a_check_has_no_will_and_an_id_of_its_own(tmp_path: Path) -> None:
    hello = connect_of(broker(configured(tmp_path, {})), bytes(6), check=True)
    assert (hello.client_id, hello.will) == ("00:00:00:00:00:00-check", None)


@cases("keys")
def test_keys(case: dict[str, Any], tmp_path: Path) -> None:
    """What the values do; a few are kept in another way than on the gateway."""
    (tmp_path / "gw_cfg_default").write_text(json.dumps(case["present"]), "utf-8")
    config = configured(tmp_path, case["incoming"])
    result = case["result"]
    if not result["use_mqtt"]:
        assert config.targets == ()
        return
    target, gateway = broker(config), mac(case["gateway"]["mac"])
    known = ("TCP", "SSL", "WS", "WSS")
    transport = result["mqtt_transport"] if result["mqtt_transport"] in known else "TCP"
    assert target.broker.transport.value == transport
    assert (target.broker.server, target.broker.port) == (
        *(result["mqtt_server"], result["mqtt_port"]),
    )
    assert status_topic(target.prefix, gateway) == result["mqtt_prefix"] + "gw_status"
    hello = connect_of(target, gateway)
    assert hello.client_id == result["mqtt_client_id"]
    assert (hello.user or "", hello.password or "") == (result["mqtt_user"], result["mqtt_pass"])
    is_cut = "cut to 16 bits" in case.get("note", "")
    assert target.period == (3600 if is_cut else result["mqtt_sending_interval"])


# -- pauses ---------------------------------------------------------------------------------------


def test_pauses_grow_from_ten_seconds_to_two_minutes() -> None:
    pauses = Pauses()
    assert [pauses.failed(chance=0.5) for _ in range(6)] == [10, 20, 40, 80, 120, 120]


def test_chance_makes_a_pause_shorter_or_longer() -> None:
    assert Pauses().failed(chance=0.0) == 8
    assert Pauses().failed(chance=1.0) == pytest.approx(12)
    assert 8 <= Pauses().failed() <= 12


def test_who_is_not_let_in_waits_long_at_once() -> None:
    assert Pauses().failed(refused=True, chance=0.5) == 120


def test_a_connection_that_holds_makes_pauses_short_again() -> None:
    pauses = Pauses()
    for _ in range(4):
        pauses.failed()
    pauses.held(59)
    assert pauses.failed(chance=0.5) == 120
    pauses.held(60)
    assert pauses.failed(chance=0.5) == 10


def test_three_short_connections_in_a_row_are_suspicious() -> None:
    pauses = Pauses()
    assert [pauses.held(5) for _ in range(3)] == [False, False, True]
    pauses = Pauses()
    assert [pauses.held(5, by_network=True) for _ in range(3)] == [False] * 3
    pauses.held(5)
    pauses.held(31)
    assert [pauses.held(5) for _ in range(2)] == [False, False]
