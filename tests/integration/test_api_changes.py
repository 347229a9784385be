"""The local API of the real program: what it changes is kept, counts, and can be undone."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from configured_host import PATIENT
from lines import run as run_async
from lines import until
from peer import SET_ALL, Peer
from programs import COMMAND, PATIENCE, Program, ruuvi_host

KEY = "the-key-of-the-test"
NOWHERE = {"use_http_ruuvi": False, "use_http_stat": False, "use_http": False}
ACCESS = {"lan_auth_api_key_rw": KEY}
ROOT = os.geteuid() == 0
PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


class Answer(NamedTuple):
    status: int
    fields: Mapping[str, str]
    """In lower case."""
    body: bytes


class ApiHost:
    """Its files, and the process that runs with them."""

    def __init__(self, folder: Path) -> None:
        self.etc, self.state = folder / "etc", folder / "state"
        self.etc.mkdir(exist_ok=True)
        self.gateway = self.etc / "gw_cfg.json"
        self.own = self.etc / "ruuvi-host.toml"
        self.program: Program | None = None
        self._url = ""

    def write(self, document: Mapping[str, Any]) -> None:
        self.gateway.write_text(json.dumps(document))
        self.gateway.chmod(0o600)

    @property
    def saved(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.gateway.read_text())
        return document

    @contextmanager
    def running(
        self,
        *options: str,
        config: bool = True,
        prefix: Sequence[str] = (),
        board: Sequence[str] = ("--simulate",),
    ) -> Iterator[Program]:
        named = ("--config", str(self.gateway)) if config else ()
        where = ("--state-dir", str(self.state), "--set", "api.listen=127.0.0.1:0")
        command = (COMMAND, "run", *board, *named, *where, *options)
        with Program(*prefix, *command) as self.program:
            self._url = self.program.wait_for(r"local API: (http://\S+/)")[1]
            yield self.program

    def ask(
        self, method: str, target: str, body: bytes | Mapping[str, Any] | None = None
    ) -> Answer:
        connection = HTTPConnection(urlsplit(self._url).netloc, timeout=30)
        data = json.dumps(body).encode() if isinstance(body, Mapping) else body
        try:
            connection.request(method, target, data, {"Authorization": f"Bearer {KEY}"})
            got = connection.getresponse()
            return Answer(
                got.status, {name.lower(): value for name, value in got.getheaders()}, got.read()
            )
        finally:
            connection.close()

    def post(self, document: Mapping[str, Any]) -> Answer:
        return self.ask("POST", "/ruuvi.json", document)

    def show(self, *options: str) -> dict[str, Any]:
        """`config show --json`: key → its value and source."""
        where = (str(self.gateway), "--state-dir", str(self.state))
        with ruuvi_host("config", "show", *where, *options, "--all", "--json") as shown:
            assert shown.wait() == 0, shown
        document: dict[str, Any] = json.loads("\n".join(shown.out))
        return document


def written(path: Path) -> tuple[int, int]:
    """Which file it is, and when it was written."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


@pytest.fixture
def host(tmp_path: Path) -> ApiHost:
    host = ApiHost(tmp_path)
    host.write(NOWHERE | ACCESS)
    return host


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_end_right_after_the_answer_loses_nothing(host: ApiHost, end: signal.Signals) -> None:
    """Nor at any other time: then it is the last one that was answered, or the one after it. And a
    change that is under way does not keep the host from ending."""
    with host.running() as program:
        answer = host.post({"coordinates": "60,25", "http_url": "http://127.0.0.1:9/a"})
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.fields["ruuvi-host-changed"] == "coordinates, http_url"
        assert (program.stop(end) == 0) == (end == signal.SIGTERM)
    assert host.saved["coordinates"] == "60,25"
    answered, enough = 0, Event()

    def change_all_the_time() -> None:
        nonlocal answered
        with suppress(OSError, HTTPException):
            while host.post({"coordinates": f"{answered + 1},0"}).status == 200:
                answered += 1
                if answered == 5:
                    enough.set()

    with host.running() as program, ThreadPoolExecutor(1) as threads:
        shown = json.loads(host.ask("GET", "/ruuvi.json").body)
        assert (shown["coordinates"], shown["http_url"]) == ("60,25", "http://127.0.0.1:9/a")
        changing = threads.submit(change_all_the_time)
        assert enough.wait(PATIENCE)
        assert (program.stop(end) == 0) == (end == signal.SIGTERM)
        changing.result()
    assert host.saved["coordinates"] in (f"{answered},0", f"{answered + 1},0")
    common = ("--config", str(host.gateway), "--state-dir", str(host.state))
    with ruuvi_host("config", "undo", *common) as undone:
        assert undone.wait() == 0, undone
    assert host.saved["coordinates"] in (f"{answered - 1},0", f"{answered},0")


def test_posts_at_the_same_time_all_count(host: ApiHost) -> None:
    """Also with the configuration read again by a signal meanwhile."""
    keys = {f"ntp_server{n}": f"{n}.example" for n in (1, 2, 3, 4)}
    keys |= {"coordinates": "1,2", "mqtt_server": "m.example", "mqtt_user": "u"}
    with host.running() as program, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(host.post, {name: value}) for name, value in keys.items()]
        for _ in range(3):
            os.kill(program.pid, signal.SIGHUP)
        assert {each.result().status for each in asked} == {200}
        shown = json.loads(host.ask("GET", "/ruuvi.json").body)
        assert {name: shown[name] for name in keys} == keys
    assert {name: host.saved[name] for name in keys} == keys


def test_what_is_fixed_stays_and_is_named(host: ApiHost) -> None:
    with host.running("--set", "coordinates=7,7"):
        answer = host.post({"coordinates": "60,25", "ntp_server1": "a.example"})
        assert answer.status == 200
        assert answer.fields["ruuvi-host-fixed"] == "coordinates"
        assert answer.fields["ruuvi-host-changed"] == "ntp_server1"
        assert json.loads(host.ask("GET", "/ruuvi.json").body)["coordinates"] == "7,7"
    assert host.saved["coordinates"] == "60,25"
    shown = host.show("--set", "coordinates=7,7")
    assert shown["coordinates"] == {"value": "7,7", "source": "--set"}
    assert shown["ntp_server1"] == {"value": "a.example", "source": str(host.gateway)}


def test_what_a_get_has_shown_can_be_posted_back(host: ApiHost) -> None:
    with host.running("--url", "http://127.0.0.1:9/x") as program:
        program.wait_for("coprocessor configured")  # who it is, is shown, too
        before = written(host.gateway)
        shown = host.ask("GET", "/ruuvi.json").body
        answer = host.ask("POST", "/ruuvi.json", shown)
        assert answer.status == 200
        assert not {name for name in answer.fields if name.startswith("ruuvi-host-")}
        assert written(host.gateway) == before
        assert host.ask("GET", "/ruuvi.json").body == shown


def test_relaying_begins_anew_only_for_what_concerns_it(host: ApiHost) -> None:
    host.write(NOWHERE | ACCESS | {"use_http": True, "http_url": "http://127.0.0.1:9/a"})
    with host.running() as program:
        begun = "custom: http://127.0.0.1:9"
        program.wait_for(begun)
        answer = host.post({"lan_auth_api_key": "another"})
        assert answer.fields["ruuvi-host-ends-access"] == "true"
        assert host.post({"coordinates": "1,1", "lan_auth_api_key": "another"}).status == 200
        assert program.wait_for(begun, 2)
        host.post({})
        host.post({"coordinates": "1,1"})
        assert program.stop() == 0
        assert len([line for line in program.err if begun in line]) == 2


def test_a_host_with_nowhere_to_send_to_runs_on(host: ApiHost) -> None:
    host.write(NOWHERE | ACCESS | {"use_http": True, "http_url": "http://127.0.0.1:9/a"})
    with host.running() as program:
        assert host.post({"use_http": False}).status == 200
        assert host.post({"ntp_use": False}).status == 200
        assert host.ask("GET", "/history").status == 200
        assert program.stop() == 0
    with host.running() as program:
        assert host.ask("GET", "/history").status == 200
        assert program.stop() == 0


def test_what_the_host_cannot_run_with_changes_nothing(host: ApiHost) -> None:
    """A simulated one must not send to Ruuvi."""
    with host.running() as program:
        before = host.gateway.read_text()
        ruuvi = {"use_http": True, "http_url": "https://network.ruuvi.com/other"}
        assert host.post(ruuvi).status == 400
        assert host.gateway.read_text() == before
        program.wait_for("simulated data is never sent to Ruuvi")
        assert host.post({"coordinates": "1,1"}).status == 200
    # A file that is broken by hand is no fault of who asks.
    with host.running() as program:
        host.own.write_text("max_sensors = 0\n")
        before = host.gateway.read_text()
        assert host.post({"coordinates": "2,2"}).status == 500
        assert host.gateway.read_text() == before
        host.own.unlink()
        assert host.post({"coordinates": "2,2"}).status == 200


def test_without_any_file(host: ApiHost) -> None:
    options = ("--url", "http://127.0.0.1:9/a", "--set", f"lan_auth_api_key_rw={KEY}")
    with host.running(*options, config=False) as program:
        assert host.post({"coordinates": "1,1"}).status == 200
        assert host.ask("POST", "/ssl_cert?file=http_srv_cert", PEM).status == 200
        assert program.stop() == 0
    assert json.loads((host.state / "gw_cfg.json").read_text())["coordinates"] == "1,1"
    assert (host.state / "files" / "http_srv_cert").read_bytes() == PEM
    with host.running(*options, config=False):
        assert json.loads(host.ask("GET", "/ruuvi.json").body)["coordinates"] == "1,1"


def test_a_file_that_cannot_be_written(host: ApiHost) -> None:
    """Then the state folder has it, and everybody says so."""
    elsewhere = host.gateway.rename(host.etc / "elsewhere.json")
    host.gateway.symlink_to(elsewhere)
    if ROOT:  # who may write everywhere follows no link in a folder of another user
        os.chown(host.etc, 1234, 1234)
    else:
        host.etc.chmod(0o500)
    try:
        with host.running():
            assert host.post({"coordinates": "1,1"}).status == 200
        with host.running():
            assert json.loads(host.ask("GET", "/ruuvi.json").body)["coordinates"] == "1,1"
        assert "coordinates" not in json.loads(elsewhere.read_text())
        shown = host.show()
        assert shown["coordinates"]["source"] == str(host.state / "gw_cfg.json")
        with ruuvi_host(
            "config", "show", str(host.gateway), "--state-dir", str(host.state)
        ) as text:
            assert text.wait() == 0
        text.wait_for(f"^{host.gateway} does not count: {host.state}/gw_cfg.json counts")
        text.wait_for("the last change was by the local API, .*: coordinates ")
    finally:
        host.etc.chmod(0o700)


def test_undo_by_the_command(host: ApiHost) -> None:
    common = ("--config", str(host.gateway), "--state-dir", str(host.state))
    with host.running() as program:
        host.post({"coordinates": "1,1"})
        host.post({"coordinates": "2,2", "ntp_server1": "a.example"})
        with ruuvi_host("config", "undo", *common, "--list") as listed:
            assert listed.wait() == 0
        assert [line.split()[-3:] for line in listed.out] == [
            ["api", "ntp_server1,", "coordinates"],
            [listed.out[1].split()[2], "api", "coordinates"],
        ]
        with ruuvi_host("config", "undo", *common) as undone:
            assert undone.wait() == 0, undone
        os.kill(program.pid, signal.SIGHUP)
        program.wait_for("configuration read again", 3)
        assert json.loads(host.ask("GET", "/ruuvi.json").body)["coordinates"] == "1,1"
    with ruuvi_host("config", "undo", *common, "3") as undone:
        assert undone.wait() == 0, undone
    assert host.saved == NOWHERE | ACCESS
    with ruuvi_host("config", "undo", *common, "9") as undone:
        assert undone.wait() == 2
        undone.wait_for("no earlier configuration of that number")


def test_a_full_disk(tmp_path: Path) -> None:
    tried = ("unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "x", str(tmp_path))
    if not shutil.which("unshare") or subprocess.run(tried, check=False).returncode:
        pytest.skip("needs unshare, and the right to mount in a namespace of one's own")
    host = ApiHost(tmp_path)
    small = tmp_path / "small"
    small.mkdir()
    fill = 'dd if=/dev/zero of="$0/full" bs=512 2>/dev/null; exec "$@"'
    mount = f'mount -t tmpfs -o size=400k,mode=700 tmpfs "$0" && exec sh -c \'{fill}\' "$0" "$@"'
    prefix = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(small))
    host.state = small
    options = ("--set", f"lan_auth_api_key_rw={KEY}")
    with host.running(*options, config=False, prefix=prefix) as program:
        answer = host.post({"coordinates": "1,1"})
        assert (answer.status, answer.body) == (500, b"{}")
        assert json.loads(host.ask("GET", "/ruuvi.json").body)["coordinates"] == ""
        program.wait_for("cannot be saved: .*No space left on device")
        Path(f"/proc/{program.pid}/root{small}/full").unlink()
        assert host.post({"coordinates": "1,1"}).status == 200
        assert program.stop() == 0


def test_files(host: ApiHost) -> None:
    with host.running() as program:
        stored = host.ask("POST", "/ssl_cert?file=http_cli_cert", PEM)
        assert (stored.status, stored.body) == (200, b"{}")
        path = host.etc / "http_cli_cert"
        assert path.read_bytes() == PEM
        assert path.stat().st_mode & 0o777 == 0o600
        assert host.ask("GET", "/extra_cfg?file=http_cli_cert").status == 403
        assert host.ask("POST", "/extra_cfg?file=http_headers", b"A: b\r\n").status == 200
        shown = host.ask("GET", "/extra_cfg?file=http_h%65aders")
        assert shown.body == b"A: b\r\n"
        assert shown.fields["content-type"] == "text/plain; charset=utf-8"
        for body in (b"", b"A: b", b"Host: x\r\n", b"no line\r\n", b"A: b\r\n\r\n", b"A: \0\r\n"):
            assert host.ask("POST", "/extra_cfg?file=http_headers", body).status == 400, body
        assert host.ask("GET", "/extra_cfg?file=http_headers").body == b"A: b\r\n"
        assert host.ask("POST", "/extra_cfg?file=http_path", b"p" * 8193).status == 413
        assert host.ask("POST", "/extra_cfg?file=http_path", b"").status == 200
        encrypted = PEM.replace(b"CERTIFICATE", b"ENCRYPTED PRIVATE KEY")
        assert host.ask("POST", "/ssl_cert?file=http_cli_key", encrypted).status == 400
        assert host.ask("POST", "/ssl_cert?file=http_cli_key", b"hello").status == 400
        assert host.ask("DELETE", "/ssl_cert?file=http_cli_key").status == 404
        assert host.ask("DELETE", "/ssl_cert?file=http_cli_cert").status == 200
        assert not path.exists()
        for target in ("/ssl_cert", "/ssl_cert?f=http_path", "/ssl_cert?file=gw_cfg_default"):
            assert host.ask("POST", target, PEM).status == 400, target
        assert host.ask("GET", "/ssl_cert?file=http_path").status in (404, 405)
        assert "hello" not in str(program)


def test_a_file_is_replaced_where_it_is(host: ApiHost) -> None:
    path = host.etc / "http_srv_cert.pem"
    path.write_bytes(b"old")
    with host.running():
        assert host.ask("POST", "/ssl_cert?file=http_srv_cert", PEM).status == 200
    assert path.read_bytes() == PEM
    assert not (host.etc / "http_srv_cert").exists()


def test_a_file_is_taken_up_with_the_next_post(host: ApiHost) -> None:
    """Also where it comes to lie in another folder than before."""
    got: Queue[str | None] = Queue()

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            got.put(self.headers["X-Test"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        wanted = ("--set", "http_use_extra_http_headers=true", "--interval", "1")
        address = ("--url", f"http://127.0.0.1:{server.server_port}/")
        access = ("--set", f"lan_auth_api_key_rw={KEY}")
        with host.running(*address, *wanted, *access, config=False) as program:
            program.wait_for("http_headers does not exist")
            for value in ("one", "two"):
                body = f"X-Test: {value}\r\n".encode()
                assert host.ask("POST", "/extra_cfg?file=http_headers", body).status == 200
                while got.get(timeout=PATIENCE) != value:
                    pass
            program.wait_for("custom: http://127.0.0.1", 2)
            begun = [line for line in program.err if "custom: http://127.0.0.1" in line]
            assert len(begun) == 2, "only another folder has to be told"
        server.shutdown()


def test_scanning_for_now(host: ApiHost) -> None:
    with host.running():
        assert host.ask("POST", "/bluetooth_scanning.json", b"x").status == 400
        assert host.ask("POST", "/bluetooth_scanning.json", b"[1]").status == 400
        before = host.gateway.read_text()
        answer = host.ask("POST", "/bluetooth_scanning.json", {"company_use_filtering": False})
        assert (answer.status, answer.body) == (200, b"{}")
        assert json.loads(host.ask("GET", "/ruuvi.json").body)["company_use_filtering"] is True
        assert host.gateway.read_text() == before


def test_settings_reach_the_coprocessor_at_once(host: ApiHost) -> None:
    """Those for now, those that are saved, and the saved ones again with any change."""

    async def main() -> None:
        async def ask(target: str, **keys: object) -> None:
            answer = await asyncio.to_thread(host.ask, "POST", target, keys)
            assert answer.status == 200

        with Peer() as peer, ExitStack() as stack:
            running = host.running("--trust-clock", board=("--port", peer.path, *PATIENT))
            await asyncio.to_thread(stack.enter_context, running)
            saved = await peer.got(SET_ALL)

            def settings() -> bytes:
                """The last ones; on a slow machine they come more than once."""
                return [payload for command, payload in peer.commands if command == SET_ALL][-1]

            await ask("/bluetooth_scanning.json", company_use_filtering=False)
            await until(lambda: settings() != saved)
            for_now = settings()
            await ask("/ruuvi.json", lan_auth_api_key="x")
            await until(lambda: settings() == saved)  # any change ends it
            await ask("/ruuvi.json", company_use_filtering=False)
            await until(lambda: settings() == for_now)
            await asyncio.to_thread(stack.close)

    run_async(main())
