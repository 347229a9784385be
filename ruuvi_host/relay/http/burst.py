"""Requests over one connection that does not rest in between, and what may be believed of their
answers.

HTTP does not say which request an answer belongs to. If a server answers one twice, and the second
answer comes late, it is taken for that to the next request, and so on: each request then gets the
answer of the one before. What can be seen of that is that one answer is left over at the end. So
no answer but the first counts before the connection has rested for a second with nothing left over.
Where the end of an answer is not seen, nor can be what is behind it: none counts, and for a while
(credit.py) the server is asked without haste, so that it comes to an end whatever it answers.

What cannot be seen: that a server answers one request twice and a later one never, or takes longer
than that second for the last one. So a server that ends the connection by itself has perhaps not
answered the last request.
"""

import asyncio

from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.connection import Connection, Heard
from ruuvi_host.relay.http.credit import Credit
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.sink import Settled


class Burst:
    """One connection at a time.

    rest: seconds until its answers count.
    """

    def __init__(self, rest: float) -> None:
        self.connection: Connection | None = None
        self.credit = Credit()
        self._rest = rest
        self._answers = 0
        """Since the connection has rested, or begun."""
        self._heard = Heard.NOTHING
        """Not NOTHING: there is no other request over this connection."""
        self._resting: asyncio.Task[Heard] | None = None
        self._settled: Settled | None = None
        """A verdict that nobody has got yet."""

    @property
    def trusted(self) -> bool:
        """The server may be asked in haste."""
        return self.credit.is_given(asyncio.get_running_loop().time())

    @property
    def unsettled(self) -> bool:
        """There are answers of which not all are to be believed yet."""
        return self._answers > 1

    def open_to(self, address: Address, tls: Tls | None) -> Connection | None:
        """The connection, if another request may go over it."""
        connection = self.connection
        if connection and not connection.way.leads_to(address, tls):
            self.ends(Heard.END)
        return connection if self._heard is Heard.NOTHING else None

    def begins(self, connection: Connection) -> bool:
        """Its first answer has come, and it can be used again. False: there is one before it."""
        if self.connection:
            return False
        self.connection, self._answers, self._heard = connection, 1, Heard.NOTHING
        return True

    def answered(self, behind: Heard) -> None:
        """behind: as far as it is known; if not NOTHING, there is no other one."""
        self._answers += 1
        self.ends(behind)

    def ends(self, heard: Heard) -> None:
        if heard is Heard.MORE:
            self.credit.forfeited()
        self._heard = max(self._heard, heard, key=[*Heard].index)

    async def goes_on(self) -> bool:
        """Another request may go over it; True if there is no connection yet."""
        if self.connection and self._heard is Heard.NOTHING:
            self.ends(await self.connection.heard())
        await self.let_go_ended()
        return self._heard is Heard.NOTHING

    async def let_go_ended(self) -> None:
        """Of one answer there is no doubt: the next request may begin another connection."""
        if self._heard is not Heard.NOTHING and not self.unsettled:
            await self._let_go()
            self._answers = 0

    async def settle(self) -> Settled:
        """What has become of the answers since the last call. Cancelled, it can be called again."""
        if not self._settled:
            self._settled = await self._rested()
        if self._heard is not Heard.NOTHING:
            await self._let_go()
        settled, self._settled, self._answers = self._settled, None, 0
        return settled

    async def _rested(self) -> Settled:
        connection = self.connection
        if connection and self.unsettled and self._heard is Heard.NOTHING:
            if not self._resting:
                self._resting = asyncio.create_task(connection.heard(self._rest))
            self.ends(await asyncio.shield(self._resting))
            self._resting = None
        if self._heard is Heard.MORE:
            return Settled.NONE
        if self._heard is Heard.UNSEEN and self.unsettled:
            self.credit.lost(asyncio.get_running_loop().time())
            return Settled.NONE
        if self._heard is Heard.END and self.unsettled:
            return Settled.ALL_BUT_THE_LAST
        return Settled.ALL

    async def let_go_idle(self) -> None:
        """Nobody waits for a verdict: the connection is not needed."""
        if not self._answers:
            await self._let_go()

    async def close(self) -> None:
        """The answers that are not settled stay so."""
        resting, self._resting = self._resting, None
        if resting:
            resting.cancel()
            await asyncio.gather(resting, return_exceptions=True)
        await self._let_go()
        self._answers = 0

    async def _let_go(self) -> None:
        connection, self.connection, self._heard = self.connection, None, Heard.NOTHING
        if connection:
            await connection.close()
