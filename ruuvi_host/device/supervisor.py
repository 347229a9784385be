"""Many lives of a link: open the port, run a link on it, wait, and again.

                 opened                lost, or not answering
    OPENING ─────────────▶ LINKED ───────────────────────────▶ BACKOFF ──▶ OPENING …
       └──── cannot be opened ────────────────────────────────────▲

The pause doubles from 0.5 s to 30 s and starts over once the coprocessor is ready. A port that has
vanished is looked for at least every second.
"""

import asyncio
import logging
import os
import random
from dataclasses import fields

from firmware_protocol.messages import DeviceId, Report, SetAll, address_text
from firmware_protocol.session import HostSession, SessionCounters, Timing
from ruuvi_host.clock import Clock
from ruuvi_host.device.link import Link, Listener
from ruuvi_host.device.port import BAUD, Port, open_port
from ruuvi_host.errors import DeviceError
from ruuvi_host.logs import Repeated
from ruuvi_host.status import LinkCounters

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
JITTER = 0.25
VANISHED_PAUSE = 1.0
"""Seconds between two looks for a port that is not there."""

LOCAL_TIMING = Timing()
NETWORK_TIMING = Timing(ack_timeout=1.0, idle=0.5)
"""For socket:// and rfc2217://."""


class Supervisor:
    """Keeps a link to the coprocessor alive.

    path: port as for `open_port`. settings: what the coprocessor is configured with.
    """

    def __init__(
        self,
        path: str,
        settings: SetAll,
        listener: Listener,
        clock: Clock,
        *,
        baud: int = BAUD,
    ) -> None:
        self._path = path
        self._baud = baud
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._pause = FIRST_PAUSE
        self._failures = Repeated()
        self._reboots = Repeated()
        self._refused_before = False
        self._say_ready = True
        self._past = LinkCounters()
        self._session: HostSession | None = None

    @property
    def counters(self) -> LinkCounters:
        """All lives together, the present one included."""
        total = LinkCounters(*(getattr(self._past, f.name) for f in fields(self._past)))
        if self._session:
            _add(total, self._session.counters)
        return total

    async def run(self) -> None:
        """Open and link again and again, until cancelled.

        Raises PortError when the port cannot be opened the very first time: that is a mistake to
        be told at once, not a fault to be waited for.
        """
        port: Port | None = await open_port(self._path, self._baud)
        while True:
            try:
                await self._one_life(port or await open_port(self._path, self._baud))
            except DeviceError as error:
                self._report_failure(error)
            port = None
            await asyncio.sleep(self._next_pause())

    async def _one_life(self, port: Port) -> None:
        log.info("%s: opened", self._path)
        timing = NETWORK_TIMING if port.is_network else LOCAL_TIMING
        session = HostSession(self._settings, timing)
        self._session = session
        self._say_ready = True
        self._past.opened += 1
        try:
            await Link(port, session, self, self._clock).run()
        finally:
            self._session = None
            _add(self._past, session.counters)
            await port.close()

    def _report_failure(self, error: DeviceError) -> None:
        self._past.lost += 1
        if self._failures.due():
            log.warning("%s; trying again", error)

    def _next_pause(self) -> float:
        pause = self._pause * random.uniform(1 - JITTER, 1 + JITTER)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if "://" not in self._path and not os.path.exists(self._path):
            return min(pause, VANISHED_PAUSE)
        return pause

    # --- what a link tells; all of it is passed on

    def heard(self, reports: list[Report], now: float) -> None:
        self._listener.heard(reports, now)

    def identified(self, device: DeviceId) -> None:
        log.info("coprocessor %s", address_text(device.addr))
        self._listener.identified(device)

    def ready(self, *, refused: bool) -> None:
        self._pause = FIRST_PAUSE
        self._failures.reset()
        if refused and not self._refused_before:
            log.warning(
                "the coprocessor refused part of its settings and works with the rest: either no "
                "channel is enabled, or its chip has no coded PHY"
            )
        self._refused_before = refused
        if self._say_ready:
            log.info("coprocessor configured; listening")
        self._listener.ready(refused=refused)

    def rebooted(self) -> None:
        # It does so every 42 s while it hears nothing: no fault, and not worth a line each time.
        count = self._reboots.due()
        self._say_ready = count is not None
        if count:
            log.info("coprocessor has booted%s", f" {count} times" if count > 1 else "")
        self._listener.rebooted()


def _add(total: LinkCounters, life: SessionCounters) -> None:
    """Add one life's counters to `total`, name by name."""
    for part in (life, life.scanner):
        for name in LinkCounters.__dataclass_fields__:
            count = getattr(part, name, None)
            if isinstance(count, int):
                setattr(total, name, getattr(total, name) + count)
