"""A fetched configuration that names a broker that nobody listens at, with a real one before it."""

import json
from pathlib import Path

from config_server import ConfigServer
from led_host import Led
from mosquitto import Mosquitto, Subscriber, needs_broker
from tcp_ports import free_port
from told_counters import assert_accounted_for, counted

pytestmark = needs_broker


def test_a_broker_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, "allow_anonymous true") as broker,
        Subscriber(broker.port) as subscriber,
        ConfigServer() as server,
    ):
        led = Led(tmp_path, server, trial=3)
        keys = {"use_http": False, "use_mqtt": True, "mqtt_server": "127.0.0.1"}
        led.file.write_text(json.dumps(led.good(**keys, mqtt_port=broker.port)))
        led.serve_good(**keys, mqtt_port=broker.port)
        with led.running() as host:
            led.until_fetched("equal")
            subscriber.wait(lambda s: s.of("ruuvi/"))
            host.wait_for("mqtt: batches are accepted")
            led.serve_good(**keys, mqtt_port=free_port(), coordinates="2,2")
            assert led.download() == {"status": 200, "message": ""}
            subscriber.wait(lambda s: [state for state, _ in s.states()].count(_OFFLINE) >= 1)
            status = led.until(lambda c: c["trial"] and "rolled_back" in c["trial"])
            assert "no server accepts anything" in status["trial"]["reason"]
            assert led.saved()["mqtt_port"] == broker.port
            assert "coordinates" not in led.saved()
            # Back at the broker at once, and what waited goes there.
            host.wait_for("mqtt: connected", 2)
            before = len(subscriber.of("ruuvi/"))
            subscriber.wait(lambda s: len(s.of("ruuvi/")) > before)
            assert led.download()["status"] == 502, "it is not tried again"
            assert host.stop() == 0
        subscriber.wait(lambda s: [state for state, _ in s.states()][-1] == _OFFLINE)
        assert [state for state, _ in subscriber.states()] == 2 * [_ONLINE, _OFFLINE]
        assert_accounted_for(host, "mqtt")
        assert (
            counted(host, "lost_reports", "mqtt") == counted(host, "refused_reports", "mqtt") == 0
        )
    assert not any("Traceback" in line for line in host.err)


_ONLINE, _OFFLINE = '{"state": "online"}', '{"state": "offline"}'
