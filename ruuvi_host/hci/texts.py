"""Lines for people about a controller: what it is, what happened, and what will disappoint."""

from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.happenings import Happening
from ruuvi_host.hci.identity import Identity


def controller_line(name: str, facts: ControllerFacts, identity: Identity) -> str:
    """Like "hci0: Bluetooth 5.3 of company 0x0002, DC:A6:…, hears legacy, extended, coded"."""
    raise NotImplementedError


def happening_line(happening: Happening) -> str | None:
    """The line for the log; None: it is not worth one."""
    raise NotImplementedError


def disappointments(
    facts: ControllerFacts, identity: Identity, counters: ControllerCounters | None = None
) -> list[str]:
    """A line for each thing that would disappoint, for `--check`.

    counters: those of some seconds of scanning; None: it was not tried.
    """
    raise NotImplementedError


def summary(counters: ControllerCounters) -> str:
    """At the end: reports, what was dropped and why, rungs, bytes lost."""
    raise NotImplementedError
