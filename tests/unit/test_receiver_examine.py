"""The receiver's judgement on heads, signatures and nonces."""

import json
from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.receiver import examine
from ruuvi_host.receiver.body import read_batch
from ruuvi_host.receiver.examine import (
    BODY_LIMIT,
    Examiner,
    Headers,
    Result,
    Signature,
    Verdict,
    refuse_head,
    sign,
)

VECTORS = load_vectors("http.json")
BODIES = {case["name"]: case["expected_body"].encode() for case in VECTORS["batch"]}
GOOD_HEAD = {
    "content-type": "application/json",
    "content-length": "390",
    "ruuvi-hmac-sha256": "0" * 64,
}


def pairs(headers: dict[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def body(nonce: int = 1, gateway: str = "AA:CC:EE:00:11:22", **members: Any) -> bytes:
    """A body of our own with one tag."""
    tag = {"rssi": -70, "timestamp": 1612358929}
    data = {"coordinates": "", "timestamp": 1612358930, "nonce": nonce, "gw_mac": gateway}
    return json.dumps({"data": data | {"tags": {"AA:BB:CC:01:02:03": tag}} | members}).encode()


def signed(key: bytes, content: bytes) -> Headers:
    return pairs(GOOD_HEAD | {"ruuvi-hmac-sha256": sign(key, content).decode()})


@pytest.mark.parametrize("case", VECTORS["requests"], ids=lambda case: case["name"])
def test_what_a_gateway_sends_is_accepted(case: Any) -> None:
    method = case["request_line"].split()[0]
    headers = [(name.lower().encode(), value.encode()) for name, value in case["headers"]]
    assert refuse_head(method, headers) is None
    verdict = Examiner([case["hmac_key"].encode()]).examine(headers, BODIES[case["body_of"]])
    assert verdict.result is Result.ACCEPTED
    assert verdict.signature is Signature.OK


HEADS = [
    ("GET", {}, 405, "GET: a batch is sent by POST"),
    ("POST", {"content-length": None}, 411, "no Content-Length"),
    ("POST", {"transfer-encoding": "chunked"}, 411, "no Content-Length"),
    ("POST", {"content-length": "-1"}, 411, "no Content-Length"),
    ("POST", {"content-length": str(BODY_LIMIT + 1)}, 413, "a body of 1048577 bytes: at most"),
    ("POST", {"content-length": "9" * 5000}, 413, "bytes: at most 1048576"),
    ("POST", {"content-encoding": "gzip"}, 415, "gzip: a body must not be encoded"),
    ("POST", {"content-type": None}, 415, "Content-Type missing: must be application/json"),
    ("POST", {"content-type": "text/plain"}, 415, "Content-Type text/plain: must be"),
    ("POST", {"content-type": "application/jsonp"}, 415, "Content-Type application/jsonp: must"),
    ("POST", {"ruuvi-hmac-sha256": None}, 400, "Ruuvi-HMAC-SHA256 missing"),
    ("POST", {"ruuvi-hmac-sha256": "0" * 63}, 400, "Ruuvi-HMAC-SHA256: must be 64 hex digits"),
    ("POST", {"ruuvi-hmac-sha256": "A" * 64}, 400, "Ruuvi-HMAC-SHA256: must be 64 hex digits"),
]


@pytest.mark.parametrize(("method", "changes", "status", "reason"), HEADS)
def test_bad_heads(method: str, changes: dict[str, str | None], status: int, reason: str) -> None:
    headers = {name: value for name, value in (GOOD_HEAD | changes).items() if value is not None}
    verdict = refuse_head(method, pairs(headers))
    assert verdict is not None
    assert verdict.status == status
    assert reason in verdict.reason
    assert verdict.result is Result.REFUSED


def test_good_heads() -> None:
    assert refuse_head("POST", pairs(GOOD_HEAD)) is None
    assert refuse_head("POST", pairs(GOOD_HEAD | {"content-length": str(BODY_LIMIT)})) is None
    with_charset = GOOD_HEAD | {"content-type": "Application/JSON; charset=utf-8"}
    assert refuse_head("POST", pairs(with_charset)) is None


@pytest.mark.parametrize("name", ["content-type", "ruuvi-hmac-sha256"])
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    verdict = refuse_head("POST", [*pairs(GOOD_HEAD), (name.encode(), GOOD_HEAD[name].encode())])
    assert verdict is not None
    assert (verdict.status, verdict.reason) == (400, f"{name}: occurs twice")


@pytest.mark.parametrize("case", VECTORS["hmac"], ids=lambda case: case["name"])
def test_signatures(case: Any) -> None:
    key = case["key"] if case.get("accepted", True) else case["previous_key"]
    assert sign(key.encode(), case["body"].encode()).decode() == case["signature"]


def test_any_of_several_keys_may_sign() -> None:
    examiner = Examiner([b"one", b"two"])
    for key in (b"one", b"two"):
        assert examiner.examine(signed(key, body()), body()).signature is Signature.OK
    verdict = examiner.examine(signed(b"three", body()), body())
    assert (verdict.result, verdict.status) == (Result.REFUSED, 403)
    assert verdict.signature is Signature.WRONG
    assert verdict.batch is not None


def test_one_byte_more_is_another_signature() -> None:
    verdict = Examiner([b"key"]).examine(signed(b"key", body()), body() + b"\n")
    assert verdict.signature is Signature.WRONG


def test_without_a_key_it_is_said_that_the_signature_is_unknown() -> None:
    verdict = Examiner().examine(pairs(GOOD_HEAD), body())
    assert (verdict.result, verdict.signature) == (Result.ACCEPTED, Signature.UNKNOWN)


def test_a_bad_body_is_refused_with_its_reason() -> None:
    verdict = Examiner().examine(pairs(GOOD_HEAD), b"{}")
    assert (verdict.result, verdict.status) == (Result.REFUSED, 400)
    assert verdict.reason == 'body: "data" is missing'


def accept(examiner: Examiner, content: bytes) -> Verdict:
    verdict = examiner.examine(pairs(GOOD_HEAD), content)
    assert verdict.batch is not None
    return examiner.accept(verdict, verdict.batch)


def test_the_same_batch_again_is_a_duplicate_and_a_success() -> None:
    examiner = Examiner()
    assert accept(examiner, body(7)).result is Result.ACCEPTED
    again = accept(examiner, body(7, timestamp=1612359999))
    assert (again.result, again.status) == (Result.DUPLICATE, 200)


def test_a_nonce_with_other_tags_is_refused() -> None:
    examiner = Examiner()
    accept(examiner, body(7))
    other = accept(examiner, body(7, tags={}))
    assert (other.result, other.status) == (Result.REFUSED, 409)


def test_nonces_belong_to_their_gateway() -> None:
    examiner = Examiner()
    accept(examiner, body(7, gateway="AA:CC:EE:00:11:22"))
    assert accept(examiner, body(7, gateway="AA:CC:EE:00:11:23", tags={})).status == 200


def test_a_batch_that_was_only_examined_is_not_remembered() -> None:
    examiner = Examiner()
    examiner.examine(pairs(GOOD_HEAD), body(7))
    assert accept(examiner, body(7)).result is Result.ACCEPTED


def test_the_oldest_nonce_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "NONCES_KEPT", 2)
    examiner = Examiner()
    for nonce in (1, 2, 3):
        accept(examiner, body(nonce))
    assert accept(examiner, body(3)).result is Result.DUPLICATE
    assert accept(examiner, body(2)).result is Result.DUPLICATE
    assert accept(examiner, body(1)).result is Result.ACCEPTED


GATEWAY = "AA:CC:EE:00:11:22"


def test_a_new_key_is_expected_once_it_is_handed_out() -> None:
    examiner = Examiner([b"old"], new_key=b"new")
    assert examiner.examine(signed(b"new", body()), body()).result is Result.REFUSED
    first = examiner.examine(signed(b"old", body()), body())
    assert (first.result, first.offer_key) == (Result.ACCEPTED, True)
    examiner.hand_out_key(read_batch(body()))
    assert examiner.examine(signed(b"new", body()), body()).result is Result.ACCEPTED
    old = examiner.examine(signed(b"old", body()), body())
    assert (old.status, old.reason) == (403, "not signed with the new key")
    assert old.offer_key, "a gateway that has restarted has to learn it again"


def test_a_new_key_is_not_offered_to_who_cannot_sign() -> None:
    examiner = Examiner([b"old"], new_key=b"new")
    assert not examiner.examine(signed(b"guess", body()), body()).offer_key
    examiner.hand_out_key(read_batch(body()))
    assert not examiner.examine(signed(b"guess", body()), body()).offer_key


def test_each_gateway_learns_the_new_key_for_itself() -> None:
    examiner = Examiner([b"old"], new_key=b"new")
    examiner.hand_out_key(read_batch(body()))
    other = body(gateway="AA:CC:EE:00:11:23")
    assert examiner.examine(signed(b"old", other), other).result is Result.ACCEPTED


@pytest.mark.parametrize(("length", "taken"), [(63, True), (64, False)])
def test_a_key_that_is_too_long_for_a_gateway_is_not_expected(length: int, taken: bool) -> None:
    new = b"k" * length
    examiner = Examiner([b"old"], new_key=new)
    examiner.hand_out_key(read_batch(body()))
    expected = new if taken else b"old"
    assert examiner.examine(signed(expected, body()), body()).result is Result.ACCEPTED


def test_the_oldest_gateway_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "GATEWAYS_KEPT", 1)
    examiner = Examiner([b"old"], new_key=b"new")
    examiner.hand_out_key(read_batch(body()))
    examiner.hand_out_key(read_batch(body(gateway="AA:CC:EE:00:11:23")))
    assert examiner.examine(signed(b"old", body()), body()).result is Result.ACCEPTED


def test_sign_is_hmac_sha256_as_rfc_4231_has_it() -> None:
    # Test case 2 of RFC 4231.
    assert sign(b"Jefe", b"what do ya want for nothing?") == (
        b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
