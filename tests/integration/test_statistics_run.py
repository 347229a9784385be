"""Statistics of the whole host, in a process that can be killed."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from programs import Program, ruuvi_host

HOST = """
import sys
from pathlib import Path
from ruuvi_host import app, logs
from ruuvi_host.config.model import Config, Target
from ruuvi_host.lifetime import run_until_stopped
from ruuvi_host.state import StateDirectory

state, url, firmware = sys.argv[1:]
logs.configure()
config = Config(
    targets=(Target("custom", url),),
    statistics=Target("statistics", url + "status"),
    nrf_firmware=firmware,
)
directory = StateDirectory.open(Path(state))
run_until_stopped(app.run(None, config, directory, trust_clock=True))
"""


@contextmanager
def receiver() -> Iterator[tuple[Program, str]]:
    with ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1") as program:
        yield program, program.wait_for(r'"listening": "(.*?)"')[1]


def host(state: Path, url: str, firmware: str = "") -> Program:
    return Program(sys.executable, "-c", HOST, str(state), url, firmware)


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
        with host(tmp_path, url, "2.1.0") as running:
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
        ["PANIC", "3", "Reset by panic: killed, without a last word", "v2.0.0"],
    ]
    assert first["NRF_STATUS"] is True
    assert int(first["TOTAL_FREE_BYTES_DEFAULT"]) > 0
