"""Parts of fetching a configuration that need no server: the cases of tests/vectors/mqtt.json, what
is remembered, signatures, and a fleet of a thousand hosts over a day.
"""

import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fetch_times import simulated

from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.config.remote_checks import address_problem
from ruuvi_host.config.url import parse_address
from ruuvi_host.relay.http.answer import Answer
from ruuvi_host.remote.addresses import BadAddressError, places, problem_of
from ruuvi_host.remote.answer import Failed
from ruuvi_host.remote.answers import max_age, of_body, of_status
from ruuvi_host.remote.download import TIME_LIMIT
from ruuvi_host.remote.memory import Absence, Memory, Validators
from ruuvi_host.remote.request import credentials, goes_in_clear, headers
from ruuvi_host.remote.schedule import Schedule
from ruuvi_host.remote.signature import problem_of as problem_of_signature
from ruuvi_host.remote.signature import problem_of_key

MQTT = load_vectors("mqtt.json")
REMOTE = {case["name"]: case for case in MQTT["remote"]}

HOST_REQUESTS = {
    "own_file_server_error": ["https://cfg.example.com/gw/AACCEE001122.json"],
    "file_with_query": ["https://cfg.example.com/cfg.json?site=7"],
    "scheme_upper_case": [
        "https://cfg.example.com/gw/AACCEE001122.json",
        "https://cfg.example.com/gw/gw_cfg.json",
    ],
}
"""Where the case says in words that a host asks for other files."""


@pytest.mark.parametrize("name", REMOTE)
def test_the_files_of_a_case(name: str) -> None:
    """In their order, as far as the server's answers lead."""
    case = REMOTE[name]
    mac, url = case["gateway"]["mac"], case["present"]["remote_cfg_url"]
    wanted = HOST_REQUESTS.get(name, case["requests"])
    if case["how"] == "twice":
        wanted = wanted[:1]
    if not wanted:
        assert problem_of(url)
        return
    found = places(url, mac)
    both = [place.whole for place in (found.own, found.common) if place]
    assert wanted == both[: len(wanted)]
    assert case["request"]["limit_s"] == TIME_LIMIT


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("", 500, "empty"),
        ("ab", 400, "like https"),
        ("ftp://cfg.example.com/gw/", 400, "http:// or https://"),
        ("cfg.example.com/gw/", 400, "http:// or https://"),
        ("https://", 400, "http:// or https://"),
        ("https:///gw/", 400, "no HTTP server"),
        ("https://user:SECRET@cfg.example.com/gw/", 400, "remote_cfg_auth_type"),
        ("https://cfg.example.com/gw/?site=SECRET", 400, "? in it"),
        ("https://cfg.example.com/gw/?", 400, "? in it"),
        ("https://cfg.example.com/gw/#SECRET", 400, "# in it"),
        ("https://cfg.example.com/cfg.json#SECRET", 400, "# in it"),
        ("https://cfg.example.com:99999/SECRET", 400, "malformed"),
        ("https://[::1/SECRET", 400, "malformed"),
        ("https://cfg.example.com/a b", 400, "like https"),
        ("https://cfg.example.com/a\n", 400, "like https"),
        ("https://cfg_example..com/", 400, "its host is no name"),
        ("https://x/" + "y" * 20000, 400, "too long"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, status: int, words: str) -> None:
    with pytest.raises(BadAddressError) as told:
        places(url, "AA:CC:EE:00:11:22")
    assert told.value.status == status
    assert words in str(told.value)
    assert "SECRET" not in str(told.value)
    assert problem_of(url) == str(told.value)


def test_a_signature_is_beside_its_text() -> None:
    own = places("https://x.example/cfg.json?site=7", "AA:CC:EE:00:11:22").own
    assert own.signature.whole == "https://x.example/cfg.json.sig?site=7"
    assert own.signature.address.target == "/cfg.json.sig?site=7"


def test_the_head_of_a_request() -> None:
    settings = RemoteSettings("https://x.example/", auth="basic", user="u", password="p")
    given = credentials(settings, "")
    address = parse_address("https://x.example/gw_cfg.json")
    names = [
        name
        for name, _ in headers(
            address,
            "aa:cc:ee:00:11:22",
            "1.2.3",
            given,
            Validators("", "Tue, 14 Nov 2023 22:13:20 GMT"),
            own=True,
        )
    ]
    assert names == [
        *("User-Agent", "Host", "ruuvi_gw_mac", "Accept", "Authorization", "If-Modified-Since"),
        "Ruuvi-Host-Version",
    ]
    bearer = credentials(RemoteSettings("https://x.example/", auth="bearer", token="t"), "")
    lines = headers(address, "aa:cc:ee:00:11:22", "1.2.3", bearer, None, own=True)
    assert lines[:4] == [
        ("User-Agent", "RuuviGateway"),
        ("Host", "x.example"),
        ("Authorization", "Bearer t"),
        ("ruuvi_gw_mac", "AA:CC:EE:00:11:22"),
    ]
    assert "Authorization" not in dict(headers(address, "", "1.2.3", bearer, None, own=False))


@pytest.mark.parametrize(
    ("url", "peer", "proxy", "clear"),
    [
        ("https://x.example/", "198.51.100.1", False, False),
        ("http://x.example/", "8.8.8.8", False, True),
        ("http://x.example/", "192.168.1.1", False, False),
        ("http://x.example/", "127.0.0.1", False, False),
        ("http://x.example/", "fe80::1%eth0", False, False),
        ("http://x.example/", "2600::1", False, True),
        ("http://x.example/", "192.168.1.1", True, True),
        ("http://10.0.0.1/", "192.168.1.1", True, False),
    ],
)
def test_what_others_can_read(url: str, peer: str, proxy: bool, clear: bool) -> None:
    assert goes_in_clear(parse_address(url), peer, proxy=proxy) is clear


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        (b"private", None),
        (b"max-age=60", 60),
        (b'public, Max-Age = "60"', 60),
        (b"no-store, max-age=60", 0),
        (b"No-Cache", 0),
        (b"s-maxage=5", None),
        (b"max-age=x", None),
    ],
)
def test_for_how_long_an_answer_counts(said: bytes | None, seconds: float | None) -> None:
    assert max_age(said) == seconds


def test_a_body_that_is_cut() -> None:
    place = places("https://x.example/one.json", "AA:CC:EE:00:11:22").own
    reply = Answer(200, "OK", (), b"{", "192.0.2.1", whole=False)
    late, early = (of_body(reply, place, late=late) for late in (True, False))
    assert isinstance(late, Failed)
    assert isinstance(early, Failed)
    assert (late.cause, late.reason) == ("time", "the file was not complete when the time was up")
    assert (early.cause, early.status) == ("", 502)


@pytest.mark.parametrize(
    "document", [None, [], {}, {"validators": 1}, {"validators": {"a": {}}}, {"absent": {}}, "x", 7]
)
def test_what_is_no_memory(document: object) -> None:
    assert Memory.from_document(document) == Memory()


def test_a_clock_that_is_set_back_does_not_hide_an_own_file() -> None:
    memory = Memory().missed("u", 3600.0, now=1_700_000_000.0)
    assert memory.is_absent("u", 1_700_000_000.0)
    assert not memory.is_absent("u", 1_600_000_000.0)
    assert memory.absent["u"] == Absence(0, 1_700_003_600.0)
    assert memory.asking_for_all() == Memory()


def test_signatures() -> None:
    private = Ed25519PrivateKey.generate()
    key = b64encode(private.public_key().public_bytes_raw()).decode()
    signature = b64encode(private.sign(b"text"))
    assert problem_of_key(key) is None
    assert problem_of_signature(key, b"text", signature) is None
    assert "not that of this text" in str(problem_of_signature(key, b"text ", signature))
    for bad in ("", "x", b64encode(bytes(31)).decode(), "é" * 44):
        assert "32 bytes" in str(problem_of_key(bad))
        assert "32 bytes" in str(problem_of_signature(bad, b"text", signature))


@pytest.mark.skipif(
    not shutil.which("openssl"), reason="OPENSSL IS MISSING: the page was not tried"
)
def test_the_commands_of_the_page(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "pages" / "remote-configuration.md"
    block = page.read_text("utf-8").partition("### Signed files")[2].split("```")[1]
    (tmp_path / "gw_cfg.json").write_text('{"remote_cfg_use": true}')
    script = block.removeprefix("sh\n")
    ran = subprocess.run(
        ["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    text, signature = ((tmp_path / f"gw_cfg.json{end}").read_bytes() for end in ("", ".sig"))
    assert problem_of_signature(ran.stdout.strip(), text, signature) is None
    assert problem_of_signature(ran.stdout.strip(), text + b" ", signature)


# -- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MQTT["refresh"], ids=lambda case: case["minutes"])
def test_minutes_are_minutes(case: dict[str, Any]) -> None:
    assert Schedule(0.0, case["minutes"]).pause(0.5) == case["host_period_s"]


def test_a_failure_is_tried_again() -> None:
    schedule, pauses = Schedule(0.05, 30), []
    for _ in range(7):
        schedule = schedule.failed()
        pauses.append([schedule.pause(draw) for draw in (0.0, 0.5, 1.0)])
    middle = [60, 120, 240, 480, 960, 1800, 1800]
    assert pauses == [[0.8 * m, m, 1.2 * m] for m in middle]
    assert schedule.succeeded().pause(0.9) == pytest.approx(1890)
    once = Schedule(0.05, 0)
    for _ in range(20):
        once = once.failed()
    assert once.pause(0.5) == 3600
    assert once.succeeded().pause(0.5) is None


def test_a_server_says_when() -> None:
    failed = Schedule(0.0, 1).failed()
    assert failed.pause(0.0, 7200.0) == 7200
    assert failed.pause(1.0, 7200.0) == 7260
    assert failed.pause(0.0, 1e9) == 86400
    assert failed.pause(0.0, 0.0) == 1
    for _ in range(10):
        failed = failed.failed()
    assert failed.pause(0.0, 0.0) == 60, "not asked without end"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://x.y/gw",
            "https://x.y/a.json?b=c",
            "HTTP://localhost:8000",
            "https://x.y/a.JSON",
        ),
        *("https://x.y/a.json#f", "https://x.y/a.json#", "https://x.y/gw#f", "https://x.y/gw?"),
        *("https://x.y/gw?a=b", "https://u:p@x.y/a.json", "https://x.y:0/", "ftp://x.y/a.json", ""),
    ],
)
def test_what_is_configured_is_what_can_be_fetched_from(url: str) -> None:
    """A configuration that no fetch can be made with must be refused, and not be tried."""
    assert bool(address_problem(url)) == bool(problem_of(url))


@pytest.mark.parametrize(("status", "told"), [(203, False), (206, False), (404, True)])
def test_what_a_server_says_is_told_but_for_a_configuration(status: int, told: bool) -> None:
    answer = Answer(status, "", (), b'{"mqtt_pass": "SECRET"}', "192.0.2.1")
    place = places("https://x.y/a.json", "AA:CC:EE:00:11:22").own
    assert ("SECRET" in of_status(answer, place, (), own=True).reason) is told


def test_a_thousand_hosts_that_start_together() -> None:
    load = simulated()
    assert load.per_second <= 60
    assert load.per_minute <= 2 * load.mean
    assert load.requests == pytest.approx(48_000, rel=0.02)
    assert simulated(anew=True).ratio > 2, "an offset for each fetch is worse"
