"""What is known of the controller behind a bridge: who it is, and what was told of it already."""

import logging
import os
from typing import Any

from ruuvi_host.bridge.local import AddressLock, identify, machine_id
from ruuvi_host.bridge.radio import Wish
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.hci import texts
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.happenings import Started
from ruuvi_host.hci.identity import Identity
from ruuvi_host.hci.ladder import Ladder
from ruuvi_host.hci.plan import ScanKind, warnings
from ruuvi_host.hci.session import ControllerSession

log = logging.getLogger(__name__)


class Controller:
    """All lives of its transport share this. is_line: it is reached over a stream of bytes."""

    def __init__(
        self, settings: BridgeSettings, counters: ControllerCounters, *, is_line: bool
    ) -> None:
        self.identity: Identity | None = None
        """Once it has started."""
        self.lock = AddressLock()
        self._settings = settings
        self._counters = counters
        self._is_line = is_line
        self._ladder = Ladder()
        self._facts = ControllerFacts()
        self._kind = ScanKind.LEGACY
        self._told: set[str] = set()

    def session(self) -> ControllerSession:
        """For a transport that was just opened."""
        return ControllerSession(
            self._settings.scan,
            os.urandom(6),
            ladder=self._ladder,
            counters=self._counters,
            flush=self._is_line,
        )

    def started(self, happening: Started) -> Identity:
        """It has told what it is. Raises RuuviHostError: another bridge is the same gateway."""
        settings = self._settings
        self._facts, self._kind = happening.facts, happening.kind
        who = identify(settings, happening.facts, machine_id())
        self.lock.take(who.device.addr)
        self.identity = who
        self._tell(logging.INFO, texts.controller_line(settings.name.text, happening.facts, who))
        return who

    def warn(self, wish: Wish) -> None:
        """Of what the radio does otherwise than the host has asked for; each once."""
        for line in warnings(wish.settings, self._facts, self._kind):
            self._tell(logging.WARNING, f"{self._settings.name.text}: {line}")

    def told(self) -> dict[str, Any]:
        """For `doctor`: who it is, in a line, and what would disappoint."""
        if self.identity is None:
            return {"controller": "", "disappointments": []}
        name, who = self._settings.name.text, self.identity
        counters = self._counters if self._counters.reports else None
        return {
            "controller": texts.controller_line(name, self._facts, who),
            "disappointments": texts.disappointments(self._facts, who, self._kind, counters),
        }

    def _tell(self, level: int, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            log.log(level, "%s", line)
