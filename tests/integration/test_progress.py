"""Bars for work that takes a while: on a terminal, and nowhere else."""

import re
import subprocess
from pathlib import Path

import pytest
from fault_server import FaultServer
from programs import COMMAND, PATIENCE, ruuvi_host
from terminal import terminal

CAPTURE = Path(__file__).parents[1] / "captures" / "every-kind.pcapng"
BAR = "━"


def test_an_anonymized_capture(tmp_path: Path) -> None:
    target = tmp_path / "out.pcapng"
    with terminal("capture", "--anonymize", str(CAPTURE), str(target)) as screen:
        assert screen.wait() == 0
        assert f"anonymizing {CAPTURE}" in screen.text
        assert BAR in screen.text
        assert screen.text.rstrip().endswith("in no frame left out"), "the bar is gone"
    ran = subprocess.run(
        [COMMAND, "capture", "--anonymize", str(CAPTURE), str(tmp_path / "b.pcapng")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.stderr.count("\n") == 1
    assert BAR not in ran.stderr
    with terminal(
        *("capture", "--anonymize", str(CAPTURE), str(tmp_path / "c.pcapng")), env={"TERM": "dumb"}
    ) as screen:
        assert screen.wait() == 0
        assert "\x1b" not in screen.text


@pytest.mark.parametrize("what", ["adv", "uart"])
def test_a_file_that_is_decoded(tmp_path: Path, what: str) -> None:
    file = tmp_path / "air"
    file.write_text("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F\n" * 100)
    named = f"@{file}" if what == "adv" else str(CAPTURE)
    out = tmp_path / "out"
    with terminal("decode", what, named, stdout=out) as screen:
        assert screen.wait() == 0
        assert "reading /" in screen.text
        assert BAR in screen.text
    assert BAR not in out.read_text()
    with terminal("decode", what, named) as screen:  # what is written there is the progress
        assert screen.wait() == 0
        assert BAR not in screen.text


def test_a_spool_that_is_exported_and_sent(tmp_path: Path) -> None:
    state, out = str(tmp_path / "state"), tmp_path / "out.jsonl"
    options = ("--simulate", "--url", "http://127.0.0.1:9/", "--state-dir", state)
    with ruuvi_host("run", *options, "--interval", "1") as host:
        host.wait_for("not delivered")
        listing = [COMMAND, "spool", "list", "--state-dir", state]
        while not subprocess.run(listing, capture_output=True, check=True).stdout:
            pass
        assert host.stop() == 0
    export = ("spool", "export", "custom", "--state-dir", state)
    with terminal(*export, "--output", str(out)) as screen:
        assert screen.wait() == 0
        assert "exporting custom" in screen.text
        assert "100%" in screen.text
    with terminal(*export) as screen:
        assert screen.wait() == 0
        assert "exporting custom" not in screen.text
    with FaultServer(lambda n: "ok") as server:
        drain = ("spool", "drain", "custom", "--url", server.url, "--state-dir", state)
        with terminal(*drain) as screen:
            assert screen.wait() == 0
            assert "sending custom" in screen.text
            assert BAR in screen.text
            assert screen.text.rstrip().endswith("left 0")


def test_the_suite_for_boards(tmp_path: Path) -> None:
    command = ("hil", "--report", str(tmp_path / "report"), "-k", "test_tells_who_it_is")
    with terminal(*command) as screen:
        assert screen.wait() == 0, screen.text
        assert BAR in screen.text
        assert "::test_tells_who_it_is" in screen.text
        assert re.search(r"\d+ passed.* in \d", screen.text), "what pytest says at the end stays"
    with terminal(*command, "-v") as screen:
        assert screen.wait() == 0, screen.text
        assert BAR not in screen.text
