"""The live table of a fleet: hosts and sensors on one screen."""

from collections import deque
from collections.abc import Iterable

from rich.console import Console
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from ruuvi_host.cli.live import NARROW, below
from ruuvi_host.fleet.fleet import Fleet, Gateway, Tag
from ruuvi_host.fleet.lines import data_words, payload_words
from ruuvi_host.intake.readings import Readings
from ruuvi_host.logs import printable

MOST = 200
"""Rows of each kind that are looked at: no screen has more."""


class FleetTable:
    """Draws a fleet. Rows stay where they are: the first ones that came, by their place."""

    def __init__(self, fleet: Fleet, known: Readings) -> None:
        self._fleet = fleet
        self._known = known
        self._tags: dict[str, None] = {}
        self._gateways: dict[str, None] = {}

    def __call__(self, console: Console, now: float, log: deque[str]) -> Segments:
        fleet = self._fleet
        _fill(self._tags, fleet.tags)
        _fill(self._gateways, fleet.gateways)
        room = max(console.height - len(log) - 1, 2)
        columns = 3 if console.width < NARROW else 6
        hosts = self._hosts(console, now, max(room // 3, 1), columns)
        tags = self._sensors(console, now, room - len(hosts), columns)
        online = sum(g.state == "online" for g in fleet.gateways.values())
        said = (
            f"{len(fleet.tags)} sensors, {len(fleet.gateways)} hosts, {online} online: "
            f"{fleet.counters.measurements} measurements, {fleet.counters.repeats} repeats"
        )
        shown = len(tags) - 1 >= len(fleet.tags) and len(hosts) - 1 >= len(fleet.gateways)
        return below(console, hosts + tags, [*log, said + "; not all fit in here" * (not shown)])

    def _hosts(self, console: Console, now: float, room: int, columns: int) -> list[list[Segment]]:
        gateways = [self._fleet.gateways[a] for a in self._gateways]
        # What is wrong comes first.
        gateways.sort(key=lambda g: (g.state != "offline", g.address))
        table = _table(("Host", "State", "Age", "Messages")[:columns])
        for gateway in gateways[:room]:
            table.add_row(*(Text(cell) for cell in _host(gateway, now)[:columns]))
        return console.render_lines(table)[:room]

    def _sensors(
        self, console: Console, now: float, room: int, columns: int
    ) -> list[list[Segment]]:
        fleet = self._fleet
        tags = [(fleet.place_of(fleet.tags[a]), a, fleet.tags[a]) for a in self._tags]
        tags.sort(key=lambda each: each[:2])
        titles = ("Sensor", "At", "Reading", "dBm", "Age", "DF")[:columns]
        table = _table(titles, wraps="Reading")
        for place, _, tag in tags[:room]:
            table.add_row(*(Text(cell) for cell in self._sensor(tag, place, now)[:columns]))
        return console.render_lines(table)[:room]

    def _sensor(self, tag: Tag, place: str, now: float) -> tuple[str, ...]:
        given = self._known.name(bytes.fromhex(tag.address.replace(":", "")))
        data_format = tag.stamp.data_format if tag.stamp else None
        last = tag.last
        if last.startswith(b"{"):
            reading = payload_words(last)
        else:
            reading = data_words(last, self._known) if last else ""
        return (
            f"{tag.address} {printable(given, 24)}".rstrip(),
            place or "-",
            reading,
            "-" if tag.place.rssi is None else f"{tag.place.rssi}",
            f"{now - tag.heard:.0f} s",
            "-" if data_format is None else f"{data_format:X}",
        )


def _host(gateway: Gateway, now: float) -> tuple[str, ...]:
    age = f"{now - gateway.heard:.0f} s"
    return printable(gateway.address, 40), gateway.state or "-", age, f"{gateway.messages}"


def _table(titles: Iterable[str], wraps: str = "") -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=title != wraps)
    return table


def _fill(shown: dict[str, None], there: Iterable[str]) -> None:
    """Rows of what has left go, and others come."""
    all_of_them = there if isinstance(there, dict) else dict.fromkeys(there)
    for address in [a for a in shown if a not in all_of_them]:
        del shown[address]
    for address in all_of_them:
        if len(shown) >= MOST:
            break
        shown[address] = None
