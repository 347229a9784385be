"""An answer that is made while it is sent: however large, and however slow the client, no more of
it than a piece or two is in memory."""

import asyncio
from collections.abc import Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ruuvi_host.api.answer import answer


class Pieces(Response):
    """200, in JSON. Nobody knows its length before its end, so it is sent in chunks."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        like = answer(200)
        del like.headers["Content-Length"]
        self.raw_headers = like.raw_headers
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        if scope["method"] != "HEAD":
            for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)  # a client that takes everything at once gives nobody a turn
        await send({"type": "http.response.body", "body": b"", "more_body": False})
