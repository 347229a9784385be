"""One request, one answer, and the connection that may be kept for the next one.

It is HTTP/1.1 of our own, as `wire.py`, `reading.py` and `way.py` are: a library's client takes
only answers that are right, tells nothing of what lies behind one, and adds what no gateway sends.
"""

import asyncio

from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.answer import Answer
from ruuvi_host.relay.http.connection import Connection
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.proxy import Proxy
from ruuvi_host.relay.http.request import Request
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.http.way import Shared


class Exchange:
    """Makes requests, one at a time.

    phase_timeout: seconds without progress in connecting, TLS and writing.
    """

    def __init__(self, phase_timeout: float, proxy: Proxy | None, *, keep_alive: bool) -> None:
        self._shared = Shared(phase_timeout, proxy, keep_alive)
        self._kept: Connection | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is in the request under way, and may not be told when it comes back."""
        return self._shared.secrets

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...]) -> None:
        self._shared.secrets = secrets

    async def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept:
            kept.close()

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
        kept, self._kept = self._kept, None
        if kept and kept.way.leads_to(address, tls) and not before and await kept.is_usable():
            try:
                return await self._send(kept, request, deadline)
            except NotDelivered as failure:
                # It may close a connection that rests while we begin to use it.
                if not failure.hung_up:
                    raise
        elif kept:
            kept.close()
        connection = Connection(self._shared, address, tls, before)
        return await self._send(connection, request, deadline)

    async def _send(self, connection: Connection, request: Request, deadline: float) -> Answer:
        way, reusable = connection.way, False
        try:
            answer, reusable = await connection.send(request, deadline)
            return answer
        except NotDelivered as failure:
            if way.tls:
                way.tls.forget_session()
            if failure.hung_up and connection.is_new:
                async with asyncio.timeout_at(deadline):
                    await way.ask_why()
            raise
        finally:
            if reusable and self._shared.keep_alive and not way.before:
                self._kept = connection
            else:
                connection.close()
