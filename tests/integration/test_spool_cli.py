"""`ruuvi-host spool` as a user runs it, beside and without a running host."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from fault_server import FaultServer
from programs import COMMAND, ruuvi_host

from ruuvi_host.clock import EARLIEST
from ruuvi_host.relay.spool.opening import open_database

NOBODY = "http://127.0.0.1:9/"


def spool(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [COMMAND, "spool", *arguments], input=typed, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A state folder with batches that nobody took."""
    folder = str(tmp_path / "state")
    options = ("--simulate", "--url", NOBODY, "--interval", "1", "--state-dir", folder)
    with ruuvi_host("run", *options) as host:
        host.wait_for("not delivered")
        while not json.loads(spool("list", "--json", "--state-dir", folder).stdout or "{}"):
            pass
        # What is there can be looked at, but not touched, while it runs.
        assert spool("list", "--state-dir", folder).stdout.startswith("custom: batches ")
        assert "nonce" in spool("show", "custom", "--state-dir", folder).stdout
        for command in (("drop", "custom", "--yes"), ("drain", "custom", "--url", NOBODY)):
            refused = spool(*command, "--state-dir", folder)
            assert refused.returncode == 2
            assert f"(process {host.pid}); stop that one first" in refused.stderr
        assert host.stop() == 0
    return folder


def listed(state: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(spool("list", "--json", "--state-dir", state).stdout)
    return found


def test_show_export_and_drain(state: str, tmp_path: Path) -> None:
    found = listed(state)
    shown = [
        json.loads(line)
        for line in spool("show", "custom", "--json", "--state-dir", state).stdout.splitlines()
    ]
    assert len(shown) == found["batches"]
    assert sum(each["reports"] for each in shown) == found["reports"]
    assert (
        len(spool("show", "custom", "--limit", "1", "--state-dir", state).stdout.splitlines()) == 1
    )

    file = tmp_path / "exported.jsonl"
    done = spool("export", "custom", "--output", str(file), "--state-dir", state)
    assert done.stderr == f"custom: batches exported {len(shown)}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    exported = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each["data"]["nonce"] for each in exported] == [each["nonce"] for each in shown]
    assert listed(state) == found, "nothing has left"

    with FaultServer(lambda n: "ok" if n == 0 else "503") as server:
        done = spool("drain", "custom", "--url", server.url, "--state-dir", state)
        if len(shown) > 1:
            assert done.returncode == 4
            assert f"batches accepted 1, left {len(shown) - 1}" in done.stderr
        server.behave = lambda n: "ok"
        if len(shown) > 1:
            done = spool("drain", "custom", "--url", server.url, "--state-dir", state)
        assert done.returncode == 0
        assert "left 0" in done.stderr
        assert {n: len(t) for n, t in server.taken.items()} == {
            each["nonce"]: each["reports"] for each in shown
        }
    assert not list(Path(state).glob("custom*"))
    assert "Nothing waits" in spool("list", "--state-dir", state).stderr


def test_drop_asks_first(state: str) -> None:
    found = listed(state)
    assert spool("drop", "custom", "--state-dir", state, typed="n\n").returncode == 1
    assert listed(state) == found
    done = spool("drop", "custom", "--state-dir", state, typed="y\n")
    assert done.returncode == 0
    assert f"dropped: batches {found['batches']}, reports {found['reports']}" in done.stderr
    assert not list(Path(state).glob("custom*"))


def test_wrong_use(tmp_path: Path) -> None:
    folder = str(tmp_path)
    for command, code, sentence in (
        (("show", "custom"), 2, "TARGET: nothing waits for 'custom' in"),
        (("drop", "custom", "--yes"), 2, "TARGET: nothing waits for 'custom' in"),
        (("drain", "custom"), 2, "no such server is configured: give --config or --url"),
        (("export", "../lock"), 2, "TARGET: nothing waits for '../lock' in"),
    ):
        done = spool(*command, "--state-dir", folder)
        assert done.returncode == code, done.stderr
        assert sentence in done.stderr
    (tmp_path / "custom.spool").write_text("Dear diary")
    done = spool("list", "--state-dir", folder)
    assert done.returncode == 4
    assert "custom.spool: file is not a database" in done.stderr
    for named, sentence in (
        (tmp_path / "none", "there is no such folder"),
        (tmp_path / "custom.spool", "cannot be read: Not a directory"),
    ):
        for words in (["list"], ["show", "custom"], ["export", "custom"]):
            done = spool(*words, "--state-dir", str(named))
            assert done.returncode == 2
            assert sentence in done.stderr


def test_what_cannot_be_read_is_not_nothing(state: str, tmp_path: Path) -> None:
    found = listed(state)
    path = Path(state, "custom.spool")
    with closing(sqlite3.connect(path)) as connection, connection:
        (last,) = connection.execute("SELECT max(seq) FROM batch").fetchone()
        connection.execute("UPDATE batch SET nonce = nonce + 1 WHERE seq = ?", (last,))
    Path(state, "another.spool").write_text("Dear diary")
    done = spool("list", "--state-dir", state)
    assert done.returncode == 4
    assert "another.spool: file is not a database" in done.stderr
    assert f"custom: batches {found['batches']}, " in done.stdout, "the others are listed"
    Path(state, "another.spool").unlink()
    for command in ("show", "export"):
        done = spool(command, "custom", "--state-dir", state)
        assert done.returncode == 4
        assert "custom: damaged, and cannot be read: batches 1" in done.stderr
        assert len(done.stdout.splitlines()) == found["batches"] - 1
    with FaultServer(lambda n: "ok") as server:
        done = spool("drain", "custom", "--url", server.url, "--state-dir", state)
    assert done.returncode == 4
    assert f"batches accepted {found['batches'] - 1}, unreadable 1, left 0" in done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        "made = 1e300",
        "made = -1e300",
        "made = 9e12",
        "made = 'noon'",
        "made = x'00'",
        "reports = -5",
        "reports = 1e300",
        "reports = 9223372036854775807",
    ],
)
def test_a_spool_with_impossible_values_is_damaged(damage: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    path = tmp_path / "custom.spool"
    open_database(path, 0, EARLIEST)[0].close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO batch VALUES (1, 1.8e9, 5, 1, x'00', x'00')")
        assert listed(folder)["batches"] == 1
        connection.execute(f"UPDATE batch SET {damage}")
    for command in (("list",), ("list", "--json"), ("show", "custom"), ("export", "custom")):
        done = spool(*command, "--state-dir", folder)
        assert done.returncode == 4
        assert "damaged, and cannot be read: batches 1" in done.stderr


@pytest.mark.parametrize("content", ["Dear diary", None])
def test_what_is_damaged_can_be_dropped(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "custom.spool"
    if content:
        path.write_text(content)
    else:
        path.symlink_to(tmp_path / "nowhere")
    asked = spool("drop", "custom", "--state-dir", str(tmp_path), typed="n\n")
    assert asked.returncode == 1
    assert "delete a spool that cannot be read (" in asked.stdout
    done = spool("drop", "custom", "--yes", "--state-dir", str(tmp_path))
    assert done.returncode == 0
    assert not list(tmp_path.glob("custom*"))


def test_a_drain_of_what_cannot_be_opened_or_is_refused_has_not_done_its_work(
    state: str, tmp_path: Path
) -> None:
    count = listed(state)["batches"]
    path = Path(state, "custom.spool")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 1")  # the program wants to write another one
        connection.execute("BEGIN EXCLUSIVE")
        done = spool("drain", "custom", "--url", NOBODY, "--state-dir", state)
        connection.execute("COMMIT")
    assert done.returncode == 4
    assert "custom.spool: database is locked" in done.stderr
    assert listed(state)["batches"] == count
    with FaultServer(lambda n: "400") as server:
        done = spool("drain", "custom", "--url", server.url, "--state-dir", state)
    assert done.returncode == 4
    assert f"batches accepted 0, refused {count}, left 0" in done.stderr
    path.write_text("Dear diary")
    with FaultServer(lambda n: "ok") as server:
        done = spool("drain", "custom", "--url", server.url, "--state-dir", state)
    assert done.returncode == 4
    assert "nothing of custom.damaged1 can be read" in done.stderr
    assert "custom.damaged1: was damaged, and set aside; it is not sent" in (
        spool("list", "--state-dir", state).stderr
    )
