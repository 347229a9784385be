"""A connection to a broker that is made again whenever it ends, and says that we are there.

It knows why there is none, and when the next one is tried. What is published over it is decided
elsewhere: see `companions.py`, and `publishing.py` for readings.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.relay.mqtt.client import connect
from ruuvi_host.relay.mqtt.companions import Companion, Presence
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE, status_topic
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.pauses import Pauses
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step

log = logging.getLogger(__name__)

LAST_WORD = 2.0
"""Seconds for the confirmation of "offline" at the end."""
COMPANIONS_LAST_WORDS = 1.0
"""Seconds for what companions have to say before it."""


class Standing:
    """The connection of one target.

    gateway: tells who we are, once that is known. None: `learn` does.
    """

    def __init__(
        self,
        target: MqttTarget,
        companions: Sequence[Companion] = (),
        gateway: Callable[[], Awaitable[DeviceId]] | None = None,
    ) -> None:
        self.target = target
        self.companions = companions
        self.presence: Presence | None = None
        """None: there is no connection."""
        self.why = NoConnectionError(Step.CONNECT, "not connected yet")
        """There is none, or there was none before."""
        self.next_try = 0.0
        """By the clock of the loop."""
        self.tried = asyncio.Event()
        """The first attempt to connect has ended."""
        self.up = asyncio.Event()
        self._gateway = gateway
        self._known: asyncio.Future[bytes] | None = None
        """Our address."""
        self._pauses = Pauses()
        self._told = ""
        """The reason that is in the log."""

    @property
    def is_up(self) -> bool:
        return self.presence is not None and self.presence.connection.is_up

    @property
    def learns(self) -> bool:
        """Does nobody but a batch tell who we are?"""
        return self._gateway is None

    def learn(self, address: bytes) -> None:
        """Who we are, unless it is known."""
        known = self._address()
        if not known.done():
            known.set_result(address)

    async def run(self) -> None:
        """Connect, for ever. A connection that is there when this is cancelled stays."""
        async with asyncio.TaskGroup() as tasks:
            for companion in self.companions:
                tasks.create_task(companion.run(), name=f"{self.target.name} companion")
            tasks.create_task(self._stay_connected(), name=f"{self.target.name} connection")

    async def leave(self, successor: MqttTarget | None = None) -> None:
        """Say that we are gone, and go. successor: as of Companion.leaving."""
        presence, self.presence = self.presence, None
        self.up.clear()
        if presence is None:
            return
        if presence.connection.is_up:
            with suppress(NoConnectionError, TimeoutError):
                async with asyncio.timeout(COMPANIONS_LAST_WORDS):
                    for companion in self.companions:
                        await companion.leaving(presence, successor)
            with suppress(NoConnectionError, TimeoutError):
                async with asyncio.timeout(LAST_WORD):
                    await self._say_offline(presence)
        await presence.connection.close()

    def _address(self) -> "asyncio.Future[bytes]":
        if self._known is None:
            self._known = asyncio.get_running_loop().create_future()
        return self._known

    async def _stay_connected(self) -> None:
        if self._gateway and not self._address().done():
            self.learn((await self._gateway()).addr)
        address = await asyncio.shield(self._address())
        while True:
            pause = 0.0
            if self.presence is None:
                try:
                    await self._connect(address)
                except NoConnectionError as error:
                    refused = error.step is Step.REFUSED and error.fix
                    self._disconnected(error, pause := self._pauses.failed(refused=refused))
                finally:
                    self.tried.set()
            if self.presence:
                pause = await self._lost(self.presence)
            await asyncio.sleep(pause)

    async def _connect(self, address: bytes) -> None:
        """Raises NoConnectionError."""
        target = self.target
        connection = await connect(target, connect_of(target, address))
        presence = Presence(connection, address)
        connection.received = lambda topic, payload: self._received(presence, topic, payload)
        try:
            connection.publish(
                status_topic(target.prefix, address), ONLINE, qos=target.qos, retain=target.retains
            )
            for companion in self.companions:
                for topic in companion.topics:
                    connection.subscribe(topic)
                companion.connected(presence)
        except Exception:
            await connection.close()
            raise
        self.presence = presence
        self._told = ""
        by = "" if connection.version == "3.1.1" else " by MQTT 5"
        if target.broker.version != connection.version:
            by = ", which does not speak MQTT 5, by 3.1.1"
        log.info("%s: connected to %s%s", target.name, connection.server, by)
        self.up.set()

    async def _lost(self, presence: Presence) -> float:
        """Wait until the connection is. Returns the seconds to wait for the next one."""
        now = asyncio.get_running_loop().time
        since = now()
        lost = await asyncio.shield(presence.connection.lost)
        twice = self._pauses.held(now() - since, by_network=lost.by_network)
        self._disconnected(lost, pause := self._pauses.failed())
        if twice:
            log.warning(
                "%s: connections end soon after they begin: does another client use the client "
                "id %s?",
                *(self.target.name, connect_of(self.target, presence.gateway).client_id),
            )
        return pause

    def _disconnected(self, error: NoConnectionError, pause: float) -> None:
        self.presence = None
        self.up.clear()
        self.why = error
        self.next_try = asyncio.get_running_loop().time() + pause
        # Once for each reason: an hour without a broker is one line.
        if self._told != str(error):
            self._told = str(error)
            level = logging.ERROR if error.fix else logging.WARNING
            text = "%s: no connection: %s; next try in %.0f s"
            log.log(level, text, self.target.name, error, pause)

    def _received(self, presence: Presence, topic: str, payload: bytes) -> None:
        for companion in self.companions:
            companion.received(presence, topic, payload)

    async def _say_offline(self, presence: Presence) -> None:
        """And wait until the broker has it. Raises NoConnectionError."""
        connection, confirmed = presence.connection, asyncio.Event()
        connection.publish(
            status_topic(self.target.prefix, presence.gateway),
            OFFLINE,
            qos=self.target.qos,
            retain=self.target.retains,
            then=lambda _: confirmed.set(),
        )
        while not confirmed.is_set():
            await connection.settles()
