"""The ASGI application: reads a post, has it checked, simulates an outage if asked to, answers.

Every wait has a timeout, and ends when the client disconnects. Every answer closes its connection:
a gateway opens a new one for each post.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any, TypeAlias, cast

from ruuvi_host.clock import Clock
from ruuvi_host.receiver.configurations import Asked, Served, header, serve
from ruuvi_host.receiver.examine import Examiner, Headers, Result, Verdict, refuse_head, refused
from ruuvi_host.receiver.receipt import Receipt, printable
from ruuvi_host.receiver.settings import Settings

Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

LINGER = 1.0
"""Seconds for which the rest of a refused request is still read, and discarded.

Closing at once would reset the connection, and the client might not see the answer.
"""

HOLD = 600.0
"""Seconds after which even `hang` answers; ten times the timeout of a gateway."""

GREETING = "This is ruuvi-host receive. It accepts the batches of a gateway by POST, on any path."


class ConnectionEnded(Exception):  # noqa: N818 - an event, not an error
    """The client has closed the connection, or the receiver stops."""


class App:
    """Handles posts, and calls `report` with the receipt of each just before it is answered; with
    a folder of configurations it serves them, and calls `asked`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Callable[[Receipt], None],
        asked: Callable[[Asked], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._report = report
        self._asked = asked
        self._examiner = Examiner(settings.keys, settings.new_key)
        self._good_batches = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request; the ASGI entry point."""
        if scope["method"] in ("GET", "HEAD") and scope["path"] == "/":
            await self._send(send, 200, {}, GREETING)
            await send({"type": "http.response.body"})
            return
        if self._settings.gw_cfg and scope["method"] in ("GET", "HEAD"):
            await self._serve(self._settings.gw_cfg, scope, send)
            return
        receipt = await self._take(scope, receive)
        if receipt.verdict.post and receipt.answered and await _left(receive, self._settings.delay):
            receipt = replace(receipt, answered=False)
        self._report(receipt)
        if not receipt.answered and await _left(receive, HOLD):
            return
        await self._answer(receipt, receive, send)

    async def _serve(self, folder: Path, scope: Message, send: Send) -> None:
        """A file of the folder, in the way of web servers."""
        headers = cast(Headers, scope["headers"])
        served = await asyncio.to_thread(serve, folder, scope["path"], headers)
        self._asked(
            Asked(
                self._clock.wall(),
                header(headers, b"ruuvi_gw_mac") or client_name(scope["client"]),
                f"{scope['method']} {scope['raw_path'].decode('latin-1')}",
                served.status,
                header(headers, b"ruuvi-host-version"),
            )
        )
        await self._send_file(send, served, head=scope["method"] == "HEAD")

    async def _send_file(self, send: Send, served: Served, *, head: bool) -> None:
        headers = served.headers | {
            "Date": formatdate(self._clock.wall(), usegmt=True),
            "Connection": "close",
        }
        if served.status != 304:
            headers["Content-Length"] = str(len(served.body))
        pairs = [(n.lower().encode(), v.encode("latin-1")) for n, v in headers.items()]
        await send({"type": "http.response.start", "status": served.status, "headers": pairs})
        await send({"type": "http.response.body", "body": b"" if head else served.body})

    async def _take(self, scope: Message, receive: Receive) -> Receipt:
        """Read a request and check it."""
        headers = cast(Headers, scope["headers"])
        limit = self._settings.body_timeout
        body, connected = b"", True
        verdict = refuse_head(scope["method"], headers)
        if verdict is None:
            try:
                async with asyncio.timeout(limit):
                    body = await _read_body(receive)
            except TimeoutError:
                verdict = refused(408, f"the body was not complete within {limit:g} s")
            except ConnectionEnded:
                verdict = refused(400, "the connection ended before the body was complete")
                connected = False
            else:
                verdict = self._judge(headers, body)
        target = scope["raw_path"] + (b"?" + scope["query_string"]).rstrip(b"?")
        return Receipt(
            time=self._clock.wall(),
            client=client_name(scope["client"]),
            request=f"{scope['method']} {target.decode('latin-1')}",
            verdict=verdict,
            answered=connected and not (verdict.result is Result.FAILED and self._settings.hang),
            headers=headers,
            body=body,
        )

    def _judge(self, headers: Headers, body: bytes) -> Verdict:
        """The examiner's verdict, unless the settings simulate an outage."""
        verdict = self._examiner.examine(headers, body)
        post = verdict.post
        if post is None or verdict.result is not Result.ACCEPTED:
            return verdict
        self._good_batches += verdict.batch is not None
        outage = self._settings.outage(self._good_batches)
        if outage is not None:
            return replace(verdict, result=Result.FAILED, status=outage, reason="simulated outage")
        return self._examiner.accept(replace(verdict, status=self._settings.success), post)

    async def _answer(self, receipt: Receipt, receive: Receive, send: Send) -> None:
        verdict = receipt.verdict
        headers = {}
        if verdict.status == 405:
            headers["Allow"] = "POST"
        if self._settings.rate is not None:
            headers["X-Ruuvi-Gateway-Rate"] = self._settings.rate
        if verdict.offer_key and verdict.post and self._settings.new_key is not None:
            headers["Ruuvi-HMAC-KEY"] = self._settings.new_key.decode("latin-1")
            self._examiner.hand_out_key(verdict.post)
        text = printable(verdict.reason) or str(verdict.result)
        await self._send(send, verdict.status, headers, text)
        if not receipt.body:
            await _discard(receive)
        await send({"type": "http.response.body"})

    async def _send(self, send: Send, status: int, headers: dict[str, str], text: str) -> None:
        """Send a complete answer, and leave the connection open."""
        headers |= {"Date": formatdate(self._clock.wall(), usegmt=True), "Connection": "close"}
        content = b""
        if status not in (204, 304):
            content = text.encode("ascii") + b"\n"
            headers |= {
                "Content-Type": "text/plain; charset=utf-8",
                "Content-Length": str(len(content)),
            }
        pairs = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": content, "more_body": True})


def client_name(client: tuple[str, int] | None) -> str:
    """Address and port of a client; None: it disconnected before they were known."""
    if client is None:
        return "unknown"
    host, port = client
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _read_body(receive: Receive) -> bytes:
    """The complete body, which is not longer than the Content-Length that was checked."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionEnded
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def _discard(receive: Receive) -> None:
    """Read and discard the rest of a request, for a short time."""
    try:
        async with asyncio.timeout(LINGER):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass


async def _left(receive: Receive, within: float) -> bool:
    """Wait for the client to disconnect. True when it has, False after the timeout."""
    try:
        async with asyncio.timeout(within):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
