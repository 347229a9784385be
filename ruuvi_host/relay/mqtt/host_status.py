"""Tells the state of the host on a topic of its own: at each connection, when it changes, and every
minute."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from firmware_protocol.messages import address_text
from ruuvi_host.config.broker_options import GATEWAY_MAC
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.relay.mqtt.companions import Companion, Presence
from ruuvi_host.relay.mqtt.refusals import NoConnectionError

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two messages, as long as nothing changes."""
LOOKING = 2.0
"""Seconds between two looks whether something has."""
QOS = 1


class HostStatus(Companion):
    """Of one target. document: the state as of now, JSON values only.
    what_matters: of such a document, what is told at once when it changes."""

    def __init__(
        self,
        target: MqttTarget,
        document: Callable[[], dict[str, Any]],
        what_matters: Callable[[dict[str, Any]], object],
    ) -> None:
        self._target = target
        self._document = document
        self._what_matters = what_matters
        self._presence: Presence | None = None
        self._told: object = None
        self._told_at = 0.0
        """By the clock of the loop."""

    def connected(self, presence: Presence) -> None:
        self._presence = presence
        self._told = None  # by the next look at the latest
        if presence.connection.has_room:
            self._publish(presence, self._document())

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOKING)
            presence = self._presence
            if presence is None or not presence.connection.is_up:
                continue
            document = self._document()
            is_due = now() - self._told_at >= EVERY
            if is_due or self._what_matters(document) != self._told:
                with suppress(NoConnectionError):
                    await presence.connection.room()
                    self._publish(presence, document)

    def _publish(self, presence: Presence, document: dict[str, Any]) -> None:
        """Raises NoConnectionError."""
        topic = self._target.options.status_topic.replace(
            GATEWAY_MAC, address_text(presence.gateway)
        )
        payload = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        data = payload.encode("utf-8", "replace")
        self._told, self._told_at = self._what_matters(document), asyncio.get_running_loop().time()
        if presence.connection.takes(topic, data, qos=QOS):
            presence.connection.publish(topic, data, qos=QOS, retain=self._target.retains)
        else:
            log.debug("%s: the state of the host is too long for the broker", self._target.name)
