"""`ruuvi-host doctor --bundle FILE` as a user calls it, with and without a host that runs."""

import json
import os
import re
import sys
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from programs import PATIENCE, Program, ruuvi_host, simulated

from ruuvi_host.capture.pcapng import Reader

PLANTED = ("planted-password", "planted-user", "planted-hook-123", "60.16952")
OPTIONS = [
    *("--set", "http_auth=basic", "--set", "http_user=planted-user"),
    *("--set", "http_pass=planted-password", "--set", "coordinates=60.16952,24.93545"),
    "--trust-clock",
]
NOWHERE = "http://127.0.0.1:9/planted-hook-123"


def doctor(port: str, state: Path, bundle: Path, path: str = os.environ["PATH"]) -> Program:
    """It makes no post: the server is not there."""
    command = ["doctor", "--no-post", "--port", port, "--state-dir", str(state)]
    settings = ["--set", "use_http=true", "--set", f"http_url={NOWHERE}", *OPTIONS]
    return ruuvi_host(*command, *settings, "--bundle", str(bundle), env={"PATH": path})


def files(bundle: Path) -> dict[str, bytes]:
    assert bundle.stat().st_mode & 0o777 == 0o600
    with ZipFile(bundle) as packed:
        inside = {info.filename.split("/")[1]: packed.read(info) for info in packed.infolist()}
    for name, content in inside.items():
        for private in PLANTED:
            assert private.encode() not in content, f"{private} in {name}"
    return inside


def test_while_a_host_runs(tmp_path: Path) -> None:
    bundle, state = tmp_path / "report.zip", tmp_path / "state"
    with simulated("--rate", "50") as board:
        port = board.port
        options = ["--port", port, "--state-dir", str(state), "--url", NOWHERE]
        with ruuvi_host("run", *options, *OPTIONS) as host:
            address = host.wait_for(r"coprocessor (..:..:..:..:..:..)")[1]
            host.wait_for("coprocessor configured")
            with doctor(port, state, bundle) as asked:
                assert asked.wait() in (0, 1), str(asked)
            assert host.stop() == 0
    inside = files(bundle)
    assert set(inside) == {
        *("README.txt", "configuration.json", "status.json", "doctor.txt", "log.txt"),
        *("starts.json", "machine.json", "capture.pcapng"),
    }
    for name, content in inside.items():
        assert address.encode() not in content, f"the coprocessor's address in {name}"
        assert bytes.fromhex(address.replace(":", "")) not in content
    assert "coprocessor configured" in inside["log.txt"].decode()
    assert json.loads(inside["status.json"])["pid"] == host.pid
    assert len(list(Reader([inside["capture.pcapng"]]))) > 1
    assert json.loads(inside["starts.json"])["starts_since_boot"] == 1
    told = {line["key"]: line for line in json.loads(inside["configuration.json"])}
    assert told["http_url"]["value"] == "http://127.0.0.1:9/…"
    assert not list(state.glob("*.sock"))


def test_without_a_host(tmp_path: Path) -> None:
    """What the doctor hears itself is recorded, with the handshake; the log is the journal's."""
    bundle, bin_ = tmp_path / "report.zip", tmp_path / "bin"
    bin_.mkdir()
    journal = bin_ / "journalctl"
    journal.write_text(
        f'#!{sys.executable}\nimport sys\nprint("a line: planted-password", sys.argv)'
    )
    journal.chmod(0o755)
    with simulated("--rate", "50") as board:
        with doctor(
            board.port, tmp_path / "state", bundle, f"{bin_}:{os.environ['PATH']}"
        ) as asked:
            assert asked.wait() in (0, 1), str(asked)
        assert any("has no status.json: no host runs" in line for line in asked.err)
        assert asked.err[-1].startswith(f"wrote {bundle}")
        # It is not overwritten, and that is told at once.
        with doctor(board.port, tmp_path / "state", bundle) as again:
            assert again.wait() == 2
        assert not again.out
    inside = files(bundle)
    assert b"'--unit', 'ruuvi-host'" in inside["log.txt"]
    assert any(record.sent for record in Reader([inside["capture.pcapng"]]))
    assert "coprocessor" in inside["doctor.txt"].decode()
    assert "status.json: no host runs with this state directory" in inside["README.txt"].decode()


@pytest.mark.parametrize("name", ["nowhere/report.zip", ""])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with doctor("/dev/nothing", tmp_path / "state", tmp_path / name) as asked:
        assert asked.wait() == 2
    assert not asked.out


def test_the_page_gets_it_too(tmp_path: Path) -> None:
    """With the reading-and-writing key only."""
    keys = ["lan_auth_api_key=planted-reading-key", "lan_auth_api_key_rw=planted-writing-key"]
    settings = [part for key in [*keys, "api.listen=127.0.0.1:0"] for part in ("--set", key)]
    options = ["--simulate", "--url", NOWHERE, "--state-dir", str(tmp_path / "state"), *settings]
    with ruuvi_host("run", *options, *OPTIONS) as host:
        url = host.wait_for(r"local API: (http://\S+/)")[1]
        host.wait_for("coprocessor configured")
        for key, status in (("reading", 401), ("writing", 200)):
            headers = {"Authorization": f"Bearer planted-{key}-key"}
            answer = httpx.get(f"{url}host/bundle", headers=headers, timeout=PATIENCE)
            assert answer.status_code == status
        assert host.stop() == 0
    assert answer.headers["Content-Type"] == "application/zip"
    assert re.fullmatch(
        r'attachment; filename="ruuvi-host-report-\d{8}-\d{6}\.zip"',
        answer.headers["Content-Disposition"],
    )
    bundle = tmp_path / "report.zip"
    bundle.touch(0o600)
    bundle.write_bytes(answer.content)
    inside = files(bundle)
    assert {"configuration.json", "log.txt", "status.json"} < set(inside)
    assert b"planted" not in b"".join(inside.values())
    assert "only `ruuvi-host doctor --bundle` has it" in inside["README.txt"].decode()
