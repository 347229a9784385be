"""What a database says to a write request. Bodies of 1.x and VictoriaMetrics are of real servers;
those of 2.x and 3 are of docs.influxdata.com: "Troubleshoot issues writing data" (InfluxDB 2),
"Handle write responses" (InfluxDB 3 Core)."""

import json

import pytest

from ruuvi_host.relay.http.outcome import PostOutcome, Step
from ruuvi_host.relay.influxdb.answers import proves_reachable, understood
from ruuvi_host.relay.sink import Verdict

REFUSED, FIX, LATER, ACCEPTED = Verdict.REFUSED, Verdict.FIX, Verdict.LATER, Verdict.ACCEPTED


def answered(status: int, body: str, verdict: Verdict) -> PostOutcome:
    """As a poster has it. verdict: of the status alone."""
    return PostOutcome(verdict, f"status {status} Said so", code=status, said=body)


def v1(error: str) -> str:
    return json.dumps({"error": error})


def v2(code: str, message: str) -> str:
    return json.dumps({"code": code, "message": message})


CONFLICT = (
    'partial write: field type conflict: input field "v" on measurement "m" is type integer, '
    "already exists as type float dropped=1"
)


@pytest.mark.parametrize(
    ("status", "body", "dropped"),
    [
        (400, v1(CONFLICT), 1),
        (400, v1(CONFLICT.replace("=1", "=17")), 17),
        (400, v1(CONFLICT.replace("=1", "=" + 5000 * "9")), 999_999_999),
        (400, v1("partial write: points beyond retention policy dropped=5"), 5),
        (400, v1("partial write: unable to parse 'm v= 1': missing field value dropped=0"), 1),
        (400, v1("partial write: unable to parse 'a': x\nunable to parse 'b': y dropped=0"), 2),
        (422, v2("unprocessable entity", f"failure writing points to database: {CONFLICT}"), 1),
        (
            422,
            v2(
                "unprocessable entity",
                "failure writing points to database: partial write: dropped 3 points outside "
                "retention policy of duration 24h0m0s",
            ),
            3,
        ),
        (
            400,
            json.dumps(
                {
                    "error": "partial write of line protocol occurred",
                    "data": [{"line_number": 1}, {"line_number": 4}],
                }
            ),
            2,
        ),
    ],
)
def test_a_partial_write_is_counted(status: int, body: str, dropped: int) -> None:
    outcome, found = understood(answered(status, body, REFUSED))
    assert (outcome.verdict, found) == (ACCEPTED, dropped)
    assert outcome.reason.startswith(f"status {status}: ")
    assert "partial write" in outcome.reason
    assert outcome.reason.endswith("another measurement (target keys)") == ("conflict" in body)


@pytest.mark.parametrize(
    ("status", "body", "given", "remedy"),
    [
        (404, v1('database not found: "x"'), FIX, "CREATE DATABASE"),
        (400, v1("database is required"), REFUSED, "key database"),
        (500, v1("retention policy not found: x"), LATER, "retention"),
        (404, v2("not found", 'bucket "x" not found'), FIX, "bucket"),
        (404, v2("not found", "organization not found"), FIX, "key org"),
        (400, v2("invalid", "please provide either orgID or org"), REFUSED, "key org"),
        (401, v1("authorization failed"), FIX, "token, or user and pass"),
        (401, v2("unauthorized", "unauthorized access"), FIX, "token, or user and pass"),
        (403, v1('"u" user is not authorized to write to database "x"'), FIX, "may write there"),
        (404, "404 page not found", FIX, "api the right one"),
        (405, "", FIX, "api the right one"),
        (413, v2("request too large", "points in batch is too large"), REFUSED, "limit of size"),
    ],
)
def test_what_a_person_has_to_fix(status: int, body: str, given: Verdict, remedy: str) -> None:
    outcome, dropped = understood(answered(status, body, given))
    assert (outcome.verdict, dropped) == (FIX, 0)
    assert outcome.advice
    assert remedy in outcome.advice.remedy


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (400, v1("unable to parse 'm': missing fields"), REFUSED),
        (400, v2("invalid", "unable to parse 'm': missing fields"), REFUSED),
        (422, v2("unprocessable entity", "something else"), REFUSED),
        (400, v2("invalid", "unable to parse 'm,org=bucket is required': x"), REFUSED),
        (429, v2("too many requests", "exceeded limit"), LATER),
        (500, v1("timeout"), LATER),
        (503, v2("unavailable", "try again"), LATER),
        (400, "not JSON", REFUSED),
        (400, "[" * 5000, REFUSED),
        (400, "[1]", REFUSED),
        (400, '{"error": 7, "data": {}}', REFUSED),
    ],
)
def test_all_else_stays_what_its_status_says(status: int, body: str, verdict: Verdict) -> None:
    outcome, dropped = understood(answered(status, body, verdict))
    assert (outcome.verdict, dropped, outcome.advice) == (verdict, 0, None)
    assert outcome.reason.startswith(f"status {status}")


def test_a_web_page_is_no_database() -> None:
    page = PostOutcome(ACCEPTED, code=200, page="Log in")
    outcome, _ = understood(page)
    assert outcome.verdict is FIX
    assert "web page, 'Log in'" in outcome.reason
    assert understood(PostOutcome(ACCEPTED, code=204)) == (PostOutcome(ACCEPTED, code=204), 0)


def test_without_an_answer_nothing_is_understood() -> None:
    failed = PostOutcome(LATER, "nobody listens", step=Step.CONNECT)
    assert understood(failed) == (failed, 0)


def test_a_request_without_points_shows_that_the_rest_is_right() -> None:
    wants = answered(400, v2("invalid", "writing requires points"), REFUSED)
    assert proves_reachable(wants)
    assert not proves_reachable(answered(400, v1("database is required"), REFUSED))
