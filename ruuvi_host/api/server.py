"""Serves the local API: listens where the configuration wants it and safety allows it.

A configuration that is read again counts at once. What keeps it from listening is told in the log
and in health, and tried again; the host runs on.
"""

import asyncio
import logging
import os
import socket
from contextlib import AsyncExitStack

from ruuvi_host.api.announce import announce
from ruuvi_host.api.answer import error
from ruuvi_host.api.app import App
from ruuvi_host.api.door import Door
from ruuvi_host.api.gate import Gate
from ruuvi_host.api.listening import Place, place
from ruuvi_host.api.routes import ROUTES
from ruuvi_host.config.api import Listen, is_loopback
from ruuvi_host.errors import ConfigError
from ruuvi_host.lifetime import closed, ended
from ruuvi_host.web.connection import Client, Connections
from ruuvi_host.web.limits import Limits
from ruuvi_host.web.sockets import of_systemd, tcp, unix
from ruuvi_host.web.target import Headers

log = logging.getLogger(__name__)

KEY = "api.listen"
LOW = ', or let systemd open it: listen = "systemd"'
RETRY = 10.0
"""Seconds until it is tried again to listen: another program may have ended, an address come up."""
PATIENCE = 0.5
"""Seconds that answers have at the end: the last batches need the rest of the five that we stop in.
"""


async def serve(door: Door, limits: Limits | None = None, retry: float = RETRY) -> None:
    """Until cancelled. What keeps it from listening is logged; the host goes on."""
    await Server(door, limits or Limits(), retry).run()


class Server:
    """One local API, wherever it listens at the moment."""

    def __init__(self, door: Door, limits: Limits, retry: float = RETRY) -> None:
        self._door = door
        self._retry = retry
        self._gate = Gate(door)
        self._connections = Connections(App(door, ROUTES, self._gate), limits, refuse)
        self._place = Place()
        self._listening: AsyncExitStack | None = None
        self._port: int | None = None
        """That others than this machine can reach."""
        self._announcing: asyncio.Task[None] | None = None
        self._announcements: set[asyncio.Task[None]] = set()
        """This one, and those that are just being taken back."""
        self._said = ""

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                loaded = self._door.loaded
                self._gate.follow()
                again = await self._listen()
                try:
                    async with asyncio.timeout(again):
                        await self._door.other_than(loaded)
                except TimeoutError:
                    pass
        finally:
            await self._close()
            await ended(*self._announcements)
            await self._connections.drop(PATIENCE)
            self._door.tell_api((), "")

    async def _listen(self) -> float | None:
        """Listen as the present configuration has it. Returns after how many seconds to try again;
        None: not before there is another one."""
        config = self._door.loaded.config.api
        values = self._door.loaded.sources.gateway.values
        try:
            local = bool(config and config.listen.is_systemd and _systemd_is_local())
            wanted = place(config, values, local_socket=local, as_root=os.geteuid() == 0)
            here = self._place.listen, self._place.is_inside
            if (wanted.listen, wanted.is_inside) != here or not self._listening:
                await self._close()
                self._place = Place()
                if wanted.listen:
                    self._listening = await self._open(wanted.listen, inside=wanted.is_inside)
            if wanted != self._place:
                for warning in wanted.warnings:
                    log.warning("%s: %s", KEY, warning)
            self._place = wanted
            self._announce(bool(config and config.announce))
            self._complain(wanted.fault)
            return None
        except ConfigError as problem:
            self._complain(problem.problem)
            return self._retry

    async def _open(self, listen: Listen, *, inside: bool) -> AsyncExitStack:
        async with AsyncExitStack() as stack:
            if listen.is_systemd:
                sockets = [of_systemd(KEY)]
            elif listen.path:
                sockets = [stack.enter_context(unix(listen.path, KEY))]
            else:
                sockets = await asyncio.to_thread(tcp, listen.host, listen.port, KEY, KEY, LOW)
            names = [_name(each) for each in sockets]
            self._port = None if inside else next(filter(None, map(_open_port, sockets)), None)
            for each in sockets:
                server = await self._connections.serve(each, inside=inside)
                stack.push_async_callback(closed, server)
            log.info("local API: %s", ", ".join(names))
            self._door.tell_api(names, "")
            return stack.pop_all()

    async def _close(self) -> None:
        """Listen no longer; who is being answered still gets the answer."""
        listening, self._listening = self._listening, None
        if listening:
            self._port = None
            self._announce(False)
            await listening.aclose()
            self._connections.finish()
            self._door.tell_api((), "")

    def _announce(self, wanted: bool) -> None:
        """By mDNS, as long as it is wanted, and others can reach it."""
        if wanted and self._port and not self._announcing:
            self._announcing = asyncio.create_task(self._announced(self._port), name="mDNS")
            self._announcements.add(self._announcing)
            self._announcing.add_done_callback(self._announcements.discard)
        elif not (wanted and self._port) and self._announcing:
            self._announcing.cancel()
            self._announcing = None

    async def _announced(self, port: int) -> None:
        await announce((await self._door.identified()).name, port)

    def _complain(self, fault: str) -> None:
        if fault and fault != self._said:
            log.error("%s: %s", KEY, fault)
        self._said = fault
        self._door.tell_api(None, fault)


def _systemd_is_local() -> bool:
    with of_systemd(KEY) as opened:
        return opened.family == socket.AF_UNIX or is_loopback(opened.getsockname()[0])


def _open_port(opened: socket.socket) -> int | None:
    """The port of one that others than this machine can reach."""
    if opened.family == socket.AF_UNIX or is_loopback(opened.getsockname()[0]):
        return None
    return int(opened.getsockname()[1])


def _name(opened: socket.socket) -> str:
    """http://ADDRESS:PORT/ or unix:PATH."""
    if opened.family == socket.AF_UNIX:
        return str(Listen(path=opened.getsockname()))
    return f"http://{Listen(*opened.getsockname()[:2])}/"


def refuse(client: Client, status: int, reason: str) -> tuple[Headers, bytes]:
    """The answer to what is no request of ours."""
    log.debug("%s %d %s", reason, status, client[0] if client else "-")
    refusal = error(status)
    return refusal.raw_headers, bytes(refusal.body)
