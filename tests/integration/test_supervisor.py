"""Supervisor: many lives of a link, through unplugging, reboots, silence and other programs."""

import asyncio
import fcntl
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from lines import PATIENCE, run
from peer import (
    GET_ALL,
    GET_DEVICE_ID,
    SET_ALL,
    Peer,
    ack,
    frame,
    obliging,
    report,
    silent,
)
from supervised_link import Supervised, lines, supervised
from supervised_link import link as link
from supervised_link import log as log

from firmware_protocol.events import Ready
from ruuvi_host.device import reopener
from ruuvi_host.device.opening import open_port
from ruuvi_host.device.port import Port
from ruuvi_host.errors import PortError
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.pty import PtyServer

# --- the normal life


def test_a_port_that_cannot_be_opened_at_the_start_is_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(PortError, match="there is no such port"):
            await Supervised(str(tmp_path / "nowhere")).running

    run(main())


def test_few_and_clear_lines(link: Path, log: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link) as host:
                await host.ready()
                peer.send(report(1))
                await host.received(1)
                peer.send(frame(GET_ALL))
                await host.ready(2)
                for times in (3, 4):  # one line for all of these, in ten minutes
                    peer.send(frame(GET_ALL))
                    await host.ready(times)
                peer.unplug()
                await host.until(lambda: host.counters.disconnects)
                peer.plug_in()
                await host.ready(5)
        assert lines(log) == [
            f"INFO {link}: opened",
            "INFO coprocessor C8:25:2D:8E:9C:2C",
            "INFO coprocessor configured; listening",
            "INFO coprocessor has rebooted",
            "INFO coprocessor configured; listening",
            f"WARNING {link}: lost: unplugged, or closed by the other end; trying again",
            "INFO coprocessor configured; listening",
        ]

    run(main())


def test_a_boot_before_it_is_configured_is_no_reboot(
    link: Path, log: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        def booting(command: int, payload: bytes) -> bytes:
            return frame(GET_ALL) + obliging(command, payload)

        with Peer(link, booting) as peer:
            async with supervised(link) as host:
                await peer.got(SET_ALL)
                await host.ready()
        assert "INFO coprocessor has rebooted" not in lines(log)

    run(main())


def test_refused_settings_are_told_once(link: Path, log: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def refusing(command: int, payload: bytes) -> bytes:
            return ack(SET_ALL, 1) if command == SET_ALL else obliging(command, payload)

        with Peer(link, refusing) as peer:
            async with supervised(link) as host:
                for times in (1, 2, 3):
                    await host.until(lambda: host.events.others.count(Ready(refused=True)) >= times)  # noqa: B023
                    peer.send(frame(GET_ALL))
                await peer.got(SET_ALL, 3)
        assert sum("refused part of its settings" in line for line in lines(log)) == 1

    run(main())


# --- loss and return


def test_reports_and_counters_survive_unplugging(link: Path, log: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link) as host:
                for life in (1, 2, 3):
                    await host.ready(life)
                    peer.send(b"\xca" + report(life) + b"\x00")
                    await host.received(life)
                    peer.unplug()
                    await host.until(lambda: host.counters.disconnects >= life)  # noqa: B023
                    peer.plug_in()
                await host.ready(4)
                assert host.events.numbers == [1, 2, 3]
                counters = host.counters
                assert (counters.opened, counters.disconnects) == (4, 3)
                assert counters.session.reports == 3
                assert counters.session.scanner.bytes_skipped == 6
        assert sum(line.startswith("WARNING") for line in lines(log)) == 1, (
            "it flaps: one line a minute"
        )
        assert len(lines(log)) == 5

    run(main())


def test_a_simulated_board_is_unplugged_in_full_flow(link: Path) -> None:
    async def main() -> None:
        with PtyServer(Board(tags=5, rate=300.0, baud=0), link=str(link)) as server:
            serving = asyncio.create_task(server.run())
            async with supervised(link) as host:
                await host.until(lambda: len(host.events.reports) > 50)
                server.unplug()
                await host.until(lambda: host.counters.disconnects)
                server.replug()
                await host.ready(2)
                before = len(host.events.reports)
                await host.until(lambda: len(host.events.reports) > before + 50)
                assert host.counters.disconnects == 1
            # What was cut off at the unplug and at the end.
            assert host.counters.session.scanner.bytes_skipped < 100
            serving.cancel()
            await asyncio.wait([serving])

    run(main())


def test_a_port_that_has_vanished_is_looked_for_every_second(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the pause has become."""
    monkeypatch.setattr(reopener, "FIRST_PAUSE", 600.0)
    monkeypatch.setattr(reopener, "LONGEST_PAUSE", 600.0)

    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link) as host:
                await host.ready()
                peer.unplug()
                await host.until(lambda: host.counters.disconnects)
                peer.plug_in()
                await host.ready(2)

    run(main())


def test_a_silent_peer_is_left_and_tried_again(link: Path, log: pytest.LogCaptureFixture) -> None:
    """Also a coprocessor that appears only later."""

    async def main() -> None:
        with Peer(link, silent) as peer:
            async with supervised(link) as host:
                await host.until(lambda: host.counters.opened >= 2)
                assert host.counters.disconnects >= 1
                assert host.counters.session.lost_acks >= 10
                peer.answers = obliging
                await host.ready()
        assert lines(log) == [
            f"INFO {link}: opened",
            f"WARNING {link}: nothing comes from the coprocessor; is this its port, and does it "
            "have power? (no answer to GET_DEVICE_ID); trying again",
            "INFO coprocessor C8:25:2D:8E:9C:2C",
            "INFO coprocessor configured; listening",
        ]

    run(main())


def test_a_port_that_another_program_took_meanwhile(
    link: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def counted(path: str, *options: Any, **more: Any) -> Port:
        nonlocal attempts
        attempts += 1
        return await open_port(path, *options, **more)

    monkeypatch.setattr(reopener, "open_port", counted)

    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link) as host:
                await host.ready()
                peer.unplug()
                peer.plug_in()
                thief = os.open(peer.path, os.O_RDWR | os.O_NOCTTY)
                fcntl.flock(thief, fcntl.LOCK_EX)
                await host.until(lambda: host.counters.disconnects)
                await host.until(lambda: attempts >= 3)
                os.close(thief)
                await host.ready(2)
                assert (host.counters.opened, host.counters.disconnects) == (2, 1)
        assert len(lines(log)) == 5  # the failed attempts are no news

    run(main())


def test_two_hosts_on_one_port(link: Path) -> None:
    async def main() -> None:
        with Peer(link):
            async with supervised(link) as host:
                await host.ready()
                with pytest.raises(PortError, match="in use by"):
                    await Supervised(str(link)).running
                assert host.events.times_ready == 1

    run(main())


# --- the end


def test_it_can_be_stopped_while_the_port_is_being_opened() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        held_up = Event()
        blocker = loop.run_in_executor(None, held_up.wait)
        with Peer() as peer:
            host = Supervised(peer.path)
            await asyncio.sleep(0)
            await host.stop()
            held_up.set()
            await blocker
            await loop.run_in_executor(None, int)

    run(main())


def test_it_can_be_stopped_while_a_server_says_nothing() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
            host = Supervised(f"socket://127.0.0.1:{server.getsockname()[1]}")
            await host.until(lambda: host.counters.opened)
            await host.stop()

    run(main())


@pytest.mark.parametrize("moment", [GET_DEVICE_ID, SET_ALL])
def test_it_can_be_stopped_during_the_handshake(moment: int) -> None:
    async def main() -> None:
        def silent_from(command: int, payload: bytes) -> bytes:
            return b"" if command == moment else obliging(command, payload)

        with Peer(answers=silent_from) as peer:
            host = Supervised(peer.path)
            await peer.got(moment)
            await host.stop()

    run(main())


def test_it_can_be_stopped_during_the_pause(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reopener, "FIRST_PAUSE", PATIENCE)

    async def main() -> None:
        with Peer(link) as peer:
            host = Supervised(str(link))
            await host.ready()
            peer.unplug()
            await host.until(lambda: host.counters.disconnects)
            await host.stop()
            assert host.counters.opened == 1

    run(main())
