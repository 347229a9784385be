"""The messages of a batch, published over a connection: in order, paced, each once confirmed."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from firmware_protocol.messages import address_text
from ruuvi_host import __version__
from ruuvi_host.config.mqtt_target import Backlog, MqttTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.mqtt.companions import Companion, Presence
from ruuvi_host.relay.mqtt.flight import Flight
from ruuvi_host.relay.mqtt.messages import Message, MessageMaker

LONGEST = 40.0
"""Seconds for one batch; what is left of it then comes next."""
LATE = 10.0
"""Seconds, or the interval if that is longer, after which a message is one of the backlog."""
FULL = 1.0
"""Seconds until a message is sent again for which the broker had no room."""
LATE_FOR_CONSUMERS = 60
"""Seconds after which a message says of itself that it is late; with MQTT 5."""

MOST_REMEMBERED = 1000
"""Messages that were not confirmed; at a break there are twenty more."""

SentAt = dict[tuple[bytes, int, bytes], int]
"""Address, timestamp and data of a report → UTC, seconds."""


class Publisher:
    """Publishes the reports of batches of one target.

    sent_at: when messages were made that were not confirmed. Sent again, they say the same.
    """

    def __init__(self, target: MqttTarget, maker: MessageMaker, sent_at: SentAt) -> None:
        self._target = target
        self._maker = maker
        self._sent_at = sent_at

    async def publish(
        self,
        presence: Presence,
        companions: tuple[Companion, ...],
        batch: Batch,
        flight: Flight,
        utc: float,
    ) -> None:
        """All of a batch, as far as there is time. Raises NoConnectionError.

        flight: knows then, and also when it was cancelled, what became of each. utc: seconds.
        """
        try:
            await _Round(self, presence, companions, batch, flight, utc).run()
        finally:
            self._remember(flight, int(utc))

    def message(self, batch: Batch, report: Advertisement, utc: float) -> tuple[Message, int]:
        """What is told of a report, and when that was said first."""
        when = int(utc)
        if self._sent_at:
            when = self._sent_at.get(_identity(report), when)
        gateway = batch.gateway.addr
        return self._maker.message(report, gateway, when, counted=batch.counted), when

    def fits(self, presence: Presence, message: Message, said: Iterable[tuple[str, str]]) -> bool:
        """Is it not too long for the broker? said: as of `send`."""
        expiry, qos = self._target.options.message_expiry, self._target.qos
        topic, payload = message.topic, message.payload
        return presence.connection.takes(topic, payload, qos=qos, expiry=expiry, said=said)

    def send(
        self,
        presence: Presence,
        message: Message,
        said: Iterable[tuple[str, str]],
        then: Callable[[int], None],
    ) -> None:
        """Raises NoConnectionError. said, then: as of Connection.publish."""
        target, options = self._target, self._target.options
        presence.connection.publish(
            *(message.topic, message.payload),
            qos=target.qos,
            retain=options.retain_readings,
            expiry=options.message_expiry,
            said=said,
            then=then,
        )

    def gap(self, age: float) -> float:
        """Seconds to leave before a report of this age: one of a backlog is sent slowly. Where
        every message is sent, batches are small, and the relay takes care of that."""
        late = max(LATE, 2.0 * self._target.period)
        is_late = self._target.backlog is Backlog.NEWEST and age > late
        return 1.0 / self._target.drain_rate if is_late else 0.0

    def _remember(self, flight: Flight, utc: int) -> None:
        times = self._sent_at
        if times:
            for report in flight.settled:
                times.pop(_identity(report), None)
        for report in flight.unconfirmed:
            times.setdefault(_identity(report), utc)
        while len(times) > MOST_REMEMBERED:  # what never came again
            del times[next(iter(times))]


class _Round:
    """One batch on its way."""

    def __init__(
        self,
        publisher: Publisher,
        presence: Presence,
        companions: tuple[Companion, ...],
        batch: Batch,
        flight: Flight,
        utc: float,
    ) -> None:
        self._publisher = publisher
        self._presence = presence
        self._companions = companions
        self._batch = batch
        self._flight = flight
        self._utc = utc
        self._now = asyncio.get_running_loop().time
        self._paced = self._now()
        """When the next late message may go."""
        self._end = self._paced + LONGEST
        gateway = ("gw_mac", address_text(batch.gateway.addr))
        self._said = (gateway, ("host_version", __version__))

    async def run(self) -> None:
        connection, reports = self._presence.connection, self._batch.advertisements
        held: deque[tuple[float, int]] = deque()
        """When to ask again for which: its companion has something to send before it."""
        for place, report in enumerate(reports):
            if self._now() > self._end:
                break
            if wait := await self._send(place, report):
                held.append((self._now() + wait, place))
        while held and self._now() <= self._end:
            due, place = held.popleft()
            await asyncio.sleep(max(0.0, due - self._now()))
            if wait := await self._send(place, reports[place]):
                held.append((self._now() + wait, place))
        while self._flight.under_way or self._flight.has_again:
            if self._flight.under_way:
                await connection.settles()
                continue
            await asyncio.sleep(FULL)
            for place in self._flight.take_again():
                await self._send(place, reports[place])

    async def _send(self, place: int, report: Advertisement) -> float:
        """Returns the seconds after which to try again; 0: it is done."""
        connection, flight, batch = self._presence.connection, self._flight, self._batch
        await connection.room()
        if not batch.counted and (gap := self._publisher.gap(self._utc - report.timestamp)):
            self._paced += gap
            if (wait := self._paced - self._now()) > 0:
                await asyncio.sleep(wait)
        message, when = self._publisher.message(batch, report, self._utc)
        said: Iterable[tuple[str, str]] = self._said
        if not batch.counted and when - report.timestamp > LATE_FOR_CONSUMERS:
            said = (*self._said, ("late", "1"))
        if not self._publisher.fits(self._presence, message, said):
            flight.refuse(place)
            return 0.0
        for companion in self._companions:
            if wait := companion.before(self._presence, report, message, self._now()):
                return wait
            await connection.room()
        self._publisher.send(self._presence, message, said, flight.sent(place))
        return 0.0


def _identity(report: Advertisement) -> tuple[bytes, int, bytes]:
    """What is the same of a report that comes back from the disk."""
    return report.address, report.timestamp, report.data
