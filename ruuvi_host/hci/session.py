"""One life of an open transport to a controller: start, scan, and the ladder when it goes wrong.

    session.start(now)
    happenings = session.receive(data, now)   after each read
    happenings = session.tick(now)            when session.deadline has come
    data = session.take_output()              write it whole if it is not empty, after each of these
    session.end(now)                          the transport is gone, or is to be closed

One command at a time. A session is used once; ladder and counters go on to the next one.
"""

from math import inf

from firmware_protocol.messages import SetAll
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.happenings import Happening
from ruuvi_host.hci.ladder import Ladder
from ruuvi_host.hci.plan import ScanChoice


class ControllerSession:
    """See the top of this file.

    choice: which kind of scan.
    random_address: six random bytes; the session makes a random static address of them.
    ladder, counters: those of the life before, or new ones.
    flush: begin with 258 zeros, for a controller on a serial line that was left in the middle of a
    command. Not for a user channel, which takes packets.
    """

    def __init__(
        self,
        choice: ScanChoice,
        random_address: bytes,
        *,
        ladder: Ladder,
        counters: ControllerCounters,
        flush: bool = False,
    ) -> None:
        self.facts: ControllerFacts | None = None
        """None until Started."""
        self.host_present = True
        """Set by the owner: while False, reports are dropped, and counted as `no_host`."""

    @property
    def deadline(self) -> float:
        """When `tick` wants to be called; inf: not before the next `receive`."""
        return inf

    def start(self, now: float) -> None:
        """The transport is open: reset the controller, and ask it what it is."""
        raise NotImplementedError

    def set_scan(
        self, settings: SetAll | None, now: float, *, anew: bool = True
    ) -> list[Happening]:
        """What the host wants, as `plan.rule` has made it; None: no scan.

        Filters are in force at once. The scan is started anew, or, with `anew` False (a SET_x),
        only if something of it changes. Before Started it is an error: LocalProtocolError. Each
        Started forgets it.
        """
        raise NotImplementedError

    def receive(self, data: bytes, now: float) -> list[Happening]:
        """Bytes from the controller, cut anywhere."""
        raise NotImplementedError

    def tick(self, now: float) -> list[Happening]:
        """The deadline has come. Before that it does nothing."""
        raise NotImplementedError

    def end(self, now: float) -> None:
        """The transport is gone or about to be closed."""
        raise NotImplementedError

    def take_output(self) -> bytes:
        """What is to be written now, at most one packet (with zeros before it); may be empty."""
        raise NotImplementedError
