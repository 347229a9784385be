"""Clients that were made for a gateway, unchanged, ask a running host.

One host for all of them. What is asked of it changes its settings as a user would, by POST.
"""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import md5
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from aioruuvigateway.api import get_gateway_history_data
from aioruuvigateway.excs import CannotConnect, InvalidAuth
from aioruuvigateway.models import HistoryResponse
from programs import PATIENCE, Program, ruuvi_host
from prometheus_client.parser import text_string_to_metric_families
from requests.auth import HTTPDigestAuth
from ruuvi_gateway_client import gateway as ruuvi_gateway_client
from tcp_ports import free_port

READ, WRITE = "a-reading-key", "a-reading-and-writing-key"
USER, PASSWORD = "Admin", "pass word ä"
POLLS = 20
"""More than clients ask in a minute and a half."""
CURL = shutil.which("curl")
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
SIMULATED = 10
"""Tags of the simulator."""


HERE = "127.0.0.1"
_others = count(2)


def elsewhere() -> str:
    """Another address of this machine, from which nobody has failed to log in so far."""
    return f"127.0.0.{next(_others)}"


get = partial(httpx.get, timeout=PATIENCE)
post = partial(httpx.post, timeout=PATIENCE)


@dataclass(frozen=True)
class Live:
    """A running host."""

    port: int
    name: str
    """Of the gateway."""

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.at}{path}"

    def post(self, **keys: Any) -> None:
        """Set keys of the gateway."""
        answer = post(self.url("/ruuvi.json"), json=keys, headers=bearer(WRITE))
        assert (answer.status_code, answer.json()) == (200, {}), answer.text

    def protect(self, kind: str) -> None:
        """Another access type, for USER with PASSWORD."""
        hashed = md5(f"{USER}:{self.name}:{PASSWORD}".encode()).hexdigest()
        self.post(lan_auth_type=kind, lan_auth_user=USER, lan_auth_pass=hashed)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    state = tmp_path_factory.mktemp("state")
    keys = [f"lan_auth_api_key={READ}", f"lan_auth_api_key_rw={WRITE}", "api.listen=127.0.0.1:0"]
    settings = [part for key in keys for part in ("--set", key)]
    options = ["--simulate", "--url", "http://127.0.0.1:9/", "--state-dir", str(state), *settings]
    with ruuvi_host("run", *options) as host:
        port = int(host.wait_for(r"local API: http://127\.0\.0\.1:(\d+)/")[1])
        address = host.wait_for(r"coprocessor (..:..:..:..:..:..)")[1].replace(":", "")
        host.wait_for("coprocessor configured")
        it = Live(port, f"RuuviGateway{address[-4:]}")
        wait_for_tags(it)
        yield it
        assert host.stop() == 0
    told = "\n".join([*host.out, *host.err])
    for secret in (READ, WRITE, PASSWORD):
        assert secret not in told
    assert "Traceback" not in told


def wait_for_tags(live: Live) -> None:
    """Until all tags of the simulator were heard: nothing but the host can tell it."""
    found: dict[str, Any] = {}
    with httpx.Client(headers=bearer(READ), timeout=PATIENCE) as client:
        while len(found) < SIMULATED:
            found = client.get(live.url("/history")).json()["data"]["tags"]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# -- aioruuvigateway, which Home Assistant uses


def history(live: Live, key: str, times: int = 1, source: str = HERE) -> HistoryResponse:
    async def ask() -> HistoryResponse:
        way = httpx.AsyncHTTPTransport(local_address=source)
        async with httpx.AsyncClient(transport=way, timeout=PATIENCE) as client:
            for _ in range(times):
                told = await get_gateway_history_data(client, live.at, key)
        return told

    return asyncio.run(ask())


def test_aioruuvigateway(live: Live) -> None:
    told = history(live, READ, times=POLLS)
    assert told.gw_mac_suffix.replace(":", "") == live.name[-4:]
    assert len(told.tags) == SIMULATED
    for tag in told.tags:
        assert abs(told.timestamp - tag.timestamp) < 900
        assert tag.rssi < 0
        assert tag.parse_announcement().manufacturer_data[0x0499]


def test_aioruuvigateway_with_a_wrong_key(live: Live) -> None:
    """However often: it asks every five seconds, and is no guesser. The right one goes on."""
    source = elsewhere()
    for _ in range(POLLS):
        with pytest.raises(InvalidAuth):
            history(live, "a wrong key", source=source)
    assert history(live, READ, source=source).tags


def test_aioruuvigateway_without_timestamps(live: Live) -> None:
    """It cannot work, on a gateway neither, and that is said where it is set."""
    answer = post(live.url("/ruuvi.json"), json={"ntp_use": False}, headers=bearer(WRITE))
    assert answer.json() == {}
    assert "Home Assistant" in answer.headers["Ruuvi-Host-Warning"]
    try:
        with pytest.raises(CannotConnect):
            history(live, READ)
    finally:
        live.post(ntp_use=True)
        wait_for_tags(live)


def test_much_is_changed_at_once(live: Live) -> None:
    """The answer tells each key in its header."""
    scan = [f"scan_{name}" for name in ("coded_phy", "2mbit_phy", "channel_37", "channel_38")]
    address = "http://sö.example/"
    keys = dict.fromkeys(scan, False) | {"http_stat_url": address, "company_id": 5}
    more = {
        "coordinates": "60.1,24.9",
        "mqtt_server": "broker",
        "scan_filter_list": ["00:" * 5 + "01"],
    }
    before = get(live.url("/ruuvi.json"), headers=bearer(READ)).text
    answer = post(live.url("/ruuvi.json"), json=keys | more, headers=bearer(WRITE))
    assert answer.status_code == 200
    assert {"company_id", *more} <= set(answer.headers["Ruuvi-Host-Changed"].split(", "))
    assert post(live.url("/ruuvi.json"), content=before, headers=bearer(WRITE)).is_success
    assert get(live.url("/ruuvi.json"), headers=bearer(READ)).text == before
    wait_for_tags(live)


# -- ruuvi-gateway-client, which logs in with user and password


its_library = pytest.mark.filterwarnings("ignore:Accessing `.value` on Result:DeprecationWarning")


@its_library
def test_ruuvi_gateway_client(live: Live) -> None:
    live.protect("lan_auth_ruuvi")
    told = asyncio.run(ruuvi_gateway_client.fetch_data(live.at, USER, PASSWORD))
    assert told.is_ok(), told
    assert [reading for reading in told.value.values() if reading and "temperature" in reading]
    told = asyncio.run(ruuvi_gateway_client.fetch_data(live.at, USER, "another"))
    assert told.is_err()
    assert told.value == "Authentication failed - 401"


@its_library
def test_ruuvi_gateway_client_step_by_step(live: Live) -> None:
    """Its functions for the log-in, for those who call them themselves."""
    live.protect("lan_auth_ruuvi")

    async def log_in() -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session:
            stranger = await session.get(live.url("/history"), allow_redirects=False)
            cookies = await ruuvi_gateway_client.get_authenticate_cookies(
                session, live.at, USER, PASSWORD
            )
            assert cookies.is_ok(), cookies
            data = await ruuvi_gateway_client.get_data(session, live.at, cookies.value)
            return stranger.status, data

    status, data = asyncio.run(log_in())
    assert status == 302
    assert data.is_ok()
    assert data.value


# -- digest and basic


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_digest(live: Live, method: str) -> None:
    live.protect("lan_auth_digest")
    path = {"GET": "/history?time=60", "POST": "/ruuvi.json"}[method]
    body = {"POST": b"{}"}.get(method)
    auth = httpx.DigestAuth(USER, PASSWORD)
    with httpx.Client(auth=auth, timeout=PATIENCE) as client:
        for _ in range(POLLS):  # the count of the nonce rises
            answer = client.request(method, live.url(path), content=body)
            assert answer.status_code == 200, answer.text
    with requests.Session() as session:
        session.auth = HTTPDigestAuth(USER, PASSWORD)
        for _ in range(POLLS):
            assert session.request(method, live.url(path), data=body).status_code == 200
    way = httpx.HTTPTransport(local_address=elsewhere())
    wrong = httpx.DigestAuth(USER, "another")
    with httpx.Client(auth=wrong, transport=way, timeout=PATIENCE) as client:
        assert client.request(method, live.url(path), content=body).status_code == 401


def curl(*arguments: str) -> tuple[int, str]:
    """Status and body."""
    assert CURL
    ran = subprocess.run(
        [CURL, "--silent", "--show-error", "--max-time", "30", "-w", "\n%{http_code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    body, _, status = ran.stdout.rpartition("\n")
    return int(status), body


needs_curl = pytest.mark.skipif(
    not CURL and os.environ.get("CI") != "true", reason="needs curl (Debian: apt install curl)"
)


@needs_curl
def test_curl(live: Live, tmp_path: Path) -> None:
    sent = tmp_path / "ruuvi.json"
    key = ("-H", f"Authorization: Bearer {READ}")
    key_rw = ("-H", f"Authorization: Bearer {WRITE}")
    status, body = curl(*key, live.url("/ruuvi.json"))
    assert status == 200
    sent.write_text(body)
    # What was read can be given back, by the command of Ruuvi's manual: curl calls it a form.
    assert curl(*key_rw, "-d", f"@{sent}", live.url("/ruuvi.json")) == (200, "{}")
    other = ("--interface", elsewhere())
    assert curl(*other, *key, "-d", f"@{sent}", live.url("/ruuvi.json"))[0] == 401
    assert curl(*key, live.url("/ruuvi.json")) == (200, body)

    live.protect("lan_auth_digest")
    for user, expected in ((f"{USER}:{PASSWORD}", 200), (f"{USER}:another", 401)):
        as_user = ("--interface", elsewhere(), "--digest", "-u", user)
        assert curl(*as_user, live.url("/history"))[0] == expected
        assert curl(*as_user, live.url("/history?time=3&decode=false"))[0] == expected
        assert curl(*as_user, "-d", f"@{sent}", live.url("/ruuvi.json"))[0] == expected
        assert (
            curl("--interface", elsewhere(), "--anyauth", "-u", user, live.url("/metrics"))[0]
            == expected
        )

    from base64 import b64encode

    encoded = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    live.post(lan_auth_type="lan_auth_basic", lan_auth_user=USER, lan_auth_pass=encoded)
    assert curl("--basic", "-u", f"{USER}:{PASSWORD}", live.url("/history"))[0] == 200
    other = ("--interface", elsewhere())
    assert curl(*other, "--basic", "-u", f"{USER}:another", live.url("/history"))[0] == 401
    assert curl("--anyauth", "-u", f"{USER}:{PASSWORD}", live.url("/history"))[0] == 200
    # A large body, for which it waits to be told to go on.
    large = tmp_path / "large.json"
    large.write_text(json.dumps({"unknown": "x" * 9000}))
    basic = ("--basic", "-u", f"{USER}:{PASSWORD}")
    expect = ("-H", "Expect: 100-continue", "--expect100-timeout", "25")
    assert curl(*basic, *expect, "-d", f"@{large}", live.url("/ruuvi.json"))[0] == 200


# -- Prometheus


def test_the_parser_of_prometheus(live: Live) -> None:
    text = get(live.url("/metrics"), headers=bearer(READ)).text
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    by_name = {s.name for s in samples}
    assert "ruuvigw_received_advertisements" in by_name
    assert len([s for s in samples if s.name.startswith("ruuvigw_")]) == 14
    assert len({(s.name, *sorted(s.labels.items())) for s in samples}) == len(samples)


needs_prometheus = pytest.mark.skipif(
    not (PROMTOOL and PROMETHEUS) and os.environ.get("CI") != "true",
    reason="needs promtool and prometheus (Debian: apt install prometheus)",
)


@needs_prometheus
@pytest.mark.parametrize("path", ["/metrics", "/metrics?readings=true"])
def test_promtool(live: Live, path: str) -> None:
    text = get(live.url(path), headers=bearer(READ)).text
    ran = subprocess.run(
        [PROMTOOL or "", "check", "metrics"], input=text, capture_output=True, text=True
    )
    ours = [line for line in ran.stderr.splitlines() if not line.startswith("ruuvigw_")]
    assert ours == [], "the gateway's own lines have no HELP; ours have to be in order"
    assert ran.returncode in (0, 3), ran.stderr


@needs_prometheus
def test_prometheus(live: Live, tmp_path: Path) -> None:
    configuration = {
        "scrape_configs": [
            {
                "job_name": "ruuvi",
                "scrape_interval": "1s",
                "authorization": {"credentials": READ},
                "static_configs": [{"targets": [live.at]}],
            }
        ]
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML
    at = f"127.0.0.1:{free_port()}"
    options = (f"--web.listen-address={at}", f"--storage.tsdb.path={tmp_path / 'data'}")
    with Program(
        PROMETHEUS or "", f"--config.file={tmp_path / 'prometheus.yml'}", *options
    ) as prometheus:
        prometheus.wait_for("Server is ready")
        found: list[Any] = []
        while not found:  # only it can tell that it has scraped
            asked = {"query": "ruuvigw_info"}
            found = get(f"http://{at}/api/v1/query", params=asked).json()["data"]["result"]
        assert found[0]["metric"]["mac"].replace(":", "").endswith(live.name[-4:])
        (target,) = get(f"http://{at}/api/v1/targets").json()["data"]["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")


# -- RuuviBridge


class Bridge:
    """A poller by RuuviBridge's rules: it reads no status, and follows redirections. A JSON body
    with a gateway_name is a refusal, any other JSON object is a history."""

    def __init__(self, live: Live, key: str, source: str = HERE) -> None:
        self.port, self.key, self.source = live.port, key, source
        self.seen: dict[str, int] = {}

    def ask(self, path: str) -> bytes:
        with closing(HTTPConnection(HERE, self.port, source_address=(self.source, 0))) as asking:
            asking.request("GET", path, headers=bearer(self.key) if self.key else {})
            answer = asking.getresponse()
            body = answer.read()
        if location := answer.getheader("Location"):
            return self.ask(location.partition("#")[0])
        return body

    def poll(self) -> str | list[str]:
        """Who has news; or why there are none."""
        try:
            told = json.loads(self.ask("/history"))
        except ValueError:
            return "no JSON"
        if not isinstance(told, dict):
            return "no object"
        if told.get("gateway_name"):
            return "refused"
        data = told.get("data", {})
        news = []
        for address, tag in data.get("tags", {}).items():
            assert isinstance(tag["timestamp"], int)
            assert isinstance(tag["rssi"], int)
            assert re.fullmatch("(?:[0-9A-F]{2})+", tag["data"])
            if self.seen.get(address) != tag["timestamp"]:
                self.seen[address] = tag["timestamp"]
                news.append(address)
        return news


@pytest.mark.parametrize("kind", ["lan_auth_ruuvi", "lan_auth_deny", "lan_auth_digest"])
def test_ruuvi_bridge(live: Live, kind: str) -> None:
    live.protect(kind)
    wait_for_tags(live)
    bridge = Bridge(live, READ)
    assert len(bridge.poll()) == SIMULATED
    for _ in range(POLLS):
        assert isinstance(bridge.poll(), list)
    wrong = Bridge(live, "a key of long ago", elsewhere())
    assert [wrong.poll() for _ in range(POLLS)] == ["refused"] * POLLS
    assert isinstance(bridge.poll(), list)
    # Without a key it is sent to the page, which is no JSON: it would take {} for "nothing heard".
    assert Bridge(live, "").poll() in ("refused", "no JSON")


@pytest.mark.parametrize(
    ("path", "library", "is_ended"),
    [
        ("/history?time=5", "Python/3.11 aiohttp/3.14.5", False),
        ("/history?time=6", "Python/3.11 aiohttp/3.14.5", True),
        ("/history?time=5", "python-httpx/0.28.1", True),
        ("/metrics", "Python/3.11 aiohttp/3.14.5", True),
    ],
)
def test_the_redirection_that_one_client_needs(
    live: Live, path: str, library: str, is_ended: bool
) -> None:
    """Only ruuvi-gateway-client gets one without an end, as gateways send it to everybody."""
    live.protect("lan_auth_ruuvi")
    with socket.create_connection((HERE, live.port), timeout=PATIENCE) as asking:
        head = f"GET {path} HTTP/1.1\r\nHost: {live.at}\r\nUser-Agent: {library}\r\n"
        asking.sendall(f"{head}Connection: close\r\n\r\n".encode())
        told = b"".join(iter(lambda: asking.recv(65536), b""))
    assert told.startswith(b"HTTP/1.1 302 Found\r\n")
    assert b"location: /#auth\r\n" in told.lower()
    assert told.endswith(b"\r\n\r\n") is is_ended
