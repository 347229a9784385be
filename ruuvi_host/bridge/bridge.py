"""A bridge, from its transport to its pty; opened again whenever it is lost.

    CLOSED ──open──▶ STARTING ──▶ IDLE ──SET_ALL──▶ SCANNING
       ▲                            lost, or beyond help │
       └────────────────────────────────────────────────┘

The pty is there while the controller answers. Without one it is taken away, as if the cable were
pulled, so that a host does what it does about a dead port.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

from firmware_protocol.coprocessor import Configured, CoprocessorEvent
from ruuvi_host.bridge.controller import Controller
from ruuvi_host.bridge.coprocessor import BridgedCoprocessor
from ruuvi_host.bridge.life import Life
from ruuvi_host.bridge.opening import Opener
from ruuvi_host.bridge.radio import Wish
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.bridge.telling import serve
from ruuvi_host.clock import Clock, SystemClock
from ruuvi_host.device.folder_watch import FolderWatch
from ruuvi_host.device.port import Port
from ruuvi_host.device.reopener import LOOK, BackOff
from ruuvi_host.device.reset import pull
from ruuvi_host.errors import PortError, ResetError
from ruuvi_host.hci import texts
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.happenings import Asserted, Climbed, Happening, Heard, Refused, Started
from ruuvi_host.hci.ladder import Rung
from ruuvi_host.lifetime import together
from ruuvi_host.simulator.pty import PtyLine
from ruuvi_host.simulator.told import told_settings

log = logging.getLogger(__name__)


class Bridge:
    """One controller on one pty. `run` lives until it is cancelled.

    on_ready: called with the path of the pty each time that there is one.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        on_ready: Callable[[str], None],
        opener: Opener | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.counters = ControllerCounters()
        self.was_there = False
        """There has been a pty."""
        self._settings = settings
        self._on_ready = on_ready
        self._opener = opener or Opener(settings.name, take=settings.take)
        self._clock = clock or SystemClock()
        self._board = BridgedCoprocessor(self._on_wish)
        self.line = PtyLine[CoprocessorEvent](
            self._board,
            link=settings.link,
            on_event=self._on_event,
            clock=self._clock,
            real_time=True,
            group=settings.group,
        )
        self._controller = Controller(settings, self.counters, is_line=self._opener.is_line)
        self._life: Life | None = None

    async def run(self) -> None:
        """Serve until cancelled. Raises PortError when the transport cannot be opened at first."""
        try:
            await together(
                pty=self.line.run(), controller=self._live(), telling=serve(self.document)
            )
        finally:
            self.line.close()
            self._controller.lock.release()
            if self.was_there:
                for line in self.summary():
                    log.info("%s", line)

    def document(self) -> dict[str, Any]:
        """For `doctor`, which finds a pty and wants to know what is behind it."""
        settings, counters = self._settings, self.counters
        return {
            "transport": settings.name.text,
            "pty": self.line.path,
            "link": os.path.abspath(settings.link) if settings.link else "",
            "reports": counters.reports,
            "sent": counters.sent,
            "rungs": counters.rungs,
            **self._controller.told(),
        }

    def summary(self) -> list[str]:
        """At the end, for people."""
        lost = self.line.bytes_lost
        return [texts.summary(self.counters), f"pty: {lost} bytes not read by a host"]

    async def _live(self) -> None:
        """One life after the other."""
        back_off = BackOff()
        port = await self._opener.open()
        while True:
            heard = self.counters.sent
            try:
                lost = await self._one_life(port)
            finally:
                self.line.unplug()
                await port.close()
            if self.counters.sent > heard:
                back_off.reset()
            if isinstance(lost, PortError):
                log.warning("%s; the pty is taken away until it is back", lost)
            elif lost.rung is Rung.POWER:
                await self._reset(lost)
            port = await self._open_again(back_off)

    async def _open_again(self, back_off: BackOff) -> Port:
        """However long it takes. A reason that lasts is told once."""
        told = ""
        while True:
            await self._pause(back_off)
            try:
                return await self._opener.open()
            except PortError as error:
                if str(error) != told:
                    log.warning("%s", error)
                told = str(error)

    async def _one_life(self, port: Port) -> Climbed | PortError:
        session = self._controller.session()
        has_host = lambda: self.line.host_present  # noqa: E731
        self._life = Life(port, session, self._on_happening, has_host, self._clock)
        try:
            return await self._life.run()
        except PortError as error:
            return error
        finally:
            self._life = None

    async def _reset(self, climbed: Climbed) -> None:
        """Rung 4: only power helps."""
        command = self._settings.reset_command
        if command is None:
            if climbed.first:
                log.error(
                    "there is no --reset-command: unplug the controller, and plug it in again"
                )
            return
        log.warning("the controller is reset by %s", command.argv[0])
        try:
            await pull(command, None)
        except ResetError as error:
            log.error("the controller could not be reset: %s", error)

    async def _pause(self, back_off: BackOff) -> None:
        """Until the next attempt; what has vanished is looked for each second."""
        left = back_off.next()
        there = self._opener.is_there()
        with FolderWatch(self._opener.folders) as watch:
            while left > 0:
                await watch.wait(min(left, LOOK))
                left -= LOOK
                was_there, there = there, self._opener.is_there()
                if there and not was_there:
                    back_off.reset()
                    return

    # --- what the controller tells

    def _on_happening(self, happening: Happening, now: float) -> None:
        match happening:
            case Heard(reports):
                self._board.hear(reports, now)
                self.line.wake()
                return
            case Started(facts, kind):
                self._board.radio.facts, self._board.radio.kind = facts, kind
                self._board.session.device = self._controller.started(happening).device
                self._boot(now)
        if line := texts.happening_line(happening):
            log.log(_level(happening), "%s: %s", self._settings.name.text, line)

    def _boot(self, now: float) -> None:
        if self.line.path:
            self._board.restart(now)
            self.line.wake()
            return
        self.line.replug()
        self.was_there = True
        self._on_ready(self.line.path)

    # --- what the host wants

    def _on_wish(self, wish: Wish, now: float) -> None:
        if self._life:
            session = self._life.session
            self._life.tell(session.set_scan(wish.settings, now, anew=wish.anew), now)
            self._controller.warn(wish)

    def _on_event(self, event: CoprocessorEvent) -> None:
        if isinstance(event, Configured):
            refused = "; answered with an error" if event.refused else ""
            log.info("configured: %s%s", told_settings(event.settings), refused)
        else:
            log.info("booted; waits for a host to configure it")


def _level(happening: Happening) -> int:
    match happening:
        case Asserted() | Climbed(Rung.POWER):
            return logging.ERROR
        case Climbed() | Refused():
            return logging.WARNING
    return logging.INFO
