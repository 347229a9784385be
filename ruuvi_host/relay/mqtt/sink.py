"""Delivery to a broker: a connection that is kept, and a message for each report of a batch.

A batch is accepted when the broker has confirmed all of its messages. What it has not confirmed
when the connection ends is sent again over the next one.

`standing.py` has the connection, `publishing.py` the messages, `flight.py` what became of them;
`companions.py` is the place for whatever else is published: before a reading, when the connection
stands, and in answer to a subscription.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.mqtt.companions import Presence
from ruuvi_host.relay.mqtt.flight import Flight
from ruuvi_host.relay.mqtt.messages import MessageMaker
from ruuvi_host.relay.mqtt.publishing import Publisher
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step, reason
from ruuvi_host.relay.mqtt.seat import Seat
from ruuvi_host.relay.mqtt.standing import Standing
from ruuvi_host.relay.sink import Outcome, Verdict

STARTING = 2.0
"""Seconds that the first batch waits for the first connection."""
FIRST_ATTEMPT = 40.0
"""The same, where the batch itself tells who we are."""
AGAIN = 1.0
"""Seconds from an attempt that got stuck to the next one."""


class MqttSink:
    """Publishes the reports of batches over a connection that stands.

    seat: knows whether there is one already; otherwise `make` makes it.
    """

    def __init__(
        self, target: MqttTarget, maker: MessageMaker, seat: Seat, make: Callable[[], Standing]
    ) -> None:
        self._seat = seat
        self._standing = seat.take(self, target, make)
        self._publisher = Publisher(target, maker, seat.sent_at)
        self._tried_by: Presence | None = None
        """The last batch."""

    async def run(self) -> None:
        """Connect, for ever. A connection that is there when this is cancelled stays."""
        await self._standing.run()

    @property
    def state(self) -> str:
        """For people."""
        return self._standing.state

    async def refresh(self) -> None:
        if self._seat.has_other_files(self._standing):
            await self._standing.leave()  # and the next one is made at once

    @property
    def is_leaving(self) -> bool:
        """It stands, and nobody goes on with it."""
        return self._standing.is_up and self._seat.is_left_by(self, self._standing)

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        standing = self._standing
        standing.learn(batch.gateway.addr)
        if not standing.tried.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_ATTEMPT if standing.learns else STARTING):
                    await standing.tried.wait()
        presence = self._tried_by = standing.presence
        if presence is None or not standing.is_up:
            why = presence.connection.lost.result() if presence else standing.why
            return self._not_delivered(why, None, begun=False)
        flight = Flight(batch.advertisements)
        try:
            await self._publisher.publish(presence, tuple(standing.companions), batch, flight, utc)
        except NoConnectionError as error:
            return self._partly(flight, batch, error)
        return self._partly(flight, batch, None)

    async def pause(self, seconds: float) -> None:
        """Until a connection is made, and so long at most."""
        if presence := self._standing.presence:
            # One that was made since then is tried at once.
            await asyncio.sleep(min(seconds, AGAIN) if presence is self._tried_by else 0.0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._standing.up.wait()

    async def close(self) -> None:
        """Say that we are gone, and go; unless another sink goes on with the connection."""
        await self._seat.leave(self, self._standing)

    def _partly(self, flight: Flight, batch: Batch, error: NoConnectionError | None) -> Outcome:
        remaining, refused = flight.remaining, flight.refused
        if remaining:
            slow = NoConnectionError(Step.LOST, "the broker is slow; the rest comes next")
            return self._not_delivered(error or slow, flight)
        names = ", ".join(map(reason, flight.codes))
        if refused and refused == len(batch.advertisements):
            why = f"the broker does not take these messages ({names})"
            return Outcome(Verdict.REFUSED, why, code=flight.codes[0], reached=True)
        why = f"the broker does not take a part of the messages ({names})" if refused else ""
        return Outcome(Verdict.ACCEPTED, why, refused=refused)

    def _not_delivered(
        self, error: NoConnectionError, flight: Flight | None, *, begun: bool = True
    ) -> Outcome:
        until = self._standing.next_try - asyncio.get_running_loop().time()
        return Outcome(
            Verdict.FIX if error.fix else Verdict.LATER,
            str(error),
            wait=AGAIN if self._standing.is_up else max(until, AGAIN) + AGAIN,
            code=error.code,
            reached=error.reached,
            begun=begun,
            remaining=flight.remaining if flight else None,
            refused=flight.refused if flight else 0,
        )
