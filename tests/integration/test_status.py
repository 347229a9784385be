"""`ruuvi-host status`, and the accounting of a run: asserted, asked for, and told at the end."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from programs import Program, ruuvi_host
from told_counters import assert_accounted_for, counted

from ruuvi_host.monitoring.socket import StatusSocket, ask


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


def receiver(*options: str) -> Program:
    return ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1", *options)


def run(state: str, url: str, *options: str) -> Program:
    simulated = ["--simulate", "--url", url, "--state-dir", state]
    return ruuvi_host("run", *simulated, "--interval", "1", "--debug", *options)


def status(state: str, *options: str) -> Program:
    asked = ruuvi_host("status", "--state-dir", state, *options)
    with asked:
        assert asked.wait() == 0, str(asked)
    return asked


def url_of(server: Program) -> str:
    return server.wait_for(r'"listening": "(.*?)"')[1]


def accounting(host: Program) -> dict[str, dict[str, int]]:
    """The lines of the end: account → its parts, the whole among them as "total"."""
    found = {}
    for line in host.err:
        if told := re.search(r" accounting: (\S.*?) (\d+) = (.*)$", line):
            parts = dict(part.rsplit(" ", 1) for part in told[3].split(" + ") if " " in part)
            found[told[1]] = {name: int(count) for name, count in parts.items()} | {
                "total": int(told[2])
            }
    return found


def test_asked_while_it_runs(state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = tmp_path / "run"
    members.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(members))
    with receiver() as server, run(state, url_of(server)) as host:
        server.wait_for('"tags": [1-9].*"signature": "ok"', 2)
        (document,) = map(json.loads, status(state, "--json").out)
        assert document["pid"] == host.pid
        asked = ask(members)
        assert asked
        assert asked["pid"] == host.pid
        (link,) = document["coprocessors"]
        assert link["state"] == "ready"
        assert link["counters"]["uart_overruns"] is None  # a pseudo-terminal does not tell
        assert document["intake"]["reports"] > 0
        (target,) = document["targets"]
        assert target["counters"]["accepted"] >= 2
        assert [account["unaccounted"] for account in document["accounting"]] == [0] * 8
        lines = status(state).out
        assert lines[1].startswith("health: ok: reports flow; custom: batches are accepted")
        assert any(line.startswith("  custom, changed ") for line in lines)
        assert host.stop() == 0
    assert list(members.iterdir()) == []


def test_the_accounting_at_the_end_over_an_outage_a_new_configuration_and_a_stop(
    state: str,
) -> None:
    with receiver("--fail-every", "2") as server, run(state, url_of(server)) as host:
        server.wait_for('"accepted"', 3)
        os.kill(host.pid, signal.SIGHUP)
        host.wait_for("configuration read again")
        server.wait_for('"accepted"', 6)
        assert host.stop() == 0
    assert "UNACCOUNTED" not in str(host)
    told = accounting(host)
    assert told["reports"]["total"] > 0
    batches = told["custom, batches"]
    assert batches.pop("total") == sum(batches.values())
    reports = told["custom, reports in batches"]
    accepted, waiting = reports["accepted reports"], reports.get("waiting reports", 0)
    delivered = sum(json.loads(line)["tags"] for line in server.out if '"accepted"' in line)
    # What the server took although its answer came too late waits for being sent again.
    assert accepted <= delivered <= accepted + waiting


def test_a_second_life_counts_what_the_first_left(state: str) -> None:
    with receiver("--hang") as server, run(state, url_of(server)) as host:
        server.wait_for('"tags": ')
        host.wait_for("coprocessor configured")
        server.wait_for('"tags": [0-9]')
        assert host.stop() == 0
    waiting = accounting(host)["custom, batches"].get("waiting batches", 0)
    with receiver() as server, run(state, url_of(server)) as host:
        server.wait_for('"accepted"', waiting + 1)
        assert host.stop() == 0
    told = accounting(host)["custom, batches"]
    assert told["total"] == sum(count for name, count in told.items() if name != "total")


def test_the_end_as_json_lines(state: str) -> None:
    with receiver() as server, run(state, url_of(server), "--set", "log.format=json") as host:
        server.wait_for('"tags": [1-9].*"accepted"|"accepted".*"tags": [1-9]')
        assert host.stop() == 0
    told = [json.loads(line) for line in host.err if line.startswith("{")]
    accounts = {line["account"]["name"]: line["account"] for line in told if "account" in line}
    counters = [line["counters"] for line in told if "counters" in line]
    assert [account["unaccounted"] for account in accounts.values()] == [0] * 8
    assert accounts["reports"]["parts"]["changed"] > 0
    assert any(each.get("accepted_reports") for each in counters)


def test_nobody_is_there(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "nothing"):
        with ruuvi_host("status", "--state-dir", str(directory)) as asked:
            assert asked.wait() == 5
        assert asked.err == [
            f"Error: no host runs with the state directory {directory} (see --state-dir)"
        ]


def test_a_backlog_whose_gateway_is_forgotten_is_accounted_for(state: str) -> None:
    """What the previous run left is counted once, whether a coprocessor is there or not."""
    with run(state, "http://127.0.0.1:9/") as host:
        host.wait_for("not delivered")
        counters: dict[str, int] = {"waiting_batches": 0}
        while counters["waiting_batches"] < 2:
            counters = json.loads(status(state, "--json").out[0])["targets"][0]["counters"]
        assert host.stop() == 0
    kept = counted(host, "kept")
    assert kept > 0
    for options in (["--port", "/dev/nothing"], ["--simulate"]):
        (Path(state) / "gateway.json").unlink(missing_ok=True)
        command = ("run", *options, "--url", "http://127.0.0.1:9/", "--state-dir", state)
        with ruuvi_host(*command, "--trust-clock", "--debug") as host:
            if options == ["--simulate"]:
                host.wait_for("from the previous run")
                assert host.stop() == 0
            else:
                assert host.wait() == 3
        assert_accounted_for(host)
        assert counted(host, "from_previous_run") == kept
        assert not any("UNACCOUNTED" in line for line in host.err)
        kept = counted(host, "kept")


def test_a_host_of_another_version_is_no_traceback(tmp_path: Path) -> None:
    answers: list[object] = [{"version": "9", "pid": 1}, {}, [], "no"]
    for answer in answers:

        async def serve(answer: object = answer) -> None:
            def told() -> dict[str, Any]:
                return answer  # type: ignore[return-value]  # what another program may say

            serving = asyncio.create_task(StatusSocket(tmp_path, told).run())
            try:
                asked = await asyncio.to_thread(asking)
            finally:
                serving.cancel()
            assert asked.wait() == 5
            assert len(asked.err) == 1

        def asking() -> Program:
            with ruuvi_host("status", "--state-dir", str(tmp_path)) as asked:
                asked.wait()
            return asked

        asyncio.run(serve())
