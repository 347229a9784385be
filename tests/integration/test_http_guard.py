"""A mistake of ours in any step of a post costs a retry, and the host nothing."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from certificates import Folder, authority, server_context
from conftest import ours
from posting import GATEWAY, Server, answer, read_request, serving

from ruuvi_host.config.targets import HttpTarget, TlsFiles
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.gateway_json import BodyFacts
from ruuvi_host.relay.guard import Guarded
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.sink import HttpSink
from ruuvi_host.relay.sink import Verdict

STEPS = {
    "the body": "sink.body_slices",
    "parts": "poster.read_parts",
    "signature": "signing.Signer.sign",
    "headers": "poster.request_headers",
    "TLS files": "poster.made_of",
    "connection": "exchange.Connection",
    "kept connection": "exchange.Connection.is_usable",
    "name": "way.Way.addresses",
    "choice of addresses": "way.Way._allowed",
    "TCP": "connection._Network.connect_tcp",
    "TLS": "connection._Stream.start_tls",
    "request": "exchange.httpx.Request",
    "sending": "connection._Stream.write",
    "waiting": "connection._Stream._receive",
    "status": "answer_filter.AnswerFilter._before_headers",
    "header": "answer_filter.AnswerFilter._header",
    "content": "answer_filter._Body.follow",
    "rest": "connection._read",
    "session": "tls.Tls.keep_session",
    "answer": "connection.Answer",
    "what headers ask for": "poster.parse_rate",
    "redirect": "poster.following",
    "meaning": "answer.advice_for",
    "what it says": "answer.without",
    "pause": "poster.parse_retry_after",
    "outcome": "poster.Poster._outcome",
}

ANSWERS = (
    answer(200, "X-Ruuvi-Gateway-Rate: 5", body=b"fine"),
    answer(503, "Retry-After: 5", body=b"busy"),
    answer(307, "Location: /moved"),
    answer(200),
)
"""A good one, one that asks for patience, a redirect, and good ones for ever."""


@pytest.mark.parametrize("step", STEPS)
def test_a_mistake_in_any_step_is_later(
    step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = requests = 0

    def mistake(*_: Any, **__: Any) -> Any:
        nonlocal made
        made += 1
        raise KeyError("SECRET of a mistake")

    context = server_context(authority().issue_cert("127.0.0.1"))
    batch = Batch(1, GATEWAY, ())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            await read_request(reader)
            writer.write(ANSWERS[min(requests, len(ANSWERS) - 1)])
            requests += 1

    async def main() -> None:
        tls = TlsFiles(server_cert=Folder(tmp_path).authority())
        async with serving(serve, context) as port:
            url = Server("https", port).url("/record")
            target = HttpTarget("custom", url, tls=tls, keep_alive=True)
            sink = Guarded("custom", HttpSink(Poster(target, rest=0), BodyFacts("", True)))
            with monkeypatch.context() as patch:
                patch.setattr(f"ruuvi_host.relay.http.{STEPS[step]}", mistake)
                outcomes = [await sink.deliver(batch, 1_800_000_000.0) for _ in range(4)]
            wrong = [o for o in outcomes if o.reason == "an error in ruuvi-host: KeyError"]
            assert made
            assert len(wrong) >= 1
            assert all(outcome.verdict is Verdict.LATER for outcome in wrong)
            # And it is as good as new.
            again = [await sink.deliver(batch, 1_800_000_000.0) for _ in range(2)]
            assert any(outcome.verdict is Verdict.ACCEPTED for outcome in again)
            await sink.close()

    asyncio.run(main())
    errors = [record for record in ours(caplog) if record.levelno == logging.ERROR]
    assert [e.getMessage() for e in errors] == ["custom: an error in ruuvi-host, please report it"]


@pytest.mark.parametrize(
    "data",
    [
        answer(307, "Location: http://[fe80::1%25\xe9]/"),
        answer(307, "Location: //[::1%25\xff]:99999/"),
        answer(303, "Location: \xff\xfe"),
        answer(301, "Location: http://xn--\xe9.\xe9/"),
        answer(308, "Location: " + "[" * 1000),
        answer(200, "X-Ruuvi-Gateway-Rate: \xb2\xb3", "Ruuvi-HMAC-KEY: \x00\xff"),
        answer(503, "Retry-After: Mon, 99 Jan 99999 99:99:99 +999999"),
        answer(400, "Content-Type: text/html", body=b"<title>\xff\x00</title>" + bytes(range(256))),
        b"\x00" * 200_000,
        b"HTTP/1.1 200 \xff\xfe\r\n\xff: \xfe\r\n\r\n",
    ],
)
def test_no_answer_is_a_mistake(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(data)
        await writer.drain()

    async def main() -> None:
        async with serving(serve) as port:
            poster = Poster(HttpTarget("custom", Server("http", port).url()))
            sink = Guarded("custom", HttpSink(poster, BodyFacts("", True)))
            outcome = await sink.deliver(Batch(1, GATEWAY, ()), 1_800_000_000.0)
            assert "an error in ruuvi-host" not in outcome.reason
            assert outcome.reason.isprintable()
            await sink.close()

    asyncio.run(main())
    assert not [record for record in ours(caplog) if record.levelno >= logging.ERROR]
