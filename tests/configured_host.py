"""A host with a configuration that a test changes, and servers that keep what they are sent."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from programs import Program, ruuvi_host


class Server(ThreadingHTTPServer):
    """Keeps every request. `status` is what it answers, with `headers`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        """(path, headers in lower case, body)."""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.url = f"http://127.0.0.1:{self.server_port}/"

    @property
    def nonces(self) -> list[int]:
        return [body["data"]["nonce"] for _, _, body in self.requests]

    @property
    def tags(self) -> set[str]:
        return {address for _, _, body in self.requests for address in body["data"]["tags"]}


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path, headers, json.loads(body)))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def until(condition: Any, what: Program) -> None:
    """Wait in a thread of our own until `condition()` holds."""
    from time import monotonic, sleep

    limit = monotonic() + 30
    while not condition():
        assert monotonic() < limit, str(what)
        sleep(0.005)


def custom(url: str, **more: Any) -> dict[str, Any]:
    base = {"use_http_ruuvi": False, "use_http_stat": False, "use_http": True, "http_url": url}
    return base | {"http_period": 1} | more


PATIENT = ("--set", "coprocessor.ack_timeout=20")
"""On a busy machine a command would be sent twice, and the tests count what comes."""


class Configured:
    """A gw_cfg.json and a program that runs with it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gw_cfg.json"
        self.state = folder / "state"

    def write(self, document: Mapping[str, Any] | str) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        self.path.write_text(text)
        self.path.chmod(0o600)

    def run(self, *options: str, env: Mapping[str, str] | None = None) -> Program:
        common = ("--config", str(self.path), "--state-dir", str(self.state))
        return ruuvi_host("run", *common, *options, *PATIENT, env=env)


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    return Configured(tmp_path)


def hang_up(host: Program) -> None:
    os.kill(host.pid, signal.SIGHUP)
