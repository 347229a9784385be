"""Who may ask the local API, by the known vectors.

Their challenges, sessions and keys come out of the same random bytes as on a gateway. Nonces of
digest do not: those are sealed, so a request is made anew with one of ours.
"""

import hashlib
import json
import re
from typing import Any

import pytest
from api_world import CLIENT, Answer, FakeDoor, World, given_bytes
from conftest import load_vectors
from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import DONE, answer, error
from ruuvi_host.api.door import Door
from ruuvi_host.api.encryption import plain_body
from ruuvi_host.api.refusals import INCORRECT
from ruuvi_host.api.routes import ROUTES, Key, Route

OURS = re.compile(
    "(default|ruuvi|allow|deny|basic|digest|bearer|guessing|ecdh)_(?!json_)"
    "|.*(cross_|_host|same_origin|needs_login)|json_upper_case|static_"
)
OTHERS = {"default_get_no_host_header"}
"""It is the form of a request, which is looked at before it comes to us."""
CASES = {
    case["name"]: case
    for case in load_vectors("local_api.json")["cases"]
    if OURS.match(case["name"]) and case["name"] not in OTHERS
}


async def get(request: Request, door: Door) -> Response:
    return answer(200, DONE)


async def post(request: Request, door: Door) -> Response:
    body = await plain_body(request, door)
    if isinstance(body, Response):
        return body
    try:
        await door.change(json.loads(body))
    except ValueError:
        return error(400)
    return answer(200, DONE)


STUBS = (
    Route("GET", "/history", Key.READ, get),
    Route("GET", "/ruuvi.json", Key.READ, get),
    Route("GET", "/extra_cfg", Key.READ, get),
    Route("GET", "/validate_url", Key.WRITE, get),
    Route("POST", "/ruuvi.json", Key.WRITE, post),
    Route("DELETE", "/extra_cfg", Key.WRITE, get),
    *(route for route in ROUTES if route.path == "/auth"),
)


def world(case: dict[str, Any]) -> World:
    door = FakeDoor(case.get("config"))
    gateway = case.get("gateway") or {}
    door.version = gateway.get("fw_ver", door.version)
    door.nrf_version = gateway.get("nrf52_fw_ver", door.nrf_version)
    random = bytes.fromhex(case.get("state", {}).get("random", "")) or bytes(range(32))
    return World(door, given_bytes(random), STUBS)


def ask(world: World, request: dict[str, Any]) -> Answer:
    headers = [(name, value) for name, value in request["headers"] if name != "Content-Length"]
    if any(value.startswith("Digest ") for _, value in headers):
        headers = [(name, with_our_nonce(world, request, value)) for name, value in headers]
    return world.ask(
        *(request["method"], request["target"], headers, request.get("body", "").encode()),
        address=request.get("remote_ip") or CLIENT,
        host=None,
    )


def with_our_nonce(world: World, request: dict[str, Any], value: str) -> str:
    """The same header for a nonce that counts; a wrong response stays wrong."""
    if not value.startswith("Digest "):
        return value
    parts = {n: q or v for n, q, v in re.findall(r'(\w+)=(?:"([^"]*)"|([^", ]*))', value)}
    secret = world.door.loaded.sources.gateway["lan_auth_pass"]

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    def response(nonce: str, method: str, qop: str) -> str:
        second = md5(f"{method}:{parts['uri']}")
        return md5(f"{secret}:{nonce}:{parts['nc']}:{parts['cnonce']}:{qop}:{second}")

    theirs, method = parts["nonce"], request["method"]
    is_right = response(theirs, method, parts["qop"]) == parts["response"]
    challenge = world.ask("GET", "/auth")["WWW-Authenticate"]
    ours = re.search(r'nonce="([0-9a-f]{64})"', challenge)
    assert ours
    if is_right:
        value = value.replace(parts["response"], response(ours[1], method, parts["qop"]))
    return value.replace(theirs, ours[1])


def expected(case: dict[str, Any], response: dict[str, Any]) -> int:
    status: int | list[int] = case.get("host", {}).get("status", response["status"])
    assert isinstance(status, int)
    return status


@pytest.mark.parametrize("name", CASES)
def test_access(name: str) -> None:
    case = CASES[name]
    asked = world(case)
    for request in case.get("before", []):
        ask(asked, request)
    got, response = ask(asked, case["request"]), case["response"]
    assert got.status == expected(case, response)
    if got.status == response["status"]:
        compare(got, response, is_auth="/auth" in case["request"]["target"])
    elif got.status != 200:
        assert_refusal(got, asked.door)
    for follow in case.get("after", []):
        assert ask(asked, follow["request"]).status == follow["response"]["status"]


def compare(got: Answer, response: dict[str, Any], *, is_auth: bool) -> None:
    """An answer and the gateway's, where there is no reason for another one."""
    if got.status in (401, 403) or (got.status == 200 and is_auth):
        document = json.loads(response["body"])
        if "message" in document:
            document["message"] = INCORRECT
        assert got.body.decode() == json.dumps(document)
    headers = {name: value for name, value in response["headers"]}
    if got.status == 302:
        assert (got["Location"], got.body, got["Content-Length"]) == ("/#auth", b"", "0")
        for line in re.findall("(?:Set-Cookie: )?(.+)(Ruuvi-Ecdh-Pub-Key): (.*)", str(headers)):
            headers = {"Set-Cookie": headers["Set-Cookie"].partition("Ruuvi-")[0], line[1]: ""}
    for name in ("WWW-Authenticate", "Set-Cookie", "Ruuvi-prev-url", "Ruuvi-Ecdh-Pub-Key"):
        assert (name in got) == (name in headers), name
    if challenge := headers.get("WWW-Authenticate"):
        if challenge.startswith("Digest"):
            pattern = re.sub(" (?=qop|nonce|opaque)", ", ", challenge).replace(
                ", nonce", ", algorithm=MD5, nonce"
            )
            pattern = re.sub('(?<=nonce=")[^"]*', "[0-9a-f]{64}", pattern)
            assert re.fullmatch(pattern, got["WWW-Authenticate"])
        else:
            assert got["WWW-Authenticate"] == challenge
    if cookie := headers.get("Set-Cookie"):
        assert got["Set-Cookie"] == f"{cookie}; Path=/; HttpOnly; SameSite=Strict"
    for name in ("Ruuvi-prev-url", "Ruuvi-Ecdh-Pub-Key"):
        if headers.get(name):
            assert got[name] == headers[name]


def assert_refusal(got: Answer, door: FakeDoor) -> None:
    if got.status == 401:
        document = got.json()
        assert document["gateway_name"] == door.identity().name
        assert "fw_ver" not in document
    else:
        assert got.body == b"{}"


def test_there_are_cases() -> None:
    assert len(CASES) > 70
