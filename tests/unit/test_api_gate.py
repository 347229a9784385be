"""The way in, rule by rule: the real application and configuration, without a network."""

import hashlib
import json
import re
import sys
from typing import Any

import pytest
from api_world import CLIENT, DEVICE, NAME, Answer, FakeDoor, World
from starlette.requests import Request
from starlette.responses import Response

from firmware_protocol.messages import DeviceId
from ruuvi_host.api.access.settings import password_hash
from ruuvi_host.api.access.visit import By, caller
from ruuvi_host.api.answer import answer
from ruuvi_host.api.door import Door
from ruuvi_host.api.refusals import INCORRECT
from ruuvi_host.api.routes import ROUTES, Key, Route

R, RW = "reading key", "writing key"
KEYS = {"lan_auth_api_key": R, "lan_auth_api_key_rw": RW}
PASSWORD = "qwe"
LOGIN = {
    "lan_auth_type": "lan_auth_ruuvi",
    "lan_auth_user": "user1",
    "lan_auth_pass": password_hash("user1", "RuuviGatewayEEFF", PASSWORD),
}
BASIC = {"lan_auth_type": "lan_auth_basic", "lan_auth_pass": "dXNlcjE6czNjcmV0"}
DIGEST = LOGIN | {"lan_auth_type": "lan_auth_digest"}
ALLOW = {"lan_auth_type": "lan_auth_allow"}


async def who(request: Request, door: Door) -> Response:
    """Tells what let the client in."""
    return answer(200, json.dumps(caller(request).by.value).encode())


STUBS = (
    Route("GET", "/", Key.NOBODY, who),
    Route("GET", "/page.css", Key.NOBODY, who),
    Route("GET", "/history", Key.READ, who),
    Route("GET", "/validate_url", Key.WRITE, who),
    Route("POST", "/ruuvi.json", Key.WRITE, who),
    Route("DELETE", "/extra_cfg", Key.WRITE, who),
    *(route for route in ROUTES if route.path == "/auth"),
)


def world(*configs: dict[str, Any], device: DeviceId | None = None) -> World:
    config = {name: value for each in configs for name, value in each.items()}
    door = FakeDoor(config, device or DEVICE)
    return World(door, routes=STUBS)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {text}"}


def log_in(
    world: World, password: str = PASSWORD, user: str = "user1", address: str = CLIENT, **more: str
) -> tuple[Answer, dict[str, str]]:
    """The answer to a login, and the cookie."""
    asked = world.ask("GET", "/auth", address=address)
    challenge = re.search('challenge="(.*?)" .* session_id="(.*?)"', asked["WWW-Authenticate"])
    assert challenge
    secret = password_hash(user, "RuuviGatewayEEFF", password)
    text = hashlib.sha256(f"{challenge[1]}:{secret}".encode()).hexdigest()
    body = json.dumps({"login": user, "password": text}).encode()
    cookie = {"Cookie": f"RUUVISESSION={challenge[2]}"}
    return world.ask("POST", "/auth", cookie | more, body, address=address), cookie


def guess(world: World, count: int = 5, address: str = CLIENT) -> None:
    for n in range(count):
        assert world.ask("GET", "/history", bearer(f"guess {n}"), address=address).status == 401


# -- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "method", "target", "status"),
    [
        (R, "GET", "/history", 200),
        (RW, "GET", "/history", 200),
        (R, "HEAD", "/nothing", 404),
        (R, "GET", "/validate_url?x", 401),
        (RW, "GET", "/validate_url?x", 200),
        (R, "POST", "/ruuvi.json", 401),
        (RW, "POST", "/ruuvi.json", 200),
        (RW, "DELETE", "/extra_cfg", 200),
        (R + " ", "GET", "/history", 401),
        (" " + R, "GET", "/history", 401),
        (R.upper(), "GET", "/history", 401),
        ("", "GET", "/history", 401),
    ],
)
@pytest.mark.parametrize("config", [LOGIN, BASIC, DIGEST, ALLOW, {"lan_auth_type": "deny"}])
def test_keys(key: str, method: str, target: str, status: int, config: dict[str, Any]) -> None:
    got = world(KEYS, config).ask(method, target, bearer(key))
    assert got.status == status
    if status == 401:
        assert got.json()["lan_auth_type"] == "lan_auth_bearer"


def test_no_key_is_no_key() -> None:
    asked = world(ALLOW)
    for header in ("Bearer", "Bearer ", "bearer "):
        assert asked.ask("GET", "/history", {"Authorization": header}).status == 401


def test_a_key_may_be_any_text() -> None:
    asked = world({"lan_auth_api_key": "schlüssel €"})
    as_octets = "schlüssel €".encode().decode("latin-1")
    assert asked.ask("GET", "/history", bearer(as_octets)).status == 200
    assert asked.ask("GET", "/history", bearer("schlüssel")).status == 401


def test_handlers_know_who_asks() -> None:
    asked = world(KEYS, ALLOW)
    assert asked.ask("GET", "/history", bearer(R)).json() == By.KEY.value
    assert asked.ask("GET", "/history", bearer(RW)).json() == By.KEY_RW.value
    assert asked.ask("GET", "/history").json() == By.ALLOW.value
    assert asked.ask("GET", "/").json() == By.NOTHING.value
    asked = world(LOGIN)
    _, cookie = log_in(asked)
    assert asked.ask("GET", "/history", cookie).json() == By.SESSION.value
    asked = world(BASIC)
    assert asked.ask("GET", "/history", basic(BASIC["lan_auth_pass"])).json() == By.BASIC.value


# -- access types ---------------------------------------------------------------------------------


def test_files_of_the_page_are_for_everybody() -> None:
    for config in (LOGIN, BASIC, DIGEST, {"lan_auth_type": "deny"}):
        asked = world(config)
        assert asked.ask("GET", "/").status == 200
        assert asked.ask("GET", "/page.css").status == 200
        assert asked.ask("GET", "/no.css").status == 404
        assert asked.ask("GET", "/no").status in (302, 401, 403)
        assert asked.ask("GET", "/no.json").status in (302, 401, 403)
        assert asked.ask("POST", "/no.css").status in (401, 403)


def test_a_password_that_is_not_set_lets_nobody_in() -> None:
    nothing = {"lan_auth_pass": "", "lan_auth_user": "u"}
    asked = world(BASIC, nothing)
    assert asked.ask("GET", "/history", basic("")).status == 401
    assert asked.ask("GET", "/history", {"Authorization": "Basic"}).status == 401
    asked = world(LOGIN, nothing)
    challenge = re.search(
        'ge="(.*?)" .* session_id="(.*?)"', str(asked.ask("GET", "/auth").headers)
    )
    assert challenge
    text = hashlib.sha256(f"{challenge[1]}:".encode()).hexdigest()
    body = json.dumps({"login": "u", "password": text}).encode()
    cookie = {"Cookie": f"RUUVISESSION={challenge[2]}"}
    assert asked.ask("POST", "/auth", cookie, body).status == 401


def test_the_default_password_waits_until_the_device_is_known() -> None:
    asked = world(device=DeviceId(bytes(8), bytes(6)))
    challenge = re.search(
        'ge="(.*?)" .* session_id="(.*?)"', str(asked.ask("GET", "/auth").headers)
    )
    assert challenge
    secret = password_hash("Admin", "RuuviGatewayXXXX", "00:00:00:00:00:00:00:00")
    text = hashlib.sha256(f"{challenge[1]}:{secret}".encode()).hexdigest()
    body = json.dumps({"login": "Admin", "password": text}).encode()
    cookie = {"Cookie": f"RUUVISESSION={challenge[2]}"}
    assert asked.ask("POST", "/auth", cookie, body).status == 401


def test_one_message_for_a_wrong_user_and_a_wrong_password() -> None:
    wrong = [
        log_in(world(LOGIN), user="user2")[0],
        log_in(world(LOGIN), password="other")[0],
        log_in(world(LOGIN), user="")[0],
    ]
    assert {got.json()["message"] for got in wrong} == {INCORRECT}
    assert len({got.body for got in wrong}) == 1


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b'{"login": 1, "password": "x"}', b"[" * 9999, b'{"login"']
)
def test_what_is_no_login(body: bytes) -> None:
    asked = world(LOGIN)
    cookie = {"Cookie": asked.ask("GET", "/auth")["Set-Cookie"].partition(";")[0]}
    got = asked.ask("POST", "/auth", cookie, body)
    assert got.status == 401
    assert "message" not in got.json()


def test_a_login_is_read_as_a_gateway_reads_it() -> None:
    asked = world(LOGIN)
    challenge = re.search(
        'ge="(.*?)" .* session_id="(.*?)"', str(asked.ask("GET", "/auth").headers)
    )
    assert challenge
    text = hashlib.sha256(f"{challenge[1]}:{LOGIN['lan_auth_pass']}".encode()).hexdigest()
    body = f'{{"Login": "user1", "login": "x", "PASSWORD": "{text}and more"}}'.encode()
    cookie = {"Cookie": f"a=b;RUUVISESSION={challenge[2]}"}
    assert asked.ask("POST", "/auth", cookie, body).status == 200


def test_a_login_with_half_a_character() -> None:
    asked = world(LOGIN)
    cookie = {"Cookie": asked.ask("GET", "/auth")["Set-Cookie"].partition(";")[0]}
    body = b'{"login": "\\ud800", "password": "\\udfff"}'
    assert asked.ask("POST", "/auth", cookie, body).status == 401


def test_the_password_ends_sessions_and_a_key_does_not() -> None:
    asked = world(LOGIN)
    got, cookie = log_in(asked)
    assert got.status == 200
    asked.door.set(KEYS)
    assert asked.ask("GET", "/history", cookie).status == 200
    asked.door.set(LOGIN | {"lan_auth_pass": "0" * 32})
    assert asked.ask("GET", "/history", cookie).status == 302
    asked.door.set(LOGIN)
    assert asked.ask("GET", "/history", cookie).status == 302, "it does not come back"


def test_a_session_does_not_outlive_a_change_that_was_taken_back() -> None:
    asked = world(LOGIN)
    _, cookie = log_in(asked)
    asked.door.set(LOGIN | {"lan_auth_pass": "0" * 32})
    asked.gate.follow()  # as for each configuration that comes into force
    asked.door.set(LOGIN)
    assert asked.ask("GET", "/history", cookie).status == 302


def test_a_session_cookie_is_for_us_alone() -> None:
    assert (
        world(LOGIN)
        .ask("GET", "/auth")["Set-Cookie"]
        .endswith("; Path=/; HttpOnly; SameSite=Strict")
    )


def test_sessions_last() -> None:
    asked = world(LOGIN)
    _, cookie = log_in(asked)
    asked.door.time.advance(2 * 3600 - 1)
    assert asked.ask("GET", "/history", cookie).status == 200
    asked.door.time.advance(2 * 3600)
    assert asked.ask("GET", "/history", cookie).status == 302


def test_a_key_logs_nobody_out() -> None:
    asked = world(LOGIN, KEYS)
    _, cookie = log_in(asked)
    for key in ("x", R):
        got = asked.ask("DELETE", "/auth", cookie | bearer(key))
        assert got.json()["lan_auth_type"] == "lan_auth_bearer"
    assert asked.ask("DELETE", "/auth", bearer(RW)).json()["lan_auth_type"] == "lan_auth_ruuvi"
    assert asked.ask("GET", "/history", cookie).status == 200
    assert asked.ask("DELETE", "/auth", cookie).body == b"{}"
    assert asked.ask("GET", "/history", cookie).status == 302


@pytest.mark.parametrize(
    ("config", "status"), [(BASIC, 401), (DIGEST, 401), (ALLOW, 503), ({"lan_auth_type": "x"}, 403)]
)
def test_where_nobody_logs_in_nobody_logs_out(config: dict[str, Any], status: int) -> None:
    assert world(config).ask("DELETE", "/auth").status == status
    assert world(config).ask("POST", "/auth").status == 503


# -- where one wanted to go -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cookie", "told"),
    [
        ("/history", "/history"),
        ("//evil.example/", None),
        ("/\\evil.example", None),
        ("https://evil.example/", None),
        ("", None),
    ],
)
def test_only_a_path_of_ours_is_told_after_a_login(cookie: str, told: str | None) -> None:
    asked = world(LOGIN)
    first = asked.ask("GET", "/auth")
    challenge = re.search('ge="(.*?)" .* session_id="(.*?)"', first["WWW-Authenticate"])
    assert challenge
    text = hashlib.sha256(f"{challenge[1]}:{LOGIN['lan_auth_pass']}".encode()).hexdigest()
    body = json.dumps({"login": "user1", "password": text}).encode()
    cookies = {"Cookie": f"RUUVISESSION={challenge[2]}; RUUVI_PREV_URL={cookie}"}
    got = asked.ask("POST", "/auth", cookies, body)
    assert got.status == 200
    assert got.all("Ruuvi-prev-url") == ([told] if told else [])
    assert got["Set-Cookie"].startswith("RUUVI_PREV_URL=; Max-Age=-1")


def test_the_way_to_the_login_names_no_host() -> None:
    got = world(LOGIN).ask("GET", "/history?x=1", host="localhost:99")
    assert got["Location"] == "/#auth"
    assert got["Set-Cookie"].startswith("RUUVI_PREV_URL=/history;")


# -- other web sites ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}],
)
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/ruuvi.json"),
        ("POST", "/auth"),
        ("DELETE", "/auth"),
        ("DELETE", "/extra_cfg"),
        ("POST", "/nothing"),
        ("GET", "/validate_url?x"),
        ("HEAD", "/validate_url?x"),
    ],
)
def test_another_site_changes_nothing(headers: dict[str, str], method: str, target: str) -> None:
    for config in (ALLOW, LOGIN, BASIC):
        got = world(config).ask(method, target, headers)
        assert (got.status, got.body) == (403, b"{}")


def test_our_own_page_does() -> None:
    headers = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
    assert world(ALLOW).ask("POST", "/ruuvi.json", headers).status == 200


def test_another_site_with_a_right_key_does() -> None:
    headers = bearer(RW) | {"Origin": "http://evil.example"}
    assert world(KEYS).ask("POST", "/ruuvi.json", headers).status == 200
    headers = basic(BASIC["lan_auth_pass"]) | {"Origin": "http://evil.example"}
    assert world(BASIC).ask("POST", "/ruuvi.json", headers).status == 403


# -- names that point here ------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/", "/page.css", "/history", "/auth", "/nothing", "/no.css"])
@pytest.mark.parametrize("host", ["evil.example", "", "localhost.evil.example:80"])
def test_another_name_is_misdirected(target: str, host: str) -> None:
    for config in (ALLOW, LOGIN):
        got = world(config).ask("GET", target, host=host)
        assert (got.status, got.body) == (421, b"{}")


def test_a_right_key_may_use_any_name() -> None:
    asked = world(KEYS)
    assert asked.ask("GET", "/history", bearer(R), host="ha.example").status == 200
    assert asked.ask("GET", "/history", bearer("x"), host="ha.example").status == 401


def test_a_foreign_name_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    asked = world(ALLOW)
    for host in ("evil.example", "evil.example:80", "evil\texample", "x" * 300):
        asked.ask("GET", "/history", host=host)
    assert caplog.text.count("api.names") == 1
    for n in range(100):
        asked.ask("GET", "/history", host=f"n{n}.example")
    assert caplog.text.count("api.names") == 16


# -- who guesses ----------------------------------------------------------------------------------


def test_who_guesses_waits_and_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    asked = world(KEYS, LOGIN)
    _, cookie = log_in(asked)
    guess(asked)
    got = asked.ask("GET", "/history", bearer(R))
    assert (got.status, got.body, got["Retry-After"]) == (429, b"{}", "2")
    assert asked.ask("GET", "/history", basic("x")).status == 429
    assert asked.ask("GET", "/history", {"Authorization": "digest x"}).status == 429
    assert asked.ask("POST", "/auth", cookie, b"{}").status == 429
    assert asked.ask("GET", "/history", cookie).status == 200, "open sessions go on"
    assert asked.ask("GET", "/history").status == 302
    assert asked.ask("GET", "/page.css", basic("x")).status == 200
    assert asked.ask("GET", "/history", bearer(R), address="192.168.1.11").status == 200
    asked.door.time.advance(2.0)
    assert asked.ask("GET", "/history", bearer(R)).status == 200
    assert caplog.text.count(f"wrong keys or passwords from {CLIENT}") == 1
    assert "guess" not in caplog.text


def test_the_lock_comes_before_everything_else() -> None:
    asked = world(KEYS)
    guess(asked)
    headers = bearer(RW) | {"Origin": "http://evil.example"}
    assert asked.ask("POST", "/ruuvi.json", headers, host="evil.example").status == 429
    assert asked.ask("POST", "/auth", host="evil.example").status == 429
    assert asked.ask("POST", "/ruuvi.json", host="evil.example").status == 421


def test_wrong_logins_are_guesses() -> None:
    asked = world(LOGIN)
    assert [log_in(asked, f"p{n}")[0].status for n in range(6)] == [401] * 5 + [429]
    asked.door.time.advance(2.0)
    assert log_in(asked)[0].status == 200


def test_wrong_basic_and_digest_are_guesses() -> None:
    asked = world(BASIC)
    statuses = [asked.ask("GET", "/history", basic(f"x{n}")).status for n in range(6)]
    assert statuses == [401] * 5 + [429]
    asked = world(DIGEST)
    digests = [{"Authorization": f'Digest username="u{n}"'} for n in range(6)]
    assert [asked.ask("GET", "/auth", d).status for d in digests] == [401] * 5 + [429]


def test_an_old_key_shuts_nobody_out() -> None:
    asked = world(KEYS, BASIC)
    for _ in range(20):
        assert asked.ask("GET", "/history", bearer("old")).status == 401
        assert asked.ask("GET", "/history", basic("old")).status == 401
        assert asked.ask("POST", "/ruuvi.json", bearer(R)).status == 401
    assert asked.ask("GET", "/history", bearer(R)).status == 200


def test_all_together_ten_a_second() -> None:
    asked = world(KEYS)
    for n in range(10):
        guess(asked, 1, f"10.0.0.{n}")
    got = asked.ask("GET", "/history", bearer("x"), address="10.0.0.99")
    assert (got.status, got["Retry-After"]) == (429, "1")
    asked.door.time.advance(1.0)
    guess(asked, 1, "10.0.0.99")


def test_a_login_that_was_waiting_while_others_guessed() -> None:
    """Five requests at once are five guesses, and the sixth comes too late."""
    asked = world(LOGIN)
    cookie = {"Cookie": asked.ask("GET", "/auth")["Set-Cookie"].partition(";")[0]}

    def while_it_comes() -> bytes:
        for n in range(5):
            asked_again.append(log_in(asked, f"p{n}")[0].status)
        return b'{"login": "user1", "password": "x"}'

    asked_again: list[int] = []
    got = asked.ask("POST", "/auth", cookie, while_it_comes)
    assert asked_again == [401] * 5
    assert got.status == 429


# -- digest, as curl and httpx send it ------------------------------------------------------------


def test_digest_challenge_can_be_read_by_usual_clients() -> None:
    import httpx

    asked = world(DIGEST)

    def handle(request: httpx.Request) -> httpx.Response:
        headers = [(n.decode(), v.decode()) for n, v in request.headers.raw]
        target = request.url.raw_path.decode()
        got = asked.ask(request.method, target, headers, request.content)
        return httpx.Response(got.status, headers=list(got.headers), content=got.body)

    auth = httpx.DigestAuth("user1", PASSWORD)
    transport = httpx.MockTransport(handle)
    with httpx.Client(transport=transport, auth=auth, base_url=f"http://{NAME}") as client:
        for _ in range(3):
            assert client.get("/history?time=1&x=a%20b").json() == By.DIGEST.value
        assert client.post("/ruuvi.json", json={}).status_code == 200
        asked.door.time.advance(301.0)
        assert client.get("/history").status_code == 200, "a stale nonce is asked for anew"
    with httpx.Client(transport=transport, base_url=f"http://{NAME}") as client:
        wrong = httpx.DigestAuth("user1", "other")
        assert client.get("/history", auth=wrong).status_code == 401


# -- without the extra ----------------------------------------------------------------------------


def test_without_the_extra_no_key_is_agreed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    asked = world(LOGIN)
    got = asked.ask("GET", "/auth", {"Ruuvi-Ecdh-Pub-Key": "AAAA"})
    assert got.status == 401
    assert "Ruuvi-Ecdh-Pub-Key" not in got
    for mark, status in (("true", 400), ("TRUE", 400), ("", 400), ("false", 401)):
        headers = {"Ruuvi-Ecdh-Encrypted": mark}
        assert asked.ask("POST", "/auth", headers, b"{}").status == status
