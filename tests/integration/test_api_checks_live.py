"""Checks asked of a running host: who may, and that relaying goes on meanwhile."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from asking import query
from posting import OK, Server, answering
from programs import PATIENCE, Program, ruuvi_host

READER, WRITER = "reader-key", "writer-key"
SECRET = "s3cret-of-ours"


class Relay(ThreadingHTTPServer):
    """The server of a host. Posts to /hang are answered when they are released."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.batches = self.hanging = 0
        self.released = threading.Event()
        self.news = threading.Condition()

    def until(self, condition: Callable[[], bool]) -> None:
        """Until `condition` holds; looked at after each post."""
        with self.news:
            assert self.news.wait_for(condition, PATIENCE)


class _Handler(BaseHTTPRequestHandler):
    server: Relay

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        hangs = self.path == "/hang"
        with self.server.news:
            self.server.hanging += hangs
            self.server.batches += not hangs
            self.server.news.notify_all()
        if hangs:
            self.server.released.wait(PATIENCE)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Running:
    """A host that relays, with its API."""

    program: Program
    url: str
    relay: Relay
    """Its own server."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("checks")
    config = folder / "gw_cfg.json"
    with Relay() as relay:
        threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True).start()
        document = {
            "use_http_ruuvi": False,
            "use_http_stat": False,
            "use_http": True,
            "http_url": relay.url,
            "http_period": 1,
            "http_auth": "bearer",
            "http_bearer_token": SECRET,
            "lan_auth_type": "lan_auth_deny",
            "lan_auth_api_key": READER,
            "lan_auth_api_key_rw": WRITER,
        }
        config.write_text(json.dumps(document))
        config.chmod(0o600)
        common = ("--config", str(config), "--state-dir", str(folder / "state"))
        listen = ("--set", "api.listen=127.0.0.1:0")
        with ruuvi_host("run", "--simulate", "--debug", *common, *listen) as program:
            url = program.wait_for(r"local API: (http://\S+)/")[1]
            yield Running(program, url, relay)
            assert program.stop() == 0
        relay.shutdown()
        for line in program.err:
            for private in (SECRET, READER, WRITER, "validate_type"):
                assert private not in line


def check(url: str, **more: str) -> str:
    given = {"validate_type": "check_post_advs", "url": url, "auth_type": "none"} | more
    return f"/validate_url?{query(**given)}"


async def get(running: Running, target: str, key: str = WRITER, **headers: str) -> httpx.Response:
    """headers: with _ in place of -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        given["Authorization"] = f"Bearer {key}"
    async with httpx.AsyncClient(trust_env=False, timeout=2 * PATIENCE) as client:
        return await client.get(running.url + target, headers=given)


def test_who_may(running: Running) -> None:
    async def main() -> None:
        async with answering(OK) as other:
            target = check(other.url())
            statuses = [
                (await get(running, target, READER)).status_code,
                (await get(running, target, "")).status_code,
                (await get(running, target, "", Origin="http://evil.test")).status_code,
            ]
            assert statuses == [401, 403, 403]
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
                answer = await client.post(
                    running.url + "/host/check",
                    headers={"Authorization": f"Bearer {READER}"},
                    json={"target": "custom", "config": {"http_url": other.url()}},
                )
                assert answer.status_code == 401
            assert not other.requests

    asyncio.run(main())


def test_its_own_server_may_be_checked_and_others_on_this_machine_not(running: Running) -> None:
    async def main() -> None:
        saved = {"auth_type": "bearer", "use_saved_password": "true"}
        answer = await get(running, check(running.relay.url, **saved))
        assert answer.json() == {"status": 200, "message": "{}"}
        async with answering(OK) as other:
            for host in ("127.0.0.1", "localhost", "[::1]"):
                url = Server("http", other.port, host).url()
                for target in (check(url), check(url, validate_type="check_file")):
                    answer = await get(running, target)
                    assert answer.status_code == 200
                    assert answer.json()["status"] == 400
            assert not other.requests

    asyncio.run(main())


def test_the_page_has_its_own_way(running: Running) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            client.headers["Authorization"] = f"Bearer {WRITER}"
            answer = await client.post(running.url + "/host/check", json={"target": "custom"})
            assert answer.json()["ok"], answer.content
            answer = await client.post(running.url + "/host/check", json={"target": "ruuvi"})
            assert "simulated" in answer.json()["message"]
            answer = await client.post(running.url + "/host/check", content=b"x")
            assert (answer.status_code, answer.content) == (400, b"{}")

    asyncio.run(main())


def test_relaying_goes_on_while_a_server_does_not_answer_a_check(running: Running) -> None:
    relay = running.relay

    async def main() -> None:
        asked = [asyncio.create_task(get(running, check(relay.url + "/hang"))) for _ in range(4)]
        await asyncio.to_thread(relay.until, lambda: relay.hanging == 4)
        assert (await get(running, check(relay.url))).status_code == 503
        before = relay.batches
        await asyncio.to_thread(relay.until, lambda: relay.batches >= before + 3)
        assert not any(each.done() for each in asked)
        relay.released.set()
        for each in asked:
            assert (await each).json() == {"status": 200, "message": "{}"}

    asyncio.run(main())
