"""The connection to a broker while the configuration changes under a running host."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from mosquitto import Heard, Mosquitto, Subscriber, needs_broker
from programs import Program
from test_mqtt import ANYBODY, OFFLINE, ONLINE, configuration, run
from told_counters import assert_accounted_for

pytestmark = needs_broker


def change(host: Program, folder: Path, port: int, times: int, **keys: Any) -> None:
    """Have another configuration read, and wait until it was."""
    configuration(folder, port, **keys)
    os.kill(host.pid, signal.SIGHUP)
    host.wait_for("configuration read again", times)


def more(subscriber: Subscriber, prefix: str = "ruuvi/") -> None:
    """Wait for readings that come from now on."""
    before = len(subscriber.of(prefix))
    subscriber.wait(lambda s: len(s.of(prefix)) > before)


def test_only_what_concerns_a_broker_ends_its_connection(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        with run(tmp_path, configuration(tmp_path, broker.port)) as host:
            more(subscriber)
            # Others' settings; one that empties the table; and the same once more.
            change(host, tmp_path, broker.port, 1, coordinates="60.1,24.9")
            subscriber.wait(lambda s: any("60.1,24.9" in m.payload for m in s.heard))
            change(host, tmp_path, broker.port, 2, coordinates="60.1,24.9", scan_filter_length=1)
            more(subscriber)
            change(host, tmp_path, broker.port, 3, coordinates="60.1,24.9", scan_filter_length=1)
            more(subscriber)
            assert [state for state, _ in subscriber.states()] == [ONLINE]
            # Its own: what waits goes out, then "offline", over the connection that was there.
            change(host, tmp_path, broker.port, 4, mqtt_prefix="cellar/")
            more(subscriber, "cellar/")
            host.wait_for("mqtt: connected", 2)
            assert host.stop() == 0
        subscriber.wait(lambda s: len(s.states()) == 4)
        topics = [m.topic for m in subscriber.heard]
        old, new = [t for t in topics if t.startswith("ruuvi/")], topics[-1]
        assert new == "cellar/gw_status"
        assert old[-1].endswith("/gw_status")
        told = [(m.topic.split("/")[0], m.payload) for m in subscriber.heard if "gw_st" in m.topic]
        assert told == [
            *(("ruuvi", ONLINE), ("ruuvi", OFFLINE)),
            *(("cellar", ONLINE), ("cellar", OFFLINE)),
        ]
        assert_accounted_for(host, "mqtt")


def test_what_waits_for_its_round_goes_over_the_old_connection(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(tmp_path, broker.port, mqtt_sending_interval=3600)
        other = (
            *("target.all.kind=mqtt", "target.all.server=127.0.0.1", "target.all.prefix=all/"),
            *(f"target.all.port={broker.port}", "target.all.client_id=all"),
        )
        with run(tmp_path, config, *other) as host:
            subscriber.wait(lambda s: len({m.topic for m in s.of("all/")}) > 5)  # were heard
            change(host, tmp_path, broker.port, 1, mqtt_prefix="cellar/")
            host.wait_for("mqtt: connected", 2)
            subscriber.wait(lambda s: any(m.topic == "cellar/gw_status" for m in s.heard))
            assert host.stop() == 0
        topics = [m.topic.split("/")[0] + m.topic[-9:] for m in subscriber.heard]
        topics = [topic for topic in topics if not topic.startswith("all")]
        begin, end = (
            topics.index("ruuvigw_status"),
            len(topics) - topics[::-1].index("ruuvigw_status") - 1,
        )
        assert end - begin > 5
        assert_accounted_for(host, "mqtt")


def test_a_state_that_nobody_keeps_up_to_date_is_taken_away(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, ANYBODY) as broker,
        Subscriber(broker.port) as subscriber,
        run(tmp_path, configuration(tmp_path, broker.port)) as host,
    ):
        more(subscriber)
        change(host, tmp_path, broker.port, 1, mqtt_disable_retained_messages=True)
        host.wait_for("mqtt: connected", 2)
        subscriber.wait(lambda s: len(s.states()) == 4)
        assert [state for state, _ in subscriber.states()] == [ONLINE, OFFLINE, "", ONLINE]
        with Subscriber(broker.port) as later:
            more(later)
            assert not [m for m in later.heard if m.retained]
        assert host.stop() == 0


def test_the_host_tells_how_it_is(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(tmp_path, broker.port, mqtt_user="u", mqtt_pass="SECRET")
        setting = "mqtt.status_topic=ruuvi-host/<gateway MAC>/status"

        def told(s: Subscriber) -> list[Heard]:
            return [m for m in list(s.heard) if m.topic.startswith("ruuvi-host/")]

        def documents(s: Subscriber) -> list[Any]:
            return [json.loads(m.payload) for m in told(s)]

        with run(tmp_path, config, setting) as host:
            subscriber.wait(lambda s: any(d["radio"][0]["state"] == "ready" for d in documents(s)))
            ready = documents(subscriber)[-1]
            assert ready["gateway"] == told(subscriber)[0].topic.split("/")[1]
            assert set(ready) == {
                *("version", "gateway", "started", "uptime", "health", "radio", "targets"),
                "configuration",
            }
            assert ready["targets"]["mqtt"]["lost_reports"]["overflowed"] == 0
            assert "SECRET" not in str(told(subscriber))
            with Subscriber(broker.port) as later:
                later.wait(told)
                assert told(later)[0].retained
            # A configuration that cannot be used is told at once, and goes nowhere else.
            (tmp_path / "gw_cfg.json").write_text("{", "utf-8")
            os.kill(host.pid, signal.SIGHUP)
            subscriber.wait(lambda s: any(d["configuration"]["last_error"] for d in documents(s)))
            change(host, tmp_path, broker.port, 1, mqtt_user="u", mqtt_pass="SECRET")
            subscriber.wait(lambda s: not documents(s)[-1]["configuration"]["last_error"])
            assert (
                documents(subscriber)[-1]["configuration"]["hash"]
                == (ready["configuration"]["hash"])
            )
            assert host.stop() == 0


def test_readings_can_be_retained(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(tmp_path, broker.port)
        with run(tmp_path, config, "mqtt.retain_readings=true") as host:
            more(subscriber)
            assert host.stop() == 0
        with Subscriber(broker.port) as later:
            later.wait(lambda s: s.of("ruuvi/"))
            assert all(m.retained for m in later.heard)


def test_a_will_that_waits_hides_a_short_break(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANYBODY) as broker, Subscriber(broker.port) as subscriber:
        config = configuration(tmp_path, broker.port)
        settings = ("mqtt.version=5", "mqtt.will_delay_s=600", "mqtt.message_expiry_s=60")
        with run(tmp_path, config, *settings) as host:
            more(subscriber)
            host.stop(signal.SIGKILL)
        with run(tmp_path, config, *settings) as host:
            subscriber.wait(lambda s: len(s.states()) == 2)
            more(subscriber)
            assert host.stop() == 0
        subscriber.wait(lambda s: len(s.states()) == 3)
        assert [state for state, _ in subscriber.states()] == [ONLINE, ONLINE, OFFLINE]
