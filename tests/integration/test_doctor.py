"""`ruuvi-host doctor` as a user calls it: on what works, and on what does not."""

import contextlib
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from lines import Pty
from programs import OnLine, Program, ruuvi_host, simulated
from tcp_ports import free_port


def receiver() -> Program:
    return ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1")


def url_of(server: Program) -> str:
    return server.wait_for(r'"listening": "(.*?)"')[1]


def board() -> OnLine:
    return simulated("--rate", "50")


def doctor(port: str, url: str, state: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and topic → finding. It listens for eight seconds: where this machine is too
    busy to hear anything meanwhile, it is asked again."""
    arguments = ["--port", port, "--url", url, "--state-dir", str(state), "--trust-clock"]
    for _ in range(3):
        with ruuvi_host("doctor", "--json", *arguments, *options) as asked:
            code = asked.wait()
        assert asked.err == []
        told = {finding["topic"]: finding for finding in map(json.loads, asked.out)}
        if told.get(f"coprocessor {port}, radio", {"level": "ok"})["level"] == "ok":
            break
    return code, told


def test_all_is_well(tmp_path: Path) -> None:
    with receiver() as server, board() as coprocessor:
        port = coprocessor.port
        code, told = doctor(port, url_of(server), tmp_path)
        assert code == 0, told
        assert told[f"coprocessor {port}"]["sentence"].endswith("firmware 2.0.0 or newer")
        assert told[f"coprocessor {port}, radio"]["level"] == "ok"
        assert told["custom"]["sentence"] == "delivered (status 200)"
        server.wait_for('"tags": 0.*"signature": "ok"')


def test_while_a_host_runs_its_port_is_left_alone(tmp_path: Path) -> None:
    with receiver() as server, board() as coprocessor:
        port, url = coprocessor.port, url_of(server)
        options = ["--port", port, "--url", url, "--interval", "1", "--trust-clock"]
        with ruuvi_host("run", *options, "--state-dir", str(tmp_path / "state")) as host:
            server.wait_for('"tags": [1-9]')
            code, told = doctor(port, url, tmp_path / "state")
            assert code == 0, told
            assert told["host"]["sentence"].startswith(f"runs as process {host.pid}: ")
            # Another instance is told who has the port.
            code, told = doctor(port, url, tmp_path / "other")
            assert code == 3
            sentence = told[f"coprocessor {port}"]["sentence"]
            assert sentence.startswith(f"in use by ruuvi-host (process {host.pid})")
            assert told["custom"]["sentence"].startswith("cannot be tried")
            assert host.stop() == 0


def test_a_host_that_does_not_answer_is_not_taken_for_none(tmp_path: Path) -> None:
    with receiver() as server, board() as coprocessor:
        port, url = coprocessor.port, url_of(server)
        with (
            socket.socket(socket.AF_UNIX) as deaf,  # listens, and never answers
            contextlib.chdir(tmp_path),
        ):
            deaf.bind("status.sock")
            deaf.listen()
            code, told = doctor(port, url, tmp_path)
    assert code == 3, told
    assert told["host"]["level"] == "fault"
    assert told["host"]["sentence"] == "runs and cannot be asked: it does not answer"
    assert told["host"]["remedy"]


def test_a_server_that_is_away(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    with board() as coprocessor:
        code, told = doctor(coprocessor.port, url, tmp_path)
    assert code == 3, told
    assert told["custom"]["sentence"].startswith("not delivered: connect: ")
    assert told["custom"]["remedy"]
    with board() as coprocessor:
        code, told = doctor(coprocessor.port, url, tmp_path, "--no-post")
    assert code == 0, told
    assert told["custom"]["sentence"] == "its settings are in order; it was not tried"


def test_what_waits_is_told(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    state = tmp_path / "state"
    with board() as coprocessor:
        port = coprocessor.port
        options = ["--port", port, "--url", url, "--interval", "1", "--trust-clock"]
        with ruuvi_host("run", *options, "--state-dir", str(state)) as host:
            host.wait_for("not delivered")
            while "custom, spool" not in (told := doctor(port, url, state, "--no-post")[1]):
                pass
            assert told["custom, spool"]["level"] == "ok"
            assert told["host"]["level"] == "warning"
            assert host.stop() == 0
        told = doctor(port, url, state)[1]
        assert re.fullmatch(
            r"waiting: batches \d+, the oldest for \d min", told["custom, spool"]["sentence"]
        )
        (state / "custom.damaged1").write_bytes(b"what was there before")
        (state / "gateway.json").write_text("{")
        code, told = doctor(port, url, state, "--no-post")
        assert code == 1, told
        assert "custom.damaged1 was damaged, and set aside" in told["spool"]["sentence"]
        assert "gateway.json: cannot be used" in told["state directory"]["sentence"]
        (state / "custom.spool").write_bytes(b"something else")
        code, told = doctor(port, url, state, "--no-post")
        assert code == 3, told
        assert told["custom, spool"]["level"] == "fault"


def test_a_port_with_nobody_behind_it(tmp_path: Path) -> None:
    with receiver() as server, Pty() as line:
        code, told = doctor(line.path, url_of(server), tmp_path)
    assert code == 3, told
    assert "nothing comes from the coprocessor" in told[f"coprocessor {line.path}"]["sentence"]


def test_no_port_no_channel_and_a_key_that_is_missing(tmp_path: Path) -> None:
    with receiver() as server:
        wanted = ["http_use_ssl_client_cert=true", *(f"scan_channel_{n}=false" for n in (37, 38))]
        wanted.append("scan_channel_39=false")
        options = [part for setting in wanted for part in ("--set", setting)]
        url = url_of(server).replace("http:", "https:")
        code, told = doctor("/dev/nothing", url, tmp_path, *options)
    assert code == 3, told
    assert told["coprocessor /dev/nothing"]["sentence"].startswith("there is no such port")
    assert told["scan settings"]["level"] == "fault"
    assert told["custom"]["level"] == "fault"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_without_anything(tmp_path: Path, options: list[str]) -> None:
    with ruuvi_host("doctor", *options, "--trust-clock", "--state-dir", str(tmp_path)) as asked:
        assert asked.wait() == 1
    assert "there is none: nothing is relayed" in asked.out[-1]
