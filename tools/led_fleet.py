"""Real hosts led by one folder: a good change, a bad file, one that cuts off, a server that dies.

    python tools/led_fleet.py [--hosts N] [--trial SECONDS]

Each host is `ruuvi-host run` with a simulated board of its own; the folder is served by
`ruuvi-host receive --gw-cfg`, to which they also post. What each host's status says is compared
after every step. Exit status: 0 when all is as it should be, 1 when not.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import httpx

from ruuvi_host.monitoring.socket import ask
from ruuvi_host.simulator.board import Board

COMMAND = str(Path(sys.executable).with_name("ruuvi-host"))
PATIENCE = 60.0
"""Seconds until something is given up."""


class WrongError(Exception):
    """A host is not as it should be."""


class Process:
    """A program and its log. A context manager: nothing stays behind."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log
        with log.open("ab") as file:
            self._popen = subprocess.Popen(
                [COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def end(self, number: int) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(number)
        self._popen.wait(PATIENCE)

    def says(self, pattern: str) -> re.Match[str]:
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(re.finditer(pattern, self._log.read_text("utf-8", "replace")))
            return bool(found)

        until(look, f"{self._log.name} does not say {pattern}")
        return found[0]


def until(true: Callable[[], object], otherwise: str) -> None:
    """Asks again and again. Raises WrongError."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise WrongError(otherwise)
        time.sleep(0.05)


class Server:
    """Serves the folder, and takes batches. It can be killed and started again."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.files = folder / "gw"
        self.files.mkdir()
        self._log, self._stack = folder / "server.log", stack
        self._port = "0"
        self.start()
        self._port = self._process.says(r"Listening on http://127.0.0.1:(\d+)/")[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        options = ("receive", "--port", self._port, "--gw-cfg", str(self.files))
        self._process = self._stack.enter_context(Process(self._log, *options))

    def answers(self) -> None:
        with httpx.Client(trust_env=False) as client:

            def look() -> bool:
                try:
                    return client.get(self.url).status_code == 200
                except httpx.TransportError:
                    return False

            until(look, "the server does not answer")

    def die(self) -> None:
        self._process.end(signal.SIGKILL)

    def good(self, **others: Any) -> dict[str, Any]:
        return {
            "remote_cfg_use": True,
            "remote_cfg_url": f"{self.url}/",
            "use_http_ruuvi": False,
            "use_http_stat": False,
            "use_http": True,
            "http_url": f"{self.url}/record",
            "http_period": 1,
            "lan_auth_type": "lan_auth_allow",
            **others,
        }

    def put(self, document: dict[str, Any], name: str = "gw_cfg.json") -> None:
        """In one step, as the page says."""
        new = self.files / "new"
        new.write_text(json.dumps(document))
        os.replace(new, self.files / name)


class Host:
    """One real host with a board of its own."""

    def __init__(
        self, number: int, folder: Path, server: Server, trial: int, stack: ExitStack
    ) -> None:
        self.own = f"{Board(tags=0, seed=number).device.addr.hex().upper()}.json"
        self.state, board = folder / "state", folder / "board"
        folder.mkdir()
        self._file, self._socket = folder / "gw_cfg.json", folder / "api.sock"
        self._file.write_text(json.dumps(server.good()))
        (folder / "ruuvi-host.toml").write_text(
            f'[api]\nlisten = "unix:{self._socket}"\n'
            f"[remote_configuration]\nsplay_s = 0\ntrial_s = {trial}\n"
        )
        options = ("--seed", str(number), "--tags", "3", "--link", str(board))
        simulator = stack.enter_context(Process(folder / "board.log", "simulate", *options))
        simulator.says("/dev/pts|board")
        until(board.exists, "the board is not there")
        self.process = stack.enter_context(
            Process(
                *(folder / "host.log", "run", "--port", str(board), "--trust-clock"),
                *("--config", str(self._file), "--state-dir", str(self.state)),
            )
        )

    def status(self) -> dict[str, Any]:
        try:
            document = ask(self.state)
        except (OSError, ValueError):
            return {}
        return document["configuration"] if document else {}

    def until(self, what: str, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Its status, as soon as `true` of it. Raises WrongError."""
        last: dict[str, Any] = {}

        def look() -> object:
            last.clear()
            last.update(self.status())
            return last and true(last)

        try:
            until(look, "")
        except WrongError:
            raise WrongError(f"{self.own}: not {what}: {json.dumps(last)}") from None
        return last

    def fetch(self) -> dict[str, Any]:
        transport = httpx.HTTPTransport(uds=str(self._socket))
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            answer: dict[str, Any] = client.post("http://localhost/gw_cfg_download").json()
            return answer

    def saved(self, key: str) -> object:
        return json.loads(self._file.read_text())[key]


def expect(true: object, what: str) -> None:
    if not true:
        raise WrongError(what)


def led(hosts: list[Host], server: Server) -> None:
    """All steps. Raises WrongError."""
    for host in hosts:
        host.until("fetched", lambda c: c["fetch"] and c["fetch"]["result"] == "applied")
        host.process.says("custom: batches are accepted")  # else a trial would not ask for it
    first = {host.status()["hash"] for host in hosts}
    expect(len(first) == 1, f"hosts differ: {first}")
    print(f"started:       {len(hosts)} hosts have {first.pop()}")

    server.put(server.good(coordinates="60,25"))
    expect(all(h.fetch() == {"status": 200, "message": ""} for h in hosts), "a good change")
    good = {host.status()["hash"] for host in hosts}
    expect(len(good) == 1, f"hosts differ: {good}")
    expect(all(host.saved("coordinates") == "60,25" for host in hosts), "not saved")
    print(f"good change:   {len(hosts)} hosts have {next(iter(good))}")

    server.put(server.good(coordinates="1,1", mqtt_port=99999))
    reasons = {host.fetch()["message"] for host in hosts}
    expect(len(reasons) == 1 and "mqtt_port" in next(iter(reasons)), f"reasons: {reasons}")
    for host in hosts:
        told = host.status()
        expect(told["fetch"]["result"] == "refused" and told["hash"] in good, f"{told}")
    print(f"bad file:      refused by {len(hosts)}: {next(iter(reasons))}")

    dead = server.good(coordinates="2,2", http_url="http://127.0.0.1:9/record")
    server.put(dead)
    for host in hosts:
        host.fetch()
        told = host.until("on trial", lambda c: c["trial"])
    for host in hosts:
        told = host.until("rolled back", lambda c: c["trial"] and "rolled_back" in c["trial"])
        expect(told["hash"] in good, f"another configuration: {told}")
        expect(host.saved("coordinates") == "60,25", "not put back")
    print(f"cuts off:      rolled back by {len(hosts)}: {told['trial']['reason']}")

    server.put(server.good(coordinates="3,3"))
    half = hosts[: len(hosts) // 2]
    for host in half:
        expect(host.fetch()["status"] == 200, "the first half")
    server.die()
    for host in hosts[len(half) :]:
        expect(host.fetch()["status"] == 502, "a server that is away")
        told = host.status()
        expect(told["fetch"]["result"] == "unreachable" and told["hash"] in good, f"{told}")
    server.start()
    server.answers()
    for host in hosts:
        host.fetch()
        told = host.until("as the others", lambda c: c["hash"] not in good)
        expect(host.saved("coordinates") == "3,3", "not saved")
    print(f"server died:   {len(half)} had it, then {len(hosts)} have {told['hash']}")

    canary, others = hosts[0], hosts[1:]
    server.put(server.good(coordinates="4,4"), canary.own)
    for host in hosts:
        expect(host.fetch()["status"] == 200, "a canary")
    expect(canary.saved("coordinates") == "4,4", "the canary has not got its file")
    expect(all(host.saved("coordinates") == "3,3" for host in others), "others have it, too")
    print(f"canary:        1 host has its own file, {len(others)} that for all")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=5)
    parser.add_argument("--trial", type=int, default=5, help="seconds")
    given = parser.parse_args()
    with TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        server = Server(folder, stack)
        server.put(server.good(coordinates="0,0"))
        try:
            hosts = [
                Host(number, folder / f"host{number}", server, given.trial, stack)
                for number in range(1, given.hosts + 1)
            ]
            led(hosts, server)
        except WrongError as error:
            print(f"WRONG: {error}")
            for log in sorted(folder.rglob("*.log")):
                print(f"--- {log.parent.name}/{log.name}\n{log.read_text('utf-8', 'replace')}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
