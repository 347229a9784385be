"""A damaged line is told as such, with its cause, by run, listen, status and doctor."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from damaged_line import DamagedLine
from damages import (
    GREETING,
    Damaging,
    as_utf8,
    cr_added,
    flow_control,
    jlink,
    seven_bits,
    telnet,
    wrong_speed,
)
from nginx import wait_until_listening
from programs import PATIENCE, Program, ruuvi_host, simulated
from tcp_ports import free_port

CAUSES = [
    (telnet, "speaks telnet", "rfc2217://"),
    (jlink, "USBS", "msddisable"),
    (cr_added, "line ends", "raw"),
    (flow_control, "XON", "flow control"),
    (seven_bits, "highest bit", "8N1"),
    (as_utf8, "for text", "binary"),
    (wrong_speed, "not one frame", "115200"),
    (lambda data: b"Debian GNU/Linux 12 gateway ttyS0\r\n\r\ngateway login: ", "login", "console"),
]


@contextmanager
def damaged(damaging: Damaging, greeting: bytes = b"", rate: str = "50") -> Iterator[DamagedLine]:
    with (
        simulated("--rate", rate, "--tags", "10") as board,
        DamagedLine(board.port, damaging, greeting) as line,
    ):
        yield line


def doctor(port: str, state: Path) -> dict[str, Any]:
    """Topic → finding."""
    with ruuvi_host(
        *("doctor", "--json", "--port", port, "--state-dir", str(state), "--trust-clock")
    ) as asked:
        asked.wait()
    return {told["topic"]: told for told in map(json.loads, asked.out)}


@pytest.mark.parametrize(("damaging", "words", "advice"), CAUSES)
def test_doctor_names_the_cause(
    tmp_path: Path, damaging: Damaging, words: str, advice: str
) -> None:
    with damaged(damaging) as line:
        told = doctor(line.path, tmp_path)
    topic = f"coprocessor {line.path}"
    finding = told.get(f"{topic}, line", told[topic])
    assert finding["level"] in {"warning", "fault"}
    assert words in finding["sentence"]
    assert advice in f"{finding['sentence']} {finding['remedy']}"


@pytest.mark.parametrize(("damaging", "words", "advice"), [*CAUSES[:2], CAUSES[-1]])
def test_listen_tells_it_at_the_latest_at_its_end(
    damaging: Damaging, words: str, advice: str
) -> None:
    with damaged(damaging) as line, ruuvi_host("listen", "--port", line.path) as host:
        host.wait_for(advice if damaging in (telnet, jlink) else "trying again")
        assert host.stop() == 0
    assert any(words in line and advice in line for line in host.err), host.err
    assert words in host.err[-2]


def test_a_running_host_tells_it_in_log_status_and_health(tmp_path: Path) -> None:
    options = ["--trust-clock", "--state-dir", str(tmp_path)]
    with (
        damaged(telnet, GREETING) as line,
        ruuvi_host(
            *("run", "--port", line.path, "--set", "target.log.kind=file"),
            *("--set", f"target.log.folder={tmp_path / 'data'}", *options),
        ) as host,
    ):
        host.wait_for("speaks telnet.*rfc2217://")
        deadline, said = monotonic() + PATIENCE, ""
        while "speaks telnet" not in said:  # before, that it has not answered yet
            assert monotonic() < deadline, said
            with ruuvi_host("status", "--json", "--state-dir", str(tmp_path)) as asked:
                assert asked.wait() == 0
            (document,) = map(json.loads, asked.out)
            said = document["health"]["sentence"] or ""
        assert document["health"]["level"] == "degraded"
        (link,) = document["coprocessors"]
        assert link["state"] == "ready"
        assert link["damage"]["cause"] == "telnet"
        assert link["damage"]["lasts"]
        with ruuvi_host("status", "--state-dir", str(tmp_path)) as asked:
            asked.wait()
        assert any("% of the bytes received" in text for text in asked.out)
        told = doctor(line.path, tmp_path)
        assert "speaks telnet" in told[f"coprocessor {line.path}, line"]["sentence"]
        assert host.stop() == 0


def test_a_program_that_reads_the_same_port_is_named(tmp_path: Path) -> None:
    thief = (
        "import os, sys, tty; fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); tty.setraw(fd)\n"
        "print('reads', flush=True)\n"
        "while True: os.read(fd, 7)"
    )
    with (
        damaged(lambda data: data, rate="100") as line,
        Program(sys.executable, "-c", thief, line.path) as other,
    ):
        other.wait_for("reads")
        told = doctor(line.path, tmp_path)
    finding = told[f"coprocessor {line.path}, sharing"]
    assert f"(process {other.pid}) has this port open, too" in finding["sentence"]


@pytest.mark.skipif(not shutil.which("ser2net"), reason="needs ser2net")
@pytest.mark.parametrize("accepter", ["telnet,tcp", "telnet(rfc2217),tcp"])
def test_ser2net_in_telnet_mode_taken_as_raw(tmp_path: Path, accepter: str) -> None:
    number = free_port()
    with simulated("--rate", "50", "--tags", "10") as board:
        settings = tmp_path / "ser2net.yaml"
        settings.write_text(
            f"connection: &board\n  accepter: {accepter},127.0.0.1,{number}\n"
            f"  connector: serialdev,{board.port},115200n81,local\n"
        )
        with Program("ser2net", "-n", "-d", "-c", str(settings), "-P", str(tmp_path / "pid")):
            url = f"socket://127.0.0.1:{number}"
            wait_until_listening(number)
            told = doctor(url, tmp_path)
    said = " ".join(told[key]["sentence"] for key in told if key.startswith("coprocessor"))
    assert "speaks telnet" in said, told


def test_a_good_line_is_not_talked_about(tmp_path: Path) -> None:
    with damaged(lambda data: data) as line:
        told = doctor(line.path, tmp_path)
        with ruuvi_host("listen", "--port", line.path) as host:
            host.wait_for("dBm", 20)
            assert host.stop() == 0
    assert told[f"coprocessor {line.path}, line"]["level"] == "ok"
    assert not any("damaged" in text for text in host.err)
