"""`ruuvi-host bridge`: a bridge until it is told to stop, with what systemd is told meanwhile."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable

from ruuvi_host.bridge.bridge import Bridge
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.errors import RuuviHostError
from ruuvi_host.lifetime import together
from ruuvi_host.monitoring.systemd import Notifier

log = logging.getLogger(__name__)


async def serve(
    settings: BridgeSettings, tell: Callable[[str], None], *, until_eof: bool = False
) -> None:
    """Run a bridge until cancelled.

    tell: prints the path of the first pty. until_eof: stop when whoever has started us ends, too.
    """
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
        await together(
            bridge=bridge.run(),
            watchdog=_stay_alive(notifier),
            **({"parent": _stop_at_eof()} if until_eof else {}),
        )
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


async def _stop_at_eof() -> None:
    """SIGTERM to ourselves at the end of stdin, so that there is one way to stop."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def look() -> None:
        try:
            data = os.read(0, 512)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, look)
    await ended.wait()
    signal.raise_signal(signal.SIGTERM)
