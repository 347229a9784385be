"""The receiver as an object: start it, inspect what it received, stop it."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from ruuvi_host.clock import Clock, SystemClock
from ruuvi_host.errors import ConfigError
from ruuvi_host.lifetime import closed
from ruuvi_host.receiver.app import App, client_name
from ruuvi_host.receiver.configurations import Asked
from ruuvi_host.receiver.examine import Result, refused
from ruuvi_host.receiver.receipt import Receipt
from ruuvi_host.receiver.settings import Settings
from ruuvi_host.receiver.tls import tls_context
from ruuvi_host.web.connection import Client, Connections
from ruuvi_host.web.limits import Limits
from ruuvi_host.web.sockets import tcp
from ruuvi_host.web.target import Headers

TLS_CLOSING = 3.0
"""Seconds for a client to agree to the end of a TLS connection."""


class Receiver:
    """A server for batches, between `async with` and its end.

        async with Receiver(Settings()) as receiver:
            ...                          # post to receiver.url
            await receiver.accepted(1)
            print(receiver.batches[0].body)

    Entering raises ConfigError, with the option of the command line that does not work.
    """

    def __init__(
        self,
        settings: Settings,
        report: Callable[[Receipt], None] = lambda receipt: None,
        keep: int = 100,
        clock: Clock | None = None,
        asked: Callable[[Asked], None] = lambda asked: None,
    ) -> None:
        """report: called for each request, but for a configuration: for that, `asked` is. keep: how
        many of the newest receipts are kept."""
        self._settings = settings
        self._report = report
        self._clock = clock or SystemClock()
        app = App(settings, self._clock, self._receive, asked)
        limits = Limits.of_an_application_that_judges(
            *(settings.head_timeout, settings.max_connections, settings.make_room),
            # Where the answer is delayed, that the client ends sending means that it has given up.
            half_closed=not settings.hang and settings.delay == 0,
        )
        self._connections = Connections(app, limits, self._rejected)
        self._received = asyncio.Event()
        self.receipts: deque[Receipt] = deque(maxlen=keep)
        """Of the newest requests, oldest first."""
        self.totals: Counter[Result] = Counter()
        """Requests by result since the start."""
        self.url = ""
        """Where to post, ending in a slash."""
        self.address = ""
        """The numeric address of the listening socket."""

    @property
    def batches(self) -> list[Receipt]:
        """The receipts of accepted batches, oldest first."""
        return [each for each in self.receipts if each.verdict.result is Result.ACCEPTED]

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach it."""
        return not ip_address(self.address.partition("%")[0]).is_loopback

    async def accepted(self, count: int) -> None:
        """Wait until so many batches have been accepted since the start."""
        while self.totals[Result.ACCEPTED] < count:
            self._received.clear()
            await self._received.wait()

    async def __aenter__(self) -> Self:
        context = tls_context(self._settings)
        folder = self._settings.gw_cfg
        if folder and not folder.is_dir():
            raise ConfigError("--gw-cfg", f"{folder} is no folder")
        listeners = tcp(self._settings.host, self._settings.port, "--host", "--port")
        self.address, port = listeners[0].getsockname()[:2]
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        self.url = f"{'https' if context else 'http'}://{host}:{port}/"
        self._servers = [
            await self._connections.serve(
                listener,
                ssl=context,
                ssl_handshake_timeout=self._settings.head_timeout if context else None,
                ssl_shutdown_timeout=TLS_CLOSING if context else None,
            )
            for listener in listeners
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening, and close all connections, without an answer to pending requests."""
        for server in self._servers:
            await closed(server)
        await self._connections.drop()

    def _rejected(self, client: Client, status: int, reason: str) -> tuple[Headers, bytes]:
        verdict = refused(status, reason)
        self._receive(Receipt(self._clock.wall(), client_name(client), "", verdict))
        return [(b"content-type", b"text/plain; charset=utf-8")], f"{reason}\n".encode()

    def _receive(self, receipt: Receipt) -> None:
        self.totals[receipt.verdict.result] += 1
        self.receipts.append(receipt)
        self._received.set()
        self._report(receipt)
