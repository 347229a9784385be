"""`ruuvi-host run` over a configuration that changes, and what must never leave the house."""

import asyncio
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
from lines import run as run_async
from peer import GET_ALL, SET_ALL, Peer, frame, obliging, report, silent
from programs import Program, ruuvi_host, simulated


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
        return ruuvi_host("run", *common, *options, env=env)


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    return Configured(tmp_path)


def hang_up(host: Program) -> None:
    os.kill(host.pid, signal.SIGHUP)


def test_without_the_first_of_several_coprocessors_nothing_is_relayed(tmp_path: Path) -> None:
    """It names the gateway. Which one it is that is waited for is told."""
    own = tmp_path / "host.toml"
    with simulated() as board, serving() as server:
        ports = "/dev/absent", board.port
        own.write_text("".join(f'[[coprocessor]]\nport = "{port}"\n' for port in ports))
        with ruuvi_host(
            *("run", "--config", str(own), "--url", server.url, "--trust-clock"),
            *("--state-dir", str(tmp_path / "state")),
        ) as host:
            host.wait_for("WARNING: coprocessor /dev/absent, which names the gateway, is not there")
            assert host.stop() == 0
        assert server.requests == []


# -- reading it again -----------------------------------------------------------------------------


@pytest.mark.parametrize("times_first", [True, False])
def test_what_waits_keeps_its_kind_of_timestamps(configured: Configured, times_first: bool) -> None:
    """A running number is no time, and none becomes one when `ntp_use` changes in between."""

    async def main() -> None:
        with Peer() as peer, serving() as failing, serving() as server:
            failing.status = 500
            configured.write(custom(failing.url, http_period=1, ntp_use=times_first))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await peer.got(SET_ALL)
                peer.send(report(1))
                await asyncio.to_thread(until, lambda: failing.tags, host)
                configured.write(custom(server.url, http_period=1, ntp_use=not times_first))
                hang_up(host)
                await asyncio.to_thread(until, lambda: server.tags, host)
            (data,) = [body["data"] for _, _, body in server.requests if body["data"]["tags"]]
            (tag,) = data["tags"].values()
            now = data.get("timestamp")
            assert ("timestamp" in tag, "counter" in tag) == (times_first, not times_first)
            assert (now is not None) == times_first
            assert tag.get("counter", 0) == 0

    asyncio.run(main())


def test_a_changed_configuration_takes_over(configured: Configured) -> None:
    """Server, coordinates, filters and scan settings change, and nothing heard is lost."""

    async def main() -> None:
        with Peer() as peer, serving() as first, serving() as second:
            configured.write(custom(first.url, http_period=3600, coordinates="1,2"))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                before = await peer.got(SET_ALL)
                await asyncio.to_thread(until, lambda: first.requests, host)
                peer.send(report(1) + report(2) + frame(GET_ALL))
                await peer.got(SET_ALL, 2)  # so the reports have been taken in
                configured.write(
                    custom(
                        second.url,
                        http_period=3600,
                        coordinates="3,4",
                        company_use_filtering=False,
                        scan_filter_list=["00:00:00:00:00:03"],
                    )
                )
                hang_up(host)
                after = await peer.got(SET_ALL, 3)
                assert after != before
                await asyncio.to_thread(until, lambda: len(second.requests) >= 1, host)
                peer.send(report(3) + report(4) + frame(GET_ALL))
                await peer.got(SET_ALL, 4)
                assert await asyncio.to_thread(host.stop) == 0
            assert len([line for line in host.err if line.endswith(": opened")]) == 1, str(host)
            assert peer.noise == 0
            assert {body["data"]["coordinates"] for _, _, body in second.requests} == {"3,4"}
            tags = {f"00:00:00:00:00:0{n}" for n in (1, 2, 4)}
            assert first.tags | second.tags == tags, "of before and after, without the filtered"
            sent = [*first.nonces, *second.nonces]
            assert len(set(sent)) == len(sent)

    run_async(main())


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "not JSON"),
        ('{"use_http_ruuvi": false}', "nowhere to send to"),
        ('{"a":' * 60 + "1" + "}" * 60, "nested too deeply"),
        (None, "cannot be read: No such file"),
    ],
)
def test_with_one_that_cannot_be_used_the_old_one_stays(
    configured: Configured, document: str | None, why: str
) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.tags, host)
            if document is None:
                configured.path.unlink()
            else:
                configured.write(document)
            hang_up(host)
            host.wait_for(f"ERROR: the configuration stays as it was: .*{why}")
            seen = len(server.requests)
            until(lambda: len(server.requests) >= seen + 2, host)
            configured.write(custom(server.url, coordinates="5,6"))
            hang_up(host)
            host.wait_for("configuration read again")
            until(lambda: server.requests[-1][2]["data"]["coordinates"] == "5,6", host)
            assert host.stop() == 0
        assert "Traceback" not in str(host)
        assert len([line for line in host.err if line.endswith(": opened")]) == 1


def test_a_host_name_that_no_library_takes_is_told_and_ends_nothing(
    configured: Configured,
) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.tags, host)
            configured.write(custom("http://256.1.1.1/"))
            hang_up(host)
            host.wait_for("stays as it was: .*the address cannot be used: its host is no")
            assert host.stop() == 0


def test_many_signals_in_a_row(configured: Configured) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.tags, host)
            for number in range(100):
                hang_up(host)
                if number % 10 == 0:
                    count = number // 10 + 1
                    host.wait_for("configuration read again", count=count)
            seen = len(server.requests)
            until(lambda: len(server.requests) > seen + 2, host)
            assert host.stop() == 0
        assert len([line for line in host.err if line.endswith(": opened")]) == 1
        assert "Traceback" not in str(host)


def test_what_waits_for_a_server_survives_a_new_configuration(configured: Configured) -> None:
    async def main() -> None:
        with Peer() as peer, serving() as server:
            server.status = 503
            configured.write(custom(server.url, http_period=3600))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await peer.got(SET_ALL)
                for number in range(1, 6):
                    peer.send(report(number) + frame(GET_ALL))
                    # Once for the reboot, and once for the new configuration before.
                    await peer.got(SET_ALL, 2 * number)
                    other_scan = {"company_use_filtering": number % 2 == 0}
                    configured.write(custom(server.url, http_period=3600, **other_scan))
                    hang_up(host)
                    await peer.got(SET_ALL, 2 * number + 1)
                server.requests.clear()
                server.status = 200
                expected = {f"00:00:00:00:00:0{number}" for number in range(1, 6)}
                hang_up(host)  # the pauses between attempts begin anew
                await asyncio.to_thread(until, lambda: server.tags == expected, host)
                assert await asyncio.to_thread(host.stop) == 0
            # A post that the signal interrupts is sent again: the same batch, with its number.
            batches = {(b["data"]["nonce"], *b["data"]["tags"]) for _, _, b in server.requests}
            assert len(batches) == len(set(server.nonces))
            assert len([line for line in host.err if line.endswith(": opened")]) == 1

    run_async(main())


def test_a_signal_before_the_coprocessor_is_known(configured: Configured) -> None:
    async def main() -> None:
        with Peer(answers=silent) as peer, serving() as server:
            configured.write(custom(server.url))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await asyncio.to_thread(host.wait_for, ": opened")
                for count in (1, 2):
                    hang_up(host)
                    await asyncio.to_thread(host.wait_for, "configuration read again", count)
                peer.answers = obliging
                await asyncio.to_thread(until, lambda: server.requests, host)
                assert await asyncio.to_thread(host.stop) == 0

    run_async(main())


def test_a_signal_on_the_way_out_does_not_end_it_early(configured: Configured) -> None:
    async def main() -> None:
        with Peer() as peer, ruuvi_host("receive", "--port", "0", "--json", "--hang") as receiver:
            url = await asyncio.to_thread(receiver.wait_for, r'"listening": "(.*?)"')
            configured.write(custom(url[1]))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await peer.got(SET_ALL)
                peer.send(report(1) + frame(GET_ALL))
                await peer.got(SET_ALL, 2)
                os.kill(host.pid, signal.SIGTERM)
                for _ in range(50):
                    hang_up(host)
                    await asyncio.sleep(0)
                assert await asyncio.to_thread(host.wait) == 0
                assert any("kept for the next run" in line for line in host.err), str(host)

    run_async(main())


@pytest.mark.parametrize("turn", range(5))
def test_a_new_configuration_and_the_end_at_once(configured: Configured, turn: int) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.requests, host)
            hang_up(host)
            if turn:
                host.wait_for("configuration read again")
            assert host.stop() == 0


def test_settings_that_wait_for_the_next_start_are_told(configured: Configured) -> None:
    own = configured.path.with_name("ruuvi-host.toml")
    with serving() as server, simulated() as board:
        own.write_text(f'trust_clock = true\n[[coprocessor]]\nport = "{board.port}"\n')
        configured.write(custom(server.url))
        with configured.run() as host:
            until(lambda: server.tags, host)
            own.write_text('trust_clock = true\n[[coprocessor]]\nport = "/dev/other"\n')
            hang_up(host)
            host.wait_for(r"WARNING: other settings in \[\[coprocessor\]\] count from the next")
            assert host.stop() == 0


def test_the_end_while_a_new_configuration_begins_loses_nothing(configured: Configured) -> None:
    """Between the old relays and the new ones, where what waits is on its way to the disk."""
    for _ in range(4):
        with serving() as server:
            configured.write(custom(server.url))
            with configured.run("--simulate") as host:
                until(lambda: server.tags, host)
                hang_up(host)
                host.wait_for("configuration read again")
                assert host.stop() == 0, host
                assert not [line for line in host.err if "ERROR" in line], host


# -- what must never leave the house --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["basic", "bearer", "token", "api_key"])
def test_url_sends_no_secret_of_another_server(configured: Configured, kind: str) -> None:
    document = custom(
        "http://127.0.0.1:9/",
        http_auth=kind,
        http_user="MARK",
        http_pass="MARK",
        http_bearer_token="MARK",
        http_api_key="MARK",
        http_use_extra_http_headers=True,
        http_use_extra_http_query=True,
    )
    configured.write(document)
    configured.path.with_name("http_headers").write_text("X-Secret: MARK\r\n")
    configured.path.with_name("http_query").write_text("MARK")
    with (
        serving() as server,
        configured.run(
            *("--simulate", "--url", server.url, "--set", f"http_auth={kind}"),
            env={"RUUVI_HOST_HTTP_PASS": "MARK", "RUUVI_HOST_HTTP_BEARER_TOKEN": "MARK"},
        ) as host,
    ):
        until(lambda: server.requests, host)
        hang_up(host)
        host.wait_for("configuration read again")
        seen = len(server.requests)
        until(lambda: len(server.requests) > seen, host)
        assert host.stop() == 0
        assert "MARK" not in str(server.requests)
        assert not any("authorization" in headers for _, headers, _ in server.requests)
        assert "MARK" not in str(host).partition("\n")[2]


RUUVI = "https://network.ruuvi.com/record"


@pytest.mark.parametrize(
    ("document", "options"),
    [
        ({}, ()),
        ({"use_http": True, "http_url": RUUVI}, ()),
        ({"use_http": True, "http_url": RUUVI, "http_auth": "basic"}, ()),
        ({"use_http": True, "http_url": "https://RUUVI.com.:443/x"}, ()),
        ({"use_http": True, "http_url": "https://network.\uff52uuvi.com/x"}, ()),
        (custom("http://127.0.0.1:9/"), ("--url", RUUVI)),
        (custom("http://127.0.0.1:9/"), ("--set", f"http_url={RUUVI}")),
        (
            custom("http://127.0.0.1:9/"),
            ("--url", "http://127.0.0.1:9/", "--set", f"http_url={RUUVI}"),
        ),
    ],
)
def test_simulated_data_has_no_way_to_ruuvi(
    configured: Configured, document: dict[str, Any], options: tuple[str, ...]
) -> None:
    configured.write(document)
    with configured.run("--simulate", *options) as host:
        assert host.wait() == 2, str(host)
        assert "Traceback" not in str(host)


def test_simulated_data_does_not_go_to_ruuvi_beside_another_server(
    configured: Configured,
) -> None:
    with serving() as server:
        # Ruuvi Cloud and its statistics are on: as a gateway is sold, with a server of one's own.
        configured.write({"use_http": True, "http_url": server.url, "http_period": 1})
        with configured.run("--simulate", env={"RUUVI_HOST_USE_HTTP_STAT": "true"}) as host:
            until(lambda: server.tags, host)
            hang_up(host)
            host.wait_for("configuration read again")
            seen = len(server.requests)
            until(lambda: len(server.requests) > seen + 1, host)
            configured.write({"use_http": True, "http_url": "https://station.ruuvi.com/x"})
            hang_up(host)
            host.wait_for("stays as it was: --simulate: simulated data is never sent to Ruuvi")
            assert host.stop() == 0
        assert "network.ruuvi.com" not in str(host)
        assert "statistics:" not in str(host)


@pytest.mark.parametrize("location", ["http://network.ruuvi.com/record", "//ruuvi.com./", RUUVI])
def test_a_redirect_to_ruuvi_is_not_followed(configured: Configured, location: str) -> None:
    with serving() as server:
        server.status, server.headers = 307, {"Location": location}
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            host.wait_for("redirected to Ruuvi")
            assert host.stop() == 0


def test_statistics_of_a_simulated_host_go_to_other_servers_only(configured: Configured) -> None:
    with serving() as server:
        document = custom(server.url, use_http_stat=True, http_stat_url=server.url + "status")
        configured.write(document)
        with configured.run("--simulate") as host:
            until(lambda: any(path == "/status" for path, _, _ in server.requests), host)
            configured.write(document | {"http_stat_url": "https://x.\uff52uuvi.com/status"})
            hang_up(host)
            host.wait_for("configuration read again|stays as it was")
            assert host.stop() == 0
        assert "ruuvi.com" not in str(host)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (custom("x"), "http_url: the address must begin with http"),
        (custom("x", http_url=17), "http_url: the address must begin with http"),
        (custom("http://127.0.0.1:9/", use_http="yes"), "use_http = yes: must be true or false"),
        (
            custom("http://127.0.0.1:9/", http_auth="bearer", http_bearer_token="MARK\r\nX: y"),
            "http_bearer_token: must be printable ASCII",
        ),
    ],
)
@pytest.mark.parametrize("options", [(), ("--interval", "1")])
def test_a_gateways_file_without_a_usable_target_never_keeps_the_host_from_running(
    configured: Configured, document: dict[str, Any], why: str, options: tuple[str, ...]
) -> None:
    configured.write(document)
    with configured.run("--simulate", *options) as host:
        host.wait_for(f"ERROR: .*{why}")
        host.wait_for("ERROR: no target can be used: nothing is sent")
        host.wait_for("coprocessor configured")
        with ruuvi_host("status", "--state-dir", str(configured.state)) as status:
            status.wait()
        assert why.partition(": ")[2] in str(status)
        with serving() as server:
            configured.write(custom(server.url))
            hang_up(host)
            until(lambda: server.tags, host)
        assert host.stop() == 0
    assert "Traceback" not in str(host)
    assert "MARK" not in str(host)


# -- wrong from the start: one sentence each, the right code --------------------------------------


@pytest.mark.parametrize(
    ("document", "options", "code", "sentences"),
    [
        ("{", ("--simulate",), 2, ["not JSON"]),
        ({"use_http_ruuvi": False}, ("--simulate",), 2, ["nowhere to send to"]),
        (
            custom("http://127.0.0.1:9/"),
            (
                "--simulate",
                "--set",
                "http_perod=1",
                "--set",
                "max_sensors=0",
                "--set",
                "log.level=x",
            ),
            2,
            ["is http_period meant?", "max_sensors = 0", "log.level = x"],
        ),
        (custom("http://127.0.0.1:9/"), ("--simulate", "--set", "x"), 2, ["KEY=VALUE"]),
        (custom("http://127.0.0.1:9/"), (), 2, ["--port: name the port"]),
        (custom("http://127.0.0.1:9/"), ("--port", "/nonexistent"), 3, ["no such port"]),
    ],
)
def test_exit_codes(
    configured: Configured,
    document: dict[str, Any] | str,
    options: tuple[str, ...],
    code: int,
    sentences: list[str],
) -> None:
    configured.write(document)
    with configured.run(*options) as host:
        assert host.wait() == code, str(host)
    text = "\n".join(host.err)
    for sentence in sentences:
        assert sentence in text
    assert "Traceback" not in text
    assert "MARK" not in text
