"""What is done above the session: up to the reset line; a quiet radio; other settings."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from conftest import ours
from lines import run
from link_events import Events
from peer import GET_ALL, GET_DEVICE_ID, SET_ALL, Peer, ack, frame, obliging, report, silent
from rfc2217_server import Rfc2217Server, pyserial_is_old
from supervised_link import QUICK, lines, supervised
from supervised_link import link as link
from supervised_link import log as log

from firmware_protocol.messages import SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings, ModemLine, ResetCommand
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.errors import ConfigError
from ruuvi_host.monitoring.link_status import LinkState

LED_CTRL = 0x0E
PERSISTENT = QUICK | {"timeouts_to_fail": 1000}
"""Who answers late, on a busy machine, is not given up."""


# --- up to the reset line


def test_a_deaf_coprocessor_is_found_opened_again_and_reset(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    """It still reports, and hears nothing until its reset line is pulled."""
    pulled = tmp_path / "pulled"

    async def main() -> None:
        deaf = False

        def answer(command: int, payload: bytes) -> bytes:
            return b"" if deaf and not pulled.exists() else obliging(command, payload)

        with Peer(tmp_path / "tty", answer) as peer:
            reset = ResetCommand(("touch", str(pulled)))
            async with supervised(peer.path, reset=reset, **QUICK) as host:
                await host.ready()
                deaf = True
                number = 0
                while host.events.times_ready < 2:
                    number += 1
                    await peer.pour(report(number))
                    await asyncio.sleep(0.01)
                counters = host.counters
                assert (counters.given_up, counters.resets, counters.resets_failed) == (2, 1, 0)
                assert counters.opened == 3
                assert counters.session.probes >= 1
                assert 20 <= counters.session.lost_acks <= 100
                # what it sent while it was not configured is counted, and nothing else is missing
                heard = {int.from_bytes(r.address, "big") for r in host.events.reports}
                assert len(heard) == counters.session.reports
                assert host.supervisor.status.problem == ""
        said = "\n".join(lines(log))
        assert "still reports and has stopped answering: it receives nothing" in said
        assert "the coprocessor was reset" in said

    run(main())


def test_without_a_reset_line_it_is_tried_again_for_ever(link: Path) -> None:
    async def main() -> None:
        with Peer(link, silent):
            async with supervised(link, **QUICK) as host:
                await host.until(lambda: host.counters.given_up >= 3)
                status = host.supervisor.status
                assert (host.counters.resets, status.state) == (0, LinkState.CLOSED)
                assert "nothing comes from the coprocessor" in status.problem

    run(main())


def test_a_reset_that_fails_is_an_error_and_no_end(
    link: Path, log: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with Peer(link, silent) as peer:
            async with supervised(link, reset=ResetCommand(("false",)), **QUICK) as host:
                await host.until(lambda: host.counters.resets_failed >= 2)
                peer.answers = obliging
                await host.ready()
        errors = [r.getMessage() for r in ours(log) if r.levelno == logging.ERROR]
        assert errors == ["the coprocessor cannot be reset: false ended with exit code 1 (1)"]

    run(main())


@pyserial_is_old
def test_the_modem_line_is_pulled_while_the_port_is_open(link: Path) -> None:
    async def main() -> None:
        with Peer(link) as peer, Rfc2217Server(peer.path, clients=9) as server:

            def answer(command: int, payload: bytes) -> bytes:
                was_reset = server.levels("dtr")[-3:] == [False, True, False]
                return obliging(command, payload) if was_reset else b""

            peer.answers = answer
            reset = ModemLine("dtr", hold=0.01)
            settings: dict[str, Any] = {"ack_timeout": 0.2, "timeouts_to_fail": 2, "reset": reset}
            async with supervised(server.url, **settings) as host:
                await host.ready()
                # More than one, if an answer comes late on a busy machine.
                assert host.counters.opened == host.counters.resets + 2 >= 3

    run(main())


def test_a_reset_that_can_never_work_is_told_at_the_start() -> None:
    settings = CoprocessorSettings("/dev/x", reset=ResetCommand(("/nowhere",)))
    with pytest.raises(ConfigError, match="there is no program /nowhere"):
        Supervisor(settings, SetAll(), Events().on_event, SystemClock())


def test_lost_answers_are_counted_step_by_step(link: Path) -> None:
    async def main() -> None:
        with Peer(link) as peer:

            def answer(command: int, payload: bytes) -> bytes:
                """SET_ALL only after GET_DEVICE_ID has emptied the buffer."""
                lost = command == SET_ALL and peer.count(GET_DEVICE_ID) < 2
                return b"" if lost else obliging(command, payload)

            peer.answers = answer
            async with supervised(link, **PERSISTENT) as host:
                await host.ready()
                counters = host.counters
                session = counters.session
                assert counters.given_up == 0
                # More, if an answer comes late on a busy machine.
                assert session.resends >= 3
                assert session.recoveries >= 1

    run(main())


def test_who_was_found_old_is_spared_the_long_set_all_in_its_next_life(link: Path) -> None:
    async def main() -> None:
        def old(command: int, payload: bytes) -> bytes:
            if command == LED_CTRL:
                return frame(LED_CTRL, payload)
            return obliging(command, payload) if command != SET_ALL or len(payload) == 5 else b""

        with Peer(link, old) as peer:
            async with supervised(link, probe="led", **PERSISTENT) as host:
                await host.ready()
                await peer.got(LED_CTRL, 2)
                assert host.supervisor.status.firmware == "1.0.0 or older"
                long_ones = sum(len(p) == 7 for c, p in peer.commands if c == SET_ALL)
                assert long_ones >= 4, "more, if an answer comes late on a busy machine"
                peer.unplug()
                await host.until(lambda: host.counters.disconnects)
                peer.plug_in()
                await host.ready(2)
                assert sum(len(p) == 7 for c, p in peer.commands if c == SET_ALL) == long_ones

    run(main())


# --- quiet


def test_a_quiet_radio_is_no_dead_link(link: Path, log: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link, quiet=0.2, **PERSISTENT) as host:
                await host.until(lambda: host.supervisor.status.state is LinkState.QUIET)
                peer.send(frame(GET_ALL))  # its watchdog
                await host.ready(2)
                await peer.got(GET_DEVICE_ID, 4)  # it is probed all the same
                assert host.supervisor.status.state is LinkState.QUIET
                assert host.counters.disconnects == 0
                peer.send(report(1))
                await host.until(lambda: host.events.reports)
                assert not host.supervisor.status.problem
                await host.until(lambda: host.supervisor.status.state is LinkState.QUIET)
        told = [line for line in lines(log) if "reports" in line]
        assert len(told) == 2, "in ten minutes, each way"

    run(main())


# --- while it runs


def test_other_settings_reach_a_running_link_at_once(link: Path) -> None:
    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link) as host:
                await host.ready()
                host.supervisor.reconfigure(SetAll(use_coded_phy=True))
                peer.send(report(1))
                assert (await peer.got(SET_ALL, 2)).hex(" ") == "99 04 2c 7f 2c 30 2c"
                peer.send(report(2))
                await host.ready(2)
                await host.until(lambda: len(host.events.reports) == 2)
                assert (host.counters.opened, host.counters.session.reports_unconfigured) == (1, 0)
                peer.unplug()
                await host.until(lambda: host.counters.disconnects)
                host.supervisor.reconfigure(SetAll(use_coded_phy=True, fltr_tags=False))
                peer.plug_in()
                assert (await peer.got(SET_ALL, 3)).hex(" ") == "99 04 2c 7e 2c 30 2c"

    run(main())


def test_other_settings_that_get_no_answer_are_sent_again(link: Path) -> None:
    """Their time-out comes long before the one for which the read was waiting."""

    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link, ack_timeout=0.05, heartbeat=600.0) as host:
                await host.ready()
                peer.answers = silent
                host.supervisor.reconfigure(SetAll(fltr_tags=False))
                await peer.got(SET_ALL, 3)
                peer.send(ack(SET_ALL))
                await host.ready(2)

    run(main())


def test_a_pty_does_not_count_overruns(link: Path) -> None:
    async def main() -> None:
        with Peer(link):
            async with supervised(link) as host:
                await host.ready()
                assert host.counters.uart_overruns is None, "not known, and not 0"
                assert "uart_overruns" not in host.counters.nonzero()

    run(main())


def test_a_driver_that_counts_overruns_is_believed(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No driver that does is at hand: its answer is put in the kernel's mouth."""
    import fcntl
    import struct
    import termios

    counted = [100]
    real = fcntl.ioctl

    def ioctl(fd: int, request: int, *rest: Any) -> Any:
        if request != termios.TIOCGICOUNT:
            return real(fd, request, *rest)
        numbers = [0] * 20
        numbers[6], numbers[7], numbers[10] = 7, counted[0], 5
        return struct.pack("20i", *numbers)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)

    async def main() -> None:
        with Peer(link) as peer:
            async with supervised(link) as host:
                await host.ready()
                assert host.counters.uart_overruns == 0, "what was before is not ours"
                counted[0] += 3
                assert host.counters.uart_overruns == 3
                peer.unplug()
                await host.until(lambda: host.counters.disconnects)
                peer.plug_in()
                await host.ready(2)
                counted[0] += 1
                assert (host.counters.uart_overruns, host.counters.uart_framing_errors) == (4, 0)

    run(main())
