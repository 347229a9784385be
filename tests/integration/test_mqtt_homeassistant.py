"""The real program, a real broker, and what Home Assistant would be told there: configs of devices,
when they come, and that they are taken back."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mosquitto import Heard, Mosquitto, Subscriber, needs_broker
from paho.mqtt import publish
from programs import COMMAND, OnLine, Program, ruuvi_host
from told_counters import assert_accounted_for

from ruuvi_host import __version__
from ruuvi_host.config.derived import DERIVED
from ruuvi_host.relay.mqtt.discovery import Discovery
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.kinds import KEY

pytestmark = needs_broker

ANYBODY = "allow_anonymous true"
KINDS = ("5", "air", "3", "7", "8", "c5", "e0", "f0", "4")
BOARD = Board(tags=len(KINDS), kinds=KINDS)
"""As `simulate` and `run --simulate` have it: the same seed, and so the same addresses."""
TEN = [tag.address for tag in Board(tags=10).tags]
GATEWAY = BOARD.device.addr
PREFIX = f"ruuvi/{GATEWAY.hex(':').upper()}/"
OWN = f"ruuvi_gateway_{GATEWAY.hex().upper()}"


def toml(port: int, *more: str, enabled: bool = True, **keys: Any) -> str:
    gateway = {
        "use_mqtt": True,
        "mqtt_server": "127.0.0.1",
        "mqtt_port": port,
        "mqtt_data_format": "ruuvi_decoded",
        **keys,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in gateway.items()]
    on = ["[mqtt.homeassistant]", "enabled = true"] if enabled else []
    return "\n".join(["[gateway]", *lines, *on, *more, ""])


def simulated(folder: Path, text: str) -> Program:
    path = folder / "ruuvi-host.toml"
    path.write_text(text, "utf-8")
    state = ("--state-dir", str(folder / "state"))
    return ruuvi_host("run", "--simulate", "--config", str(path), *state)


@contextmanager
def with_all_kinds(folder: Path, text: str, *, seed: int = 1) -> Iterator[Program]:
    """A host with a sensor of each kind."""
    path = folder / "ruuvi-host.toml"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    kinds = [word for kind in KINDS for word in ("--tag", kind)]
    number = ("--tags", str(len(KINDS)), "--seed", str(seed), "--rate", "30")
    with OnLine("simulate", *kinds, *number) as board:
        where = ("--config", str(path), "--state-dir", str(folder / "state"), "--trust-clock")
        with ruuvi_host("run", "--port", board.port, *where) as host:
            yield host


def configs(heard: list[Heard]) -> list[Heard]:
    return [m for m in list(heard) if m.topic.startswith("homeassistant/")]


def devices(heard: list[Heard]) -> list[str]:
    return [m.topic.split("/")[2] for m in configs(heard)]


def assert_told_before_its_readings(heard: list[Heard]) -> None:
    """Each sensor once, before its first reading, and the gateway before all of them."""
    told = devices(heard)
    assert told[0] == OWN
    known: set[str] = set()
    for message in heard:
        parts = message.topic.split("/")
        if parts[0] == "homeassistant":
            known.add(parts[2].removeprefix("ruuvi_"))
        elif parts[-1] != "gw_status" and "temperature" in message.payload:
            assert parts[-1].replace(":", "") in known


def test_each_sensor_is_told_before_its_first_reading(tmp_path: Path) -> None:
    address = TEN[0].hex(":").upper()
    named = (f'[sensors."{address}"]', 'name = "Sauna"')
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with simulated(tmp_path, toml(broker.port, *named)) as host:
            subscriber.wait(lambda s: len(configs(s.heard)) == 11)
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > 20)
            assert host.stop() == 0
        assert_told_before_its_readings(subscriber.heard)
        assert len(set(devices(subscriber.heard))) == len(devices(subscriber.heard)) == 11
        assert {m.qos for m in configs(subscriber.heard)} == {1}
        discovery = Discovery(GATEWAY, PREFIX, __version__)
        texts = {m.topic: m.payload for m in configs(subscriber.heard)}
        for tag in TEN:
            config = discovery.sensor_config(tag, 5, "Sauna" if tag == TEN[0] else "")
            assert texts[config.topic].encode() == config.payload
        own = discovery.gateway_config()
        assert texts[own.topic].encode() == own.payload
        assert_accounted_for(host, "mqtt")
        with Subscriber(broker.port, "homeassistant/#") as later:
            later.wait(lambda s: len(s.heard) == 11)
            assert all(m.retained for m in later.heard)
            assert {m.topic: m.payload for m in later.heard} == texts


def test_all_formats_with_what_is_computed(tmp_path: Path) -> None:
    tables = [
        line
        for tag in BOARD.tags
        for line in (f'[sensors."{tag.address.hex(":").upper()}"]', f'key = "{KEY.hex()}"')
    ]
    extras = ("[mqtt]", "decode_all = true", f"derived = {json.dumps(DERIVED)}", *tables)
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        # One of format 4 sends a URL, and nothing of the company.
        text = toml(broker.port, *extras, company_use_filtering=False)
        with with_all_kinds(tmp_path, text) as host:
            subscriber.wait(lambda s: len({m.topic for m in s.of(PREFIX)}) == len(KINDS))
            assert host.stop() == 0
        assert_told_before_its_readings(subscriber.heard)
        told = devices(subscriber.heard)
        # An Air twice when its format 6 came first.
        assert len(set(told)) == len(KINDS) + 1
        assert len(told) <= len(KINDS) + 2
        assert not [m for m in subscriber.of(PREFIX) if "temperature" not in m.payload]
        assert not [m for m in subscriber.of(PREFIX) if '"dew_point":null' in m.payload]


def test_a_new_name_is_told_and_switched_off_it_is_taken_back(tmp_path: Path) -> None:
    path, tag = tmp_path / "ruuvi-host.toml", TEN[3]
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with simulated(tmp_path, toml(broker.port)) as host:
            subscriber.wait(lambda s: len(configs(s.heard)) == 11)
            named = (f'[sensors."{tag.hex(":")}"]', 'name = "Fridge"')
            path.write_text(toml(broker.port, *named), "utf-8")
            subprocess.run(["kill", "-HUP", str(host.pid)], check=True)
            subscriber.wait(lambda s: [m for m in configs(s.heard) if '"Fridge"' in m.payload])
            before = len(subscriber.heard)
            path.write_text(toml(broker.port, enabled=False), "utf-8")
            subprocess.run(["kill", "-HUP", str(host.pid)], check=True)
            host.wait_for("mqtt: taken back from Home Assistant: devices 11")
            subscriber.wait(lambda s: len({m.topic for m in configs(s.heard[before:])}) == 11)
            assert host.stop() == 0
        gone = configs(subscriber.heard[before:])
        assert {m.payload for m in gone} == {""}
        assert len({m.topic for m in gone}) == 11
        with Subscriber(broker.port) as later:  # what is retained comes first
            later.wait(lambda s: s.heard)
            assert devices(later.heard) == []


def test_switched_off_while_it_did_not_run(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with simulated(tmp_path, toml(broker.port)) as host:
            subscriber.wait(lambda s: len(configs(s.heard)) == 11)
            assert host.stop() == 0
        remembered = tmp_path / "state" / "mqtt.announced"
        assert len(remembered.read_text("utf-8").splitlines()) == 11
        other = toml(broker.port, 'prefix = "other"')
        with simulated(tmp_path, other) as host:
            subscriber.wait(
                lambda s: len({m.topic for m in configs(s.heard) if not m.payload}) == 11
            )
            subscriber.wait(lambda s: len({topic for topic, _ in _told_at(s, "other/")}) == 11)
            assert host.stop() == 0
        lines = remembered.read_text("utf-8").splitlines()
        assert {line.partition("/")[0] for line in lines} == {"other"}
        with simulated(tmp_path, toml(broker.port, enabled=False)) as host:
            subscriber.wait(lambda s: len({m for m in _told_at(s, "other/") if not m[1]}) == 11)
            assert host.stop() == 0
        assert not remembered.exists()


def _told_at(subscriber: Subscriber, topic: str) -> list[tuple[str, str]]:
    return [(m.topic, m.payload) for m in list(subscriber.heard) if m.topic.startswith(topic)]


def test_what_is_not_retained_is_told_again_on_request(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        text = toml(broker.port, mqtt_disable_retained_messages=True)
        with simulated(tmp_path, text) as host:
            subscriber.wait(lambda s: len(configs(s.heard)) == 11)
            first = {m.topic: m.payload for m in configs(subscriber.heard)}
            with Subscriber(broker.port, "homeassistant/device/#") as later:
                for state in ("offline", "online"):
                    publish.single(
                        "homeassistant/status", state, hostname="127.0.0.1", port=broker.port
                    )
                later.wait(lambda s: len(s.heard) >= 4)  # all of them take ten seconds
            assert host.stop() == 0
        assert not any(m.retained for m in later.heard)
        told = devices(later.heard)
        assert told[0] == OWN
        assert len(set(told)) == len(told), "each once"
        assert all(m.payload == first[m.topic] for m in later.heard)


def test_sensors_are_forgotten_by_command(tmp_path: Path) -> None:
    tag = TEN[0].hex(":").upper()

    def forget(*arguments: str) -> subprocess.CompletedProcess[str]:
        config, state = str(tmp_path / "ruuvi-host.toml"), str(tmp_path / "state")
        where = ("--config", config, "--state-dir", state)
        command = [COMMAND, "mqtt", "forget", *arguments, *where]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with simulated(tmp_path, toml(broker.port)) as host:
            subscriber.wait(lambda s: len(configs(s.heard)) == 11)
            done = forget(tag)
            assert done.returncode == 0, done
            assert done.stdout == "mqtt: taken back from Home Assistant: devices 1\n"
            [gone] = subscriber.wait(lambda s: [m for m in configs(s.heard) if not m.payload])
            assert devices([gone]) == [f"ruuvi_{tag.replace(':', '')}"]
            # The host goes on over its own connection.
            heard = len(subscriber.of("ruuvi/"))
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > heard)
            assert host.stop() == 0
        assert forget("--all").returncode == 0
        with Subscriber(broker.port) as later:
            later.wait(lambda s: s.heard)
            assert devices(later.heard) == []
        wrong = forget("--all", "--target", "site")
        assert wrong.returncode == 2
        assert "there is no broker called site; there are mqtt" in wrong.stderr
        assert forget(tag, "--prefix", "a/#").returncode == 2
    done = forget(tag)
    assert done.returncode == 4
    assert "Connection refused" in done.stderr


def test_shared_hosts_say_the_same_of_sensors(tmp_path: Path) -> None:
    """A host of another address that hears the same sensors would say the same; and what they share
    is not taken back by one of them."""
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with simulated(tmp_path, toml(broker.port, "shared = true")) as host:
            subscriber.wait(lambda s: len(configs(s.heard)) == 11)
            assert host.stop() == 0
        other = Discovery(
            bytes.fromhex("AACCEE001122"), "ruuvi/AA:CC:EE:00:11:22/", __version__, shared=True
        )
        texts = {m.topic: m.payload for m in configs(subscriber.heard)}
        for tag in TEN:
            config = other.sensor_config(tag, 5)
            assert texts[config.topic].encode() == config.payload
        with simulated(tmp_path, toml(broker.port, enabled=False)) as host:
            host.wait_for("mqtt: taken back from Home Assistant: devices 1")
            [gone] = subscriber.wait(lambda s: [m for m in configs(s.heard) if not m.payload])
            assert devices([gone]) == [OWN]
            assert host.stop() == 0


def test_shared_with_another_address_in_the_prefix_is_told_nowhere(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        text = toml(broker.port, "shared = true", mqtt_prefix="ruuvi/AA:CC:EE:00:11:22/")
        with simulated(tmp_path, text) as host:
            host.wait_for(f"mqtt: Home Assistant is told nothing: .*{GATEWAY.hex(':').upper()}")
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > 10)
            assert host.stop(signal.SIGTERM) == 0
        assert configs(subscriber.heard) == []
