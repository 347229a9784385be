"""Link: one life of an open port, with a hand-written coprocessor on a pty."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from lines import PATIENCE, run, until
from link_events import Events
from peer import (
    DEFAULT_SETTINGS,
    DEVICE_ID,
    GET_ALL,
    GET_DEVICE_ID,
    IDENTITY,
    SET_ALL,
    Answers,
    Peer,
    ack,
    frame,
    obliging,
    report,
    silent,
)

from firmware_protocol.events import Identified, Ready, Rebooted
from firmware_protocol.messages import DeviceId, SetAll
from firmware_protocol.session import HostSession
from firmware_protocol.timers import Timing
from ruuvi_host.clock import SystemClock
from ruuvi_host.device.link import Link
from ruuvi_host.device.opening import open_port
from ruuvi_host.errors import HandshakeError, PortError

IN_A_HURRY = Timing(ack_timeout=0.02, idle=0.01)


class Linked:
    """A link that runs on a peer's pty."""

    def __init__(self, link: Link, running: "asyncio.Task[None]", events: Events) -> None:
        self.session = link.session
        self.running = running
        self.events = events

    async def ready(self, times: int = 1) -> None:
        await until(lambda: self.running.done() or self.events.times_ready >= times)
        assert not self.running.done(), self.running

    async def received(self, count: int) -> None:
        await until(lambda: self.running.done() or len(self.events.reports) >= count)
        assert len(self.events.reports) == count

    async def end(self) -> BaseException:
        """What the link ends with."""
        async with asyncio.timeout(PATIENCE):
            with suppress(PortError, HandshakeError, asyncio.CancelledError):
                await self.running
        error = self.running.exception()
        assert error
        return error


@asynccontextmanager
async def linked(peer: Peer, timing: Timing | None = None) -> AsyncIterator[Linked]:
    port = await open_port(peer.path)
    events = Events()
    link = Link(port, HostSession(SetAll(), timing), events.on_event, SystemClock())
    running = asyncio.create_task(link.run())
    try:
        yield Linked(link, running, events)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await port.close()
        counters = link.session.counters.scanner
        assert counters.bytes_received == counters.bytes_in_frames + counters.bytes_skipped


def test_it_identifies_configures_and_passes_on_everything_in_order() -> None:
    async def main() -> None:
        with Peer() as peer:
            async with linked(peer, Timing(idle=5)) as link:  # however slow we are
                await link.ready()
                assert peer.commands == [(GET_DEVICE_ID, b""), (SET_ALL, DEFAULT_SETTINGS)]
                assert link.events.others == [
                    Identified(DeviceId(IDENTITY[:8], IDENTITY[9:15])),
                    Ready(refused=False),
                ]
                stream = b"".join(report(number) for number in range(1000))
                cut = random.Random(1)
                while stream:
                    size = cut.randint(1, 80)
                    await peer.pour(stream[:size])
                    stream = stream[size:]
                await link.received(1000)
                assert link.events.numbers == list(range(1000))
                now = time.monotonic()
                assert all(now - 60 < at <= now for at in link.events.received_at)
            assert peer.noise == 0

    run(main())


def test_garbage_around_frames_costs_none_of_them() -> None:
    async def main() -> None:
        def noisy(command: int, payload: bytes) -> bytes:
            return b"\xff\x00\n\xca\x00" + obliging(command, payload) + b"\xca\xca\xf5\x12"

        with Peer(answers=noisy) as peer:
            async with linked(peer) as link:
                await link.ready()
                for number in range(100):
                    await peer.pour(b"\n\xca\xf5" + report(number) + b"\xca\x2d\x12")
                await peer.pour(report(100)[:-1] + report(101))  # the first of these is broken
                await link.received(101)
                assert link.events.numbers == [*range(100), 101]

    run(main())


def test_an_answer_behind_a_stray_header_is_found_when_the_line_is_quiet() -> None:
    async def main() -> None:
        with Peer(answers=silent) as peer:
            async with linked(peer, Timing(ack_timeout=PATIENCE, idle=0.01)) as link:
                await peer.got(GET_DEVICE_ID)
                peer.send(b"\xca\xf9\x12" + frame(DEVICE_ID, IDENTITY))
                await peer.got(SET_ALL)
                peer.send(ack(SET_ALL))
                await link.ready()

    run(main())


def test_a_busy_loop_tears_no_frame_apart() -> None:
    """Half a frame is given up when the line is quiet, not when we were not looking."""

    async def main() -> None:
        with Peer() as peer:
            async with linked(peer, Timing(idle=0.2)) as link:
                await link.ready()
                counters = link.session.counters.scanner
                for number in range(3):
                    before = counters.bytes_received
                    half = report(number)[:20]
                    peer.send(half)
                    while counters.bytes_received < before + len(half):  # noqa: ASYNC110
                        await asyncio.sleep(0)  # the other half comes before the time is over
                    peer.send(report(number)[20:])
                    time.sleep(0.3)  # noqa: ASYNC251 - longer than Timing.idle
                    await link.received(number + 1)
                assert counters.idle_rescans == 0

    run(main())


def test_a_reboot_is_answered_with_the_settings() -> None:
    async def main() -> None:
        with Peer() as peer:
            async with linked(peer) as link:
                await link.ready()
                peer.send(frame(GET_ALL))
                await link.ready(2)
                assert link.events.others[2:] == [Rebooted(), Ready(refused=False)]
                assert await peer.got(SET_ALL, 2) == DEFAULT_SETTINGS
                peer.send(report(1))
                await link.received(1)

    run(main())


def test_settings_that_are_refused_count_all_the_same() -> None:
    async def main() -> None:
        def refusing(command: int, payload: bytes) -> bytes:
            return ack(SET_ALL, 1) if command == SET_ALL else obliging(command, payload)

        with Peer(answers=refusing) as peer:
            async with linked(peer) as link:
                await until(lambda: Ready(refused=True) in link.events.others)
                peer.send(report(1))
                await link.received(1)

    run(main())


def test_lost_answers_are_asked_for_again() -> None:
    async def main() -> None:
        with Peer() as peer:

            def forgetful(command: int, payload: bytes) -> bytes:
                return obliging(command, payload) if peer.count(command) % 3 == 0 else b""

            peer.answers = forgetful
            # However many in a row come late: it is not given up.
            hurried = Timing(ack_timeout=0.02, idle=0.01, timeouts_to_fail=10_000)
            async with linked(peer, hurried) as link:
                await link.ready()
                # More, if an answer comes late on a busy machine.
                assert min(peer.count(GET_DEVICE_ID), peer.count(SET_ALL)) >= 3
                assert link.session.counters.lost_acks >= 4

    run(main())


def babbling(command: int, payload: bytes) -> bytes:
    return b"login: "


def reporting(command: int, payload: bytes) -> bytes:
    return report(1)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (silent, "nothing comes from the coprocessor; is this its port, and does it have power?"),
        (babbling, "what comes in is not CA-UART; is this the port of a coprocessor?"),
        (reporting, "the coprocessor sends data, but does not answer"),
        (frame, "what was sent comes back: TX and RX are connected with each other"),
    ],
)
def test_who_never_answers_is_given_up_with_a_sentence(answers: Answers, sentence: str) -> None:
    async def main() -> None:
        with Peer(answers=answers) as peer:
            async with linked(peer, IN_A_HURRY) as link:
                error = await link.end()
                assert isinstance(error, HandshakeError)
                sent = ([GET_DEVICE_ID] * 4 + [SET_ALL] * 4) * 4
                # The last one may still be on its way.
                await until(lambda: len(peer.commands) >= error.attempts)
                assert [command for command, _ in peer.commands] == sent[: error.attempts]
                last = "GET_DEVICE_ID" if sent[error.attempts - 1] == GET_DEVICE_ID else "SET_ALL"
                assert str(error).startswith(f"{peer.path}: {sentence}")
                assert str(error).endswith(f" (no answer to {last})")
                all_of_it = re.search(r"% of the bytes received \((\d+) of \1\)", str(error))
                assert bool(all_of_it) is (answers is babbling)
                # 30 while reports come in, unless this machine stood still between two of them
                assert error.attempts == 10 or (answers is reporting and error.attempts <= 30)
                assert error.state == "configuring"
                assert link.events.reports == []

    run(main())


def test_who_stops_answering_is_given_up_although_reports_flow() -> None:
    async def main() -> None:
        with Peer() as peer:
            # Long, so that this machine may stand still for a while between two reports.
            timing = Timing(ack_timeout=0.1, heartbeat=0.1)
            async with linked(peer, timing) as link:
                await link.ready()
                await peer.got(GET_DEVICE_ID, 3)
                peer.answers = silent
                while not link.running.done():
                    await peer.pour(report(1))
                error = await link.end()
                assert str(error).endswith(
                    "the coprocessor still reports and has stopped answering: it receives nothing "
                    "(no answer to GET_DEVICE_ID)"
                )
                assert len(link.events.reports) >= 9

    run(main())


def test_an_unplug_ends_it_and_what_was_held_back_is_delivered() -> None:
    async def main() -> None:
        with Peer() as peer:
            async with linked(peer) as link:
                await link.ready()
                counters = link.session.counters.scanner
                before = counters.bytes_received
                tail = b"\xca\xf9\x12" + report(7)
                peer.send(tail)
                await until(lambda: counters.bytes_received >= before + len(tail))
                peer.unplug()
                error = await link.end()
                assert isinstance(error, PortError)
                assert link.events.numbers == [7]

    run(main())


@pytest.mark.parametrize("answers", [silent, obliging])
def test_it_can_be_cancelled_at_any_time(answers: Answers) -> None:
    async def main() -> None:
        for moment in range(12):
            with Peer(answers=answers) as peer:
                async with linked(peer, IN_A_HURRY) as link:
                    for _ in range(moment):
                        await asyncio.sleep(0.001)
                    link.running.cancel()
                    done, _ = await asyncio.wait([link.running], timeout=PATIENCE)
                    assert done
                    assert link.running.cancelled()

    run(main())


def test_a_frame_of_a_reboot_in_the_tail_does_not_swallow_a_cancellation() -> None:
    async def main() -> None:
        with Peer() as peer:
            async with linked(peer) as link:
                await link.ready()
                counters = link.session.counters.scanner
                before = counters.bytes_received
                tail = b"\xca\xf9\x12" + frame(GET_ALL) + ack(SET_ALL)
                peer.send(tail)
                await until(lambda: counters.bytes_received >= before + len(tail))
                link.running.cancel()
                await asyncio.wait([link.running])
                assert link.running.cancelled()

    run(main())


def test_what_came_in_a_moment_before_the_end_is_delivered() -> None:
    async def main() -> None:
        with Peer() as peer:
            port = await open_port(peer.path)
            events = Events()
            link = Link(port, HostSession(SetAll()), events.on_event, SystemClock())
            running = asyncio.create_task(link.run())
            await until(lambda: events.times_ready)
            port.data_received(report(1))  # as the loop does when it has read it
            running.cancel()
            await asyncio.wait([running])
            assert running.cancelled()
            assert events.numbers == [1]
            await port.close()

    run(main())


def test_what_fails_in_the_listener_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not left to the event loop, which would log it and go on."""

    async def main() -> None:
        with Peer() as peer:
            async with linked(peer) as link:
                await link.ready()
                monkeypatch.setattr(link.events, "reports", None)  # nothing can be added to it
                peer.send(report(1) + report(2))
                with pytest.raises(TypeError):
                    await asyncio.wait_for(link.running, PATIENCE)
                monkeypatch.undo()

    run(main())


def test_it_sleeps_while_nothing_happens() -> None:
    async def main() -> None:
        with Peer() as peer:
            async with linked(peer) as link:
                await link.ready()
                before = time.process_time()
                await asyncio.sleep(0.5)
                assert time.process_time() - before < 0.25

    run(main())
