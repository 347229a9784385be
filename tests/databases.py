"""Real databases for tests: InfluxDB 1.x and VictoriaMetrics of Debian. `needs_influxdb` and
`needs_victoria_metrics` mark what needs them: loudly skipped where one is missing, a failure where
CI says so.
"""

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nginx import wait_until_listening
from programs import PATIENCE
from tcp_ports import free_port

INFLUXD = shutil.which("influxd")
VICTORIA_METRICS = shutil.which("victoria-metrics")
IN_CI = os.environ.get("CI") == "true"

needs_influxdb = pytest.mark.skipif(
    not INFLUXD and not IN_CI,
    reason="INFLUXD IS MISSING (Debian: apt install influxdb): no real InfluxDB was written to",
)
needs_victoria_metrics = pytest.mark.skipif(
    not VICTORIA_METRICS and not IN_CI,
    reason="VICTORIA-METRICS IS MISSING (Debian: apt install victoria-metrics): it was not tried",
)

ADMIN, PASSWORD = "admin", "right"
MAX_BODY = 40_000
"""Bytes that this InfluxDB takes at once."""

_CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
logging-enabled = false
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
max-body-size = {max_body}
"""


class Influx:
    """A running InfluxDB 1.x with an administrator."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def query(self, text: str, **more: str) -> list[dict[str, Any]]:
        """The series that the first statement gives; times in seconds."""
        who = urllib.parse.urlencode({"u": ADMIN, "p": PASSWORD, "epoch": "s"} | more)
        document = json.loads(_post(f"{self.url}/query?{who}", {"q": text}))
        [result] = document["results"]
        assert "error" not in result, result
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def rows(self, text: str, **more: str) -> list[dict[str, Any]]:
        """Rows of all series, as column → value."""
        return [
            dict(zip(series["columns"], row, strict=True)) | series.get("tags", {})
            for series in self.query(text, **more)
            for row in series["values"]
        ]

    def administrator(self) -> None:
        """Whoever comes first makes it."""
        make = f"CREATE USER {ADMIN} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES"
        _post(f"{self.url}/query", {"q": make})


@contextmanager
def influxdb(folder: Path, port: int | None = None) -> Iterator[Influx]:
    """Runs while the block does."""
    assert INFLUXD, "CI=true, and influxdb is not installed"
    port = port or free_port()
    path = folder / "influxdb.conf"
    text = _CONFIGURATION.format(folder=folder, port=port, rpc=free_port(), max_body=MAX_BODY)
    path.write_text(text)
    with _running([INFLUXD, "-config", str(path)], folder / "influxdb.log", port):
        server = Influx(port)
        server.administrator()
        yield server


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """Its address. Runs while the block does."""
    assert VICTORIA_METRICS, "CI=true, and victoria-metrics is not installed"
    port = free_port()
    command = [
        VICTORIA_METRICS,
        f"-storageDataPath={folder / 'victoria'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-loggerLevel=ERROR",
    ]
    with _running(command, folder / "victoria.log", port):
        yield f"http://127.0.0.1:{port}"


def exported(url: str, match: str) -> list[dict[str, Any]]:
    """Series of VictoriaMetrics that `match` selects, each with its values and times (ms)."""
    _post(f"{url}/internal/force_flush", {})
    lines = _post(f"{url}/api/v1/export", {"match[]": match}).splitlines()
    return [json.loads(line) for line in lines]


@contextmanager
def _running(command: list[str], log: Path, port: int) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_until_listening(port, process)
            yield
        finally:
            process.kill()
            process.wait(PATIENCE)


def _post(url: str, form: dict[str, str]) -> bytes:
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, data, PATIENCE) as answer:
        body: bytes = answer.read()
        return body
