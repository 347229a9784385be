"""A connection to a broker that is made again whenever it ends, and says that we are there.

It knows why there is none, and when the next one is tried. What is published over it is decided
elsewhere: see `companions.py`, and `publishing.py` for readings.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from firmware_protocol.messages import DeviceId, address_text
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.relay.mqtt.client import connect
from ruuvi_host.relay.mqtt.companions import Companion, Presence
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE, status_topic
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.pauses import Pauses
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step, is_taken, reason

log = logging.getLogger(__name__)

LAST_WORDS = 2.0
"""Seconds until "offline", and what companions have to say before it, is confirmed at the end."""
COMPANIONS_LAST_WORDS = 0.5
"""Of those, for companions."""
SLOW_LAST_WORDS = 1.0
"""The same, where something else was not confirmed yet: a stop has five seconds in all."""
ROOM = 0.3
"""Of those, until there may be one more message."""


class Standing:
    """The connection of one target.

    gateway: tells who we are, as soon as that is known, and is another one than that. None: `learn`
    does.
    """

    def __init__(
        self,
        target: MqttTarget,
        companions: Sequence[Companion] = (),
        gateway: Callable[[DeviceId | None], Awaitable[DeviceId]] | None = None,
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
        self._address = b""
        """Ours; empty: not known yet."""
        self._known = asyncio.Event()
        self._since = 0.0
        """When the present connection was made, by the clock of the loop."""
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

    @property
    def state(self) -> str:
        """For people."""
        server = self.target.address
        if self.is_up:
            assert self.presence
            return f"connected to {server} by MQTT {self.presence.connection.version}"
        if not self._address:
            return f"waits for the address of the gateway before it connects to {server}"
        if not self.tried.is_set():
            return f"connects to {server}"
        wait = max(0.0, self.next_try - asyncio.get_running_loop().time())
        return f"not connected: {self.why}; next try in {wait:.0f} s"

    def learn(self, address: bytes) -> None:
        """Who we are, unless somebody else tells."""
        if self._gateway is None and not self._address:
            self._address = address
            self._known.set()

    async def run(self) -> None:
        """Connect, for ever. A connection that is there when this is cancelled stays."""
        async with asyncio.TaskGroup() as tasks:
            for companion in self.companions:
                tasks.create_task(companion.run(), name=f"{self.target.name} companion")
            tasks.create_task(self._stay_connected(), name=f"{self.target.name} connection")
            tasks.create_task(self._know_gateway(), name=f"{self.target.name} gateway")

    async def leave(self, successor: MqttTarget | None = None) -> None:
        """Say that we are gone, and go. successor: as of Companion.leaving."""
        presence, self.presence = self.presence, None
        self.up.clear()
        if presence is None:
            return
        if presence.connection.is_up:
            seconds = SLOW_LAST_WORDS if presence.connection.in_flight else LAST_WORDS
            with suppress(NoConnectionError, TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._say_last_words(presence, successor)
        await presence.connection.close()

    async def _say_last_words(self, presence: Presence, successor: MqttTarget | None) -> None:
        """Raises NoConnectionError."""
        retains = self.target.retains
        try:
            async with asyncio.timeout(COMPANIONS_LAST_WORDS):
                for companion in self.companions:
                    await companion.leaving(presence, successor)
        except TimeoutError:
            pass  # ours is what others wait for
        await self._say(presence, OFFLINE, retain=retains)
        if retains and successor and not successor.retains:
            # Nothing takes it away any more; and whoever subscribes takes it for true.
            await self._say(presence, b"", retain=True)

    async def _know_gateway(self) -> None:
        """When it is another one, its connection has another client id, will and topics."""
        gateway: DeviceId | None = None
        while self._gateway:
            gateway = await self._gateway(gateway)
            before, self._address = self._address, gateway.addr
            self._known.set()
            if before and self._differs(before):
                log.warning(
                    "%s: the gateway is %s now: its connection is made anew",
                    *(self.target.name, address_text(gateway.addr)),
                )
                await self.leave()

    def _differs(self, address: bytes) -> bool:
        """Does who has this address say something else in its connection than we do?"""
        prefix, ours = self.target.prefix, self._address
        said = [connect_of(self.target, a) for a in (address, ours)]
        topics = [status_topic(prefix, a) for a in (address, ours)]
        return said[0] != said[1] or topics[0] != topics[1]

    async def _stay_connected(self) -> None:
        await self._known.wait()
        while True:
            pause = 0.0
            if self.presence is None:
                try:
                    await self._connect(self._address)
                except NoConnectionError as error:
                    refused = error.step is Step.REFUSED and error.fix
                    self._disconnected(error, pause := self._pauses.failed(refused=refused))
                finally:
                    self.tried.set()
            if self.presence and self._differs(self.presence.gateway):
                await self.leave()  # it was made for another gateway
            elif self.presence:
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
                status_topic(target.prefix, address),
                ONLINE,
                qos=target.qos,
                retain=target.retains,
                then=self._said_online,
            )
            for companion in self.companions:
                for topic in companion.topics:
                    connection.subscribe(topic)
                companion.connected(presence)
        except Exception:
            await connection.close()
            raise
        self.presence = presence
        self._since = asyncio.get_running_loop().time()
        self._told = ""
        by = "" if connection.version == "3.1.1" else " by MQTT 5"
        if target.broker.version != connection.version:
            by = ", which does not speak MQTT 5, by 3.1.1"
        log.info("%s: connected to %s%s", target.name, connection.server, by)
        self.up.set()

    async def _lost(self, presence: Presence) -> float:
        """Wait until the connection is. Returns the seconds to wait for the next one."""
        lost = await asyncio.shield(presence.connection.lost)
        if self.presence is not presence:  # we have left it
            return 0.0
        held = asyncio.get_running_loop().time() - self._since
        twice = self._pauses.held(held, by_network=lost.by_network)
        self._disconnected(lost, pause := self._pauses.failed())
        if twice:
            log.warning(
                "%s: connections end soon after they begin: does another client use the client "
                "id %s, or does the broker not take what is sent? Its log tells%s",
                *(self.target.name, connect_of(self.target, presence.gateway).client_id),
                "" if presence.connection.version == "5" else "; with mqtt.version 5 it may say so",
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

    def _said_online(self, code: int) -> None:
        if not is_taken(code):
            text = "%s: the broker does not take our state (the topic …gw_status): %s"
            log.warning(text, self.target.name, reason(code))

    def _received(self, presence: Presence, topic: str, payload: bytes) -> None:
        for companion in self.companions:
            companion.received(presence, topic, payload)

    async def _say(self, presence: Presence, state: bytes, *, retain: bool) -> None:
        """Publish it, and wait until the broker has it. Raises NoConnectionError."""
        connection, confirmed = presence.connection, asyncio.Event()
        qos = self.target.qos
        try:
            async with asyncio.timeout(ROOM):
                await connection.room()
        except TimeoutError:
            qos = 0  # needs no room: a broker may end a connection with more than it has
        connection.publish(
            status_topic(self.target.prefix, presence.gateway),
            state,
            qos=qos,
            retain=retain,
            then=lambda _: confirmed.set(),
        )
        while not confirmed.is_set():
            await connection.settles()
