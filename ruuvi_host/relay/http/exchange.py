"""One request, one answer, and the connection that may be kept for the next one; the one module
that knows httpx.

httpx is used without its client, which would add headers that the gateway does not send, keep
cookies, read .netrc and proxies from the environment, and turn a redirected POST into a GET. It
writes the request; its engine (see `connection.py`) sends it.
"""

import asyncio
import sys
from collections.abc import Callable

# httpx imports its own command line, and with it rich (35 ms, 5 MB), wherever click and rich are
# installed. None in sys.modules makes that import fail, which httpx is prepared for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402  (after the line above)

from ruuvi_host.config.url import Address  # noqa: E402
from ruuvi_host.relay.http.answer import Answer  # noqa: E402
from ruuvi_host.relay.http.burst import Burst  # noqa: E402
from ruuvi_host.relay.http.connection import Connection, Heard  # noqa: E402
from ruuvi_host.relay.http.outcome import NotDelivered  # noqa: E402
from ruuvi_host.relay.http.proxy import Proxy  # noqa: E402
from ruuvi_host.relay.http.request import Request  # noqa: E402
from ruuvi_host.relay.http.tls import Tls  # noqa: E402
from ruuvi_host.relay.http.way import Shared  # noqa: E402

REST = 1.0
"""Seconds that a kept connection rests before the next request. What a server says too much, and
late, is then seen to come while nothing was asked; after the next request it would be its answer.
"""


class Exchange:
    """Makes requests, one at a time.

    phase_timeout: seconds without progress in connecting, TLS and writing. permits, body_limit: see
    Shared. rest: see REST.
    """

    def __init__(
        self,
        phase_timeout: float,
        proxy: Proxy | None,
        *,
        keep_alive: bool,
        permits: Callable[[str], bool] | None = None,
        rest: float = REST,
        body_limit: int = 0,
    ) -> None:
        self._shared = Shared(phase_timeout, proxy, permits=permits, body_limit=body_limit)
        self._keep = keep_alive
        self._rest = rest
        self._kept: Connection | None = None
        self._kept_since = 0.0
        """Time of the loop."""
        self.burst = Burst(rest)
        """Of requests that do not wait for a rest, over a connection of their own."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is in the request under way, and may not be told when it comes back."""
        return self._shared.secrets

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...]) -> None:
        self._shared.secrets = secrets

    async def close(self) -> None:
        await self.burst.close()
        await self._let_go()

    async def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept:
            await kept.close()

    async def send(
        self,
        request: Request,
        address: Address,
        tls: Tls | None,
        *,
        deadline: float,
        before: str | None = None,
    ) -> Answer:
        """Raises NotDelivered, and TimeoutError when no answer has begun by `deadline` (time of
        the loop).

        tls: for https. before: the IP address of the server that redirected us here.
        """
        await self.burst.let_go_idle()
        kept = self._kept
        rested = asyncio.get_running_loop().time() - self._kept_since >= self._rest
        reusable = kept and rested and kept.way.leads_to(address, tls) and not before
        if kept and reusable and await kept.is_usable():
            self._kept = None
            try:
                return await self._send_and_keep(kept, request, deadline)
            except NotDelivered as failure:
                # It may close a connection that rests while we begin to use it.
                if kept.way.connected or not failure.hung_up:
                    raise
        await self._let_go()
        connection = Connection(self._shared, address, tls, before, keep=self._keep)
        return await self._send_and_keep(connection, request, deadline)

    async def send_hurried(
        self, request: Request, address: Address, tls: Tls | None, *, deadline: float
    ) -> tuple[Answer, bool]:
        """As `send`, over the connection of the burst. The answer, and whether it is unsettled."""
        burst = self.burst
        await burst.let_go_ended()
        if kept := burst.open_to(address, tls):
            try:
                answer, behind = await self._send(kept, request, deadline, to_its_end=True)
            except BaseException as failure:
                burst.ends(Heard.END)
                hung_up = isinstance(failure, NotDelivered) and failure.hung_up
                if kept.way.connected or not hung_up:
                    raise
            else:
                if kept.way.connected:  # anew, as the one before had ended
                    burst.ends(Heard.END)
                else:
                    burst.answered(behind)
                return answer, not kept.way.connected and burst.unsettled
        connection = Connection(self._shared, address, tls, None, keep=True)
        answer, behind = await self._send(connection, request, deadline, to_its_end=True)
        if behind is not Heard.NOTHING or not burst.begins(connection):
            await connection.close()
        return answer, False

    async def _send_and_keep(
        self, connection: Connection, request: Request, deadline: float
    ) -> Answer:
        answer, behind = await self._send(connection, request, deadline)
        if behind is Heard.NOTHING and self._keep and not connection.way.before:
            self._kept, self._kept_since = connection, asyncio.get_running_loop().time()
        else:
            await connection.close()
        return answer

    async def _send(
        self,
        connection: Connection,
        request: Request,
        deadline: float,
        *,
        to_its_end: bool = False,
    ) -> tuple[Answer, Heard]:
        """As of Connection. It is closed on failure."""
        way = connection.way
        url = f"{way.address.scheme}://{way.address.server}/"
        made = httpx.Request(
            request.method, url, headers=request.headers, content=request.body or None
        )
        assert isinstance(made.stream, httpx.AsyncByteStream)
        try:
            # The target as it is: httpx would write some characters of a path in another way.
            return await connection.send(
                *(made.method, request.target, made.headers.raw, made.stream, deadline),
                to_its_end=to_its_end,
            )
        except BaseException as failure:
            try:
                if isinstance(failure, NotDelivered):
                    await self._look_closer(connection, failure, deadline)
            finally:
                await connection.close()
            raise

    async def _look_closer(
        self, connection: Connection, failure: NotDelivered, deadline: float
    ) -> None:
        way = connection.way
        if way.tls:
            way.tls.forget_session()
        if failure.hung_up and way.connected:
            async with asyncio.timeout_at(deadline):
                await connection.ask_why()
