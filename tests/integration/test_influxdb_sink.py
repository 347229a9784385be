"""Batches to a stand-in for a database, which answers as real ones do: split, refused in parts,
refused because of its size, later; over TLS with a client certificate; `check`.

Answers of 2.x are of docs.influxdata.com, "Troubleshoot issues writing data".
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Folder, authority, server_context
from influx_world import GATEWAY, TIME, batch, heard, many, named, target
from line_protocol import points
from posting import Request, Server, answer, answering
from programs import COMMAND

from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import InfluxTarget
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.influxdb.kind import KIND
from ruuvi_host.relay.influxdb.sink import MOST_BYTES
from ruuvi_host.relay.kinds import SinkContext
from ruuvi_host.relay.sink import Outcome, Sink, Verdict

NO_CONTENT = answer(204)
TOO_LARGE = answer(413, body=b'{"error":"Request Entity Too Large"}')


def said(status: int, error: str, *headers: str) -> bytes:
    return answer(status, *headers, body=json.dumps({"error": error}).encode())


def at(server: Server, **given: Any) -> InfluxTarget:
    return target(url=server.url(""), **given)


@asynccontextmanager
async def sink_for(to: InfluxTarget, config: Config = Config()) -> AsyncIterator[Sink]:  # noqa: B008
    sink = KIND.make_sink(to, SinkContext(config))
    try:
        yield sink
    finally:
        await sink.close()


def deliver(given: Batch, *answers: bytes, **settings: Any) -> tuple[Outcome, list[Request]]:
    async def main() -> tuple[Outcome, list[Request]]:
        async with answering(*answers) as server, sink_for(at(server, **settings)) as sink:
            return await sink.deliver(given, 0.0), server.requests

    return asyncio.run(main())


def lines(request: Request) -> int:
    return len(points(request.body if "Content-Encoding" not in request else unpacked(request)))


def unpacked(request: Request) -> bytes:
    assert request["Content-Encoding"] == "gzip"
    return gzip.decompress(request.body)


def test_the_request_of_v1() -> None:
    outcome, [request] = deliver(batch(heard()), NO_CONTENT, user="u", **{"pass": "p"}, gzip=False)
    assert outcome.verdict is Verdict.ACCEPTED
    assert request.line == "POST /write?db=ruuvi&precision=s HTTP/1.1"
    assert request["Authorization"] == "Basic dTpw"
    assert request["Content-Type"] == "text/plain; charset=utf-8"
    assert "Ruuvi-HMAC-SHA256" not in request
    assert "Content-Encoding" not in request
    [point] = points(request.body)
    assert point.time == TIME


def test_the_request_of_v2() -> None:
    settings = {"api": "v2", "org": "o", "bucket": "b", "token": "very-secret"}
    _, [request] = deliver(batch(heard()), NO_CONTENT, **settings)
    assert request.line == "POST /api/v2/write?org=o&bucket=b&precision=s HTTP/1.1"
    assert request["Authorization"] == "Token very-secret"
    assert len(points(unpacked(request))) == 1


def test_a_large_batch_goes_in_parts() -> None:
    count = 2 * MOST_BYTES // 300
    outcome, requests = deliver(batch(*many(count)), NO_CONTENT)
    assert outcome.verdict is Verdict.ACCEPTED
    sizes = [len(unpacked(request)) for request in requests]
    assert max(sizes) <= MOST_BYTES
    assert sum(lines(request) for request in requests) == count
    first = points(unpacked(requests[0]))[0]
    assert first.tags["address"] == "00:00:00:00:00:00", "in order"


def test_413_halves_and_the_rest_stays_small() -> None:
    async def main() -> None:
        answers = (TOO_LARGE, TOO_LARGE, NO_CONTENT)
        async with answering(*answers) as server, sink_for(at(server)) as sink:
            outcome = await sink.deliver(batch(*many(40)), 0.0)
            assert (outcome.verdict, outcome.refused) == (Verdict.ACCEPTED, 0)
            assert [lines(r) for r in server.requests] == [40, 20, 10, 10, 10, 10]
            await sink.deliver(batch(*many(40)), 0.0)
            assert [lines(r) for r in server.requests[6:]] == [10] * 4, "not tried again"

    asyncio.run(main())


def test_413_for_one_point_is_for_a_person_to_fix() -> None:
    given = batch(*many(2))
    outcome, requests = deliver(given, TOO_LARGE)
    assert outcome.verdict is Verdict.FIX
    assert outcome.fates(given).remaining == given.advertisements
    assert [lines(request) for request in requests] == [2, 1]
    assert "even one point is too large" in outcome.reason


def test_a_partial_write_counts_what_was_dropped() -> None:
    error = said(400, "partial write: field type conflict: … dropped=3")
    outcome, _ = deliver(batch(*many(5)), error)
    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.fates(batch(*many(5)))[:2] == (2, 3)
    assert "field type conflict" in outcome.reason
    assert outcome.body


def test_a_partial_write_of_nothing_is_refused() -> None:
    outcome, _ = deliver(batch(*many(2)), said(400, "partial write: … dropped=2"))
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.fates(batch(*many(2))).refused == 2


def test_what_a_person_has_to_fix_keeps_all() -> None:
    given = batch(*many(3))
    outcome, _ = deliver(given, said(404, 'database not found: "ruuvi"'))
    assert outcome.verdict is Verdict.FIX
    assert outcome.reason == (
        'status 404: database not found: "ruuvi"; make the database: CREATE DATABASE NAME'
    )
    assert outcome.fates(given).remaining == given.advertisements


def test_a_part_that_is_not_written_remains() -> None:
    given = batch(*many(4))
    busy = said(503, "busy", "Retry-After: 7")
    outcome, _ = deliver(given, TOO_LARGE, NO_CONTENT, busy)
    assert (outcome.verdict, outcome.wait) == (Verdict.LATER, 7.0)
    assert outcome.fates(given).remaining == given.advertisements[2:]
    assert outcome.fates(given).accepted == 2


def test_all_parts_that_are_not_written_remain_in_order() -> None:
    given = batch(*many(40))
    answers = (TOO_LARGE, TOO_LARGE, TOO_LARGE, NO_CONTENT, said(500, "timeout"))
    outcome, requests = deliver(given, *answers)
    assert [lines(request) for request in requests] == [40, 20, 10, 5, 5]
    assert outcome.verdict is Verdict.LATER
    assert outcome.fates(given).remaining == given.advertisements[5:]


def test_a_part_that_is_refused_does_not_take_the_others_along() -> None:
    given = batch(*many(40))
    refused = said(400, "unable to parse 'm': missing fields")
    outcome, requests = deliver(given, TOO_LARGE, refused, NO_CONTENT, gzip=False)
    assert len(requests) == 3
    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.fates(given)[:2] == (20, 20)
    assert outcome.body
    assert points(outcome.body)[0].tags["address"] == "00:00:00:00:00:00"
    outcome, _ = deliver(given, TOO_LARGE, refused)
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.fates(given).refused == 40


@pytest.mark.parametrize(
    "no", [said(400, "unable to parse '\x1f': missing fields"), answer(415), answer(400)]
)
def test_a_database_that_does_not_unpack_gets_it_as_it_is(no: bytes) -> None:
    async def main() -> None:
        async with answering(no, NO_CONTENT) as server, sink_for(at(server)) as sink:
            for _ in range(2):
                outcome = await sink.deliver(batch(*many(3)), 0.0)
                assert outcome.fates(batch(*many(3))) == (3, 0, ())
            packed = ["Content-Encoding" in request for request in server.requests]
            assert packed == [True, False, False]
            assert lines(server.requests[1]) == 3

    asyncio.run(main())


def test_one_that_has_taken_what_is_compressed_is_believed() -> None:
    async def main() -> None:
        bad = said(400, "unable to parse 'm': missing fields")
        async with answering(NO_CONTENT, bad) as server, sink_for(at(server)) as sink:
            assert (await sink.deliver(batch(heard()), 0.0)).verdict is Verdict.ACCEPTED
            assert (await sink.deliver(batch(heard()), 0.0)).verdict is Verdict.REFUSED
            assert len(server.requests) == 2
        # What refuses it both ways is asked both ways again: it may be the lines.
        async with answering(bad) as server, sink_for(at(server)) as sink:
            for _ in range(2):
                assert (await sink.deliver(batch(heard()), 0.0)).verdict is Verdict.REFUSED
            packed = ["Content-Encoding" in request for request in server.requests]
            assert packed == [True, False, True, False]

    asyncio.run(main())


def test_reports_without_a_point_wait_with_the_others() -> None:
    given = batch(heard(b"\x03\xff\x99\x04"), heard())
    outcome, _ = deliver(given, said(429, "slow down"))
    assert outcome.verdict is Verdict.LATER
    assert outcome.fates(given).remaining == given.advertisements


def test_a_batch_without_points_asks_whether_the_database_is_there() -> None:
    wants = answer(400, body=b'{"code":"invalid","message":"writing requires points"}')
    for given in (batch(), batch(heard(b"\x03\xff\x99\x04"))):
        for answered, verdict in (
            (NO_CONTENT, Verdict.ACCEPTED),
            (wants, Verdict.ACCEPTED),
            (said(404, "database not found"), Verdict.FIX),
            (said(503, "busy"), Verdict.LATER),
        ):
            outcome, [request] = deliver(given, answered)
            assert (outcome.verdict, request.body) == (verdict, b"")
            assert "Content-Encoding" not in request


def test_readings_without_times_are_refused() -> None:
    outcome, requests = deliver(batch(heard(), counted=True), NO_CONTENT)
    assert (outcome.verdict, requests) == (Verdict.REFUSED, [])
    assert "ntp_use" in outcome.reason


def test_the_names_of_this_moment_are_used() -> None:
    async def main() -> None:
        known = [named("before"), named("after")]
        async with answering(NO_CONTENT) as server:
            context = SinkContext(Config(), readings=lambda: known.pop(0))
            sink = KIND.make_sink(at(server), context)
            for name in ("before", "after"):
                await sink.deliver(batch(heard()), 0.0)
                [point] = points(unpacked(server.requests[-1]))
                assert point.tags["name"] == name
            await sink.close()

    asyncio.run(main())


def test_a_secret_that_a_server_repeats_is_not_told() -> None:
    outcome, _ = deliver(
        batch(heard()), said(401, "no token very-secret for ruuvi"), token="very-secret"
    )
    assert "very-secret" not in outcome.reason
    assert "for ruuvi" in outcome.reason, "what stands in the address is no secret"


def test_tls_with_an_authority_and_a_client_certificate(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    authority().cert_pem.write_to_path(str(folder.path / "ca.pem"))
    issued = authority().issue_cert("gateway.example")
    issued.cert_chain_pems[0].write_to_path(str(folder.path / "c.pem"))
    issued.private_key_pem.write_to_path(str(folder.path / "k.pem"))
    context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
    files = {
        "srv_cert": folder.path / "ca.pem",
        "cli_cert": folder.path / "c.pem",
        "cli_key": folder.path / "k.pem",
    }

    async def main() -> None:
        async with answering(NO_CONTENT, tls=context) as server:
            async with sink_for(at(server, **files)) as sink:
                outcome = await sink.deliver(batch(heard()), 0.0)
                assert outcome.verdict is Verdict.ACCEPTED, outcome.reason
            async with sink_for(at(server)) as sink:
                outcome = await sink.deliver(batch(heard()), 0.0)
                assert outcome.verdict is Verdict.FIX, "an unknown authority"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answered", "delivered", "words"),
    [
        (NO_CONTENT, True, "delivered (status 204)"),
        (
            answer(400, body=b'{"code":"invalid","message":"writing requires points"}'),
            True,
            "delivered (status 400)",
        ),
        (said(401, "authorization failed"), False, "auth: status 401: authorization failed; see"),
        (
            answer(404, body=b'{"code":"not found","message":"bucket \\"b\\" not found"}'),
            False,
            'path: status 404: bucket "b" not found; make the bucket',
        ),
        (
            answer(200, "Content-Type: text/html", body=b"<title>Log in</title>"),
            False,
            "path: the answer is a web page",
        ),
        (
            answer(200, "Content-Type: text/html", body=b"\n<!DOCTYPE html><p>Log in</p>"),
            False,
            "path: the answer is a web page, '(no title)'",
        ),
        (
            answer(200, "Content-Type: text/html; charset=utf-8", body=b"<html>Log in</html>"),
            False,
            "path: the answer is a web page",
        ),
        (answer(200, "Content-Type: text/html", body=b"OK"), True, "delivered (status 200)"),
    ],
)
def test_check(answered: bytes, delivered: bool, words: str) -> None:
    async def main() -> None:
        async with answering(answered) as server:
            result = await KIND.probe(at(server), GATEWAY, SinkContext(Config()), 0.0)
            assert result.delivered == delivered
            assert words in str(result)
            assert [request.body for request in server.requests] == [b""]

    asyncio.run(main())


def test_check_where_nobody_listens() -> None:
    async def main() -> None:
        async with answering(NO_CONTENT) as server:
            to = at(server)
        result = await KIND.probe(to, GATEWAY, SinkContext(Config()), 0.0)
        assert (result.delivered, result.step) == (False, "connect")

    asyncio.run(main())


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_no_coprocessor_is_needed_to_try_it(tmp_path: Path, command: str) -> None:
    async def main() -> None:
        async with answering(NO_CONTENT) as server:
            pairs = ("target.db.kind=influxdb", f"target.db.url={server.url('')}")
            arguments = [word for pair in pairs for word in ("--set", pair)]
            if command == "doctor":
                arguments += ["--state-dir", str(tmp_path)]
            process = await asyncio.create_subprocess_exec(
                *(COMMAND, command, *arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            told, _ = await process.communicate()
            assert b"delivered (status 204)" in told

    asyncio.run(main())
