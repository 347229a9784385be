"""The log lines of one coprocessor: few, even when its port comes and goes all the time."""

import logging
from collections.abc import Callable

from firmware_protocol.messages import DeviceId, SetAll, address_text
from ruuvi_host.clock import Clock
from ruuvi_host.errors import DeviceError
from ruuvi_host.logs import Repeated
from ruuvi_host.monitoring.link_status import LineDamage

log = logging.getLogger(__name__)

REPEATED = 600.0
"""Seconds in which a coprocessor's reboots, its quiet times, and the damage of its line get one
line each."""

STEADY = 60.0
"""Seconds that a link must have been ready for its loss to get a line of its own. Otherwise it
belongs to the same series of failures."""


class _Limits:
    """How often each event gets a line."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.failures = Repeated(clock=clock)
        self.resets_failed = Repeated(clock=clock)
        self.reboots = Repeated(REPEATED, clock)
        self.quiet_times = Repeated(REPEATED, clock)
        self.identities = Repeated(clock=clock)
        self.moves = Repeated(clock=clock)
        self.refusals = Repeated(REPEATED, clock)
        self.damages = Repeated(REPEATED, clock)


class LinkLog:
    """What a supervisor writes to the log.

    name: put before each line; empty: there is only one coprocessor.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._prefix = f"{name}: " if name else ""
        self._clock = clock
        self._limits = _Limits(clock.monotonic)
        self._ready_at: float | None = None
        self._is_first_life = True
        self._ready_line_owed = True
        self._identity_line_owed = True
        self._reports_line_owed = False
        self._refused_before = False

    def opened(self, path: str) -> None:
        if self._is_first_life:
            self._info("%s: opened", path)
        self._is_first_life = False
        self._ready_at = None

    def moved(self, path: str) -> None:
        """The port has another name now."""
        if count := self._limits.moves.due():
            self._info("the port is %s now%s", path, _more(count))

    def identified(self, device: DeviceId) -> None:
        """Another one than before. Told after a line about a loss; else at most once a minute: a
        coprocessor with a fault may have another address each time."""
        count = self._limits.identities.due()
        if count or self._identity_line_owed:
            self._info("coprocessor %s%s", address_text(device.addr), _more(count or 1))
        self._identity_line_owed = False

    def configured(self, *, refused: bool, again: bool) -> None:
        if refused and not self._refused_before and self._limits.refusals.due():
            self._warning(
                "the coprocessor refused part of its settings and works with the rest: either no "
                "channel is enabled, or its chip has no coded PHY"
            )
        self._refused_before = refused
        if again:
            done = "has its new settings, but for what it refused"
            self._info("the coprocessor %s", done if refused else "has accepted its new settings")
            return
        if self._ready_at is None:
            self._ready_at = self._clock.monotonic()
        if self._ready_line_owed:
            self._info("coprocessor configured; listening")
        self._ready_line_owed = False

    def rebooted(self, *, quiet: bool) -> None:
        if self._ready_at is None:
            return  # it has just been switched on, and says so
        if quiet:
            log.debug(
                "%sthe coprocessor has rebooted by its own watchdog: there was nothing to report",
                self._prefix,
            )
            return
        count = self._limits.reboots.due()
        if count is None:
            return
        if count == 1:
            self._info("coprocessor has rebooted")
        else:
            self._info("coprocessor has rebooted %d times since the last message", count)
        self._ready_line_owed = self._identity_line_owed = True

    def lost(self, error: DeviceError) -> None:
        """The link was lost, or the port could not be opened again."""
        if self._ready_at is not None and self._clock.monotonic() - self._ready_at >= STEADY:
            self._limits.failures.reset()
        self._ready_at = None
        count = self._limits.failures.due()
        if count is None:
            return
        if count == 1:
            self._warning("%s; trying again", error)
        else:
            self._warning("%s; trying again (%d failures since the last message)", error, count)
        self._ready_line_owed = self._identity_line_owed = True

    def reset(self) -> None:
        """The reset line was pulled. Also a line: it is rare, and somebody may wonder."""
        self._info("the coprocessor was reset, because opening the port again did not help")

    def not_reset(self, error: DeviceError) -> None:
        if count := self._limits.resets_failed.due():
            log.error("%sthe coprocessor cannot be reset: %s (%d)", self._prefix, error, count)

    def damaged(self, damage: LineDamage | None) -> None:
        """A part of what comes in is lost, and it lasts."""
        if damage and self._limits.damages.due():
            self._warning("%s; %s", damage.sentence, damage.remedy)

    def quiet(self, seconds: float, damage: LineDamage | None, scan: SetAll) -> None:
        """No reports. damage: of the line, which then is the first thing to look at. scan: what
        the coprocessor is configured with."""
        if not self._limits.quiet_times.due():
            return
        self._reports_line_owed = True
        only = ""
        if scan.fltr_tags:
            only = f" Only company 0x{scan.fltr_id:04X} passes (company_use_filtering)."
        if damage:
            self._warning(
                "no reports for %.0f s, though the coprocessor answers. %s; %s. If that is in "
                "order: is a sensor in range, and does the filter let it through?%s",
                *(seconds, damage.sentence, damage.remedy, only),
            )
        else:
            self._warning(
                "no reports for %.0f s, though the coprocessor answers: is a sensor in range, and "
                "does the filter let it through?%s",
                *(seconds, only),
            )

    def reports_again(self) -> None:
        """After `quiet`."""
        if self._reports_line_owed:
            self._info("reports are coming in again")
        self._reports_line_owed = False

    def _info(self, message: str, *facts: object) -> None:
        log.info("%s" + message, self._prefix, *facts)  # noqa: G003 - two constants

    def _warning(self, message: str, *facts: object) -> None:
        log.warning("%s" + message, self._prefix, *facts)  # noqa: G003


def _more(count: int) -> str:
    return f" ({count} times since the last message)" if count > 1 else ""
