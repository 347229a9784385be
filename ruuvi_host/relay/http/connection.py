"""A connection to one server; the one module that knows httpcore and anyio.

httpcore is the engine of httpx. Below it is a network of our own, which connects only to addresses
that we have looked up, makes the heads of answers such as httpcore takes, and tells what goes wrong
in a sentence.
"""

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from contextlib import suppress
from enum import Enum
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

import anyio
import httpcore

from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.answer import Answer
from ruuvi_host.relay.http.answer_filter import AnswerFilter, NoAnswer
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.redirects import REDIRECTS
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.http.way import Shared, Way

if find_spec("sniffio") is None:
    # httpcore asks for it at each request, and where it is missing, all of sys.path is looked
    # through: a fifth of the CPU of a post. None makes that import fail at once.
    sys.modules["sniffio"] = None  # type: ignore[assignment]

for name in ("abc", "lowlevel", "streams.tls", "_backends._asyncio"):
    # anyio loads them with the first request: for some 30 ms nobody would look at the port, and of
    # 20,000 reports a second the first 240 were lost. It is only sooner: all of them are needed.
    with suppress(ImportError):
        import_module(f"anyio.{name}")

P = ParamSpec("P")
T = TypeVar("T")

MAX_ANSWER = 64 * 1024
"""Bytes of an answer's body that are read. They have no meaning, but for people."""
SECOND_LOOK = 3.0
"""Seconds in which a server that hung up may tell why, when it is asked once more."""
KEPT_FOR = 75.0
"""Seconds that a kept connection may rest. Routers forget connections, and do not say so."""
REST_OF_SUCCESS = 1.0
"""Seconds for what follows the status line of a 2xx: it has no meaning, and hanging up on a server
that still sends could end a script there. Also for what a redirect says besides where it leads."""
_READ_ON = 1024 * 1024
"""Bytes of a body that are read where the connection is to be used again; a page with all that a
server knows of its own fault has some hundred KiB."""
_AT_ONCE = 4096
"""Bytes of an answer that are looked at in one turn of the loop: a flood of tiny chunks must not
hold up the rest."""
_PIECE = 16 * 1024
"""Bytes that any system takes at once. What is longer is sent in such pieces: so progress is seen,
and an answer that comes before the end."""
_TURNS = 6
"""Of the loop, until what this machine has received has come to us through TLS."""


def _cancellable(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Whoever is cancelled in it does not go on after it.

    Before 4.16 anyio swallowed a cancellation that came in the turn of the loop in which it
    cancelled something itself, as it does once it is connected, and when a time is up (its issue
    1214). Who cancels waits for the end, and would wait for ever: at the next SIGHUP or SIGTERM.
    So this is around all as a whole, and around each step that has a limit of time: what follows
    it may wait for a server that never answers.
    """

    @wraps(method)
    async def cancellable(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.current_task()
        assert task
        before = task.cancelling()
        try:
            result = await method(*args, **kwargs)
        except Exception:
            if task.cancelling() > before:
                raise asyncio.CancelledError from None
            raise
        if task.cancelling() > before:
            raise asyncio.CancelledError
        return result

    return cancellable


class Heard(Enum):
    """What came over a connection behind an answer, while nothing was asked. The worst is last."""

    NOTHING = "nothing"
    """It can be used again."""
    END = "end"
    UNSEEN = "unseen"
    """It cannot be told: the answer was odd, or not read to its end."""
    MORE = "more"
    """Bytes: an answer too many."""


class Connection:
    """A connection to one server, possibly through a proxy. It is made when it is first needed.

    tls: for https. before: the IP address of the server that redirected us here. keep: it stays
    open after an answer.
    """

    def __init__(
        self,
        shared: Shared,
        address: Address,
        tls: Tls | None,
        before: str | None,
        *,
        keep: bool,
    ) -> None:
        self.way = Way(shared, address, tls, before)
        self._network = _Network(self.way)
        proxy = None
        if shared.proxy:
            there = shared.proxy.address
            url = httpcore.URL(scheme="http", host=there.host, port=there.port, target="/")
            proxy = httpcore.Proxy(url, auth=shared.proxy.auth)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls.context if tls else None,
            proxy=proxy,
            max_keepalive_connections=1 if keep else 0,
            keepalive_expiry=KEPT_FOR,
            network_backend=self._network,
        )

    @_cancellable
    async def close(self) -> None:
        await self._pool.aclose()
        await self._network.close()

    @_cancellable
    async def is_usable(self) -> bool:
        """For another request: nothing has come meanwhile, neither bytes nor the end."""
        return await self.heard() is Heard.NOTHING

    @_cancellable
    async def heard(self, seconds: float = 0.0) -> Heard:
        """What has come behind the last answer, or comes within so many seconds."""
        stream = self._network.stream
        return await stream.heard(seconds) if stream else Heard.END

    @_cancellable
    async def ask_why(self) -> None:
        await self._network.ask_why()

    @_cancellable
    async def send(
        self,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        body: AsyncIterable[bytes],
        deadline: float,
        *,
        to_its_end: bool = False,
    ) -> tuple[Answer, Heard]:
        """The answer, and what is behind it, as far as it is known by then.

        to_its_end: it is worth some time that the connection can be used again.

        Raises NotDelivered, and TimeoutError when no status has come by `deadline` (time of the
        loop).
        """
        way, network = self.way, self._network
        way.connected = False
        answer = network.answer = AnswerFilter()
        url = httpcore.URL(
            scheme=way.address.scheme, host=way.address.host, port=way.address.port, target=target
        )
        request = httpcore.Request(method, url, headers=headers, content=body)
        response, content, ended = None, bytearray(), False
        most = way.shared.body_limit or MAX_ANSWER
        try:
            async with asyncio.timeout_at(deadline) as network.limit:
                response = await self._send(request)
                leads_on = not way.shared.permits and _leads_on(response)
                if leads_on and to_its_end:
                    network.at_most(REST_OF_SUCCESS)
                if to_its_end or not leads_on:
                    ended = await _read(response, content, most, _READ_ON if to_its_end else most)
        except (NotDelivered, TimeoutError):
            if not answer.status:
                raise
        finally:
            if response:
                await response.aclose()
        if way.tls:
            way.tls.keep_session(way.ssl_object)
        told = Answer(
            answer.status,
            answer.phrase.decode("latin-1"),
            tuple(response.headers) if response else (),
            bytes(content[:most]),
            way.peer,
            target,
            ended and len(content) <= most,
        )
        if answer.left_over:
            return told, Heard.MORE
        return told, Heard.NOTHING if ended and answer.reusable else Heard.UNSEEN

    async def _send(self, request: httpcore.Request) -> httpcore.Response:
        """Raises NotDelivered."""
        way = self.way
        # None for reading: before its status line a server may think as long as there is time.
        timeouts = dict.fromkeys(("connect", "write", "pool"), way.shared.phase_timeout)
        request.extensions = {"timeout": timeouts}
        try:
            return await self._pool.handle_async_request(request)
        except httpcore.ProxyError as error:
            raise way.refused_by_proxy(str(error)) from None
        except httpcore.TimeoutException:
            raise way.stalled() from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise way.broken(error) from None


class _Network(httpcore.AsyncNetworkBackend):
    """Makes the connections. Used by httpcore."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.stream: _Stream | None = None
        """To the server; it may go through a proxy."""
        self.answer = AnswerFilter()
        """To the request under way."""
        self.limit: asyncio.Timeout | None = None
        """Of the request under way."""
        self._tcp: _Stream | None = None
        self._backend = httpcore.AnyIOBackend()

    async def close(self) -> None:
        """httpcore forgets a connection that fails between TCP and TLS."""
        if self._tcp:
            await self._tcp.aclose()

    @_cancellable
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        way = self.way
        way.connected, way.ssl_object, self.stream = True, None, None
        patience = way.shared.phase_timeout
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        addresses = await way.addresses(host, port, deadline)
        # What is not acknowledged for so long: a network that has gone, not a server that thinks.
        gone = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(1000 * patience)))
        failure = None
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = max(0.0, deadline - loop.time()) / left
            try:
                stream = await self._backend.connect_tcp(
                    address, port, share, socket_options=[gone]
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            if not way.before:  # others could name hosts without end
                way.shared.good[host] = address
            way.peer = address
            self._tcp = _Stream(stream, self)
            if not (way.tls and way.shared.proxy):  # the proxy's own answer comes first
                self.stream = self._tcp
            return self._tcp
        way.shared.good.pop(host, None)
        raise way.not_connected(failure)

    def status_has_come(self) -> None:
        """It cannot be changed by what comes behind it, so that has a limit of its own."""
        if self.way.shared.body_limit:
            return
        success = 200 <= self.answer.status < 300
        self.at_most(REST_OF_SUCCESS if success else self.way.shared.phase_timeout)

    def at_most(self, seconds: float) -> None:
        """So long for the rest of the answer."""
        limit = self.limit
        if limit and not limit.expired():
            until = asyncio.get_running_loop().time() + seconds
            limit.reschedule(min(until, limit.when() or until))

    async def ask_why(self) -> None:
        """Under TLS 1.3 a server refuses our certificate when we take the handshake for done. It
        closes the connection then, and its alert is often lost because our request is already on
        the way. So ask again, without a request. Raises NotDelivered if the server tells."""
        way = self.way
        tls = way.ssl_object
        if not tls or tls.version() != "TLSv1.3" or way.shared.proxy:
            return
        assert way.tls
        stream: httpcore.AsyncNetworkStream | None = None
        timeout = min(way.shared.phase_timeout, SECOND_LOOK)
        try:
            stream = await self._backend.connect_tcp(way.peer, way.address.port, timeout)
            stream = await stream.start_tls(way.tls.context, way.tls_name, timeout)
            await stream.read(1, timeout)
        except ssl.SSLError as error:
            clearer = way.tls.failure(error, way.address, established=True)
            if not clearer.hung_up:
                raise clearer from None
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError, anyio.EndOfStream):
            pass  # it does not tell
        finally:
            if stream:
                await _Stream(stream, self).aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A stream of answers that httpcore takes. Its failures are sentences."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, network: _Network) -> None:
        self._stream = stream
        self._network = network
        self._proxy_answer = AnswerFilter()
        self._early: asyncio.Task[bytes] | None = None
        """What came while we were still sending."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        network, way = self._network, self._network.way
        own = self is network.stream
        answer = network.answer if own else self._proxy_answer
        while True:
            known = answer.status
            data = await self._receive(None if own else way.shared.phase_timeout, answer)
            try:
                passed = answer.feed(data) if data else answer.end()
            except NoAnswer as error:
                raise way.no_answer(error) from None
            if own and answer.status and not known:
                network.status_has_come()
            if passed or not data:
                return passed

    async def _receive(self, timeout: float | None, answer: AnswerFilter) -> bytes:
        """What has come; nothing at the end, whatever ended it, if a status came before."""
        way = self._network.way
        try:
            if early := self._early:
                self._early = None
                return early.result()
            return await self._stream.read(_AT_ONCE, timeout)
        except httpcore.ReadTimeout:
            failure = way.stalled()
        except ssl.SSLError as error:
            assert way.tls
            failure = way.tls.failure(error, way.address, established=True)
        except (httpcore.ReadError, OSError, anyio.EndOfStream) as error:
            failure = way.broken(error)
        if answer.status:
            return b""
        raise failure

    @_cancellable
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """A failure is left to httpcore: it reads on, since an answer may have come before."""
        try:
            if len(buffer) <= _PIECE:
                await self._stream.write(buffer, timeout)
            else:
                await self._write_and_listen(buffer, timeout)
        except (ssl.SSLError, OSError, anyio.EndOfStream) as error:
            raise httpcore.WriteError(str(error)) from error

    async def _write_and_listen(self, buffer: bytes, timeout: float | None) -> None:
        reading = asyncio.create_task(self._stream.read(_AT_ONCE))
        writing = asyncio.create_task(self._write_pieces(buffer, timeout))
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                raise httpcore.WriteError("an answer, or the end, came first")
            writing.result()
        finally:
            await _end(writing)
            if not isinstance(await _end(reading), asyncio.CancelledError):
                self._early = reading

    async def _write_pieces(self, buffer: bytes, timeout: float | None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(buffer), _PIECE):
            await self._stream.write(bytes(view[start : start + _PIECE]), timeout)

    async def heard(self, seconds: float) -> Heard:
        """What has come, as far as this machine knows, or comes within so many seconds."""
        reading = asyncio.create_task(self._stream.read(1))
        try:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if seconds:
                await asyncio.wait((reading,), timeout=seconds)
        finally:
            result = await _end(reading)
        if isinstance(result, asyncio.CancelledError):
            return Heard.NOTHING
        return Heard.MORE if isinstance(result, bytes) and result else Heard.END

    @_cancellable
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        network, way = self._network, self._network.way
        try:
            stream = await self._stream.start_tls(ssl_context, way.tls_name, timeout)
        except httpcore.ConnectTimeout:
            raise way.no_handshake(None) from None
        except (httpcore.ConnectError, OSError, anyio.EndOfStream, ValueError) as error:
            raise way.no_handshake(error) from None
        way.ssl_object = stream.get_extra_info("ssl_object")
        network.stream = _Stream(stream, network)
        return network.stream

    async def aclose(self) -> None:
        with suppress(ssl.SSLError, OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


async def _end(task: "asyncio.Task[Any]") -> object:
    """What it came to, be it an exception."""
    task.cancel()
    return (await asyncio.gather(task, return_exceptions=True))[0]


def _leads_on(response: httpcore.Response) -> bool:
    """It is a redirect, and nobody reads what else it says."""
    names = (name.lower() for name, _ in response.headers)
    return response.status in REDIRECTS and b"location" in names


async def _read(response: httpcore.Response, content: bytearray, most: int, longest: int) -> bool:
    """The body of an answer, as the gateway reads it and ignores it; whether it came to its end.

    most: bytes; what is longer is kept so far that this is seen. longest: bytes, up to which it is
    read.
    """
    length = 0
    with suppress(OSError, httpcore.NetworkError, httpcore.ProtocolError):
        async for chunk in response.aiter_stream():
            length += len(chunk)
            if len(content) <= most:
                content += chunk
            if length > longest:
                return False
            await asyncio.sleep(0)  # a flood of tiny chunks must not hold up the rest
        return True
    return False
