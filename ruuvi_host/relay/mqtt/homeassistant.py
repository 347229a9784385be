"""Tells Home Assistant over a connection what there is, and takes back what is not told any more.

`announcements.py` decides what has to be sent, and when; `announced.py` remembers what was.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firmware_protocol.messages import address_text
from ruuvi_host import __version__
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.mqtt import announced
from ruuvi_host.relay.mqtt.announcements import RATE, Announcement, Announcements
from ruuvi_host.relay.mqtt.companions import Companion, Presence
from ruuvi_host.relay.mqtt.discovery import QOS, Config, Discovery, can_be_shared
from ruuvi_host.relay.mqtt.messages import Message, prefix_of
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, is_taken

log = logging.getLogger(__name__)

NEXT = 0.001
"""Seconds to the next one of several messages."""
STARTED = b"online"
"""What Home Assistant says of itself when it has started."""
SAVING = 1.0
"""Seconds in which what was announced is gathered for the disk."""
CLOSING = 1.0
"""Seconds for the disk at the end; it may hang, and the stop of the host must not."""


class ToHomeAssistant(Companion):
    """Of one target.

    name_of: what a person calls a sensor, as of now; empty: it has no name. path: where topics are
    remembered; None: nowhere.
    """

    def __init__(
        self, target: MqttTarget, name_of: Callable[[bytes], str], path: Path | None
    ) -> None:
        self._target = target
        self._name_of = name_of
        self._path = path
        told = target.extras.homeassistant
        if told and not target.retains:
            # The broker keeps nothing, so it is told again when Home Assistant asks for it.
            self.topics = (f"{told.prefix}/status",)
        self._discovery: Discovery | None = None
        """None: nothing is told over this connection."""
        self._announcements: Announcements | None = None
        self._presence: Presence | None = None
        self._topics: set[str] = set()
        """On which something was told; from `run` on also by earlier runs."""
        self._is_loaded = False
        self._changed = asyncio.Event()
        """They are not all on disk."""
        self._news = asyncio.Event()
        self._refused = False

    # --- what happens at the connection

    def connected(self, presence: Presence) -> None:
        self._presence = presence
        self._refused = False
        # The gateway may be another one than at the last connection.
        self._discovery = discovery = discovery_of(self._target, presence.gateway)
        if discovery is None:
            self._announcements = None
        elif self._announcements:
            self._announcements.changed(discovery)
            self._announcements.connected()
        else:
            self._announcements = Announcements(discovery, self._name_of)
        self._news.set()

    def before(
        self, presence: Presence, report: Advertisement, message: Message, now: float
    ) -> float:
        if self._announcements is None:
            return 0.0
        found = self._announcements.missing(report.address, message.data_format)
        if found is None:
            return 0.0
        if wait := self._announcements.wait(now):
            return wait
        self._announce(presence, found, now)
        # Behind the gateway's own the one of the sensor has still to come.
        return NEXT if found.sensor is None else 0.0

    def received(self, presence: Presence, topic: str, payload: bytes) -> None:
        if self._announcements and topic in self.topics and payload == STARTED:
            log.info("%s: Home Assistant has started, and is told again", self._target.name)
            self._announcements.started(asyncio.get_running_loop().time())
            self._news.set()

    # --- what happens by itself

    async def run(self) -> None:
        try:
            await self._load()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send())
                tasks.create_task(self._save())
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await self._load()  # what is known from before must not be written over
                    await self._write_down()

    async def _send(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._news.wait()
            self._news.clear()
            presence = self._presence
            if presence is None or not presence.connection.is_up:
                continue
            with suppress(NoConnectionError):
                await self._take_back(presence)
                await self._send_due(presence)

    def _until_due(self) -> float | None:
        if self._announcements is None or self._presence is None:
            return None
        if not self._presence.connection.is_up:
            return None
        return self._announcements.next_due(asyncio.get_running_loop().time())

    async def _send_due(self, presence: Presence) -> None:
        """Raises NoConnectionError."""
        if self._announcements is None:
            return
        await presence.connection.room()
        now = asyncio.get_running_loop().time()
        if found := self._announcements.due(now):
            self._announce(presence, found, now)

    async def _take_back(self, presence: Presence) -> None:
        """What an earlier run, or earlier settings, have told and these do not. Raises
        NoConnectionError."""
        old = sorted(stale(self._topics, self._discovery))
        if old:
            text = "%s: taken back from Home Assistant: devices %d"
            log.info(text, self._target.name, len(old))
        for topic in old:
            await presence.connection.room()
            self._publish(presence, Config(topic, b"", self._target.retains))
            await asyncio.sleep(1.0 / RATE)

    # --- one message

    def _announce(self, presence: Presence, found: Announcement, now: float) -> None:
        assert self._announcements
        self._announcements.sent(found, now)
        self._publish(presence, found.config)
        told = self._target.extras.homeassistant
        is_ours = found.sensor is None or not (told and told.shared)
        if is_ours and found.config.topic not in self._topics:
            self._topics.add(found.config.topic)
            self._changed.set()

    def _publish(self, presence: Presence, config: Config) -> None:
        """Raises NoConnectionError."""
        connection = presence.connection
        if not connection.takes(config.topic, config.payload, qos=QOS):
            self._warn_once("its packets may not be so long")
            return
        connection.publish(
            *(config.topic, config.payload),
            qos=QOS,
            retain=config.retained,
            then=lambda code: self._settled(config, taken=is_taken(code)),
        )

    def _settled(self, config: Config, *, taken: bool) -> None:
        if not taken:
            self._warn_once("it may not be published to")
        elif not config.payload:
            self._topics.discard(config.topic)
            self._changed.set()

    def _warn_once(self, why: str) -> None:
        if not self._refused:
            self._refused = True
            text = "%s: the broker does not take what Home Assistant is to be told: %s"
            log.warning(text, self._target.name, why)

    # --- what is remembered

    async def _load(self) -> None:
        if not self._is_loaded:
            known = await asyncio.to_thread(announced.load, self._path)
            self._topics |= known
            self._is_loaded = True

    async def _save(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(SAVING)
            await self._write_down()

    async def _write_down(self) -> None:
        if self._changed.is_set():
            self._changed.clear()
            try:
                await asyncio.to_thread(announced.save, self._path, frozenset(self._topics))
            except asyncio.CancelledError:
                self._changed.set()  # the end of `run` waits for it
                raise


def discovery_of(target: MqttTarget, gateway: bytes) -> Discovery | None:
    """What Home Assistant is told by this gateway; None: nothing."""
    extras = target.extras
    told, prefix = extras.homeassistant, prefix_of(target.prefix, gateway)
    if told is None:
        return None
    if told.shared and not can_be_shared(prefix, gateway):
        log.error(
            "%s: Home Assistant is told nothing: what is shared needs the address of this gateway, "
            "%s, as a level of the prefix %s",
            *(target.name, address_text(gateway), prefix),
        )
        return None
    return Discovery(
        *(gateway, prefix, __version__, target.period, told.prefix),
        shared=told.shared,
        retained=target.retains,
        decode_all=extras.decode_all,
        derived=extras.derived,
    )


def stale(topics: set[str], discovery: Discovery | None) -> set[str]:
    """Those on which nothing is told any more. Sensors stay as long as the discovery prefix does:
    they may only be out of range."""
    if discovery is None:
        return topics
    own = discovery.removal(None).topic
    others = {topic for topic in topics if "/device/ruuvi_gateway_" in topic and topic != own}
    elsewhere = {topic for topic in topics if not topic.startswith(f"{discovery.prefix}/device/")}
    return others | elsewhere
