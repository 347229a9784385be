"""A real broker for tests, on a free port, and a subscriber that notes all that it gets."""

import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from programs import PATIENCE
from tcp_ports import free_port

BROKER = shutil.which("mosquitto") or "/usr/sbin/mosquitto"

needs_broker = pytest.mark.skipif(not Path(BROKER).exists(), reason="mosquitto is not installed")


class Mosquitto:
    """mosquitto, with these lines of configuration for its listener. A context manager."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._lines = lines
        if "protocol websockets" in lines:  # without another listener 2.0.11 does not start
            self._lines = (*lines, f"listener {free_port()} 127.0.0.1")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it listens."""
        path, log = self._folder / "mosquitto.conf", self._folder / "mosquitto.log"
        lines = ("user root", f"listener {self.port} 127.0.0.1", *self._lines, "")
        path.write_text("\n".join(lines), "utf-8")
        with open(log, "ab") as out:
            self._process = subprocess.Popen([BROKER, "-c", str(path)], stdout=out, stderr=out)
        end = monotonic() + PATIENCE
        while monotonic() < end:
            assert self._process.poll() is None, log.read_text("utf-8")
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
        raise AssertionError("mosquitto does not listen")

    def kill(self) -> None:
        """As by a power cut."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def stop(self) -> None:
        """In good order: it saves what it keeps."""
        assert self._process
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Heard(NamedTuple):
    """A message."""

    topic: str
    payload: str
    qos: int
    retained: bool


class Subscriber:
    """Notes all messages; connects again when the broker is back. A context manager."""

    def __init__(self, port: int, topic: str = "#") -> None:
        self.heard: list[Heard] = []
        self.subscribed = 0
        """How often."""
        self._news = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def wait(self, enough: Callable[[Self], Any]) -> Any:
        """What `enough` says, as soon as that is something."""
        with self._news:
            found = self._news.wait_for(lambda: enough(self), PATIENCE)
        assert found, self.heard[-5:]
        return found

    def of(self, topic: str) -> list[Heard]:
        """Messages of topics that begin so, without those of the state."""
        return [
            m for m in list(self.heard) if m.topic.startswith(topic) and "gw_status" not in m.topic
        ]

    def states(self) -> list[tuple[str, bool]]:
        """Payload, and whether it was retained, of all messages of the state."""
        return [(m.payload, m.retained) for m in list(self.heard) if "gw_status" in m.topic]

    def __enter__(self) -> Self:
        self.wait(lambda self: self.subscribed)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # Else it is open until it is collected, in the middle of a test that counts what is open.
        self._client._reset_sockets(sockpair_only=True)

    def _on_subscribe(self, *_: object) -> None:
        with self._news:
            self.subscribed += 1
            self._news.notify_all()

    def _on_message(self, client: object, data: object, message: paho.MQTTMessage) -> None:
        heard = Heard(message.topic, message.payload.decode(), message.qos, message.retain)
        with self._news:
            self.heard.append(heard)
            self._news.notify_all()
