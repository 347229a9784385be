"""check: what it posts, which stage failed, what is to be done."""

import asyncio
from pathlib import Path

import pytest
from certificates import Folder, authority, server_context, tls_server
from posting import BODY, GATEWAY, OK, SOON, Server, answer, answering, never, serving
from standing_clock import standing

from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import Authorization, HttpTarget, TlsFiles
from ruuvi_host.relay.http.check import check, judge
from ruuvi_host.relay.http.outcome import PostOutcome, Stage, Step
from ruuvi_host.relay.http.signing import Signer
from ruuvi_host.relay.kinds import CheckResult, SinkContext, kind_of
from ruuvi_host.relay.sink import Verdict

EMPTY = """{
  "data": {
    "coordinates": "60,24",
    "timestamp": 1800000000,
    "nonce": NONCE,
    "gw_mac": "C8:25:2D:8E:9C:2C",
    "tags": {}
  }
}"""


def test_the_post() -> None:
    """Signed, empty, each with a nonce of its own."""

    async def main() -> None:
        async with answering(OK) as server:
            target = HttpTarget("custom", server.url("/record"))
            context = SinkContext(Config(coordinates="60,24"))
            for _ in range(2):
                result = await kind_of(target).probe(target, GATEWAY, context, 1_800_000_000.9)
                assert str(result) == "custom: delivered (status 200)"
                assert (result.delivered, result.step, result.code) == (True, "", 200)
            bodies = [request.body for request in server.requests]
            nonces = [body.split(b'"nonce": ')[1].split(b",")[0].decode() for body in bodies]
            assert len(set(nonces)) == 2
            for request, nonce in zip(server.requests, nonces, strict=True):
                assert request.body == EMPTY.replace("NONCE", nonce).encode()
                assert request["Ruuvi-HMAC-SHA256"] == Signer().sign(request.body, GATEWAY)

    asyncio.run(main())


def test_a_status_is_posted_as_it_is() -> None:
    async def main() -> None:
        async with answering(OK) as server:
            target = HttpTarget("status", server.url())
            assert (await check(target, GATEWAY, b"{\n}")).delivered
            assert server.requests[0].body == b"{\n}"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "authorized", "stage"),
    [
        (201, False, None),
        (429, False, None),
        (400, False, Stage.BODY),
        (422, False, Stage.BODY),
        (401, False, Stage.AUTH),
        (401, True, Stage.AUTH),
        (403, True, Stage.FORBIDDEN),
        (403, False, Stage.FORBIDDEN),
        (404, False, Stage.PATH),
        (405, False, Stage.PATH),
        (303, False, Stage.REDIRECT),
        (408, False, Stage.SERVER),
        (425, False, Stage.SERVER),
        (500, False, Stage.SERVER),
    ],
)
def test_statuses(status: int, authorized: bool, stage: Stage | None) -> None:
    async def main() -> CheckResult:
        async with answering(answer(status, body=b"because")) as server:
            authorization = Authorization("Bearer SECRET") if authorized else None
            target = HttpTarget("custom", server.url(), authorization=authorization)
            return await check(target, GATEWAY, BODY)

    result = asyncio.run(main())
    assert (result.step, result.delivered) == (stage.value if stage else "", stage is None)
    assert result.code == status
    assert str(result).isprintable()
    if stage:
        assert result.reason == f"status {status} Said so: because"
        assert result.remedy
        assert str(result).startswith(f"custom: not delivered: {stage.value}: status {status} ")


def test_what_a_delivery_may_be_told_with() -> None:
    target = HttpTarget("custom", "http://server/")
    outcome = PostOutcome(Verdict.ACCEPTED, code=200, by="other:8000", page="Log in")
    assert judge(target, outcome).reason == (
        "delivered (status 200), by other:8000: the server redirects there, so name it in the "
        "address; the answer is a web page, 'Log in': see whether it is the receiver's"
    )


def test_a_dongle_that_ruuvi_may_not_know() -> None:
    outcome = PostOutcome(Verdict.FIX, "status 403 Forbidden", code=403)
    result = judge(HttpTarget("ruuvi", "https://network.ruuvi.com/record"), outcome)
    assert result.step == Stage.SIGNATURE.value
    assert "Ruuvi may not know the id of this coprocessor" in str(result)


def test_where_a_post_ends_that_is_not_answered(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    async def stage(url: str, **tls: Path) -> Stage:
        target = HttpTarget("custom", url, tls=TlsFiles(**tls))  # type: ignore[arg-type]
        result = await check(target, GATEWAY, BODY, time_limit=SOON if "hang" in url else 25)
        assert not result.delivered
        assert result.remedy
        assert result.code is None
        return Stage(result.step)

    async def main() -> None:
        async with serving(never) as port:
            assert await stage(f"http://127.0.0.1:{port}/hang") is Stage.ANSWER
        assert await stage(f"http://127.0.0.1:{port}/") is Stage.CONNECT
        assert await stage("http://no-such-name.invalid/") is Stage.NAME
        context = server_context(authority().issue_cert("127.0.0.1"))
        async with tls_server(context) as server:
            assert await stage(server.url(), server_cert=folder.authority("theirs")) is Stage.TLS
            assert await stage(server.url(), server_cert=tmp_path / "none") is Stage.FILES
        async with answering(answer(307, "Location: ftp://x")) as plain:
            target = HttpTarget("custom", plain.url())
            assert (await check(target, GATEWAY, BODY)).step == Stage.REDIRECT.value

    standing(main())


def test_every_step_has_its_stage_and_remedy() -> None:
    target = HttpTarget("custom", Server("http", 1).url())
    for step in Step:
        result = judge(target, PostOutcome(Verdict.LATER, "x", step=step))
        assert result.step
        assert result.remedy
