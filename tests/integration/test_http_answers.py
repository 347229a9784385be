"""What Poster makes of answers: statuses, rate, keys, and what is none."""

import asyncio
import html
import json
from collections.abc import Callable
from email.utils import formatdate
from time import gmtime, process_time, strftime, time, tzset
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from conftest import load_vectors, ours
from posting import (
    BODY,
    GATEWAY,
    OK,
    answer,
    answering,
    outcome_of_answer,
    post,
    poster_for,
    signed_with,
)

from ruuvi_host.relay.http.answer import Answer
from ruuvi_host.relay.http.outcome import PostOutcome, Stage, parse_rate
from ruuvi_host.relay.http.secrets import without
from ruuvi_host.relay.sink import Verdict

HTTP = load_vectors("http.json")


# -- statuses ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([200, 201, 202, 204, 299], Verdict.ACCEPTED),
        ([400, 413, 422], Verdict.REFUSED),
        ([408, 425, 429, 500, 502, 503, 504, 599, 600, 999], Verdict.LATER),
        ([401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 415, 421, 426, 451], Verdict.FIX),
        ([300, 303, 304, 305], Verdict.FIX),
        ([301, 302, 307, 308], Verdict.FIX),  # without a Location
    ],
)
def test_status(statuses: list[int], verdict: Verdict) -> None:
    async def main() -> None:
        for status in statuses:
            async with answering(answer(status)) as server:
                outcome = await post(server)
                assert outcome.verdict is verdict, status
                assert (outcome.code, outcome.begun, outcome.step) == (status, True, None)
                reason = "" if verdict is Verdict.ACCEPTED else f"status {status} Said so"
                assert outcome.reason == reason
                assert len(server.requests) == 1

    asyncio.run(main())


def test_a_reason_is_printable_and_short() -> None:
    reason = outcome_of_answer(b"HTTP/1.1 500 \xe2\x80\xae" + b"x" * 9000 + b"\r\n\r\n").reason
    assert reason.startswith("status 500 ")
    assert reason.isprintable()
    assert len(reason) < 150


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("99999999999999999999", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +9999", None),
        (", , , :", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    outcome = outcome_of_answer(answer(503, f"Retry-After: {value}"))
    assert outcome == PostOutcome(Verdict.LATER, "status 503 Said so", None, seconds, 503)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S -0000", "%a %b %d %H:%M:%S %Y"])
def test_a_date_without_a_zone_is_gmt(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So HTTP has it, for the old form of C's asctime, too; whatever zone this machine is in."""
    monkeypatch.setenv("TZ", "America/New_York")
    tzset()
    try:
        date = strftime(form, gmtime(time() + 600))
        retry_after = outcome_of_answer(answer(429, f"Retry-After: {date}")).wait
    finally:
        monkeypatch.undo()
        tzset()
    assert retry_after
    assert 300 < retry_after <= 600


def test_retry_after_a_date() -> None:
    date = formatdate(time() + 600, usegmt=True)
    outcome = outcome_of_answer(answer(429, f"Retry-After: {date}"))
    assert outcome.wait
    assert 300 < outcome.wait <= 600


@pytest.mark.parametrize("case", HTTP["rate"], ids=lambda c: str(c["name"]))
def test_rate(case: dict[str, Any]) -> None:
    headers = [f"{name}: {value}" for name, value in case["headers"].items()]
    outcome = outcome_of_answer(answer(case["status"], *headers))
    assert (outcome.period or case["configured_period"]) == case["period_after"]
    assert (outcome.verdict is Verdict.LATER) == ("next_attempt_after" in case)


def test_the_name_of_a_header_may_be_written_in_any_way() -> None:
    assert outcome_of_answer(answer(200, "x-RUUVI-gateway-rate:60")).period == 60
    assert parse_rate("60") == 60


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"Invalid signature\n", "Invalid signature"),
        (b"<html><head><title>400 Bad\n Request</title></head>x", "400 Bad Request"),
        (b"<p>no\x1b[2J <b>way</b></p>", "no\\x1b[2J way"),
        (b"Cannot POST /record?key=SECRET-1 for SECRET-2", "Cannot POST /record?… for …"),
        (b" " * 4090 + b"no SECRET-2", "no …"),
        (b"", ""),
    ],
)
def test_what_the_server_says_is_told_without_our_secrets(body: bytes, reason: str) -> None:
    async def main() -> None:
        async with answering(answer(401, body=body)) as server:
            outcome = await post(server, path="/record?key=SECRET-1", secret="SECRET-2")
            assert outcome.reason == f"status 401 Said so{': ' if reason else ''}{reason}"

    asyncio.run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 401 Bearer SECRET-2 is not known\r\nContent-Length: 0\r\n\r\n",
        b"Authorization: Bearer SECRET-2\r\n\r\n",
        b"HTTP/1.1 401 " + b"x" * 107 + b"SECRET-2\r\nContent-Length: 0\r\n\r\n",
        b"x" * 107 + b" Bearer SECRET-2\r\n\r\n",
    ],
    ids=["phrase", "no answer", "cut in the phrase", "cut in what is no answer"],
)
def test_a_server_that_repeats_a_secret_elsewhere(data: bytes) -> None:
    async def main() -> None:
        async with answering(data) as server:
            outcome = await post(server, secret="SECRET-2")
            assert outcome.verdict is not Verdict.ACCEPTED
            assert "…" in outcome.reason
            assert "SEC" not in outcome.reason

    asyncio.run(main())


@pytest.mark.parametrize(
    "escape",
    [
        str,
        json.dumps,
        lambda s: json.dumps(s, ensure_ascii=False),
        lambda s: json.dumps(json.dumps(s)),
        lambda s: json.dumps(s).replace("/", "\\/"),
        lambda s: json.dumps(s).replace("<", "\\u003C").replace("&", "\\u0026"),
        html.escape,
        lambda s: html.escape(s).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        lambda s: html.escape(s).replace("&#x27;", "&apos;"),
        lambda s: s.encode("ascii", "xmlcharrefreplace").decode(),
        quote,
        quote_plus,
        lambda s: quote(s, safe="").lower(),
        repr,
        lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
        lambda s: "".join(f"&#{ord(c)};" for c in s),
        lambda s: "".join(f"&#X{ord(c):04X};" for c in s),
        lambda s: quote(quote(s, safe=""), safe=""),
        lambda s: html.escape(html.escape(s)),
    ],
)
def test_a_secret_is_recognised_in_whatever_form_it_comes_back(
    escape: Callable[[str], str],
) -> None:
    secret = "a/b&c<d>\"e'f+g h%i\\j~\xe4\U0001f600k=="
    said = without((secret,), f"not known: {escape(secret).strip(chr(34))}!")
    assert said.replace("'", "").replace('\\"', "") in ("not known: …!", "not known: …\\!")


@pytest.mark.parametrize(
    "said",
    [
        "No required SSL certificate was sent",
        "The SSL certificate error",
        "The plain HTTP request was sent to HTTPS port",
        "You're speaking plain HTTP to an SSL-enabled server port.",
        "Client sent an HTTP request to an HTTPS server.",
    ],
)
def test_a_400_about_the_connection_does_not_cost_the_data(said: str) -> None:
    outcome = outcome_of_answer(answer(400, body=f"<title>400 {said}</title>".encode()))
    assert outcome.verdict is Verdict.FIX
    assert outcome.reason.startswith(f"status 400 Said so: 400 {said} (")
    assert outcome.advice
    assert outcome.advice.stage is Stage.TLS


# -- signing -------------------------------------------------------------------------------------
def signatures_after(*answers: bytes) -> list[str]:
    """The signatures of one more post than there are answers."""

    async def main() -> list[str]:
        async with answering(*answers, OK) as server, poster_for(server) as poster:
            for _ in range(len(answers) + 1):
                await poster.post(BODY, GATEWAY)
            return [request["Ruuvi-HMAC-SHA256"] for request in server.requests]

    return asyncio.run(main())


@pytest.mark.parametrize("secret", ["/record", "-a b", "a" * 64, "a\\\\\\b", "%25%25", "&amp;&"])
def test_an_answer_does_not_take_long_to_search(secret: str) -> None:
    """64 KiB of backslashes took 44 s, in which the host did nothing else."""
    before = process_time()  # what others do on this machine does not count
    for part in ("\\", "a", "a\\", "%25", "25", "&amp;", "amp;", "\\u", "\\u0061", "&#000", "0"):
        text = part * (300_000 // len(part))
        assert without((secret,), f"{secret} {text}").startswith("…")
    assert process_time() - before < 30


def test_titles_that_never_end_do_not_take_long() -> None:
    before = process_time()
    kind = ((b"content-type", b"text/html"),)
    assert Answer(200, "", kind, b"<title>" * 90_000, "127.0.0.1").page == ""
    assert process_time() - before < 30


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_new_key_counts_from_the_next_post_on_whatever_the_status(status: int) -> None:
    first, second = signatures_after(answer(status, "ruuvi-hmac-key: key"))
    assert (first, second) == (signed_with(None), signed_with(b"key"))


def test_a_key_is_bytes() -> None:
    _, second = signatures_after(answer(200, "Ruuvi-HMAC-KEY: \xff\xfe k"))
    assert second == signed_with(b"\xff\xfe k")


def test_a_key_of_64_bytes_is_refused_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    long = answer(200, "Ruuvi-HMAC-KEY: " + "SECRET" * 11)
    good = answer(200, "Ruuvi-HMAC-KEY: " + "k" * 63)
    signatures = signatures_after(long, good, long, long)
    assert signatures == [signed_with(None)] * 2 + [signed_with(b"k" * 63)] * 3
    assert [record.getMessage() for record in ours(caplog)] == [
        "custom: the server's Ruuvi-HMAC-KEY must have 1 to 63 bytes; the old key stays"
    ]
