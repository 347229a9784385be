"""What else is published over the connection of a sink, and its three places to do so.

    CONNACK 0 ─▶ "online" ─▶ `connected` of each companion ─▶ readings of batches, each after
    `before` of each companion ─▶ `leaving` of each ─▶ "offline" ─▶ DISCONNECT

a. something has to be published before a reading: `before`, as a config for Home Assistant
b. the connection stands (CONNACK 0 came, "online" is sent, nothing else yet): `connected`
c. messages of a subscription come: `topics`, `received`

`standing.py` calls b and c, `publishing.py` calls a. A companion is made by `kind.py`, together
with the connection that it goes with, and lives as long as that is made again and again: also over
changes of the configuration that do not concern this target. What it asks of names and states of
the host it therefore asks as of now.

Whoever publishes waits for `connection.room()` first, and learns from `then` what became of it.
"""

from dataclasses import dataclass

from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.mqtt.connection import Connection
from ruuvi_host.relay.mqtt.messages import Message


@dataclass(frozen=True, slots=True)
class Presence:
    """A connection that stands, and who we are over it."""

    connection: Connection
    gateway: bytes
    """Its address, as in the topics of this connection."""


class Companion:
    """Publishes something of its own. Each method does nothing, unless another says otherwise.

    None of them may raise anything but NoConnectionError, which ends nothing but the attempt.
    """

    topics: tuple[str, ...] = ()
    """To be subscribed to at each connection."""

    def connected(self, presence: Presence) -> None:
        """There is a new connection. There is room for a handful of messages; more: `run`."""

    def before(
        self, presence: Presence, report: Advertisement, message: Message, now: float
    ) -> float:
        """Publish what has to be there before this reading, one message at most. Returns the
        seconds after which to ask again, while those of other sensors go; 0: the reading may go.

        message: what is told of `report`. now: seconds of the loop's clock.
        """
        return 0.0

    def received(self, presence: Presence, topic: str, payload: bytes) -> None:
        """A message of one of the subscriptions, of whichever companion, has come."""

    async def run(self) -> None:
        """What lives beside the connection, until cancelled; begun again with a new sink."""

    async def leaving(self, presence: Presence, successor: MqttTarget | None) -> None:
        """The connection is about to be left for good; a second at most.

        successor: the settings of this target from now on; None: there is none, or we stop.
        """
