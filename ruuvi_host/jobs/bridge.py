"""`ruuvi-host bridge`: a bridge until it is told to stop, with what systemd is told meanwhile."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable

from ruuvi_host.bridge.bridge import Bridge
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.errors import RuuviHostError
from ruuvi_host.lifetime import together
from ruuvi_host.monitoring.systemd import Notifier

log = logging.getLogger(__name__)


async def serve(settings: BridgeSettings, tell: Callable[[str], None]) -> None:
    """Run a bridge until cancelled. tell: prints the path of the first pty."""
    notifier = Notifier.from_environment()
    path = ""

    def ready(now: str) -> None:
        nonlocal path
        if not path:
            _print(tell, now)
            notifier.ready()
        elif settings.link:
            log.info("the pty is back: %s", settings.link)
        elif now != path:
            log.warning("the pty is %s now; a host finds it by itself with --link only", now)
        path = now

    bridge = Bridge(settings, ready)
    try:
        await together(bridge=bridge.run(), watchdog=_stay_alive(notifier))
    finally:
        notifier.stopping()
        notifier.close()


def _print(tell: Callable[[str], None], path: str) -> None:
    try:
        tell(path)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the exit
        raise RuuviHostError(f"the path cannot be printed: {error.strerror}") from error


async def _stay_alive(notifier: Notifier) -> None:
    """Say so for as long as the event loop turns."""
    while True:
        notifier.alive()
        await asyncio.sleep((notifier.interval or 3600.0) / 3)
