"""Delivery to a broker: a connection that is kept, and a message for each report of a batch.

A batch is accepted when the broker has confirmed all of its messages. What it has not confirmed
when the connection ends is sent again over the next one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from firmware_protocol.messages import DeviceId, address_text
from ruuvi_host import __version__
from ruuvi_host.config.mqtt_target import Backlog, MqttTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.mqtt.client import Connection, connect
from ruuvi_host.relay.mqtt.flight import Flight
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE, MessageMaker, status_topic
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.pauses import Pauses
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step
from ruuvi_host.relay.sink import Outcome, Verdict

log = logging.getLogger(__name__)

UNANSWERED = 30.0
"""Seconds that a message may wait for its confirmation; then the connection ends."""
LONGEST = 40.0
"""Seconds for one batch; what is left of it then comes next."""
LAST_WORD = 2.0
"""Seconds for the confirmation of "offline" at the end."""
LATE = 10.0
"""Seconds, or the interval if that is longer, after which a message is one of the backlog."""
LATE_FOR_CONSUMERS = 60
"""Seconds after which a message says of itself that it is late; with MQTT 5."""
STARTING = 2.0
"""Seconds that the first batch waits for the first connection."""
AGAIN = 1.0
"""Seconds from an attempt that got stuck to the next one."""


class MqttSink:
    """Publishes the reports of batches.

    gateway: tells who we are, once that is known. None: the first batch does.
    """

    def __init__(
        self,
        target: MqttTarget,
        maker: MessageMaker,
        gateway: Callable[[], Awaitable[DeviceId]] | None = None,
    ) -> None:
        self._target = target
        self._maker = maker
        self._gateway = gateway
        self._known = asyncio.Event()
        self._address = b""
        self._connection: Connection | None = None
        self._why = NoConnectionError(Step.CONNECT, "not connected yet")
        self._next_try = 0.0
        """By the clock of the loop."""
        self._pauses = Pauses()
        self._up = asyncio.Event()
        self._tried = asyncio.Event()
        """The first attempt to connect has ended."""
        self._tried_by: Connection | None = None
        """The last batch."""
        self._told = ""
        """The reason that is in the log."""
        self._sent_at: dict[tuple[bytes, int, bytes], int] = {}
        """Of messages that were not confirmed: UTC, seconds. Sent again, they say the same."""

    async def run(self) -> None:
        """Connect, for ever. A connection that is there when this is cancelled stays."""
        if self._gateway and not self._known.is_set():
            self._learn(await self._gateway())
        await self._known.wait()
        loop, pauses = asyncio.get_running_loop(), self._pauses
        while True:
            pause = await self._connected_once(pauses, loop.time)
            await asyncio.sleep(pause)

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        self._learn(batch.gateway)
        if not self._tried.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(STARTING if self._gateway else LONGEST):
                    await self._tried.wait()
        connection = self._tried_by = self._connection
        if connection is None or not connection.is_up:
            why = connection.lost.result() if connection else self._why
            return self._not_delivered(why, None, begun=False)
        flight = Flight(batch.advertisements)
        connection.acknowledged = flight.settle
        connection.lost.add_done_callback(lambda _: flight.wake())
        try:
            await self._send(connection, flight, batch, utc)
        except NoConnectionError as error:
            return self._partly(flight, batch, error)
        finally:
            for report in flight.unconfirmed:
                self._sent_at.setdefault(_identity(report), int(utc))
        return self._partly(flight, batch, None)

    async def pause(self, seconds: float) -> None:
        """Until a connection is made, and so long at most."""
        if self._connection is not None:
            # One that was made since then is tried at once.
            await asyncio.sleep(min(seconds, AGAIN) if self._connection is self._tried_by else 0.0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._up.wait()

    async def close(self) -> None:
        """Say that we are gone, and go."""
        connection, self._connection = self._connection, None
        self._up.clear()
        if connection is None:
            return
        if connection.is_up:
            with suppress(NoConnectionError):
                await self._say(connection, OFFLINE)
        await connection.close()

    # --- a connection

    async def _connected_once(self, pauses: Pauses, now: Callable[[], float]) -> float:
        """Until there is no connection any more. Returns the seconds to wait for the next one."""
        if self._connection is None:
            try:
                await self._connect()
            except NoConnectionError as error:
                pause = pauses.failed(refused=error.step is Step.REFUSED and error.fix)
                self._disconnected(error, pause)
                return pause
            finally:
                self._tried.set()
        assert self._connection
        since = now()
        lost = await asyncio.shield(self._connection.lost)
        twice = pauses.held(now() - since, by_network=lost.by_network)
        pause = pauses.failed()
        self._disconnected(lost, pause)
        if twice:
            log.warning(
                "%s: connections end soon after they begin: does another client use the client "
                "id %s?",
                *(self._target.name, connect_of(self._target, self._address).client_id),
            )
        return pause

    def _learn(self, gateway: DeviceId) -> None:
        if not self._known.is_set():
            self._address = gateway.addr
            self._known.set()

    async def _connect(self) -> None:
        """Raises NoConnectionError."""
        connection = await connect(self._target, connect_of(self._target, self._address))
        try:
            connection.publish(
                status_topic(self._target.prefix, self._address),
                *(ONLINE,),
                qos=self._target.qos,
                retain=self._target.retains,
            )
        except NoConnectionError:
            await connection.close()
            raise
        self._connection = connection
        self._told = ""
        by = "" if connection.version == "3.1.1" else " by MQTT 5"
        if self._target.broker.version != connection.version:
            by = ", which does not speak MQTT 5, by 3.1.1"
        log.info("%s: connected to %s%s", self._target.name, connection.server, by)
        self._up.set()

    def _disconnected(self, error: NoConnectionError, pause: float) -> None:
        self._connection = None
        self._up.clear()
        self._why = error
        self._next_try = asyncio.get_running_loop().time() + pause
        # Once for each reason: an hour without a broker is one line.
        if self._told != str(error):
            self._told = str(error)
            level = logging.ERROR if error.fix else logging.WARNING
            text = "%s: no connection: %s; next try in %.0f s"
            log.log(level, text, self._target.name, error, pause)

    async def _say(self, connection: Connection, state: bytes) -> None:
        """Publish our state, and wait until the broker has it. Raises NoConnectionError."""
        flight = Flight(())
        connection.acknowledged = flight.settle
        connection.lost.add_done_callback(lambda _: flight.wake())
        number = connection.publish(
            status_topic(self._target.prefix, self._address),
            state,
            qos=self._target.qos,
            retain=self._target.retains,
        )
        flight.sent(0, number)
        await flight.moves(LAST_WORD)

    # --- a batch

    async def _send(self, connection: Connection, flight: Flight, batch: Batch, utc: float) -> None:
        """Raises NoConnectionError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST
        paced = loop.time()
        for place, report in enumerate(batch.advertisements):
            while flight.under_way >= connection.most_in_flight:
                await self._confirmed(connection, flight)
            if self._is_late(utc - report.timestamp) and not batch.counted:
                paced += 1.0 / self._target.drain_rate
                if (wait := paced - loop.time()) > 0:
                    await asyncio.sleep(wait)
            if loop.time() > end:
                break
            when = int(utc)
            if self._sent_at:
                when = self._sent_at.pop(_identity(report), when)
            message = self._maker.message(report, batch.gateway.addr, when, counted=batch.counted)
            if not connection.takes(message.topic, message.payload):
                flight.refuse(place)
                continue
            said = [("gw_mac", address_text(batch.gateway.addr)), ("host_version", __version__)]
            if not batch.counted and when - report.timestamp > LATE_FOR_CONSUMERS:
                said.append(("late", "1"))
            number = connection.publish(
                message.topic, message.payload, qos=self._target.qos, said=said
            )
            flight.sent(place, number)
        while flight.under_way:
            await self._confirmed(connection, flight)

    def _is_late(self, age: float) -> bool:
        """Is it one of a backlog, to be sent slowly? Where every message is sent, batches are
        small, and the relay takes care of that."""
        late = max(LATE, 2.0 * self._target.period)
        return self._target.backlog is Backlog.NEWEST and age > late

    async def _confirmed(self, connection: Connection, flight: Flight) -> None:
        """Wait until one more message is. Raises NoConnectionError."""
        moved = await flight.moves(UNANSWERED)
        if not moved:
            connection.end(f"has not confirmed a message within {UNANSWERED:.0f} s")
        if not connection.is_up:
            raise connection.lost.result()

    def _partly(self, flight: Flight, batch: Batch, error: NoConnectionError | None) -> Outcome:
        remaining, refused = flight.remaining, flight.refused
        if remaining:
            slow = NoConnectionError(Step.LOST, "the broker is slow; the rest comes next")
            return self._not_delivered(error or slow, flight)
        if refused and refused == len(batch.advertisements):
            return Outcome(Verdict.REFUSED, "the broker does not take these messages", reached=True)
        why = "the broker does not take a part of the messages" if refused else ""
        return Outcome(Verdict.ACCEPTED, why, refused=refused)

    def _not_delivered(
        self, error: NoConnectionError, flight: Flight | None, *, begun: bool = True
    ) -> Outcome:
        until = self._next_try - asyncio.get_running_loop().time()
        is_up = self._connection is not None and self._connection.is_up
        return Outcome(
            Verdict.FIX if error.fix else Verdict.LATER,
            str(error),
            wait=AGAIN if is_up else max(until, AGAIN) + AGAIN,
            code=error.code,
            reached=error.reached,
            begun=begun,
            remaining=flight.remaining if flight else None,
            refused=flight.refused if flight else 0,
        )


def _identity(report: Advertisement) -> tuple[bytes, int, bytes]:
    """What is the same of a report that comes back from the disk."""
    return report.address, report.timestamp, report.data
