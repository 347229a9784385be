"""Servers that fail in every way, and the end of the real program in every phase of a post."""

import json
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fault_server import FaultServer
from lines import Pty
from programs import Program, ruuvi_host
from soak_figures import tell
from told_counters import assert_accounted_for, counted

STOP_WITHIN = 5.0
"""Seconds; what is promised, and what all limits on the way add up to at most."""
SLOWNESS = 4.0
"""Seconds of a slow machine, for what is done between them. Without a limit it would be longer:
an attempt has ten seconds and more."""


def host(state: Path, url: str, *options: str) -> Program:
    more = ("--interval", "1", "--state-dir", str(state), *options)
    return ruuvi_host("run", "--simulate", "--url", url, *more)


def without_coprocessor(state: Path, url: str, line: Pty) -> Program:
    options = ("--port", line.path, "--trust-clock", "--state-dir", str(state))
    return ruuvi_host("run", "--url", url, *options)


# -- servers --------------------------------------------------------------------------------------

EACH = ["503", "429", "reset", "reset_early", "lost", "cut", "garbage", "late"]
FAULTS = {
    "status 503": ["503"] * 2,
    "reset": ["reset"] * 2,
    "answers 200 late": ["late"] * 2,
    "loses its answers": ["lost"] * 2,
    "one after the other": [action for fault in EACH for action in (fault, "ok")],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_report_arrives_in_spite_of(tmp_path: Path, fault: str) -> None:
    script = FAULTS[fault]
    with FaultServer(lambda n: script[n] if n < len(script) else "ok") as server:
        began = time.monotonic()
        with host(tmp_path, server.url) as program:
            server.wait_for(lambda: server.connections >= len(script) + 3)
            assert program.stop() == 0
        assert not list(tmp_path.glob("custom.spool*"))
        taken = server.taken
        for post in server.posts:
            assert post.nonce in taken or not post.tags, "kept, and taken in the end"
            assert post.nonce not in taken or taken[post.nonce] == post.tags
        assert_accounted_for(program)
        assert counted(program, "lost") == counted(program, "kept") == 0
        arrivals = [post.nonce for post in server.posts if post.nonce in taken]
        tell(
            f"a server: {fault}",
            seconds=round(time.monotonic() - began, 1),
            posts=len(server.posts),
            batches_taken=len(taken),
            came_twice=len(arrivals) - len(set(arrivals)),
            lost=0,
        )


def test_a_server_that_nobody_serves_for_a_while(tmp_path: Path) -> None:
    with FaultServer() as server, host(tmp_path, server.url) as program:
        server.wait_for(lambda: server.taken)
        server.refuse()
        program.wait_for("not delivered .*refused")
        server.listen()
        program.wait_for("batches are accepted after")
        assert program.stop() == 0
        assert_accounted_for(program)
        assert counted(program, "kept") == counted(program, "lost") == 0
        assert counted(program, "accepted_reports") == sum(map(len, server.taken.values()))


def test_what_a_server_refuses_is_counted_and_kept_for_inspection(tmp_path: Path) -> None:
    with (
        FaultServer(lambda n: "400" if n % 2 else "ok") as server,
        host(tmp_path, server.url) as program,
    ):
        server.wait_for(lambda: len(server.posts) >= 6)
        assert program.stop() == 0
        assert_accounted_for(program)
        refused = {post.nonce: post.tags for post in server.posts if post.action == "400"}
        for path in (tmp_path / "custom.refused").iterdir():
            nonce = int(path.name.partition("-")[0])
            assert tuple(json.loads(path.read_bytes())["data"]["tags"]) == refused.pop(nonce)
        assert len(refused) <= 1, "only one that was under way at the end may be missing"


def test_a_backlog_needs_no_coprocessor(tmp_path: Path) -> None:
    """What waits from before is delivered although nobody answers on the line."""
    with (
        FaultServer(lambda n: "ok" if n < 2 else "503") as server,
        host(tmp_path, server.url) as program,
    ):
        server.wait_for(server.failed)
        assert program.stop() == 0
    kept = counted(program, "kept")
    assert kept
    with (
        FaultServer() as server,
        Pty() as line,
        without_coprocessor(tmp_path, server.url, line) as program,
    ):
        server.wait_for(lambda: len(server.taken) == kept)
        assert program.stop() == 0


# -- the end --------------------------------------------------------------------------------------


def full_backlog() -> tuple[socket.socket, list[socket.socket]]:
    """A listener whose queue of connections is full: the next one gets no answer at all."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect(listener.getsockname())
        waiting.append(client)
    return listener, waiting


PHASES = {
    "batches accepted": "ok",
    "post not read": "hang_early",
    "post not answered": "hang",
    "answer a byte a second": "drip",
    "pause after a failure": "503",
    "pause that the server asked for": "429",
}


def stopped_in_time(program: Program, phase: str) -> None:
    began = time.monotonic()
    assert program.stop(signal.SIGTERM) == 0, program
    seconds = time.monotonic() - began
    tell(f"SIGTERM: {phase}", seconds=round(seconds, 2))
    assert seconds < STOP_WITHIN + SLOWNESS
    assert "Traceback" not in str(program)


@pytest.mark.parametrize("phase", PHASES)
def test_the_end_comes_within_five_seconds_and_costs_nothing(tmp_path: Path, phase: str) -> None:
    action = PHASES[phase]
    with FaultServer(lambda n: "ok" if n < 2 else action) as server:
        with host(tmp_path, server.url) as program:
            server.wait_for(lambda: server.connections > 2)
            if action not in ("ok", "hang_early"):
                server.wait_for(server.failed)
            stopped_in_time(program, phase)
        assert_accounted_for(program)
        kept = counted(program, "kept")
        assert bool(kept) is (action != "ok")
        undelivered = {post.nonce for post in server.failed()}
        server.behave = lambda n: "ok"
        with host(tmp_path, server.url) as again:
            again.wait_for("coprocessor configured")
            if kept:  # of a post that was not read the server does not know which it was
                again.wait_for("from the previous run")
            server.wait_for(lambda: undelivered <= set(server.taken))
            assert again.stop() == 0
        assert counted(again, "from_previous_run") == kept
        assert counted(again, "kept") == 0


def test_the_end_comes_in_time_before_the_coprocessor_answers(tmp_path: Path) -> None:
    with (
        FaultServer() as server,
        Pty() as line,
        without_coprocessor(tmp_path, server.url, line) as program,
    ):
        program.wait_for("opened")
        stopped_in_time(program, "before the coprocessor answers")


def test_the_end_comes_in_time_while_it_connects(tmp_path: Path) -> None:
    listener, waiting = full_backlog()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with host(tmp_path, url) as program:
            program.wait_for("configured")
            stopped_in_time(program, "connecting")
    finally:
        for each in (listener, *waiting):
            each.close()


def test_the_end_comes_in_time_within_a_backlog(tmp_path: Path) -> None:
    """Hundreds of batches wait, the server takes them one by one: the rest stays."""
    lines = []
    for nonce in range(250):
        rows = [["0000000000%02x" % (nonce % 256), "0201060303aafe", -60, 1, 15, 37, None, 1.8e9]]
        rows[0][-1] = int(time.time())
        identity = {"id": "4098a778581ae138", "addr": "c8252d8e9c2c"}
        lines.append(json.dumps({"nonce": nonce, **identity, "advertisements": rows}))
    (tmp_path / "custom.jsonl").write_text("\n".join(lines) + "\n")
    with FaultServer() as server:
        slowly = ("--set", "spool.drain_rate=20")
        with host(tmp_path, server.url, *slowly) as program:
            server.wait_for(lambda: len(server.taken) > 20)
            stopped_in_time(program, "within a backlog of 250")
        first = len(server.taken)
        assert_accounted_for(program)
        kept = counted(program, "kept")
        assert kept > 50
        with host(tmp_path, server.url) as program:
            server.wait_for(lambda: set(range(250)) <= set(server.taken))
            assert program.stop() == 0
        drained = [post.nonce for post in server.posts if post.nonce < 250]
        assert drained == sorted(drained), "in order"
        tell("a backlog of 250", before_the_stop=first, kept=kept, twice=len(drained) - 250)
