"""The receiver's lines, and when it plays an outage."""

import json
from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.receiver.body import read_batch
from ruuvi_host.receiver.examine import Result, Signature, Verdict, refused
from ruuvi_host.receiver.lines import json_line, json_totals, text_lines, text_totals
from ruuvi_host.receiver.receipt import Receipt, printable
from ruuvi_host.receiver.settings import Settings

BODIES = {
    case["name"]: case["expected_body"].encode() for case in load_vectors("http.json")["batch"]
}


def accepted(name: str) -> Receipt:
    verdict = Verdict(Result.ACCEPTED, 200, "", Signature.OK, read_batch(BODIES[name]))
    return Receipt(1_800_000_000.25, "127.0.0.1:4000", "POST /", verdict, body=BODIES[name])


def test_the_line_of_a_batch() -> None:
    line = text_lines(accepted("raw_legacy_1m"), decode=False)
    assert line[8:] == (
        "  accepted   AA:CC:EE:00:11:22  nonce 12345678  tags 1  bytes 390  signature ok"
        "  answered 200"
    )
    assert json.loads(json_line(accepted("raw_legacy_1m"), decode=False)) == {
        "time": 1800000000.25,
        "result": "accepted",
        "status": 200,
        "gw_mac": "AA:CC:EE:00:11:22",
        "nonce": 12345678,
        "tags": 1,
        "bytes": 390,
        "signature": "ok",
    }


def test_the_line_of_a_refused_request() -> None:
    receipt = Receipt(0.0, "127.0.0.1:4000", "GET /\x1b[2J", refused(405, "b\u00e4d\n"))
    line = text_lines(receipt, decode=True)
    assert line.endswith(r"refused    127.0.0.1:4000  GET /\x1b[2J  answered 405  b\xe4d\n")
    assert json.loads(json_line(receipt, decode=True)) == {
        "time": 0.0,
        "result": "refused",
        "status": 405,
        "reason": r"b\xe4d\n",
        "client": "127.0.0.1:4000",
        "request": r"GET /\x1b[2J",
    }


def test_not_answered() -> None:
    receipt = Receipt(0.0, "127.0.0.1:4000", "POST /", refused(400, "gone"), answered=False)
    assert text_lines(receipt, decode=False).endswith("POST /  not answered  gone")
    assert json.loads(json_line(receipt, decode=False))["status"] is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("\x00\x1b\r\n\u202e\ud800", r"\x00\x1b\r\n\u202e\ud800"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "..."),
        ("\u202e" * 100, (r"\u202e" * 100)[:200] + "..."),
    ],
)
def test_foreign_text_is_shown_as_ascii_and_cut(text: str, shown: str) -> None:
    assert printable(text) == shown


READINGS = [
    ("raw_legacy_1m", "-70 dBm  temperature 27.445 \u00b0C, humidity 49.6775 %RH"),
    ("decoded_df5_coded_tx8", "-70 dBm  dataFormat 5, temperature 27.445 \u00b0C, humidity"),
    ("raw_and_decoded_not_ruuvi", "dBm  error "),
    ("decoded_df5_all_invalid", "dBm  dataFormat 5, movementCounter"),
]


@pytest.mark.parametrize(("name", "words"), READINGS)
def test_readings_for_people(name: str, words: str) -> None:
    receipt = accepted(name)
    assert receipt.verdict.batch is not None
    _, *lines = text_lines(receipt, decode=True).split("\n")
    assert len(lines) == len(receipt.verdict.batch.tags)
    assert words in lines[0]


def test_readings_for_programs() -> None:
    members: dict[str, Any] = json.loads(json_line(accepted("raw_legacy_1m"), decode=True))
    reading = members["readings"]["AA:BB:CC:01:02:03"]
    assert (reading["data_format"], reading["temperature"]) == (5, 27.445)
    assert reading["mac"] == "F4:1F:0C:28:CB:D6"


def test_a_sender_that_could_not_decode_has_sent_no_reading() -> None:
    body = json.loads(BODIES["decoded_df5_coded_tx8"])
    (tag,) = body["data"]["tags"].values()
    for name in set(tag) - {"rssi", "timestamp", "ble_phy", "ble_chan"}:
        del tag[name]
    verdict = Verdict(Result.ACCEPTED, 200, batch=read_batch(json.dumps(body).encode()))
    receipt = Receipt(0.0, "", "", verdict)
    assert text_lines(receipt, decode=True).endswith("-70 dBm  not decoded")


def test_a_tag_without_any_sensor_has_measured_nothing() -> None:
    data = "0201061BFF990405" + "8000FFFFFFFF800080008000FFFFFFFFFFAABBCC010203"
    body = json.loads(BODIES["raw_legacy_1m"])
    body["data"]["tags"]["AA:BB:CC:01:02:03"]["data"] = data
    verdict = Verdict(Result.ACCEPTED, 200, batch=read_batch(json.dumps(body).encode()))
    receipt = Receipt(0.0, "", "", verdict)
    assert text_lines(receipt, decode=True).endswith("-70 dBm  nothing measured")


def test_only_what_is_accepted_is_decoded() -> None:
    verdict = Verdict(Result.DUPLICATE, 200, batch=read_batch(BODIES["raw_legacy_1m"]))
    receipt = Receipt(0.0, "", "", verdict)
    assert "\n" not in text_lines(receipt, decode=True)
    assert "readings" not in json.loads(json_line(receipt, decode=True))


def test_totals() -> None:
    totals = {Result.ACCEPTED: 3, Result.DUPLICATE: 1, Result.FAILED: 0, Result.REFUSED: 2}
    assert text_totals(totals) == "Stopped: 3 accepted, 1 duplicate, 0 failed, 2 refused"
    assert json.loads(json_totals(totals)) == {
        "stopped": {"accepted": 3, "duplicate": 1, "failed": 0, "refused": 2}
    }


OUTAGES = [
    (Settings(), [None, None, None, None]),
    (Settings(answer=204), [None, None, None, None]),
    (Settings(answer=500), [500, 500, 500, 500]),
    (Settings(hang=True), [503, 503, 503, 503]),
    (Settings(fail_first=2), [503, 503, None, None]),
    (Settings(fail_first=1, answer=429), [429, None, None, None]),
    (Settings(fail_every=2), [None, 503, None, 503]),
    (Settings(fail_first=1, fail_every=4), [503, None, None, 503]),
]


@pytest.mark.parametrize(("settings", "expected"), OUTAGES)
def test_whom_an_outage_meets(settings: Settings, expected: list[int | None]) -> None:
    assert [settings.outage(number) for number in (1, 2, 3, 4)] == expected


def test_the_status_of_success() -> None:
    assert [Settings(answer=status).success for status in (200, 204, 500)] == [200, 204, 200]
