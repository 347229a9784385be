"""`ruuvi-host run` as a user runs it: real processes, a real pty, real servers."""

import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from programs import COMMAND, Program, ruuvi_host, simulated
from tcp_ports import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


@contextmanager
def receiver(*options: str, port: int = 0) -> Iterator[tuple[Program, str]]:
    with ruuvi_host(
        "receive", "--port", str(port), "--json", "--simulated", "1", *options
    ) as program:
        url = program.wait_for(r'"listening": "(.*?)"')[1]
        yield program, url


def batches(program: Program) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, program.out) if "nonce" in line]


def run(state: str, *options: str) -> Program:
    return ruuvi_host("run", "--state-dir", state, *options)


def test_the_main_job(state: str) -> None:
    with receiver() as (server, url), run(state, "--simulate", "--url", url) as host:
        server.wait_for('"tags": 0,.*"signature": "ok"')  # at once, before anything was heard
        host.wait_for("batches are accepted")
        host.wait_for("coprocessor configured")
        assert host.stop() == 0
        assert host.err[-1].split(" ", 1)[1].startswith("accounting: custom, reports in batches")
    with (
        receiver() as (server, url),
        run(state, "--simulate", "--url", url, "--interval", "1") as host,
    ):
        batch = json.loads(server.wait_for(r'.*"accepted".*"tags": [1-9].*').string)
        assert batch["signature"] == "ok"
        assert host.stop(signal.SIGINT) == 0


@contextmanager
def in_terminal(*command: str) -> Iterator[tuple[Program, Callable[[], None]]]:
    """A program in a terminal of its own; and what closes that."""
    window, terminal = os.openpty()
    try:
        with Program("setsid", "--ctty", *command, stdin=terminal) as program:
            os.close(terminal)
            try:
                yield program, lambda: os.close(window)
            finally:  # also what a shell has left behind
                with suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
    except BaseException:
        with suppress(OSError):
            os.close(window)
        raise


@pytest.mark.parametrize("shell", [(), ("sh", "-c", '"$@"; exit $?', "sh")])
def test_a_closed_terminal_stops_it(state: str, shell: tuple[str, ...]) -> None:
    run = (COMMAND, "run", "--state-dir", state, "--simulate", "--url", "http://127.0.0.1:9/")
    with in_terminal(*shell, *run) as (host, close):
        host.wait_for("coprocessor configured")
        close()
        host.wait_for("the terminal is closed")
        host.wait_for("accounting: custom, batches")
        assert host.wait() == (-signal.SIGHUP if shell else 0)  # the shell's own, that is


def test_a_closed_terminal_is_no_reason_with_nohup(state: str) -> None:
    run = (COMMAND, "run", "--state-dir", state, "--simulate", "--url", "http://127.0.0.1:9/")
    with in_terminal("nohup", *run) as (host, close):
        host.wait_for("coprocessor configured")
        close()
        host.wait_for("configuration read again")
        assert host.stop() == 0


def test_the_last_batch_is_delivered_at_the_stop(state: str) -> None:
    with (
        simulated("--rate", "200") as board,
        receiver() as (server, url),
        run(
            state, "--port", board.port, "--trust-clock", "--url", url, "--interval", "3600"
        ) as host,
    ):
        server.wait_for('"accepted"')
        host.wait_for("coprocessor configured")
        # An hour until the next beat: what comes now comes because of the stop.
        board.wait_for("configured")
        wait_until_received(state)
        assert host.stop() == 0
        _, last = batches(server)
        assert last["tags"] > 0
        assert not list(Path(state).glob("custom*")), "nothing is left to be delivered"


def wait_until_received(state: str) -> None:
    """Until the host has received a report: there is no log line for that, but it can be asked."""
    document = {"intake": {"reports": 0}}
    while not document["intake"]["reports"]:
        with ruuvi_host("status", "--json", "--state-dir", state) as asked:
            assert asked.wait() == 0, str(asked)
            document = json.loads(asked.out[0])


def test_a_server_that_is_down_costs_nothing(state: str) -> None:
    """Batches wait, also over a stop of the host, and arrive in the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with run(state, "--simulate", "--url", url, "--interval", "1") as host:
        host.wait_for("not delivered")
        wait_until_received(state)
        assert host.stop() == 0
        host.wait_for("kept for the next run: batches [1-9]")
    kept = Path(state) / "custom.spool"
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(kept)) as spool:
        nonces = {nonce for (nonce,) in spool.execute("SELECT nonce FROM batch")}
    with (
        receiver(port=port) as (server, url),
        run(state, "--simulate", "--url", url, "--interval", "3600") as host,
    ):
        for nonce in nonces:
            server.wait_for(f'"accepted".*"nonce": {nonce},')
        assert host.stop() == 0
    assert not kept.exists()


def test_an_outage_while_it_runs(state: str) -> None:
    with (
        receiver("--fail-first", "3") as (_, url),
        run(state, "--simulate", "--url", url, "--interval", "1") as host,
    ):
        host.wait_for("not delivered .*status 503")
        host.wait_for("batches are accepted after 3 failed attempts")
        assert host.stop() == 0
        assert len([line for line in host.err if "not delivered" in line]) == 1


@pytest.mark.parametrize("option", ["--hang", "--delay=3600"])
def test_a_server_that_does_not_answer_cannot_delay_the_stop(state: str, option: str) -> None:
    with (
        receiver(option) as (_, url),
        run(state, "--simulate", "--url", url, "--interval", "1") as host,
    ):
        host.wait_for("coprocessor configured")
        assert host.stop() == 0


def test_two_signals_end_it_at_once(state: str) -> None:
    with receiver("--hang") as (_, url), run(state, "--simulate", "--url", url) as host:
        host.wait_for("coprocessor configured")
        os.kill(host.pid, signal.SIGINT)
        assert host.stop(signal.SIGTERM) in (0, 128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_unplug_and_plug_in_again(state: str, tmp_path: Path) -> None:
    link = tmp_path / "board"
    with (
        receiver() as (server, url),
        simulated(link=link) as board,
        simulated() as spare,
    ):
        options = ("--port", board.port, "--url", url, "--interval", "1", "--trust-clock")
        with run(state, *options) as host:
            server.wait_for('"accepted".*"tags": [1-9]')
            assert board.stop() == 0
            host.wait_for("lost")
            link.symlink_to(spare.port)
            host.wait_for("coprocessor configured", count=2)
            server.wait_for('"accepted".*"tags": [1-9]', count=3)
            assert host.stop() == 0


def test_a_second_instance_needs_a_state_directory_of_its_own(state: str, tmp_path: Path) -> None:
    with receiver() as (_, url), run(state, "--simulate", "--url", url) as host:
        host.wait_for("coprocessor configured")
        with run(state, "--simulate", "--url", url) as second:
            assert second.wait() == 2
            assert f"process {host.pid}" in second.err[-1]
        with run(str(tmp_path / "other"), "--simulate", "--url", url) as third:
            third.wait_for("batches are accepted")
            assert third.stop() == 0
        assert host.stop() == 0


def test_old_firmware(state: str) -> None:
    with (
        simulated("--firmware", "1.0.0", "--rate", "50") as board,
        receiver() as (server, url),
        run(state, "--port", board.port, "--trust-clock", "--url", url, "--interval", "1") as host,
    ):
        server.wait_for('"accepted".*"tags": [1-9]')
        assert host.stop() == 0


@pytest.mark.skipif(NGINX is None, reason="needs nginx (Debian package nginx-light)")
def test_nginx_as_the_server(state: str, tmp_path: Path) -> None:
    assert NGINX
    log = tmp_path / "access.log"
    port = free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(f"""
        daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/proxy;
            fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u;
            scgi_temp_path {tmp_path}/s;
            log_format batch escape=json
                '{{"request": "$request", "agent": "$http_user_agent", "type": "$content_type", '
                '"signature": "$http_ruuvi_hmac_sha256", "accept": "$http_accept", '
                '"encoding": "$http_accept_encoding", "body": "$request_body"}}';
            server {{
                listen 127.0.0.1:{port};
                location /moved {{ return 307 /record; }}
                location /record {{
                    access_log {log} batch;
                    proxy_pass http://127.0.0.1:{port}/taken;
                }}
                location /taken {{ return 200 "ok"; }}
            }}
        }}""")
    with (
        Program(NGINX, "-c", str(configuration), "-e", str(tmp_path / "error.log")),
        run(
            state, "--simulate", "--url", f"http://127.0.0.1:{port}/moved", "--interval", "1"
        ) as host,
    ):
        host.wait_for("batches are accepted")
        assert host.stop() == 0
    line = json.loads(log.read_text().splitlines()[0])
    assert line["request"] == "POST /record HTTP/1.1"
    assert line["agent"] == "Ruuvi Gateway HTTP Client/1.0"
    assert line["type"] == "application/json"
    assert len(line["signature"]) == 64
    assert line["accept"] == line["encoding"] == ""
    assert set(json.loads(line["body"])["data"]) == {
        "coordinates",
        "timestamp",
        "nonce",
        "gw_mac",
        "tags",
    }


# -- wrong input: one sentence, the right code, no traceback ---------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--simulate"], 2, "--url: nowhere to send to"),
        (["--url", "http://127.0.0.1/"], 2, "--port: name the port of the coprocessor, or use"),
        (["--simulate", "--port", "x", "--url", "http://127.0.0.1/"], 2, "--port: "),
        (["--simulate", "--url", "ftp://127.0.0.1/"], 2, "--url: the address must begin with"),
        (["--simulate", "--url", "http://"], 2, "--url: the address names no server"),
        (["--simulate", "--url", "http://[::1"], 2, "--url: the address cannot be read"),
        (["--simulate", "--url", "http://a b/"], 2, "--url: the address has white space"),
        (["--simulate", "--url", "http://h:99999/"], 2, "--url: the port must be a number"),
        (["--simulate", "--url", "https://network.ruuvi.com/record"], 2, "never sent to Ruuvi"),
        (["--simulate", "--interval", "5"], 2, "--interval: is for your own server"),
        (["--simulate", "--url", "http://127.0.0.1/", "--interval", "0"], 2, "--interval"),
        (["--port", "/nonexistent", "--url", "http://127.0.0.1/"], 3, "there is no such port"),
        (["--port", "/etc/passwd", "--url", "http://127.0.0.1/"], 3, "not a serial port"),
        (["--port", "/", "--url", "http://127.0.0.1/"], 3, "not a serial port"),
        (["--port", "nosuch://x", "--url", "http://127.0.0.1/"], 2, "begins with socket://"),
        (["--port", "", "--url", "http://127.0.0.1/"], 2, "--port: name the port of"),
        (["--simulate", "--config", "/nonexistent"], 2, "/nonexistent: cannot be read"),
    ],
)
def test_wrong_options(state: str, options: list[str], code: int, sentence: str) -> None:
    with run(state, *options) as host:
        assert host.wait() == code
        assert sentence in host.err[-1]
        assert "Traceback" not in "\n".join(host.err)
        assert "accounting" not in "\n".join(host.err)  # nothing has happened


def test_a_port_in_use_names_who_has_it(state: str) -> None:
    with (
        simulated() as board,
        run(state, "--port", board.port, "--url", "http://127.0.0.1:9/", "--trust-clock") as host,
    ):
        host.wait_for("coprocessor configured")
        with ruuvi_host("listen", "--port", board.port) as second:
            assert second.wait() == 3
            assert f"(process {host.pid})" in second.err[-1]
        assert host.stop() == 0


def test_a_state_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with run(str(tmp_path / "file"), "--simulate", "--url", "http://127.0.0.1:9/") as host:
        assert host.wait() == 2
        assert "state folder: " in host.err[-1]
        assert "it is no folder" in host.err[-1]


def test_listen_in_a_pipe_ends_with_its_reader() -> None:
    command = shlex.join([COMMAND, "listen", "--simulate", "--json"])
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 3"], capture_output=True, text=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["data_format"] for line in lines] == [5, 5, 5]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("data_format", ["ruuvi", "ruuvi_raw_and_decoded", "ruuvi_decoded"])
def test_a_gateways_configuration(state: str, tmp_path: Path, data_format: str) -> None:
    with receiver("--decode") as (server, url):
        configuration = tmp_path / "gw_cfg.json"
        configuration.write_text(
            json.dumps(
                {
                    "use_http_ruuvi": False,
                    "use_http_stat": False,
                    "use_http": True,
                    "http_url": url,
                    "http_period": 1,
                    "http_data_format": data_format,
                    "http_auth": "bearer",
                    "http_bearer_token": "s3cret",
                    "coordinates": "60.17,24.94",
                }
            )
        )
        with run(state, "--simulate", "--config", str(configuration)) as host:
            batch = json.loads(server.wait_for('.*"accepted".*"tags": [1-9].*').string)
            assert host.stop() == 0
            assert "s3cret" not in str(host)
    reading = next(iter(batch["readings"].values()))
    own_names = {"dataFormat", "measurementSequenceNumber"}
    assert (own_names <= set(reading)) is (data_format == "ruuvi_decoded")
    assert batch["signature"] == "ok"


def test_what_waits_is_delivered_with_the_coprocessor_unplugged(state: str, tmp_path: Path) -> None:
    with simulated("--rate", "50") as board:
        link = board.port
        with run(
            *(state, "--port", link, "--url", "http://127.0.0.1:9/", "--trust-clock"),
            *("--interval", "1"),
        ) as host:
            host.wait_for("coprocessor configured")
            wait_until_received(state)
            assert host.stop() == 0
        assert board.stop() == 0  # and the link is gone
    with (
        receiver() as (server, url),
        run(state, "--port", link, "--url", url, "--trust-clock") as host,
    ):
        host.wait_for("there is no such port")
        server.wait_for('"accepted".*"tags": [1-9].*"signature": "ok"')
        host.wait_for("nothing is waiting|batches are accepted")
        assert host.stop() == 0
    # Without anything to deliver a port that is not there is a mistake.
    with run(str(tmp_path / "other"), "--port", link, "--url", "http://127.0.0.1:9/") as host:
        assert host.wait() == 3
