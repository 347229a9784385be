"""The real host in a process, between a misbehaving coprocessor on a pty and the real receiver.

What is offered on the line is counted here, what arrives is counted at the receiver, and what
happened in between is what the host says in its last lines. `Bench.accounting` holds the three
against each other: nothing may be missing without a counter that says why.
"""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from lines import until
from peer import IDENTITY, SET_ALL, Peer, old_report, report
from programs import Program, ruuvi_host
from soak_figures import tell

BURST = 4
"""Reports that are written together."""
RATE = 800
"""Reports per second, as nearly as the machine allows. Three times what the line of a real board
can carry."""
MOST_UNREAD = 2000
"""Bytes; a pty keeps 4096 for who does not read them."""
SENSORS = 50_000
KEY = ":".join(f"{byte:02X}" for byte in IDENTITY[:8])
"""Who the peer is, which is what its host signs with."""


@dataclass
class Figures:
    """What a fault has cost."""

    name: str
    offered: int = 0
    """Intact report frames that were put on the line."""
    unheard: int = 0
    """Of those: put on the line in a moment when the host may have had the port closed."""
    damaged: int = 0
    """Frames that were broken on purpose."""
    counted: int = 0
    """By the host, as heard."""
    unconfigured: int = 0
    """By the host: came before the coprocessor was configured."""
    taken: int = 0
    """News for the table."""
    delivered: int = 0
    """In batches that the receiver has accepted."""
    kept: int = 0
    """By the host, for the next run: there are three seconds for the last deliveries."""
    link: dict[str, int] = field(default_factory=dict)
    """The host's other counters of the line."""

    @property
    def lost(self) -> int:
        """On the way from the line to the table: without a counter that says why. What comes while
        the port is closed can be counted by nobody."""
        missing = self.offered - self.counted - self.unconfigured
        return max(missing - self.unheard, min(missing, 0))

    @property
    def lost_behind(self) -> int:
        """On the way from the table to the receiver: each sensor has one report within a batch's
        interval, so that none is replaced by a newer one. What was kept may have arrived."""
        missing = self.taken - self.delivered
        return max(missing - self.kept, min(missing, 0))

    def told(self) -> dict[str, int]:
        """All of it, by name."""
        return {
            "offered": self.offered,
            "offered_while_closed": self.unheard,
            "damaged": self.damaged,
            "counted": self.counted,
            "unconfigured": self.unconfigured,
            "delivered": self.delivered,
            "kept": self.kept,
            "lost_without_a_reason": self.lost + self.lost_behind,
            **{k: v for k, v in self.link.items() if not k.startswith("bytes_")},
        }


class Bench:
    """A host that runs, and what is offered to it."""

    def __init__(self, name: str, peer: Peer, host: Program, receiver: Program) -> None:
        self.peer = peer
        self.host = host
        self.figures = Figures(name)
        self.random = Random(1)
        self.may_close = False
        """The host is expected to close the port and to open it again while reports flow."""
        self.in_pieces = False
        """Frames come in pieces. On a busy machine the next piece may come later than Timing.idle,
        and the host gives the frame up: `idle_rescans` tells."""
        self.is_old = False
        """It has firmware 1.0.0, and reports like that."""
        self._receiver = receiver
        self._number = 0

    @property
    def configured(self) -> int:
        """How often the host has sent SET_ALL; once more for each answer that was too late."""
        return self.peer.count(SET_ALL)

    async def ready(self, times: int = 1) -> None:
        """Until `configured` is so many."""
        await self.peer.got(SET_ALL, times)

    async def said(self, pattern: str, count: int = 1) -> str:
        """A line of the host's log. Waits for it in a thread: the coprocessor must go on."""
        return (await asyncio.to_thread(self.host.wait_for, pattern, count)).string

    def frame(self) -> bytes:
        """The next report: each has data of its own, and a sensor that was silent for a minute."""
        self._number += 1
        data = bytes.fromhex("0201061bff990405") + self._number.to_bytes(23, "big")
        address = 1 + self._number % SENSORS
        return old_report(address, data) if self.is_old else report(address, data)

    async def offer(self, seconds: float, around: Callable[[bytes], bytes] | None = None) -> None:
        """Reports for so long. around: what is made of each frame, which stays whole in it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            frames = [self.frame() for _ in range(BURST)]
            before = self.port_of_host()
            # Of what does not fit in, the rest comes later than a frame may take.
            await until(lambda: self.peer.unread() < MOST_UNREAD or not self.port_of_host())
            await self.peer.pour(b"".join(map(around, frames) if around else frames))
            self.figures.offered += BURST
            await asyncio.sleep(BURST / RATE)
            if self.may_close:
                await until(lambda: not self.port_of_host() or not self.peer.unread())
                if not before or self.port_of_host() != before:
                    self.figures.unheard += BURST

    def port_of_host(self) -> str:
        """The host's descriptor of the port; empty: it has it closed. A descriptor that is opened
        again has another time, so that it can be told from the one before."""
        for fd in Path(f"/proc/{self.host.pid}/fd").iterdir():
            with suppress(OSError):
                if os.readlink(fd) == self.peer.pty:
                    return f"{fd.name} {fd.lstat().st_ctime_ns}"
        return ""

    async def read_by_host(self) -> None:
        """Until everything that was put on the line has been taken from it."""
        await until(lambda: not self.peer.unread())

    async def accounting(self) -> Figures:
        """Stop the host and hold against each other what was offered and what became of it."""
        await self.read_by_host()
        await asyncio.sleep(0.2)  # more than Timing.idle: a frame behind a false header comes out
        code = await asyncio.to_thread(self.host.stop, signal.SIGTERM)
        assert code == 0, self.host
        assert not any("Traceback" in line for line in self.host.err), self.host
        figures = self.figures
        names = (r"coprocessor \S+", "intake", "custom")
        link, intake, relay = (self._counters(name) for name in names)
        figures.counted = link.pop("reports", 0)
        figures.unconfigured = link.pop("reports_unconfigured", 0)
        figures.link = link
        if self.in_pieces:
            figures.unheard += link.get("idle_rescans", 0)
        assert link["bytes_received"] == link["bytes_in_frames"] + link.get("bytes_skipped", 0)
        dropped = sum(
            intake.get(name, 0)
            for name in ("empty", "too_long", "filtered", "clock_not_synchronised")
        )
        figures.taken = intake.get("changed", 0)
        seen = figures.taken + intake.get("repeats", 0) + intake.get("shorter", 0)
        assert intake.get("reports", 0) == figures.counted == dropped + seen
        batches: list[dict[str, Any]] = [
            line for line in map(json.loads, self._receiver.out) if line.get("tags") is not None
        ]
        figures.delivered = sum(b["tags"] for b in batches if b["result"] == "accepted")
        figures.kept = relay.get("kept_reports", 0)
        # A relay counts anew with a new configuration.
        assert figures.delivered >= relay.get("accepted_reports", 0)
        tell(f"line, {figures.name}", **figures.told())
        assert figures.lost == 0
        assert figures.lost_behind == 0
        return figures

    def _counters(self, name: str) -> dict[str, int]:
        for line in self.host.err:
            if found := re.search(rf" {name}: (\w+ \d+(?:, \w+ \d+)*)$", line):
                return {k: int(v) for k, v in (pair.split() for pair in found[1].split(", "))}
        raise AssertionError(f"no counters of {name!r}: {self.host}")


@asynccontextmanager
async def bench(
    name: str, folder: Path, peer: Peer | None = None, /, **coprocessor: Any
) -> AsyncIterator[Bench]:
    """A host for `peer`. coprocessor: keys of [[coprocessor]] beside the port."""
    with (
        ruuvi_host("receive", "--port", "0", "--json", "--key", KEY) as receiver,
        peer or Peer(folder / "tty") as peer,
    ):
        url = await asyncio.to_thread(receiver.wait_for, r'"listening": "(.*?)"')
        keys = {"port": peer.path, **coprocessor}
        settings = folder / "ruuvi-host.toml"
        settings.write_text(
            f"trust_clock = true\nmax_sensors = {SENSORS}\n[[coprocessor]]\n"
            + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        )
        options = ("--config", str(settings), "--url", url[1], "--interval", "1")
        with ruuvi_host("run", "--state-dir", str(folder / "state"), *options) as host:
            running = Bench(name, peer, host, receiver)
            await running.ready()
            yield running
