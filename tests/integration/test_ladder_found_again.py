"""A coprocessor is found again: under another name, when it is back, among several."""

import asyncio
import time
from pathlib import Path

import pytest
from lines import PATIENCE, run, until
from link_events import Events, SourceEvents
from peer import SET_ALL, Peer, report, silent
from supervised_link import QUICK, lines, supervised
from supervised_link import link as link
from supervised_link import log as log
from usb import UsbMachine

from firmware_protocol.events import Identified, Ready
from firmware_protocol.messages import SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device import reopener
from ruuvi_host.device.coprocessors import Coprocessors
from ruuvi_host.device.folder_watch import FolderWatch
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.errors import PortError
from ruuvi_host.monitoring.link_status import LinkState

# --- found again


def test_it_is_found_under_another_tty_number(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        usb = UsbMachine(tmp_path)
        with Peer() as peer, Peer(answers=silent) as stranger:
            path = usb.plug_in("ttyACM0", peer.path, serial="A")
            async with supervised(path, {"machine": usb.machine}) as host:
                await host.ready()
                peer.unplug()
                usb.unplug("ttyACM0")
                await host.until(lambda: host.counters.disconnects)
                usb.plug_in("ttyACM0", stranger.path, serial="B", socket="1-7")
                peer.plug_in()
                moved = usb.plug_in("ttyACM1", peer.path, serial="A")
                await host.ready(2)
                status = host.supervisor.status
                assert (status.name, status.path) == (path, moved)
                assert status.state is LinkState.READY
            assert stranger.commands == [], "another device is left alone"
            assert f"INFO the port is {moved} now" in lines(log)

    run(main())


def test_a_port_is_opened_at_once_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system tells (inotify): nobody looks in this test."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "LOOK"):
        monkeypatch.setattr(reopener, name, 600.0)
    folder = tmp_path / "serial" / "by-id"  # udev removes and makes them, too
    folder.mkdir(parents=True)

    async def main() -> None:
        with Peer(folder / "usb-x") as peer:
            async with supervised(folder / "usb-x") as host:
                await host.ready()
                for life in (2, 3):
                    peer.unplug()
                    folder.rmdir()
                    folder.parent.rmdir()
                    await host.until(lambda: host.counters.disconnects >= life - 1)  # noqa: B023
                    await asyncio.sleep(0.05)  # it waits by now; earlier is no harm
                    folder.parent.mkdir()
                    folder.mkdir()
                    peer.plug_in()
                    await host.ready(life)

    run(main())


def test_where_nothing_tells_it_is_looked_for(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FolderWatch, "_watch", lambda watch: None)
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


def test_a_folder_that_is_made_anew_is_watched_anew(tmp_path: Path) -> None:
    folder = tmp_path / "by-id"

    async def main() -> None:
        with FolderWatch([str(folder)]) as watch:
            for _ in range(3):
                folder.mkdir()
                assert await watch.wait(PATIENCE)
                (folder / "usb-x").touch()
                assert await watch.wait(PATIENCE)
                (folder / "usb-x").unlink()
                assert await watch.wait(PATIENCE)
                folder.rmdir()
                assert await watch.wait(PATIENCE)
                await asyncio.sleep(0.05)  # one of these may be told twice
                await watch.wait(0)

    run(main())


def test_a_storm_among_the_device_nodes_does_not_make_it_spin(tmp_path: Path) -> None:
    async def main() -> None:
        with Peer(tmp_path / "tty") as peer:
            async with supervised(tmp_path / "tty") as host:
                await host.ready()
                peer.unplug()
                await host.until(lambda: host.counters.disconnects)
                before, start = host.counters.open_failures, time.monotonic()
                while time.monotonic() < start + 0.5:
                    (tmp_path / "other").touch()
                    (tmp_path / "other").unlink()
                    await asyncio.sleep(0.001)
                took = time.monotonic() - start
                more = host.counters.open_failures - before
                assert more <= 1 + took / reopener.SHORTEST_PAUSE
                peer.plug_in()
                await host.ready(2)

    run(main())


def test_who_reads_our_port_is_named(link: Path, log: pytest.LogCaptureFixture) -> None:
    """flock keeps out only those who ask for it, and the answers go to somebody else."""
    import subprocess
    import sys

    steal = (
        "import os, sys; fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open');"
        "sys.stdout.flush(); sys.stdin.read()"
    )

    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link, **QUICK) as host:
                await host.ready()
                thief = subprocess.Popen(  # noqa: ASYNC220
                    [sys.executable, "-c", steal, peer.path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                with thief:
                    assert thief.stdout
                    thief.stdout.readline()
                    peer.answers = silent
                    await host.until(lambda: host.counters.given_up)
                    await host.until(lambda: any("open, too" in line for line in lines(log)))
                    thief.kill()
        told = next(line for line in lines(log) if "open, too" in line)
        assert f"(process {thief.pid}) has this port open, too, and reads some of its data" in told

    run(main())


def test_a_port_that_is_not_required_may_come_later(link: Path) -> None:
    async def main() -> None:
        events = Events()
        settings = CoprocessorSettings(str(link))
        supervisor = Supervisor(settings, SetAll(), events.on_event, SystemClock())
        running = asyncio.create_task(supervisor.run(required=False))
        await until(lambda: supervisor.counters.open_failures)
        with Peer(link):
            await until(lambda: events.times_ready)
            running.cancel()
            await asyncio.wait([running])

    run(main())


# --- several


def test_several_and_one_of_them_is_missing(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        names = [tmp_path / name for name in "abc"]
        events = SourceEvents()
        settings = [CoprocessorSettings(str(name)) for name in names]
        with Peer(names[0]) as first, Peer(names[2]) as third:
            all_of_them = Coprocessors(settings, SetAll(), events.on_event, SystemClock())
            running = asyncio.create_task(all_of_them.run())
            await until(lambda: {(0, Ready), (2, Ready)} <= set(events.told))
            third.send(report(7))
            await until(lambda: (2, 7) in events.told)
            states = [status.state for status in all_of_them.statuses]
            assert states == [LinkState.READY, LinkState.CLOSED, LinkState.READY]
            assert [status.name for status in all_of_them.statuses] == [str(n) for n in names]
            assert "there is no such port" in all_of_them.statuses[1].problem
            with Peer(names[1]) as second:
                await until(lambda: {(1, Identified), (1, Ready)} <= set(events.told))
                all_of_them.reconfigure(SetAll(fltr_tags=False))
                for peer in (first, second, third):
                    await peer.got(SET_ALL, 2)
                running.cancel()
                await asyncio.wait([running])
        told = [line.partition(" ")[2] for line in lines(log)]
        assert all(line.startswith(("#1: ", "#2: ", "#3: ")) for line in told)

    run(main())


def test_the_only_one_that_is_missing_is_a_mistake(tmp_path: Path) -> None:
    async def main() -> None:
        one = [CoprocessorSettings(str(tmp_path / "x"))]
        with pytest.raises(PortError, match="there is no such port"):
            await Coprocessors(one, SetAll(), SourceEvents().on_event, SystemClock()).run()

    run(main())
