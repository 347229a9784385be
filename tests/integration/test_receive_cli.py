"""`ruuvi-host receive` as a process: its lines, its options, its end."""

import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from conftest import load_vectors
from programs import PATIENCE

from ruuvi_host.receiver import sign
from ruuvi_host.simulator.board import Board

KEY = "40:98:A7:78:58:1A:E1:38"
BODY = load_vectors("http.json")["batch"][0]["expected_body"].encode()
NO_KEY = "Without --key, signatures cannot be verified; they only have to be there.\n"


class Process:
    """A running `ruuvi-host receive --port 0`, of which the first line has been read."""

    def __init__(self, *options: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "ruuvi_host", "receive", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.first = self.stdout.readline()

    @property
    def stdout(self) -> IO[str]:
        assert self.popen.stdout is not None
        return self.popen.stdout

    @property
    def url(self) -> str:
        return self.first.removeprefix("Listening on ").strip()

    def post(self, body: bytes = BODY, key: str = KEY, **options: Any) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        headers["Ruuvi-HMAC-SHA256"] = sign(key.encode(), body).decode()
        with httpx.Client(trust_env=False, **{"timeout": PATIENCE, **options}) as client:
            return client.post(self.url, content=body, headers=headers)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[list[str], str]:
        """Ask it to stop, see that it does so well, and give its lines and its stderr."""
        self.popen.send_signal(number)
        output, errors = self.popen.communicate()
        assert self.popen.returncode == 0
        return output.splitlines(), errors


@contextmanager
def receive(*options: str) -> Iterator[Process]:
    process = Process(*options)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


def refused(*options: str) -> str:
    """What it says on stderr when it does not start; one line, and exit 2."""
    done = subprocess.run(
        [sys.executable, "-m", "ruuvi_host", "receive", *options], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_connections_that_are_rejected_share_a_line() -> None:
    with receive() as process:
        url = httpx.URL(process.url)
        address = (url.host, url.port or 0)
        for number in range(20):
            with socket.create_connection(address) as connection:
                connection.sendall(f"junk {number}\r\n\r\n".encode())
                assert connection.recv(12) == b"HTTP/1.1 400"
        assert process.post().status_code == 200
        lines, _ = process.stop()
    about = [line for line in lines if "no HTTP request" in line]
    assert 1 <= len(about) <= 10, lines  # one in ten seconds, on a machine however slow
    assert lines[-1].startswith("Stopped: 1 accepted, ")
    assert "20 " in lines[-1]


def test_a_line_for_each_batch_and_the_totals() -> None:
    with receive("--key", KEY) as process:
        assert process.first.startswith("Listening on http://127.0.0.1:")
        assert process.post().status_code == 200
        assert process.post().status_code == 200
        assert process.post(key="guess").status_code == 403
        lines, errors = process.stop()
    tail = "AA:CC:EE:00:11:22  nonce 12345678  tags 1  bytes 390  signature"
    *batches, totals = lines
    assert [line[10:] for line in batches] == [
        f"accepted   {tail} ok  answered 200",
        f"duplicate  {tail} ok  answered 200  the same batch as before",
        f"refused    {tail} WRONG  answered 403  not signed with the key",
    ]
    assert totals == "Stopped: 1 accepted, 1 duplicate, 0 failed, 1 refused"
    assert errors == ""


def test_json_lines() -> None:
    key = Board(seed=7).device.id.hex(":").upper()
    with receive("--json", "--decode", "--simulated", "7") as process:
        process.first = json.loads(process.first)["listening"]
        process.post()
        process.post(key=key)
        lines, errors = process.stop(signal.SIGINT)
    wrong, right, totals = (json.loads(line) for line in lines)
    assert (wrong["result"], wrong["signature"], wrong["status"]) == ("refused", "WRONG", 403)
    assert (right["result"], right["signature"], right["status"]) == ("accepted", "ok", 200)
    assert right["readings"]["AA:BB:CC:01:02:03"]["temperature"] == 27.445
    assert totals == {"stopped": {"accepted": 1, "duplicate": 0, "failed": 0, "refused": 1}}
    assert errors == ""


def test_without_a_key_it_says_so() -> None:
    with receive("--decode") as process:
        process.post()
        lines, errors = process.stop()
    assert "signature unknown  answered 200" in lines[0]
    assert "temperature 27.445 " in lines[1]
    assert errors == NO_KEY


def test_an_outage_and_what_an_answer_can_carry(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    options = ["--key", f"@{tmp_path / 'key'}", "--rate", "30", "--new-key", "fresh key"]
    with receive(*options, "--fail-first", "1", "--answer", "500") as process:
        failed = process.post()
        assert failed.status_code == 500
        assert failed.headers["X-Ruuvi-Gateway-Rate"] == "30"
        assert failed.headers["Ruuvi-HMAC-KEY"] == "fresh key"
        assert process.post(key="fresh key").status_code == 200
        lines, _ = process.stop()
    assert lines[-1] == "Stopped: 1 accepted, 0 duplicate, 1 failed, 0 refused"


def test_stopping_while_it_hangs() -> None:
    with receive("--hang") as process:
        with pytest.raises(httpx.ReadTimeout):
            process.post(timeout=httpx.Timeout(60, read=0.1))
        lines, errors = process.stop()
    assert "signature unknown  not answered  simulated outage" in lines[0]
    assert errors == NO_KEY


def test_a_closed_pipe_ends_it_quietly() -> None:
    with receive("--key", KEY) as process:
        process.stdout.close()
        process.post()
        assert process.popen.wait() == 0
        assert process.popen.stderr is not None
        assert process.popen.stderr.read() == ""


def test_a_full_disk_ends_it_with_a_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ruuvi_host", "receive", "--port", "0", "--key", KEY],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.stderr == "Error: standard output: No space left on device\n"
    assert done.returncode == 1


def test_no_file_descriptors_left_is_said_once_and_passes() -> None:
    with receive("--key", KEY) as process:
        limit = resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
        url = httpx.URL(process.url)
        with socket.create_connection((url.host, url.port or 0)):
            assert process.popen.stderr is not None
            warning = process.popen.stderr.readline()
        assert warning.startswith("Warning: socket.accept() out of system resource: OSError(24")
        resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, limit)
        assert process.post().status_code == 200
        _, errors = process.stop()
    assert errors == ""


def test_a_second_signal_ends_it_even_if_nobody_reads() -> None:
    def post_until_no_line_gets_through() -> None:
        while True:
            process.post(timeout=1.0)

    with receive("--key", KEY) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        with pytest.raises(httpx.TimeoutException):
            post_until_no_line_gets_through()
        while process.popen.poll() is None:
            process.popen.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.popen.wait(0.1)
        assert process.popen.returncode in (0, -signal.SIGTERM)


def test_other_machines_are_warned_of() -> None:
    with receive("--host", "0.0.0.0", "--key", KEY) as process:
        _, errors = process.stop()
    assert errors == f"Warning: any machine that reaches {process.url} can post here\n"


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused("--port", str(port)) == (
            f"Error: --port: port {port} is in use; take another one (0: any that is free)\n"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen anywhere")
def test_a_port_that_is_not_permitted() -> None:
    if Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip() == "0":
        pytest.skip("here everybody may listen anywhere")
    assert refused("--port", "1") == (
        "Error: --port: no permission for port 1; take one over 1023\n"
    )


def test_options_that_cannot_be_used(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    (tmp_path / "long").write_text("k" * 64)
    cases = [
        (["--key", ""], "--key: must have 1 to 63 bytes, and has 0"),
        (["--key", f"@{tmp_path / 'long'}"], "--key: must have 1 to 63 bytes, and has 64"),
        (["--key", f"@{missing}"], f"--key: cannot read {missing}: No such file or directory"),
        (["--rate", "1\r\nX: y"], r"--rate: '1\r\nX: y' cannot be the value of an HTTP header"),
        (["--new-key", ""], "--new-key: '' cannot be the value of an HTTP header"),
        (["--tls-key", str(missing)], "--tls-key: needs --tls-cert, too"),
        (
            ["--tls-cert", str(missing)],
            f"--tls-cert: cannot read {missing}: No such file or directory",
        ),
    ]
    for options, sentence in cases:
        assert refused("--port", "0", *options) == f"Error: {sentence}\n"
