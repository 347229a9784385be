"""The controller as a coprocessor's session sees it: settings in, the wish for a scan out.

Pure. What becomes of a setting is known at once from what the controller has told at its start, so
that the host gets its ACK before the first report.
"""

from dataclasses import replace
from math import inf
from typing import NamedTuple

from firmware_protocol.messages import SetAll
from firmware_protocol.scan import AT_BOOT, CHANNELS, enabled_channels
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.plan import ScanKind, has_coded, rule


class Wish(NamedTuple):
    """What the controller is to be asked for."""

    settings: SetAll
    anew: bool
    """The scan starts anew; else only if something of it changes."""


class BridgeRadio:
    """A SessionRadio: from one boot to the next."""

    start_time = 0.0
    scan_end = inf  # a controller scans until it is told not to

    def __init__(self) -> None:
        self.facts = ControllerFacts()
        """Of the controller that is there now."""
        self.kind = ScanKind.LEGACY
        self.reset()

    def reset(self) -> None:
        """It boots: nothing is scanned until there is a SET_ALL."""
        self.settings = AT_BOOT
        self.is_scanning = False
        self._wish: Wish | None = None

    def configure(self, settings: SetAll, now: float) -> bool:
        """The whole configuration. Is part of it refused? The rest is applied."""
        ruling = rule(settings, self.settings, self.facts, self.kind)
        self.settings = ruling.applied
        self.is_scanning = True
        self._wish = Wish(self.settings, anew=True)
        return ruling.refused

    def set_flag(self, name: str, value: bool) -> bool:
        """One setting. Is it refused? Before the first SET_ALL it is only stored."""
        settings = replace(self.settings, **{name: value})
        if name in CHANNELS and not enabled_channels(settings):
            return True
        self._change(settings)
        return name == "use_coded_phy" and value and not has_coded(self.facts, self.kind)

    def set_company(self, company: int) -> None:
        self._change(replace(self.settings, fltr_id=company))

    def start(self, now: float) -> None:
        """There are no periods: it is started already."""

    def take_wish(self) -> Wish | None:
        """What has changed since the last time."""
        wish, self._wish = self._wish, None
        return wish

    def _change(self, settings: SetAll) -> None:
        self.settings = settings
        if self.is_scanning:
            anew = self._wish is not None and self._wish.anew
            self._wish = Wish(settings, anew)
