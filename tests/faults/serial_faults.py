"""Faults of the line, as functions that go on for as long as they are told: a test gives them two
seconds, a soak hours."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lines import until
from peer import (
    DEVICE_ID,
    GET_ALL,
    GET_DEVICE_ID,
    IDENTITY,
    SET_ALL,
    Peer,
    ack,
    frame,
    obliging,
    silent,
)
from serial_host import Bench, Figures, bench

Fault = Callable[[float, Path], Awaitable[Figures]]
"""(seconds, an empty folder) → what it has cost. Fails when anything is lost without a reason."""

QUICK: dict[str, Any] = {"ack_timeout": 0.1, "heartbeat": 0.3}


def _passed(seconds: float) -> Callable[[], bool]:
    """Have so many seconds passed, counted from now?"""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    return lambda: loop.time() >= end


async def noise(seconds: float, folder: Path) -> Figures:
    """Random bytes between the frames, headers that promise more than comes, damaged frames."""
    async with bench("noise", folder) as host:
        random, figures = host.random, host.figures

        def damaged() -> bytes:
            figures.damaged += 1
            data = bytearray(host.frame())
            data[random.randrange(len(data))] ^= random.randrange(1, 256)
            return bytes(data)

        def around(intact: bytes) -> bytes:
            match random.randrange(4):
                case 0:
                    return random.randbytes(random.randrange(40)) + intact
                case 1:
                    return damaged() + intact + damaged()
                case 2:
                    return b"\xca\xca\xf5\x12\xca" + intact
            return intact

        await host.offer(seconds, around)
        figures = await host.accounting()
        assert figures.link["crc_errors"] > 0
        assert figures.link["bytes_skipped"] > 0
        return figures


async def splits(seconds: float, folder: Path) -> Figures:
    """Frames that come in pieces, a byte at a time also."""
    async with bench("splits", folder) as host:
        host.in_pieces = True
        answers: list[bytes] = []  # an answer in the middle of a report would break both

        def later(command: int, payload: bytes) -> bytes:
            answers.append(obliging(command, payload))
            return b""

        host.peer.answers = later
        over = _passed(seconds)
        while not over():
            while answers:
                host.peer.send(answers.pop(0))
            stream = b"".join(host.frame() for _ in range(8))
            host.figures.offered += 8
            while stream:
                size = host.random.choice((1, 2, 3, 20, 64))
                await host.peer.pour(stream[:size])
                stream = stream[size:]
                await asyncio.sleep(host.random.choice((0, 0, 0.001)))
        return await host.accounting()


async def bursts(seconds: float, folder: Path) -> Figures:
    """Garbage by the 64 KiB, as from a console that somebody has put on the line."""
    async with bench("bursts of garbage", folder, None, **QUICK) as host:
        over = _passed(seconds)
        while not over():
            await host.offer(0.1)
            await host.peer.pour(host.random.randbytes(65_536))
            await host.read_by_host()
            await host.offer(0.1)
            await host.peer.pour(b"login: " * 1000 + bytes(1000) + b"\n" * 1000)
            await host.read_by_host()
        return await host.accounting()


async def stuck_stx(seconds: float, folder: Path) -> Figures:
    """Nothing but the byte that begins a frame; and false headers, each with a frame behind it."""
    async with bench("stuck STX", folder, None, **QUICK) as host:
        over = _passed(seconds)
        while not over():
            await host.peer.pour(b"\xca" * 20_000)
            await host.read_by_host()
            await host.offer(0.1, lambda intact: b"\xca\xf9\x12" + intact)
        return await host.accounting()


async def dropped_acks(seconds: float, folder: Path) -> Figures:
    """Every second answer does not come, as in dense report traffic."""
    async with bench("dropped answers", folder, None, **QUICK) as host:
        peer = host.peer

        def forgetful(command: int, payload: bytes) -> bytes:
            return obliging(command, payload) if len(peer.commands) % 2 else b""

        peer.answers = forgetful
        await host.offer(seconds)
        figures = await host.accounting()
        assert figures.link["resends"] > 0
        assert figures.link.get("given_up", 0) == 0
        return figures


async def nack(seconds: float, folder: Path) -> Figures:
    """SET_ALL is refused each time, as by firmware 2.0.0 on an nRF52832."""

    def refusing(command: int, payload: bytes) -> bytes:
        return ack(SET_ALL, 1) if command == SET_ALL else obliging(command, payload)

    async with bench("NACK", folder, Peer(folder / "tty", refusing)) as host:
        await host.offer(seconds)
        assert "refused part of its settings" in await host.said("refused part")
        return await host.accounting()


async def silence(seconds: float, folder: Path) -> Figures:
    """It neither reports nor answers for a while, again and again; the port stays."""
    async with bench("silence", folder, None, **QUICK) as host:
        over = _passed(seconds)
        times = 1
        while True:
            await host.offer(0.2)
            await host.read_by_host()
            if over():
                break
            host.peer.answers = silent
            tries = host.peer.count(GET_DEVICE_ID) + 12  # ten end it, and then it tries again
            await until(lambda: host.peer.count(GET_DEVICE_ID) >= tries)  # noqa: B023
            host.peer.answers = obliging
            times += 1
            await host.ready(host.configured + 1)
        figures = await host.accounting()
        assert figures.link["given_up"] == times - 1
        return figures


async def reboots(seconds: float, folder: Path) -> Figures:
    """It starts anew at any moment; until it is configured it has nothing to report."""
    async with bench("reboots", folder) as host:
        over = _passed(seconds)
        times = 1
        while not over():
            await host.offer(0.2 * host.random.random())
            await host.read_by_host()
            configured = host.configured
            host.peer.send(frame(GET_ALL))
            times += 1
            await host.ready(configured + 1)
        await host.offer(0.1)
        figures = await host.accounting()
        assert figures.link["reboots"] == times - 1
        return figures


async def unplugged(seconds: float, folder: Path) -> Figures:
    """Out, and in again under another name: the link that udev keeps follows it."""
    async with bench("unplugged", folder) as host:
        over = _passed(seconds)
        times = 1
        while not over():
            await host.offer(0.3)
            await host.read_by_host()
            host.peer.unplug()
            host.peer.plug_in()
            times += 1
            await host.ready(host.configured + 1)
        await host.offer(0.1)
        figures = await host.accounting()
        assert figures.link["disconnects"] == times - 1
        return figures


async def deaf(seconds: float, folder: Path) -> Figures:
    """It goes on reporting and does not hear any more, until its reset command is run."""
    was_reset = folder / "reset"
    command = ["touch", str(was_reset)]
    async with bench("deaf", folder, None, reset_command=command, **QUICK) as host:
        host.may_close = True
        over = _passed(seconds)
        times = 0
        while True:
            times += 1
            host.peer.answers = silent
            while not was_reset.exists():
                await host.offer(0.05)
            was_reset.unlink()
            host.peer.answers = obliging
            configured = host.configured
            await until(lambda: host.configured > configured)  # noqa: B023
            await host.offer(0.2)
            if over():
                break
        figures = await host.accounting()
        assert figures.link["resets"] == times
        assert figures.unconfigured > 0
        return figures


async def reloaded(seconds: float, folder: Path) -> Figures:
    """Other scan settings again and again (SIGHUP), while reports flow: the link goes on."""
    async with bench("reloaded", folder, ack_timeout=20) as host:  # a resend would count
        offering = asyncio.create_task(host.offer(seconds))
        file = folder / "ruuvi-host.toml"
        plain = file.read_text()
        times = 1
        while not offering.done():
            times += 1
            coded = "true" if times % 2 == 0 else "false"
            scan = f"scan_default = false\nscan_coded_phy = {coded}\n"
            file.write_text(f"{plain}[gateway]\n{scan}")
            os.kill(host.host.pid, signal.SIGHUP)
            flags = (await host.peer.got(SET_ALL, times))[3]
            assert bool(flags & 2) == (coded == "true")
            await host.said("has accepted its new settings", times - 1)
            await asyncio.sleep(0.3)
        await offering
        figures = await host.accounting()
        assert (figures.link["opened"], figures.unconfigured) == (1, 0)
        return figures


_STEAL = """
import os, select, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
print("open", flush=True)
while select.select([fd], [], []): os.read(fd, 64)
"""


async def stolen(seconds: float, folder: Path) -> Figures:
    """Another process opens the port without asking, and reads part of what is ours."""
    async with bench("stolen", folder, None, **QUICK) as host:
        await host.offer(seconds / 2)
        await host.read_by_host()
        # What it takes is gone; that it takes is what must be told.
        thief = subprocess.Popen(  # noqa: ASYNC220 - starts at once, and is read in a thread
            [sys.executable, "-c", _STEAL, host.peer.path], stdout=subprocess.PIPE
        )
        with thief:
            try:
                assert thief.stdout
                await asyncio.to_thread(thief.stdout.readline)
                host.peer.answers = silent  # what it answers is stolen, too
                told = await host.said("has this port open, too, and reads some of its data")
                assert f"(process {thief.pid})" in told, told
            finally:
                thief.kill()
        host.peer.answers = obliging
        configured = host.configured
        await until(lambda: host.configured > configured)
        await host.offer(seconds / 2)
        return await host.accounting()


async def taken(seconds: float, folder: Path) -> Figures:
    """While it is unplugged somebody else takes the port, properly, and gives it back."""
    hold = (
        "import fcntl, os, sys; fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); "
        "fcntl.flock(fd, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    async with bench("taken", folder) as host:
        await host.offer(seconds / 2)
        await host.read_by_host()
        host.peer.unplug()
        await host.said("lost: unplugged")
        configured, known = host.configured, host.peer.path
        host.peer.path += "-aside"  # not yet to be found by its name
        host.peer.plug_in()
        holder = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", hold, host.peer.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with holder:
            assert holder.stdin
            assert holder.stdout
            await asyncio.to_thread(holder.stdout.readline)
            os.rename(host.peer.path, known)
            host.peer.path = known
            await asyncio.sleep(1)
            holder.stdin.close()
        await host.ready(configured + 1)
        await host.offer(seconds / 2)
        figures = await host.accounting()
        assert figures.link["open_failures"] >= 1
        return figures


async def old_firmware(seconds: float, folder: Path) -> Figures:
    """1.0.0: echoes LED_CTRL, knows the short SET_ALL only, and keeps what it cannot decode in a
    buffer of 64 bytes, behind whose end its stack begins."""
    kept = 0
    longest = 0

    def old(command: int, payload: bytes) -> bytes:
        nonlocal kept, longest
        if command == SET_ALL and len(payload) == 7:
            kept += 13
            longest = max(longest, kept)
            return b""
        kept = 0
        if command == 0x0E:
            return frame(command, payload)
        return frame(DEVICE_ID, IDENTITY) if command == GET_DEVICE_ID else ack(command)

    peer = Peer(folder / "tty", old)
    async with bench("firmware 1.0.0", folder, peer, probe="led", **QUICK) as host:
        host.is_old = True
        await until(lambda: any(c == SET_ALL and len(p) == 5 for c, p in host.peer.commands))
        over = _passed(seconds)
        while not over():
            await host.offer(0.2)
            await host.read_by_host()
            host.peer.send(frame(GET_ALL))
            configured = host.configured
            await until(lambda: host.configured > configured)  # noqa: B023
        await host.offer(0.2)
        await until(lambda: host.peer.count(0x0E) > 1)
        assert 0 < longest <= 64
        figures = await host.accounting()
        assert figures.link["lost_acks"] >= 4  # more where an answer is late on a slow machine
        return figures


FAULTS: dict[str, Fault] = {
    "noise": noise,
    "splits": splits,
    "bursts": bursts,
    "stuck_stx": stuck_stx,
    "dropped_acks": dropped_acks,
    "nack": nack,
    "silence": silence,
    "reboots": reboots,
    "unplugged": unplugged,
    "deaf": deaf,
    "stolen": stolen,
    "taken": taken,
    "old_firmware": old_firmware,
    "reloaded": reloaded,
}
"""By name. `await FAULTS[name](seconds, folder)`."""

__all__ = ["FAULTS", "Bench", "Fault", "Figures"]
