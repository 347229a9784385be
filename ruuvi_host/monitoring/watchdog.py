"""Watches over the host from inside: judges its health, tells systemd, and ends what is hopeless.

Two parts. A task looks every few seconds, and as long as all is well, or what is amiss is known
and data is kept, it says so; otherwise it ends the process with an error. A thread watches the
task, so that an event loop that stands still is seen too. (Should even threads stand still, the
watchdog of systemd hears nothing more.)
"""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic

from ruuvi_host.errors import HealthError
from ruuvi_host.lifetime import beat
from ruuvi_host.monitoring.accounting import Account, unaccounted
from ruuvi_host.monitoring.health import Health, HostFacts, Level, judge, unreachable
from ruuvi_host.monitoring.systemd import Notifier

log = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds between two looks."""
LATE = 5.0
"""Seconds by which a look may be late; more is worth a line."""
START = 30.0
"""Seconds after which systemd is told that we are ready although something is still amiss: it
would end us after 90, and being patient is our task, not its."""
NETWORK_WATCHDOG = 3600.0
"""Seconds without an answer of a target to a batch. As on the gateway."""
REPEAT = 3600.0
"""Seconds after which what is still amiss is said again."""


class Watch:
    """Looks at `facts` as long as `run` runs.

    network_watchdog: seconds. exit_by_watchdog: the process ends when it finds
    that no target behind a network answers. audit: the
    accounting, to be asserted at each look.
    """

    def __init__(
        self,
        facts: Callable[[], HostFacts],
        notifier: Notifier,
        *,
        network_watchdog: float = NETWORK_WATCHDOG,
        exit_by_watchdog: bool = False,
        audit: Callable[[], Sequence[Account]] | None = None,
        look: float = LOOK,
    ) -> None:
        self._facts = facts
        self._notifier = notifier
        self.network_watchdog = network_watchdog
        self.exit_by_watchdog = exit_by_watchdog
        self._audit = audit
        self._missing: dict[str, int] = {}
        self._look = min(look, (notifier.interval or inf) / 3)
        self._began = monotonic()
        self._ready = False
        self._unreachable_said: dict[str, float] = {}
        """Target → when the log said so last."""
        self.health: Health | None = None
        """The last judgement."""

    async def run(self, standstill: "Standstill | None" = None) -> None:
        """Look again and again. Raises HealthError when there is no point in going on."""
        looked = monotonic()
        forgiven = False
        while True:
            if standstill:
                standstill.alive()
            now = monotonic()
            # After a standstill of all, the rest gets a turn before it is judged; once.
            forgiven = not forgiven and now - looked > self._look + LATE
            if forgiven:
                log.warning("the program stood still for %.0f s", now - looked - self._look)
            else:
                self._once(now)
            looked = now
            await beat(self._look)

    def tell(self) -> None:
        """Tell systemd how it is now, without drawing conclusions from it."""
        self._notifier.status(judge(self._facts(), monotonic()).sentence)

    def _once(self, now: float) -> None:
        facts = self._facts()
        health = self.health = judge(facts, now)
        self._notifier.status(health.sentence)
        if health.level is Level.FAULT:
            raise HealthError(health.sentence)
        self._check_network(facts, now)
        if self._audit:
            self._assert_accounting(self._audit())
        if not self._ready and (health.level is Level.OK or now >= self._began + START):
            self._ready = True
            self._notifier.ready()
        self._notifier.alive()

    def _assert_accounting(self, accounts: Sequence[Account]) -> None:
        """What is missing twice in a row was not merely on its way from one counter to the next."""
        missing = {account.name: account.unaccounted for account in unaccounted(accounts)}
        for account in unaccounted(accounts):
            if self._missing.get(account.name) == account.unaccounted:
                raise AssertionError(str(account))
        self._missing = missing

    def _check_network(self, facts: HostFacts, now: float) -> None:
        found = unreachable(facts, now, self.network_watchdog)
        if found.all_of_them and self.exit_by_watchdog:
            told = "; ".join(f"{name}: {sentence}" for name, sentence in found.silent.items())
            raise HealthError(f"Network watchdog: {told}")
        before = self._unreachable_said
        self._unreachable_said = {name: before.get(name, -inf) for name in found.silent}
        for name, sentence in found.silent.items():
            if now >= self._unreachable_said[name] + REPEAT:
                self._unreachable_said[name] = now
                log.error("%s: %s: is the network there, and the address right?", name, sentence)


class Standstill:
    """A thread that ends the process when nobody has called `alive` for `limit` seconds.

    last_word: told what stood still, just before. A process that was itself stopped, or a machine
    that slept, is forgiven: the thread then notices a gap in its own time.
    """

    CHECKS = 5
    """Looks within `limit`."""
    EXIT_CODE = HealthError.exit_code

    def __init__(self, limit: float, last_word: Callable[[str], None]) -> None:
        self._limit = limit
        self._last_word = last_word
        self._turned = monotonic()
        self._stopped = threading.Event()
        self._loop_thread = threading.get_ident()

    def __enter__(self) -> "Standstill":
        threading.Thread(target=self._watch, name="standstill", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def alive(self) -> None:
        self._turned = monotonic()

    def _watch(self) -> None:
        pause = self._limit / self.CHECKS
        looked = monotonic()
        while not self._stopped.wait(pause):
            now = monotonic()
            if now - looked > 3 * pause:
                self._turned = now
            looked = now
            if now - self._turned > self._limit:
                self._end()

    def _end(self) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        stack = "".join(traceback.format_stack(frame)).rstrip() if frame else "(no stack)"
        sentence = f"the event loop has stood still for {self._limit:.0f} s"
        self._last_word(f"{sentence}\n{stack}")
        log.critical("%s; the process ends:\n%s", sentence, stack)
        for handler in logging.getLogger().handlers:
            handler.flush()
        os._exit(self.EXIT_CODE)
