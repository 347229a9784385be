"""Statistics of the whole host, in a process that can be killed."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from programs import Program, ruuvi_host


@contextmanager
def receiver() -> Iterator[tuple[Program, str]]:
    with ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1") as program:
        yield program, program.wait_for(r'"listening": "(.*?)"')[1]


def host(state: Path, url: str, *settings: str) -> Program:
    wanted = ["use_http_stat=true", f"http_stat_url={url}status", *settings]
    options = [part for setting in wanted for part in ("--set", setting)]
    return ruuvi_host("run", "--simulate", "--url", url, "--state-dir", str(state), *options)


def status(server: Program, number: int) -> dict[str, Any]:
    """What the `number`th status told, counted from 1."""
    line = json.loads(server.wait_for(r'^{.*"accepted".*"status_nonce".*', number).string)
    assert line["signature"] == "ok"
    told: dict[str, Any] = line["gateway_status"]
    return told


def test_starts_stops_and_a_kill(tmp_path: Path) -> None:
    with receiver() as (server, url):
        with host(tmp_path, url) as running:
            first = status(server, 1)
            running.wait_for("statistics: delivered")
            assert running.stop() == 0
            assert any("statistics: posts 1, accepted 1" in line for line in running.err)
        with host(tmp_path, url, "nrf_firmware=v2.1.0") as running:
            second = status(server, 2)
            running.wait_for("statistics: delivered")
            assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        with host(tmp_path, url) as running:
            third = status(server, 3)
            assert running.stop() == 0
    told = ["RESET_REASON", "RESET_CNT", "RESET_INFO", "NRF_FW"]
    assert [[each[name] for name in told] for each in (first, second, third)] == [
        ["POWER_ON", "1", "", "v2.0.0"],
        ["SW", "2", "Reset by software: told to stop", "v2.1.0"],
        ["PANIC", "3", "Reset by panic: killed, without a crash report", "v2.0.0"],
    ]
    assert first["NRF_STATUS"] is True
    assert int(first["TOTAL_FREE_BYTES_DEFAULT"]) > 0
