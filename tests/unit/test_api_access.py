"""The decisions about who may ask: what is remembered, for how long, and of how many."""

from collections.abc import Iterator
from hashlib import md5, sha256

import pytest

from firmware_protocol.messages import DeviceId
from ruuvi_host.api.access.cookies import is_own_path, set_previous, values
from ruuvi_host.api.access.digest import MOST_USED, Nonces, Verdict, judge, opaque_of, parts
from ruuvi_host.api.access.exchange import AgreedKeys
from ruuvi_host.api.access.lockout import ALL, LIMIT, MOST, MOST_TRUSTED, Lockout, of_one
from ruuvi_host.api.access.names import is_own, is_same_site, name_of, own_names
from ruuvi_host.api.access.randomness import session_id
from ruuvi_host.api.access.sessions import Challenge, Challenges, Sessions
from ruuvi_host.api.access.settings import (
    Access,
    AccessType,
    access,
    default_secret,
    is_secret,
    password_hash,
)
from ruuvi_host.api.door import Identity

ONE, OTHER = "192.168.1.10", "192.168.1.11"
DEVICE = DeviceId(bytes.fromhex("0011223344556677"), bytes.fromhex("AABBCCDDEEFF"))


def random(seed: int = 0) -> Iterator[int]:
    state = seed
    while True:
        state = (state * 1103515245 + 12345) % (1 << 31)
        yield state >> 16 & 255


class Bytes:
    def __init__(self) -> None:
        self._bytes = random()

    def __call__(self, count: int) -> bytes:
        return bytes(next(self._bytes) for _ in range(count))


# -- settings -------------------------------------------------------------------------------------


def settings(device: DeviceId = DEVICE, **given: str) -> Access:
    keys = {
        "lan_auth_type": "lan_auth_default",
        "lan_auth_user": "Admin",
        "lan_auth_pass": "",
        "lan_auth_api_key": "",
        "lan_auth_api_key_rw": "",
    }
    return access(keys | given, Identity(device, "v1.0.0", "v1.0.0"))


def test_worked_examples() -> None:
    secret = password_hash("user1", "RuuviGatewayEEFF", "qwe")
    assert secret == "c6d99660c077994648ef0edb9bb3e4df"
    text = "0c27bbaa345e7915ea7873bc293bc2938d5390af1bb4b2ded388477702c58ed2"
    right = "a9c36943b9e6e9536bfd5afb610a0f26aea0bcfed5c2cb5d982f13154eab8bce"
    assert Challenge("EVMDULCTKBSJARIZ", text, ONE, 0).answer(secret) == right
    assert default_secret("my_ssid1", bytes(8)) == "6bd2d4090d98c5a5c9992fbb35d6b821"
    device = bytes.fromhex("010203040506 0A0B")
    assert default_secret("my_ssid1", device) == "cc6b2a4405af90c7a738f72b64f3c34e"


def test_the_default_password_is_nobodys_while_the_device_is_not_known() -> None:
    unknown = DeviceId(bytes(8), bytes(6))
    assert settings(unknown).secret == ""
    assert settings().secret == "e599fdca7156546936d8bca31509eb0b"


def test_a_saved_password_of_the_default_type_does_not_count() -> None:
    assert settings(lan_auth_pass="0" * 32) == settings()


def test_the_default_password_under_another_type_is_the_default_type() -> None:
    given = settings(lan_auth_type="lan_auth_ruuvi", lan_auth_pass=settings().secret)
    assert given.type is AccessType.DEFAULT


def test_an_unknown_type_denies() -> None:
    assert settings(lan_auth_type="lan_auth_bearer").type is AccessType.DENY


def test_secrets_are_in_no_repr() -> None:
    shown = repr(settings(lan_auth_api_key="READ", lan_auth_api_key_rw="WRITE"))
    assert "READ" not in shown
    assert "WRITE" not in shown
    assert settings().secret not in shown


def test_nothing_is_equal_to_no_secret() -> None:
    assert is_secret("a", "a")
    assert not is_secret("", "")
    assert not is_secret("a ", "a")


# -- challenges and sessions ----------------------------------------------------------------------


def test_a_session_id_has_each_letter_as_often() -> None:
    ids = iter([bytes([255] * 16), bytes(range(16))])
    assert session_id(lambda count: next(ids)) == "ABCDEFGHIJKLMNOP"


def test_a_challenge_is_answered_once_from_where_it_was_asked_for_and_in_time() -> None:
    challenges = Challenges(Bytes())
    first = challenges.make(ONE, 0.0)
    assert challenges.take(first.session, OTHER, 1.0) is None
    assert challenges.take(first.session, ONE, 299.0) == first
    assert challenges.take(first.session, ONE, 299.0) is None
    second = challenges.make(ONE, 0.0)
    assert challenges.take(second.session, ONE, 300.0) is None


def test_sixteen_challenges_and_a_flood_ends_its_own() -> None:
    challenges = Challenges(Bytes())
    mine = challenges.make(ONE, 0.0)
    flood = [challenges.make(OTHER, 1.0) for _ in range(100)]
    assert len(challenges) == 16
    assert challenges.take(mine.session, ONE, 2.0) == mine
    assert challenges.take(flood[0].session, OTHER, 2.0) is None
    assert challenges.take(flood[-1].session, OTHER, 2.0) == flood[-1]


def test_sixteen_sessions() -> None:
    sessions = Sessions()
    for number in range(17):
        sessions.open(f"S{number}", ONE, float(number))
    assert [sessions.use(f"S{n}", ONE, 20.0) for n in range(17)] == [False] + [True] * 16


def test_a_session_ends_when_it_is_idle_and_after_a_day() -> None:
    sessions = Sessions()
    sessions.open("S", ONE, 0.0)
    assert not sessions.use("S", OTHER, 1.0)
    hour = 3600.0
    for at in range(1, 24):
        assert sessions.use("S", ONE, at * hour)
    assert not sessions.use("S", ONE, 24 * hour)
    sessions.open("T", ONE, 0.0)
    assert not sessions.use("T", ONE, 2 * hour)


# -- who guesses ----------------------------------------------------------------------------------


def guess(lockout: Lockout, count: int, address: str = ONE, now: float = 0.0) -> float:
    """So many wrong keys; the last lock."""
    return [lockout.failed(address, f"{now} {n}", now) for n in range(count)][-1]


def test_the_fifth_failure_locks_its_address_only() -> None:
    lockout = Lockout(Bytes())
    assert guess(lockout, LIMIT - 1) == 0.0
    assert lockout.wait(ONE, 0.0) == 0.0
    assert guess(lockout, 1, now=59.0) == 2.0
    assert lockout.wait(ONE, 60.0) == 1.0
    assert lockout.wait(OTHER, 59.0) == 0.0
    assert lockout.wait(ONE, 61.0) == 0.0


def test_slow_failures_do_not_lock() -> None:
    lockout = Lockout(Bytes())
    assert not any(guess(lockout, 1, now=20.0 * n) for n in range(100))


def test_each_further_failure_doubles_the_lock_up_to_a_minute() -> None:
    lockout, now, locks = Lockout(Bytes()), 1.0, []
    guess(lockout, LIMIT - 1)
    for _ in range(8):
        locks.append(guess(lockout, 1, now=now))
        now += locks[-1]
    assert locks == [2, 4, 8, 16, 32, 60, 60, 60]
    assert lockout.wait(ONE, now) == 0.0
    assert guess(lockout, 1, now=now + 61.0) == 0.0, "it was quiet for a minute"


def test_the_same_key_again_is_no_guess() -> None:
    lockout = Lockout(Bytes())
    for at in range(1000):
        assert lockout.failed(ONE, "old key", float(at)) == 0.0
        assert lockout.failed(ONE, "other old key", float(at)) == 0.0
    assert guess(lockout, LIMIT) > 0.0


def test_what_may_be_another_password_counts_each_time() -> None:
    lockout = Lockout(Bytes())
    assert [lockout.failed(ONE, "", 0.0) for _ in range(LIMIT)][-1] == 2.0


def test_ten_failures_a_second_of_all_together() -> None:
    lockout = Lockout(Bytes())
    lockout.succeeded(OTHER)
    for n in range(ALL):
        assert lockout.wait(f"10.0.0.{n}", 0.5) == 0.0
        lockout.failed(f"10.0.0.{n}", "x", 0.5)
    assert lockout.wait("10.0.1.1", 1.0) == 0.5
    assert lockout.wait("10.0.1.1", 1.5) == 0.0
    assert lockout.wait(OTHER, 1.0) == 0.0, "it was let in before, and does not wait for others"
    lockout.failed(OTHER, "x", 1.0)
    assert lockout.wait(OTHER, 1.0) > 0.0


def test_who_was_let_in_is_remembered_of_few() -> None:
    lockout = Lockout(Bytes())
    for n in range(MOST_TRUSTED + 1):
        lockout.succeeded(f"10.0.1.{n}")
    for n in range(ALL):
        lockout.failed(f"10.0.0.{n}", "x", 0.0)
    assert lockout.wait("10.0.1.0", 0.0) > 0.0
    assert lockout.wait("10.0.1.1", 0.0) == 0.0


def test_who_guessed_is_remembered_of_few_and_those_who_are_locked_first() -> None:
    lockout = Lockout(Bytes())
    guess(lockout, LIMIT, "10.255.0.1", now=0.5)
    for n in range(MOST + 99):
        lockout.failed(f"10.0.{n >> 8}.{n & 255}", "x", n / 10000)
    assert len(lockout) == MOST
    assert lockout.wait("10.255.0.1", 0.6) > 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "192.0.2.2", False),
    ],
)
def test_which_addresses_are_one_client(one: str, other: str, same: bool) -> None:
    assert (of_one(one) == of_one(other)) is same


# -- digest ---------------------------------------------------------------------------------------

SECRET = password_hash("user1", "RuuviGatewayEEFF", "qwe")
DIGEST = Access(AccessType.DIGEST, "RuuviGatewayEEFF", "user1", SECRET)


def digest(nonce: str, *, uri: str = "/history", secret: str = SECRET, **other: str) -> str:
    given = {
        "username": "user1",
        "realm": DIGEST.realm,
        "nonce": nonce,
        "uri": uri,
        "nc": "00000001",
        "cnonce": "c",
        "qop": "auth",
        "opaque": opaque_of(DIGEST.realm),
    } | other
    second = md5(f"GET:{uri}".encode()).hexdigest()
    text = f"{secret}:{nonce}:{given['nc']}:{given['cnonce']}:auth:{second}"
    given.setdefault("response", md5(text.encode()).hexdigest())
    return ", ".join(f'{name}="{value}"' for name, value in given.items())


def verdict(text: str, nonces: Nonces, access: Access = DIGEST, now: float = 1.0) -> Verdict:
    return judge(text, access, "GET", ("/history", "http://h/history"), nonces, now)


def test_digest() -> None:
    nonces = Nonces(Bytes())
    nonce = nonces.make(0.0)
    assert verdict(digest(nonce), nonces) is Verdict.RIGHT
    assert verdict(digest(nonce), nonces) is Verdict.STALE, "played again"
    assert verdict(digest(nonce, nc="00000003"), nonces) is Verdict.RIGHT
    assert verdict(digest(nonce, nc="00000002"), nonces) is Verdict.STALE
    assert verdict(digest(nonce, nc="00000004"), nonces, now=301.0) is Verdict.STALE
    assert verdict(digest(nonces.make(0.0), uri="http://h/history"), nonces) is Verdict.RIGHT


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "user2"},
        {"realm": "RuuviGatewayEEFE"},
        {"uri": "/ruuvi.json"},
        {"qop": "auth-int"},
        {"nc": "1"},
        {"cnonce": ""},
        {"opaque": "0"},
        {"algorithm": "SHA-256"},
        {"response": "0" * 32},
        {"response": ""},
        {"secret": "0" * 32},
    ],
)
def test_wrong_digest(wrong: dict[str, str]) -> None:
    nonces = Nonces(Bytes())
    assert verdict(digest(nonces.make(0.0), **wrong), nonces) is Verdict.WRONG


def test_digest_is_of_the_method() -> None:
    nonces = Nonces(Bytes())
    text = digest(nonces.make(0.0))
    assert judge(text, DIGEST, "POST", ("/history",), nonces, 1.0) is Verdict.WRONG


def test_a_nonce_of_somebody_else_is_stale() -> None:
    assert verdict(digest(Nonces(Bytes()).make(0.0)), Nonces(lambda n: b"x" * n)) is Verdict.STALE
    assert verdict(digest("0" * 64), Nonces(Bytes())) is Verdict.STALE
    assert verdict(digest("no hex"), Nonces(Bytes())) is Verdict.STALE


def test_no_password_lets_nobody_in_by_digest() -> None:
    nonces = Nonces(Bytes())
    nobody = Access(AccessType.DIGEST, "RuuviGatewayEEFF", "user1", "")
    assert verdict(digest(nonces.make(0.0), secret=""), nonces, nobody) is Verdict.WRONG


def test_used_nonces_are_few_and_none_can_be_used_again() -> None:
    nonces = Nonces(Bytes())
    made = [nonces.make(n / 1000) for n in range(3 * MOST_USED)]
    assert all(verdict(digest(nonce), nonces) is Verdict.RIGHT for nonce in made)
    assert len(nonces) == MOST_USED
    assert all(verdict(digest(nonce), nonces) is Verdict.STALE for nonce in made)


def test_digest_of_names_that_are_not_ascii() -> None:
    nonces = Nonces(Bytes())
    user = "käyttäjä"
    secret = password_hash(user, "RuuviGatewayEEFF", "qwe")
    access = Access(AccessType.DIGEST, "RuuviGatewayEEFF", user, secret)
    as_octets = user.encode().decode("latin-1")
    text = digest(nonces.make(0.0), secret=secret, username=as_octets)
    assert verdict(text, nonces, access) is Verdict.RIGHT
    text = digest(nonces.make(0.0), secret=secret).replace(
        'username="user1"', "username*=UTF-8''k%C3%A4ytt%C3%A4j%C3%A4"
    )
    assert verdict(text, nonces, access) is Verdict.RIGHT


@pytest.mark.parametrize("text", ["a", "a=b c", 'a="b', "a=1,a=2", "=1", 'a="b"c', "a=b,,;"])
def test_no_parts(text: str) -> None:
    assert parts(text) is None


# -- names and origins ----------------------------------------------------------------------------

NAMES = own_names("Pi4.example.net", "RuuviGatewayEEFF", {"gw.local", "proxy.example"})


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:8080", "localhost.", "127.0.0.1", "10.1.2.3:80", "[::1]:8080"),
        *("[fe80::1%25eth0]", "pi4", "pi4.local:1", "pi4.example.net", "ruuvigatewayeeff.LOCAL"),
        *("RuuviGatewayEEFF", "gw.local", "proxy.example:443"),
    ],
)
def test_own_names(host: str) -> None:
    assert is_own(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:80",
            "",
            ":80",
            "localhost.evil.example",
            "gw",
            "gw.local.x",
        ),
        *("127.0.0.1.evil.example", "[::1].evil.example", "[evil.example]", "localhost:80:80"),
        *("a@localhost", "localhost/", "2130706433", "127.1", "localhost evil.example"),
    ],
)
def test_other_names(host: str) -> None:
    assert not is_own(host, NAMES)


def test_name_of() -> None:
    assert name_of("A.b.:80") == "a.b"
    assert name_of("[FE80::1]:80") == "fe80::1"


@pytest.mark.parametrize(
    ("origins", "sites", "same"),
    [
        ([], [], True),
        (["http://gw.local:80"], ["same-origin"], True),
        (["HTTPS://GW.local:80"], [], True),
        ([], ["none"], True),
        (["null"], [], False),
        ([""], [], False),
        (["http://gw.local"], [], False),
        (["http://gw.local:80.evil.example"], [], False),
        (["http://gw.local:80", "http://evil.example"], [], False),
        ([], ["same-site"], False),
        ([], ["cross-site"], False),
        (["http://gw.local:80"], ["cross-site"], False),
    ],
)
def test_other_sites(origins: list[str], sites: list[str], same: bool) -> None:
    assert is_same_site("gw.local:80", origins, sites) is same


def test_a_request_without_a_host_comes_from_no_page() -> None:
    assert is_same_site(None, [], [])
    assert not is_same_site(None, ["http://"], [])
    assert not is_same_site("", ["http://"], [])


# -- cookies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/history", "/history"),
        ("/a%20b", "/a%20b"),
        ("/a;b,c", "/a%3Bb%2Cc"),
        ('/"\r\n', "/%22%0D%0A"),
        ("/ä".encode().decode("latin-1"), "/%C3%83%C2%A4"),
    ],
)
def test_where_one_wanted_to_go(path: str, kept: str) -> None:
    assert set_previous(path) == f"RUUVI_PREV_URL={kept}; Path=/; HttpOnly; SameSite=Strict"
    assert is_own_path(kept)


@pytest.mark.parametrize("path", ["/ap.json", "/status.json", "//evil.example/", "x", "", "/" * 9])
def test_where_nobody_wanted_to_go(path: str) -> None:
    assert set_previous(path) is None


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example",
        "/\\evil.example",
        "http://x/",
        "history",
        "",
        "/a b",
        "/\t/x",
        "/a\r\nX: y",
    ],
)
def test_no_path_of_ours(text: str) -> None:
    assert not is_own_path(text)


def test_cookies() -> None:
    field = "a=1; RUUVISESSION=A;RUUVISESSION = B ; XRUUVISESSION=C; RUUVISESSION"
    assert values(field, "RUUVISESSION") == ["A", "B", ""]


# -- agreed keys ----------------------------------------------------------------------------------


def test_keys_are_of_a_session_else_of_an_address() -> None:
    agreed = AgreedKeys()
    agreed.add(b"a", ONE, frozenset("A"), 0.0)
    agreed.add(b"b", ONE, frozenset("B"), 0.0)
    assert agreed.find(ONE, frozenset("A"), 1.0) == b"a"
    assert agreed.find(ONE, frozenset("B"), 1.0) == b"b"
    assert agreed.find(ONE, frozenset(), 1.0) == b"b"
    assert agreed.find(OTHER, frozenset("A"), 1.0) is None
    assert agreed.find(ONE, frozenset("A"), 1800.0) is None


def test_a_key_follows_a_client_to_its_next_session() -> None:
    agreed = AgreedKeys()
    agreed.add(b"a", ONE, frozenset({"A1"}), 0.0)
    agreed.add(b"b", ONE, frozenset({"B1"}), 0.0)
    agreed.hand_on(ONE, frozenset({"A1"}), "A2")
    agreed.hand_on(OTHER, frozenset({"A1"}), "C")
    assert agreed.find(ONE, frozenset({"A2"}), 1.0) == b"a"
    assert agreed.find(ONE, frozenset({"A1"}), 1.0) == b"a"
    assert agreed.find(ONE, frozenset({"C"}), 1.0) == b"b"


def test_sixteen_keys_and_a_flood_ends_its_own() -> None:
    agreed = AgreedKeys()
    agreed.add(b"mine", ONE, frozenset("A"), 0.0)
    for n in range(100):
        agreed.add(sha256(bytes([n])).digest(), OTHER, frozenset({f"S{n}"}), 1.0)
    assert len(agreed) == 16
    assert agreed.find(ONE, frozenset("A"), 2.0) == b"mine"
    for n in range(100):
        agreed.add(bytes([n]), OTHER, frozenset(), 3.0)
    assert len(agreed) == 16
    assert agreed.find(OTHER, frozenset(), 3.0) == bytes([99])
