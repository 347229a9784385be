"""The real program and a real broker: what a subscriber sees, in good times and in bad ones."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme
from certificates import authority, chain
from mosquitto import Mosquitto, Subscriber, needs_broker
from programs import COMMAND, Program, ruuvi_host
from tcp_ports import free_port
from told_counters import assert_accounted_for, counted

pytestmark = needs_broker

ONLINE, OFFLINE = '{"state": "online"}', '{"state": "offline"}'
OFF = {"use_http": False, "use_http_ruuvi": False, "use_http_stat": False}
ANYBODY = "allow_anonymous true"


def configuration(folder: Path, port: int, **keys: Any) -> str:
    path = folder / "gw_cfg.json"
    broker = {"use_mqtt": True, "mqtt_server": "127.0.0.1", "mqtt_port": port}
    path.write_text(json.dumps({**OFF, **broker, **keys}), "utf-8")
    path.chmod(0o600)
    return str(path)


def run(folder: Path, config: str, *settings: str) -> Program:
    pairs = [word for each in settings for word in ("--set", each)]
    state = ("--state-dir", str(folder / "state"), "--trust-clock")
    return ruuvi_host("run", "--simulate", "--config", config, *state, *pairs)


def check(config: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "check", "--simulate", "--config", config, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_from_online_to_offline(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(tmp_path, broker.port, mqtt_data_format="ruuvi_raw_and_decoded")
        with run(tmp_path, config) as host:
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > 20)
            assert host.stop() == 0
        subscriber.wait(lambda s: len(s.states()) == 2)
        assert subscriber.heard[0].payload == ONLINE
        assert subscriber.heard[-1].payload == OFFLINE
        assert {(m.qos, m.retained) for m in subscriber.heard} == {(1, False)}
        reading = json.loads(subscriber.of("ruuvi/")[0].payload)
        assert {"gw_mac", "rssi", "aoa", "gwts", "ts", "data", "dataFormat"} <= reading.keys()
        # What was under way at the stop may have come twice, with the same text.
        assert len(set(subscriber.of("ruuvi/"))) == counted(host, "accepted_reports", "mqtt")
        assert_accounted_for(host, "mqtt")
        with Subscriber(broker.port) as later:
            later.wait(lambda s: s.states())
            assert later.heard == [(subscriber.heard[-1].topic, OFFLINE, 1, True)]


def test_killed_the_broker_tells_it(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with run(tmp_path, configuration(tmp_path, broker.port)) as host:
            subscriber.wait(lambda s: s.of("ruuvi/"))
            host.stop(signal.SIGKILL)
        subscriber.wait(lambda s: (OFFLINE, False) in s.states())


def test_without_retained_messages_there_is_no_will(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(
            tmp_path, broker.port, mqtt_disable_retained_messages=True, mqtt_sending_interval=1
        )
        with run(tmp_path, config) as host:
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > 10)
            host.stop(signal.SIGKILL)
        with run(tmp_path, config) as host:
            subscriber.wait(lambda s: len(s.states()) == 2)
            assert host.stop() == 0
        subscriber.wait(lambda s: len(s.states()) == 3)
        assert [state for state, _ in subscriber.states()] == [ONLINE, ONLINE, OFFLINE]
        with Subscriber(broker.port) as later:  # what it gets first would be what is retained
            with run(tmp_path, config) as host:
                later.wait(lambda s: s.heard)
                assert host.stop() == 0
            assert later.states()[0] == (ONLINE, False)


def test_a_round_has_one_time_and_each_sensor_once(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        # Two rounds of which the first one is late can fall into the same second, if it is one.
        config = configuration(tmp_path, broker.port, mqtt_sending_interval=2)
        with run(tmp_path, config) as host:
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > 20)
            assert host.stop() == 0
        rounds: dict[int, list[str]] = {}
        for message in dict.fromkeys(subscriber.of("ruuvi/")):
            when = json.loads(message.payload)["gwts"]
            rounds.setdefault(when, []).append(message.topic)
        assert len(rounds) > 1
        assert not [r for r in [*rounds.values()][:-1] if len(set(r)) != len(r)]


def test_a_broker_that_goes_and_comes_back(tmp_path: Path) -> None:
    """Two targets at one broker: of one the newest message of each sensor is sent then, of the
    other one every message, in order. The broker has kept nothing but what it had confirmed."""
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(tmp_path, broker.port)
        other = (
            *("target.all.kind=mqtt", "target.all.server=127.0.0.1", "target.all.prefix=all/"),
            *(f"target.all.port={broker.port}", "target.all.client_id=all"),
            *("target.all.backlog=all", "target.all.drain_rate=10000"),
        )
        with run(tmp_path, config, *other) as host:
            subscriber.wait(lambda s: s.of("ruuvi/") and s.of("all/"))
            broker.kill()
            host.wait_for("mqtt: no connection")
            host.wait_for("all: no connection")
            before = len(subscriber.heard)
            broker.start()
            subscriber.wait(lambda s: s.subscribed >= 2)
            host.wait_for("mqtt: connected", 2)
            host.wait_for("all: connected", 2)
            subscriber.wait(
                lambda s: (
                    [m for m in s.heard[before:] if m.topic.startswith("ruuvi/F")]
                    and [m for m in s.heard[before:] if m.topic.startswith("all/")]
                )
            )
            host.wait_for("all: batches are accepted after")
            assert host.stop() == 0
        for target in ("mqtt", "all"):
            assert_accounted_for(host, target)
            assert counted(host, "lost", target) == 0
        # Nothing of it is missing, and nothing comes before what is older.
        per_topic: dict[str, list[int]] = {}
        for message in subscriber.of("all/"):
            per_topic.setdefault(message.topic, []).append(json.loads(message.payload)["ts"])
        assert all(times == sorted(times) for times in per_topic.values())
        told = {(m.topic, m.payload) for m in subscriber.of("all/")}
        assert counted(host, "accepted_reports", "all") == counted(host, "batch_reports", "all")
        assert len(told) >= counted(host, "accepted_reports", "all") - 20  # that were under way
        assert counted(host, "merged", "mqtt") > 0


@pytest.mark.parametrize("backlog", ["all", "newest"])
def test_what_waits_survives_the_death_of_the_host(tmp_path: Path, backlog: str) -> None:
    """The broker is away, and the host is killed. The next one delivers what the first one had."""
    broker = Mosquitto(tmp_path, ANYBODY)
    config = configuration(tmp_path, broker.port)
    settings = (f"mqtt.backlog={backlog}", "mqtt.drain_rate=10000")
    with run(tmp_path, config, *settings) as host:
        host.wait_for("mqtt: not delivered")
        host.wait_for("coprocessor configured")
        spool = tmp_path / "state" / "simulated" / "mqtt.spool"
        spool = spool if spool.exists() else tmp_path / "state" / "mqtt.spool"
        host.stop(signal.SIGKILL)
    with broker, Subscriber(broker.port) as subscriber, run(tmp_path, config, *settings) as host:
        line = host.wait_for(r"mqtt: from the previous run: waiting: batches \d+, reports (\d+)")
        waited = int(line[1])
        assert waited > 0
        subscriber.wait(lambda s: len(s.of("ruuvi/")) > waited)
        late = [json.loads(m.payload) for m in subscriber.of("ruuvi/")[:waited]]
        if backlog == "all":
            assert [m["ts"] for m in late] == sorted(m["ts"] for m in late)
        assert host.stop() == 0
    assert_accounted_for(host, "mqtt")


# -- who may connect ------------------------------------------------------------------------------


def test_check_tells_what_is_wrong_with_the_password(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-c", "-b", str(passwords), "user", "right"],
        check=True,
        capture_output=True,
    )
    with Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        wrong = configuration(tmp_path, broker.port, mqtt_user="user", mqtt_pass="SECRET-wrong")
        done = check(wrong)
        assert done.returncode == 4, done
        assert "does not let this client in (CONNACK 5)" in done.stdout + done.stderr
        assert "SECRET" not in done.stdout + done.stderr
        with run(tmp_path, wrong) as host:
            host.wait_for(r"no connection: .*CONNACK 5")
            assert host.stop() == 0
            assert "SECRET" not in str(host)
        right = configuration(tmp_path, broker.port, mqtt_user="user", mqtt_pass="right")
        done = check(right)
        assert done.returncode == 0, done
        assert "has accepted the connection" in done.stdout


def test_a_check_publishes_nothing(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with run(tmp_path, configuration(tmp_path, broker.port)) as host:
            subscriber.wait(lambda s: s.of("ruuvi/"))
            done = check(str(tmp_path / "gw_cfg.json"))
            assert done.returncode == 0, done
            heard = len(subscriber.of("ruuvi/"))
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > heard)
            assert host.stop() == 0
        subscriber.wait(lambda s: len(s.states()) == 2)
        assert [state for state, _ in subscriber.states()] == [ONLINE, OFFLINE]


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("transport", ["SSL", "WSS"])
def test_tls_with_certificates_of_our_own(tmp_path: Path, transport: str) -> None:
    server, client = authority().issue_cert("127.0.0.1"), authority().issue_cert("gateway")
    ours = authority().cert_pem.bytes()
    lines = [
        f"cafile {written(tmp_path, 'ca.pem', ours)}",
        f"certfile {written(tmp_path, 'server.pem', chain(server))}",
        f"keyfile {written(tmp_path, 'server.key', server.private_key_pem.bytes())}",
        *("require_certificate true", ANYBODY),
        *(["protocol websockets"] if transport == "WSS" else []),
    ]
    written(tmp_path, "mqtt_srv_cert", ours)
    with Mosquitto(tmp_path, *lines) as broker:
        keys = {"mqtt_transport": transport, "mqtt_use_ssl_server_cert": True}
        done = check(configuration(tmp_path, broker.port, **keys))
        assert done.returncode == 4, done  # it wants a certificate of ours
        keys["mqtt_use_ssl_client_cert"] = True
        config = configuration(tmp_path, broker.port, **keys)
        done = check(config)
        assert done.returncode != 0, done
        assert "mqtt_cli_cert does not exist" in done.stdout + done.stderr
        written(tmp_path, "mqtt_cli_cert", chain(client))
        written(tmp_path, "mqtt_cli_key", client.private_key_pem.bytes())
        done = check(config)
        assert done.returncode == 0, done
        with run(tmp_path, config) as host:
            host.wait_for("mqtt: batches are accepted")
            assert host.stop() == 0
            assert_accounted_for(host, "mqtt")
        other = trustme.CA().cert_pem.bytes()
        written(tmp_path, "mqtt_srv_cert", other)
        done = check(config)
        assert done.returncode == 4, done
        assert "is not that in" in done.stdout + done.stderr


def test_websockets(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY, "protocol websockets") as broker:
        config = configuration(tmp_path, broker.port, mqtt_transport="WS")
        with run(tmp_path, config) as host:
            host.wait_for("mqtt: batches are accepted")
            assert host.stop() == 0
            assert_accounted_for(host, "mqtt")
        # To a broker on WebSockets, TCP looks dead.
        done = check(configuration(tmp_path, broker.port))
        assert done.returncode == 4, done


def test_mqtt_5(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(tmp_path, broker.port)
        with run(tmp_path, config, "mqtt.version=5") as host:
            host.wait_for("mqtt: connected to .* by MQTT 5")
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > 5)
            assert host.stop() == 0
            assert_accounted_for(host, "mqtt")
        subscriber.wait(lambda s: len(s.states()) == 2)


def test_a_dead_broker_holds_up_nobody(tmp_path: Path) -> None:
    with ruuvi_host("receive", "--port", "0", "--simulated", "1") as server:
        port = server.wait_for(r"127\.0\.0\.1:(\d+)")[1]
        config = configuration(tmp_path, free_port())
        url = f"http://127.0.0.1:{port}/record"
        settings = ("use_http=true", f"http_url={url}", "http_period=1")
        with run(tmp_path, config, *settings) as host:
            host.wait_for("mqtt: not delivered")
            host.wait_for("custom: batches are accepted")
            server.wait_for("accepted", 3)
            assert host.stop() == 0
        assert_accounted_for(host, "mqtt")
        assert_accounted_for(host, "custom")
        assert counted(host, "kept", "mqtt") > 0
