"""Which configs for Home Assistant have still to be sent, and when. Pure: time is an argument.

Before a sensor's first reading of a connection goes its config, and before all of them the
gateway's. Whoever publishes asks `missing` before each reading that is decoded, waits as long as
`wait` says, publishes, and tells it by `sent`. A reading whose config has to wait waits with it;
those of other sensors need not.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ruuvi_host.formats import FORMATS
from ruuvi_host.relay.mqtt.discovery import Config, Discovery

RATE = 10
"""Configs within any second, at most. Home Assistant makes a dozen entities of each."""
SPREAD = 10.0
"""Seconds over which all configs go out again when Home Assistant has started."""
MAX_SENSORS = 10_000
"""That are remembered. With more, those that were announced first are announced again."""


class Facts(NamedTuple):
    """What a config is made of."""

    discovery: Discovery
    data_formats: tuple[int, ...] = ()
    """What the sensor sends, as far as it is told; of our own config none."""
    name: str = ""
    heard: frozenset[int] = frozenset()
    """Data formats that it has sent."""


class Announcement(NamedTuple):
    """A config that is to be sent."""

    config: Config
    sensor: bytes | None
    """Its address; None: it is the gateway's own config."""
    facts: Facts


class Announcements:
    """Of one target.

    name_of: what a person calls a sensor, as of now; empty: it has no name.
    """

    def __init__(self, discovery: Discovery, name_of: Callable[[bytes], str]) -> None:
        self._discovery = discovery
        self._name_of = name_of
        self._gateway: Facts | None = None
        """What our own config was made of; None: it has not been sent."""
        self._sensors: dict[bytes, Facts] = {}
        self._times: deque[float] = deque(maxlen=RATE)
        """When the last ones went out."""
        self._again: deque[tuple[float, bytes | None]] = deque()
        """When, and which sensor; None: our own."""

    def connected(self) -> None:
        """There is a new connection: nothing has been sent over it. The rate goes on."""
        self._gateway = None
        self._sensors.clear()
        self._again.clear()

    def changed(self, discovery: Discovery) -> None:
        """Settings are others now. Each config goes out again before its sensor's next reading."""
        self._discovery = discovery

    def missing(self, address: bytes, data_format: int | None) -> Announcement | None:
        """What has to be sent before a reading of this sensor; None: nothing more.

        data_format: as in its message; None: it cannot be decoded, so there is nothing to tell.
        """
        if data_format is None or self._discovery.model(data_format) is None:
            return None
        if self._gateway != Facts(self._discovery):
            return self._own()
        said = self._sensors.get(address)
        shown, heard = _formats(said, data_format)
        facts = Facts(self._discovery, shown, self._name_of(address), heard)
        return None if said == facts else self._of(address, facts)

    def wait(self, now: float) -> float:
        """Seconds until a config may go out. now: in seconds, by a clock that never goes back."""
        if len(self._times) < RATE:
            return 0.0
        return max(0.0, self._times[0] + 1.0 - now)

    def sent(self, announcement: Announcement, now: float) -> None:
        """It went out."""
        self._times.append(now)
        if announcement.sensor is None:
            self._gateway = announcement.facts
            return
        # Behind all others: those that were announced first are forgotten first.
        self._sensors.pop(announcement.sensor, None)
        if len(self._sensors) >= MAX_SENSORS:
            del self._sensors[next(iter(self._sensors))]
        self._sensors[announcement.sensor] = announcement.facts

    # --- all of them

    def started(self, now: float) -> None:
        """Home Assistant says that it has started, and the broker has kept nothing for it."""
        everybody = [None, *self._sensors] if self._gateway else []
        step = SPREAD / max(1, len(everybody))
        self._again = deque((now + step * place, one) for place, one in enumerate(everybody))

    def next_due(self, now: float) -> float | None:
        """Seconds until `due` has something; None: there is nothing to wait for."""
        if not self._again:
            return None
        return max(0.0, self._again[0][0] - now, self.wait(now))

    def due(self, now: float) -> Announcement | None:
        """What is to be sent now, without a reading; None: nothing yet. Each is given once."""
        while self.next_due(now) == 0.0:
            _, sensor = self._again.popleft()
            if sensor is None:
                return self._own()
            if said := self._sensors.get(sensor):
                now_true = said._replace(discovery=self._discovery, name=self._name_of(sensor))
                return self._of(sensor, now_true)
        return None

    def removals(self) -> Iterator[Config]:
        """What is to be sent over this connection when discovery is switched off.

        Sensors that hosts share stay: the others still tell of them.
        """
        if not self._discovery.shared:
            yield from map(self._discovery.removal, self._sensors)
        if self._gateway:
            yield self._discovery.removal(None)

    # --- what they are made of

    def _own(self) -> Announcement:
        return Announcement(self._discovery.gateway_config(), None, Facts(self._discovery))

    def _of(self, address: bytes, facts: Facts) -> Announcement:
        data_format, *others = facts.data_formats
        config = self._discovery.sensor_config(address, data_format, facts.name, others)
        return Announcement(config, address, facts)


def _formats(said: Facts | None, new: int) -> tuple[tuple[int, ...], frozenset[int]]:
    """What to show of a sensor that sends a data format now, and all that it has sent.

    An Air sends format 6 beside E1, which has more; firmware may send two formats in turn. Neither
    is to change the config with each message.
    """
    if said is None:
        return (new,), frozenset((new,))
    known = FORMATS[new]
    if new in said.data_formats or known.superseded_by in said.data_formats:
        return said.data_formats, said.heard
    in_turn = new in said.heard
    return (*said.data_formats, new) if in_turn else (new,), said.heard | {new}
