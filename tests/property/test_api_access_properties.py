"""Whatever clients send, in whatever order: bounded memory, nobody else locked, no session of
somebody else."""

import string
from collections import Counter
from random import Random

from api_world import FakeDoor, World
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from ruuvi_host.api.access.digest import parts
from ruuvi_host.api.access.lockout import ALL, LIMIT, WINDOW, Lockout
from ruuvi_host.api.access.names import is_own, is_same_site, name_of
from ruuvi_host.api.access.sessions import IDLE, LONGEST, Challenges, Sessions

TOKEN = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
PRINTED = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
GIVEN = st.dictionaries(TOKEN.map(str.lower), PRINTED, max_size=8)


@given(GIVEN, st.data())
def test_digest_parts_in_any_order_with_quotes_or_without(
    given_: dict[str, str], data: st.DataObject
) -> None:
    written = []
    for name, value in data.draw(st.permutations(list(given_.items()))):
        plain = value.isascii() and value.isalnum() and data.draw(st.booleans())
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        space = data.draw(st.sampled_from(["", " "]))
        name = data.draw(st.sampled_from([name, name.upper()]))
        quoted = value if plain else f'"{escaped}"'
        written.append(f"{name}{space}={space}{quoted}")
    assert parts(data.draw(st.sampled_from([",", ", ", " , "])).join(written)) == given_


@given(st.text(max_size=60) | st.text('a="\\, \t', max_size=60))
def test_digest_parts_of_anything(text: str) -> None:
    found = parts(text)
    assert found is None or all(name == name.lower() for name in found)


@given(st.text(max_size=40))
def test_names_of_anything(text: str) -> None:
    name = name_of(text)
    assert len(name) <= len(text) * 3
    if is_own(text, frozenset({"gw.local"})) and name != "gw.local":
        assert set(name) <= set(string.hexdigits + ".:%") | set(name.partition("%")[2])
    assert not is_same_site(text, [f"http://{text}.x"], [])


ADDRESSES = [*(f"10.0.0.{n}" for n in range(6)), "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
STEP = st.tuples(
    st.sampled_from(ADDRESSES),
    st.sampled_from(["", "a", "b", "c", "d", "e", "f", "g"]),
    st.sampled_from([0.0, 0.01, 0.3, 1.0, 5.0, 30.0, 61.0, 200.0]),
    st.booleans(),
)


def one(address: str) -> str:
    return address.rpartition(":")[0] if ":" in address else address


@given(st.lists(STEP, max_size=80))
def test_lockout(steps: list[tuple[str, str, float, bool]]) -> None:
    """Never more guesses than are allowed, and never one who has not guessed is locked."""
    lockout = Lockout(lambda count: bytes(count))
    now, tried = 0.0, list[tuple[float, str]]()
    trusted = set[str]()
    for address, text, passes, right in steps:
        now += passes
        client = one(address)
        recent = [at for at, _ in tried if now - at < 1.0]
        mine = [at for at, who in tried if who == client and now - at <= WINDOW]
        wait = lockout.wait(address, now)
        assert 0.0 <= wait <= 60.0
        if not any(who == client for _, who in tried) and len(recent) < ALL:
            assert wait == 0.0
        if wait:
            assert len(recent) >= ALL or any(who == client for _, who in tried)
            continue
        assert len(recent) < ALL or client in trusted
        if right:
            lockout.succeeded(address)
            trusted.add(client)
            continue
        locked = lockout.failed(address, text and f"{client} {now} {text}", now)
        tried.append((now, client))
        trusted.discard(client)
        assert bool(locked) or len(mine) + 1 < LIMIT
    for client in {who for _, who in tried}:
        times = [at for at, who in tried if who == client]
        for first in times:
            # Five, and then after 2, 4, 8, 16 and 32 s; the next would be after 60 more.
            assert sum(first <= at < first + WINDOW for at in times) <= LIMIT + 5


class SessionMachine(RuleBasedStateMachine):
    """Sessions against a plain list of what was opened."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.challenges = Challenges(Random(1).randbytes)
        self.sessions = Sessions()
        self.model: dict[str, tuple[str, float, float]] = {}

    @rule(target=names, address=st.sampled_from("AB"))
    def log_in(self, address: str) -> str:
        made = self.challenges.make(address, self.now)
        assert self.challenges.take(made.session, address, self.now) == made
        self.sessions.open(made.session, address, self.now)
        self.end_old()
        if len(self.model) >= 16:
            del self.model[next(iter(self.model))]
        self.model[made.session] = (address, self.now + LONGEST, self.now + IDLE)
        return made.session

    @rule(name=names, address=st.sampled_from("AB"))
    def use(self, name: str, address: str) -> None:
        self.end_old()
        found = self.model.get(name)
        is_open = found is not None and found[0] == address
        assert self.sessions.use(name, address, self.now) is is_open
        if found and is_open:
            self.model[name] = (*found[:2], self.now + IDLE)

    @rule(name=names)
    def close(self, name: str) -> None:
        self.sessions.close(name)
        self.model.pop(name, None)

    @rule(hours=st.sampled_from([0.5, 1.9, 2.1, 25.0]))
    def wait(self, hours: float) -> None:
        self.now += hours * 3600

    @rule(address=st.sampled_from("AB"), count=st.integers(1, 40))
    def flood(self, address: str, count: int) -> None:
        made = [self.challenges.make(address, self.now) for _ in range(count)]
        assert self.challenges.take(made[-1].session, address, self.now) == made[-1]

    @invariant()
    def bounded(self) -> None:
        assert len(self.sessions) <= 16
        assert len(self.challenges) <= 16

    def end_old(self) -> None:
        ends = {name: min(each[1:]) for name, each in self.model.items()}
        self.model = {n: each for n, each in self.model.items() if self.now < ends[n]}


TestSessions = SessionMachine.TestCase
TestSessions.settings = settings(max_examples=30)


@given(st.lists(st.sampled_from("ABC"), min_size=17, max_size=60))
def test_a_flood_of_challenges_takes_from_the_busiest(asked: list[str]) -> None:
    challenges = Challenges(Random(1).randbytes)
    made = [(address, challenges.make(address, 0.0)) for address in asked]
    left = Counter(a for a, each in made if challenges.take(each.session, a, 0.0))
    for address, count in Counter(asked).items():
        assert left[address] >= min(count, 5)


ODD = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=30)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("Host", "Authorization", "Cookie", "Origin", "Sec-Fetch-Site"),
                *("Ruuvi-Ecdh-Pub-Key", "Ruuvi-Ecdh-Encrypted"),
            ]
        ),
        st.builds(
            str.__add__,
            st.sampled_from(
                [
                    *("", "gw.local", "Bearer ", "Basic ", "Digest ", "http://gw.local", "true"),
                    *("RUUVISESSION=", "RUUVI_PREV_URL=", "[::1", "BDfD"),
                ]
            ),
            ODD,
        ),
    ),
    max_size=6,
)
TYPES = [
    {"lan_auth_type": f"lan_auth_{kind}", "lan_auth_user": "u", "lan_auth_pass": "p"}
    for kind in ("default", "ruuvi", "basic", "digest", "allow", "deny")
]


@given(
    st.sampled_from(TYPES),
    st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
    st.builds(str.__add__, st.sampled_from(["/auth", "/nothing", "/x.css", "/", ""]), ODD),
    FIELDS,
    st.binary(max_size=40),
)
def test_whatever_is_asked_is_answered(
    config: dict[str, str],
    method: str,
    target: str,
    fields: list[tuple[str, str]],
    body: bytes,
) -> None:
    """With no error of ours, and no line in the answer that the client has made up."""
    world = World(FakeDoor(config))
    got = world.ask(method, target, fields, body)
    assert got.status in (200, 302, 400, 401, 403, 404, 421, 429, 503)
    assert not any(set("\r\n\0") & set(value) for _, value in got.headers)
    if got.status == 200 and config["lan_auth_type"] != "lan_auth_allow":
        assert target.startswith("/")
        assert "/auth" not in target
