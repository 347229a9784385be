"""A connection to one server: one request after another, one answer to each."""

import asyncio

from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.answer import Answer
from ruuvi_host.relay.http.reading import AnswerReader, NoAnswer
from ruuvi_host.relay.http.redirects import REDIRECTS
from ruuvi_host.relay.http.request import Request, head_of
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.http.way import Shared, Way, feed, proxy_headers
from ruuvi_host.relay.http.wire import Wire

KEPT_FOR = 75.0
"""Seconds that a kept connection may rest. Routers forget connections, and do not say so."""
REST_OF_SUCCESS = 1.0
"""Seconds for what follows the status line of a 2xx: it has no meaning, and hanging up on a server
that still sends could end a script there."""


class Connection:
    """A connection to one server, possibly through a proxy. It is made when it is first needed.

    tls: for https. before: the IP address of the server that redirected us here.
    """

    def __init__(self, shared: Shared, address: Address, tls: Tls | None, before: str | None):
        self.way = Way(shared, address, tls, before)
        self.is_new = True
        """It was made for the request under way."""
        self._shared = shared
        self._wire: Wire | None = None
        self._rests_since = 0.0

    def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire:
            wire.close()

    async def is_usable(self) -> bool:
        """For another request: nothing has come meanwhile, neither bytes nor the end."""
        loop = asyncio.get_running_loop()
        fresh = loop.time() - self._rests_since <= KEPT_FOR
        return bool(fresh and self._wire and await self._wire.is_quiet())

    async def send(self, request: Request, deadline: float) -> tuple[Answer, bool]:
        """The answer, and whether another request may go over this connection.

        Raises NotDelivered, and TimeoutError when no status has come by `deadline` (time of the
        loop).
        """
        way = self.way
        async with asyncio.timeout_at(deadline):
            self.is_new = self._wire is None
            wire = self._wire = self._wire or await way.open()
            sent = await self._write(wire, request)
            reader = AnswerReader()
            await self._read_status(wire, reader)
        await self._read_rest(wire, reader, deadline)
        if way.tls:
            way.tls.keep_session(wire.ssl_object)
        self._rests_since = asyncio.get_running_loop().time()
        assert reader.head
        status, phrase, _ = reader.head
        headers, content = tuple(reader.headers), bytes(reader.content)
        answer = Answer(status, phrase, headers, content, way.peer, request.target)
        return answer, sent and reader.reusable

    async def _write(self, wire: Wire, request: Request) -> bool:
        """False: an answer, or the end, came first."""
        to, target, headers = self.way.address, request.target, request.headers
        proxy = self._shared.proxy
        if proxy and to.scheme == "http":
            target = f"http://{to.server}{target}"
            headers = [*headers, *proxy_headers(proxy)]
        head = head_of(request.method, target, headers)
        try:
            return await wire.write(head + request.body, self._shared.phase_timeout)
        except TimeoutError:
            raise self.way.stalled() from None

    async def _read_status(self, wire: Wire, reader: AnswerReader) -> None:
        """Up to the end of the status line. Raises NotDelivered."""
        try:
            while reader.head is None:
                data = await wire.read()
                if data:
                    await feed(reader, data)
                    continue
                reader.end()
                if reader.head is None:
                    raise self.way.broken(wire.error)
        except NoAnswer as error:
            raise self.way.no_answer(error) from None

    async def _read_rest(self, wire: Wire, reader: AnswerReader, deadline: float) -> None:
        """The rest of an answer, as far as it comes. The status is known, and nothing behind it can
        change that."""
        assert reader.head
        status = reader.head.status
        seconds = REST_OF_SUCCESS if 200 <= status < 300 else self._shared.phase_timeout
        limit = min(deadline, asyncio.get_running_loop().time() + seconds)
        try:
            async with asyncio.timeout_at(limit):
                while not reader.done and not (reader.headers_done and status in REDIRECTS):
                    data = await wire.read()
                    if not data:
                        return reader.end()
                    await feed(reader, data)
        except TimeoutError:
            pass
