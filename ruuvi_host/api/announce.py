"""Announces the API by mDNS as `_http._tcp`, through the responder that the system has: Avahi.

Its own program does it, `avahi-publish-service`: it waits for the daemon, comes back when that was
restarted, and takes another name when the name is taken. What it announces ends with it.
"""

import asyncio
import logging
import shutil
from collections.abc import Sequence

from ruuvi_host.logs import Repeated
from ruuvi_host.programs import run

log = logging.getLogger(__name__)

PROGRAM = "avahi-publish-service"
SERVICE = "_http._tcp"
AGAIN = 60.0
"""Seconds until it is started again after it has ended by itself."""
END = 1.0
"""Seconds that it has for taking back what it has announced."""


def arguments(program: str, name: str, port: int, setpriv: str | None) -> Sequence[str]:
    """The command: no TXT record; it waits for a daemon that is not there yet.

    setpriv: a program that ends it when we are killed; None: there is none.
    """
    dies_with_us = (setpriv, "--pdeathsig", "TERM") if setpriv else ()
    return (*dies_with_us, program, "--verbose", "--no-fail", name, SERVICE, str(port))


async def announce(name: str, port: int) -> None:
    """Until cancelled. name: of the gateway. port: as it is reached, on all addresses.

    What goes wrong is logged; nothing depends on it.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        log.info(
            "the API is not announced by mDNS: %s is not there (Debian: apt install avahi-utils, "
            "or api.announce = false)",
            PROGRAM,
        )
        return
    command = arguments(program, name, port, shutil.which("setpriv"))
    failures = Repeated(interval=3600.0)
    while True:
        try:
            why = await _publish(command)
        except OSError as error:
            why = str(error.strerror or error)
        if failures.due():
            log.info("the API is not announced by mDNS: %s: %s", PROGRAM, why or "it has ended")
        await asyncio.sleep(AGAIN)


async def _publish(command: Sequence[str]) -> str:
    """Until it has ended by itself: the last line that it said. Raises OSError."""
    said = ""

    def hear(line: str) -> None:
        nonlocal said
        said = line or said
        if "Established under name" in said:
            log.info("announced by mDNS as %s, %s", said.partition("name ")[2].strip("'"), SERVICE)
        elif "Waiting for daemon" in said:
            log.info("the API is announced by mDNS as soon as avahi-daemon runs")
        else:
            log.debug("%s: %s", PROGRAM, said)

    await run(command, hear, END)
    return said
