"""Those who read from a cluster, for tools/cluster.py. They block; paho has threads of its own."""

import threading
from time import monotonic, sleep
from typing import Any

import paho.mqtt.client as paho
from brokers import BrokerError
from cluster_tap import Told
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE = 240.0
"""Seconds for a cluster to let somebody in."""
ANSWERING = 10.0
LOOKING, MORE = 8.0, 0.5
"""Seconds for retained messages to come; and for those that should not."""


class Consumer:
    """Reads all readings at one node, in a session that is kept there; comes back by itself."""

    def __init__(self, name: str, port: int) -> None:
        self.heard: set[Told] = set()
        self.messages = 0
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = lambda client, *_: client.subscribe("ruuvi/+/+", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect_async("127.0.0.1", port, keepalive=30)
        self._client.loop_start()

    def ready(self) -> None:
        """Wait until it is subscribed. Raises BrokerError."""
        if not self._subscribed.wait(PATIENCE):
            raise BrokerError("a node does not answer to a subscription")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: object, data: object, message: paho.MQTTMessage) -> None:
        self.messages += 1
        self.heard.add((message.topic, bytes(message.payload)))


def let_in(port: int) -> None:
    """Until a node answers CONNECT with consent; a cluster that starts does so late. Raises
    BrokerError."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        answered = threading.Event()
        consents: list[bool] = []

        def on_connect(
            *told: Any, answered: threading.Event = answered, consents: list[bool] = consents
        ) -> None:
            consents.append(not told[3].is_failure)
            answered.set()

        client = paho.Client(CallbackAPIVersion.VERSION2, "somebody")
        client.on_connect = on_connect
        client.connect_async("127.0.0.1", port)
        client.loop_start()
        answered.wait(ANSWERING)
        client.disconnect()
        client.loop_stop()
        if any(consents):
            return
        sleep(1)
    raise BrokerError(f"the node on port {port} lets nobody in")


def retained(port: int, filters: list[str], enough: int) -> dict[str, bytes]:
    """What a node tells somebody who is new there: topic → payload."""
    told: dict[str, bytes] = {}
    news = threading.Condition()

    def subscribe(client: paho.Client, *_: object) -> None:
        for topic in filters:
            client.subscribe(topic, 1)

    def on_message(client: object, data: object, message: paho.MQTTMessage) -> None:
        with news:
            told[message.topic] = bytes(message.payload)
            news.notify_all()

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = subscribe
    client.on_message = on_message
    client.connect_async("127.0.0.1", port)
    client.loop_start()
    with news:
        news.wait_for(lambda: len(told) >= enough, LOOKING)
    sleep(MORE)
    client.disconnect()
    client.loop_stop()
    return told
