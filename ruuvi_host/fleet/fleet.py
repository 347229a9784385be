"""Many hosts as one: each measurement once, the place of each sensor, the state of each host. Pure.

Bounded in memory, whatever comes: what was heard least recently leaves.
"""

from typing import NamedTuple

from ruuvi_host.fleet.messages import GatewayState, Heard, read_message
from ruuvi_host.fleet.order import Stamp, is_newer
from ruuvi_host.fleet.place import Place
from ruuvi_host.fleet.repeats import WINDOW, Repeats
from ruuvi_host.formats import FORMATS
from ruuvi_host.monitoring.counters import FleetCounters

MOST_TAGS = 250_000
MOST_GATEWAYS = 20_000
CLOCKS_DIFFER = 60
"""Seconds by which a time may be ahead of ours; more, and a clock is wrong."""
SUPERSEDED_FOR = 60.0
"""Seconds after a reading in the better format in which the other format of the same sensor is not
shown as its newest: an Air sends E1 and 6, of the same samples."""
_BETTER = {known.superseded_by for known in FORMATS.values()} - {None}
"""Data formats that supersede others."""


class Measurement(NamedTuple):
    """One that was not there yet."""

    heard: Heard
    """By the first one."""
    place: str
    """The gateway where the sensor is; empty: not known."""
    is_newest: bool
    """It is newer than all that were told of this sensor."""


class Moved(NamedTuple):
    """The place of a sensor has changed."""

    tag: str
    place: str
    before: str
    """Empty: it had none."""


Told = Measurement | Moved | GatewayState


class Gateway:
    """What is known of a host."""

    __slots__ = ("address", "heard", "life", "messages", "number", "state")

    def __init__(self, address: str, number: int) -> None:
        self.address = address
        self.number = number
        self.life = number
        self.state = ""
        """online, offline; empty: it did not say."""
        self.messages = 0
        self.heard = 0.0
        """Monotonic seconds of its last message."""


class Tag:
    """What is known of a sensor."""

    __slots__ = ("address", "better", "heard", "last", "measured", "place", "stamp")

    def __init__(self, address: str) -> None:
        self.address = address
        self.place = Place()
        self.stamp: Stamp | None = None
        """Of the newest measurement."""
        self.last: bytes = b""
        """Advertising data, or payload, of the newest measurement; only where it is shown."""
        self.heard = 0.0
        self.measured = 0.0
        """Monotonic seconds of the last message, and of the newest measurement."""
        self.better: tuple[int, float] | None = None
        """The format that supersedes others, and when it was there."""


class Fleet:
    """Takes messages, and tells what is new.

    window: seconds in which the same measurement is one.
    shows: keep the newest measurement of each sensor.
    """

    def __init__(
        self,
        window: float = WINDOW,
        *,
        shows: bool = False,
        most_tags: int = MOST_TAGS,
        most_gateways: int = MOST_GATEWAYS,
    ) -> None:
        self.tags: dict[str, Tag] = {}
        self.gateways: dict[str, Gateway] = {}
        """Both in the order of their last messages."""
        self.counters = FleetCounters()
        self._repeats = Repeats(window)
        self._window = window
        self._shows = shows
        self._most = most_tags, most_gateways
        self._names: dict[int, str] = {}
        """Number of a gateway → its address."""
        self._next = 1
        self._lives = 0

    def receive(self, topic: str, payload: bytes, now: float, utc: float) -> list[Told]:
        """What one message tells that was not known. now: monotonic seconds. utc: our clock."""
        self.counters.messages += 1
        read = read_message(topic, payload)
        if read is None:
            self.counters.not_understood += 1
            return []
        if isinstance(read, GatewayState):
            self.counters.states += 1
            return self._changed(read, now)
        gateway = self._gateway(read.gateway)
        gateway.messages += 1
        gateway.heard = now
        tag = self._tag(read.tag)
        tag.heard = now
        told: list[Told] = []
        if moved := self._moved(tag, read, gateway, now):
            told.append(moved)
        if not read.data and read.data_format is None and not read.values:
            self.counters.without_values += 1
            return told
        ts = read.ts if read.ts is not None and read.ts <= utc + CLOCKS_DIFFER else None
        when = int(utc) if ts is None else ts
        if self._repeats.is_repeat(read, gateway.number, when, now):
            self.counters.repeats += 1
            return told
        self.counters.measurements += 1
        self.counters.forgotten = self._repeats.forgotten
        newest = self._take(tag, read, ts, gateway, payload, now)
        told.append(Measurement(read, self.place_of(tag), newest))
        return told

    def place_of(self, tag: Tag) -> str:
        """The address of the gateway where it is; empty: not known."""
        return self._names.get(tag.place.host or 0, "")

    def _take(
        self, tag: Tag, heard: Heard, ts: int | None, gateway: Gateway, payload: bytes, now: float
    ) -> bool:
        stamp = Stamp(ts, heard.cnt, gateway.life, heard.data_format, heard.number)
        if tag.stamp is not None and not is_newer(
            *(stamp, tag.stamp),
            late=heard.is_late,
            age=now - tag.measured,
            window=self._window,
        ):
            self.counters.older += 1
            return False
        known = FORMATS.get(heard.data_format or 0)
        better = tag.better
        if known and better and better[0] == known.superseded_by:
            superseded = now - better[1] <= SUPERSEDED_FOR
            if superseded:
                return True  # of the same sample, with less in it: the other one stays
        if known and known.number in _BETTER:
            tag.better = known.number, now
        tag.stamp, tag.measured = stamp, now
        if self._shows:
            tag.last = heard.data or payload
        return True

    def _moved(self, tag: Tag, heard: Heard, gateway: Gateway, now: float) -> Moved | None:
        if heard.rssi is None or heard.is_late:
            return None
        before = self.place_of(tag)
        if not tag.place.heard(gateway.number, heard.rssi, now, self._window):
            return None
        self.counters.moved += bool(before)
        return Moved(tag.address, self.place_of(tag), before)

    def _changed(self, state: GatewayState, now: float) -> list[Told]:
        gateway = self._gateway(state.gateway)
        gateway.heard = now
        if state.state == "online":
            self._lives += 1
            gateway.life = -self._lives
        if gateway.state == state.state:
            return []
        gateway.state = state.state
        return [state]

    def _gateway(self, address: str) -> Gateway:
        gateway = self.gateways.pop(address, None)
        if gateway is None:
            gateway = Gateway(address, self._next)
            self._names[self._next] = address
            self._next += 1
            if len(self.gateways) >= self._most[1]:
                gone = self.gateways.pop(next(iter(self.gateways)))
                del self._names[gone.number]
                self.counters.gateways_left += 1
        self.gateways[address] = gateway
        return gateway

    def _tag(self, address: str) -> Tag:
        tag = self.tags.pop(address, None)
        if tag is None:
            tag = Tag(address)
            if len(self.tags) >= self._most[0]:
                del self.tags[next(iter(self.tags))]
                self.counters.tags_left += 1
        self.tags[address] = tag
        return tag
