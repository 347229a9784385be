"""Looks at everything that `judgement` judges: this machine, the port, the servers.

Of a host that runs, the port is its own: what it has counted is asked for. Otherwise the port is
opened and listened to for a few seconds.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec

from firmware_protocol.events import Event, Identified, Ready, Received
from firmware_protocol.messages import DeviceId, SetAll
from ruuvi_host.bridge.kernel import Kernel
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.capture.memory import PortTap, Recording
from ruuvi_host.clock import SystemClock, WallClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import Target
from ruuvi_host.device.port import Tap
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.device.trouble import BRLTTY, MODEM_MANAGER, TAKERS, running, who_else_has
from ruuvi_host.doctor import bridges, judgement
from ruuvi_host.doctor.hosts import Asked, ask_host, ask_service
from ruuvi_host.doctor.judgement import Finding, Level
from ruuvi_host.errors import DeviceError, PortError, SpoolError
from ruuvi_host.jobs.check import NOBODY, check_all
from ruuvi_host.jobs.state import StateDirectory, set_aside, spools
from ruuvi_host.monitoring.link_status import LinkState
from ruuvi_host.monitoring.overview import link_document
from ruuvi_host.relay.kinds import kind_of
from ruuvi_host.relay.spool.reading import log_is_damaged, summary

P = ParamSpec("P")

LISTEN = 8.0
"""Seconds to listen to a port: a handshake takes 0.3 s, and a tag speaks each 1.3 s."""
ENOUGH, LEAST = 20, 3.0
"""Reports, and seconds, after which it is clear that it hears, and whether its line is damaged."""


async def examine(
    loaded: Loaded,
    state: Path,
    *,
    post: bool,
    heard: Recording | None = None,
    hci: BridgeSettings | None = None,
) -> AsyncIterator[Finding]:
    """All findings, as they come. post: try each server with a real post. heard: gets what comes
    over the ports that are opened. hci: a controller, in place of ports."""
    config = loaded.config
    for finding in judgement.configuration(loaded.problems):
        yield finding
    for finding in judgement.scan(config.scan):
        yield finding
    yield _clock(config)
    yield _disk(state)
    asked = await asyncio.to_thread(ask_host, state)
    for finding in _of_host(asked):
        yield finding
    folder = StateDirectory.look_into(state)
    known = folder.load_gateway()
    if problem := folder.gateway_problem():
        remedy = "it is made anew when the coprocessor has told its address"
        yield Finding("state directory", Level.WARNING, problem, remedy)
    if hci:
        seen = _Seen()
        async for finding in _controller(hci, seen):
            yield finding
        known = seen.device or known
    for number, settings in enumerate(() if hci else config.coprocessors):
        seen = _Seen()
        tap = PortTap(heard, number) if heard else None
        async for finding in _port(settings, config, asked, seen, tap):
            yield finding
        if number == 0:  # it names the gateway
            known = seen.device or known
    async for finding in _targets(config, known, post=post):
        yield finding
    for finding in await asyncio.to_thread(_spools, state):
        yield finding


def _clock(config: Config) -> Finding:
    clock = SystemClock()
    right = WallClock(clock, trusted=config.trust_clock).check()
    return judgement.clock(
        clock.wall(),
        synchronised=clock.synchronised(),
        used=config.use_timestamps,
        trusted=config.trust_clock,
        taken_as_right=right,
    )


def _disk(state: Path) -> Finding:
    """Of the state directory, or of the nearest folder above it while it does not exist."""
    folder = state
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    writable = os.access(folder, os.W_OK | os.X_OK)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return judgement.disk(str(state), 0, writable=False)
    return judgement.disk(str(state), free, writable=writable)


def _of_host(asked: Asked) -> Iterator[Finding]:
    yield judgement.running(asked.document, asked.problem, is_there=asked.is_there)
    if asked.document:
        yield from judgement.accounting(asked.document)
        yield from judgement.drops(asked.document)


def from_outside(document: dict[str, Any], why: str) -> Iterator[Finding]:
    """What can be said of a host by its answer alone. why: its files cannot be looked at."""
    yield Finding("configuration", Level.WARNING, f"not looked at: {why}", "run this with sudo")
    yield from _of_host(Asked(document))
    for told in document["coprocessors"]:
        yield from judgement.link(told)


async def _controller(settings: BridgeSettings, seen: "_Seen") -> AsyncIterator[Finding]:
    """A Bluetooth controller: asked of its bridge if it has one, else opened."""
    told = await asyncio.to_thread(bridges.bridge_on, settings.name)
    faults = False
    for finding in await _listed(bridges.adapter, settings.name, Kernel(), is_ours=bool(told)):
        faults = faults or finding.level is Level.FAULT
        yield finding
    if told:
        for finding in bridges.of_bridge(told):
            yield finding
    elif not faults:
        looked, findings = await bridges.opened(settings, LISTEN, ENOUGH)
        seen.device = looked.device
        for finding in findings:
            yield finding


async def _port(
    settings: CoprocessorSettings,
    config: Config,
    asked: Asked,
    seen: "_Seen",
    tap: Tap | None,
) -> AsyncIterator[Finding]:
    path = settings.port
    for finding in await _listed(_port_takers, path):
        yield finding
    for finding in await _listed(bridges.behind, path):
        yield finding
    service = await asyncio.to_thread(ask_service)
    for host, told in ((host, host.of_port(path)) for host in (asked, service)):
        if host.document and told:
            number = host.document["pid"]
            if host is service and not asked.of_port(path):
                yield judgement.of_service(path, number)
            for finding in await _listed(_judged, told, None, config.scan, number):
                yield finding
            return
    supervisor = Supervisor(settings, config.scan, seen.on_event, SystemClock(), tap=tap)
    try:
        await _listen(supervisor, seen)
    except PortError as error:
        yield Finding(f"coprocessor {path}", Level.FAULT, error.problem)
        if service.problem:
            yield judgement.perhaps_of_service(path, service.problem)
        return
    except DeviceError as error:
        yield Finding(f"coprocessor {path}", Level.FAULT, str(error))
        return
    status = supervisor.status
    if seen.was_ready and status.state not in (LinkState.READY, LinkState.QUIET):
        status = replace(status, state=LinkState.READY)  # the listening has ended, and with it this
    for finding in await _listed(_judged, link_document(status, 0.0), LISTEN, config.scan):
        yield finding


async def _listed(
    look: Callable[P, Iterator[Finding]], *args: P.args, **kwargs: P.kwargs
) -> list[Finding]:
    """What `look` finds, in a thread: it may block."""
    return await asyncio.to_thread(lambda: list(look(*args, **kwargs)))


def _judged(
    told: dict[str, Any], looked: float | None, scan: SetAll, host: int | None = None
) -> Iterator[Finding]:
    """The serial side of one coprocessor, and who shares it. host: the process that runs."""
    yield from judgement.link(told, looked, scan)
    path = told["path"]
    others = who_else_has(path, but=host) if "://" not in path else ""
    if others and not any(taker in others for taker in TAKERS):
        yield judgement.shared(told["port"], others)


async def _listen(supervisor: Supervisor, seen: "_Seen") -> None:
    """Until enough was received, or for LISTEN seconds. Raises DeviceError."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(_run(supervisor), name="port")
        enough = tasks.create_task(seen.enough.wait(), name="enough")
        await asyncio.wait((running, enough), timeout=LISTEN, return_when="FIRST_COMPLETED")
        running.cancel()
        enough.cancel()
    if running.done() and not running.cancelled() and (error := running.result()):
        raise error


async def _run(supervisor: Supervisor) -> DeviceError | None:
    try:
        await supervisor.run()
    except DeviceError as error:
        return error
    return None


class _Seen:
    """What a coprocessor has answered so far."""

    def __init__(self) -> None:
        self.enough = asyncio.Event()
        self.was_ready = False
        self.device: DeviceId | None = None
        self._reports = 0
        self._ready_at = 0.0

    def on_event(self, event: Event, now: float) -> None:
        match event:
            case Received(reports):
                self._reports += len(reports)
                if self._reports >= ENOUGH and now - self._ready_at >= LEAST:
                    self.enough.set()
            case Identified(device):
                self.device = device
            case Ready(again=False):
                self.was_ready = True
                self._ready_at = now


def _port_takers(path: str) -> Iterator[Finding]:
    """Programs that have the port, or may take it at any time."""
    if "://" in path:
        return
    there, names, holder = os.path.exists(path), running(), who_else_has(path)
    for taker in TAKERS:
        has_it = taker in holder
        if taker == MODEM_MANAGER:
            may_take = there and taker in names and not _ignored_by_modem_manager(path)
        else:
            may_take = taker == BRLTTY and taker in names and not there
        if has_it or may_take:
            yield judgement.port_taker(path, taker, has_it_open=has_it)


def _ignored_by_modem_manager(path: str) -> bool:
    """Does udev's database say so? Only of what udev knows; a pseudo-terminal is no modem."""
    with suppress(OSError):
        number = os.stat(path).st_rdev
        entry = Path("/run/udev/data", f"c{os.major(number)}:{os.minor(number)}")
        return "ID_MM_DEVICE_IGNORE=1" in entry.read_text("utf-8", "replace")
    return True


async def _targets(
    config: Config, gateway: DeviceId | None, *, post: bool
) -> AsyncIterator[Finding]:
    targets = [*config.targets, *([config.statistics] if config.statistics else [])]
    if not targets:
        remedy = "give --url, or --config with a target"
        yield Finding("targets", Level.WARNING, "there is none: nothing is relayed", remedy)
    for target in targets:
        faults = await asyncio.to_thread(_faults, target)
        for key, sentence in faults:
            yield Finding(target.name, Level.FAULT, f"{key}: {sentence}")
        if faults:
            continue
        if not post:
            yield Finding(target.name, Level.OK, "its settings are in order; it was not tried")
        elif gateway is None and kind_of(target).needs_gateway:
            sentence = "cannot be tried: without a coprocessor nobody can sign"
            yield Finding(target.name, Level.WARNING, sentence, "fix the coprocessor first")
        else:
            yield await _delivery(target, config, gateway or NOBODY)


def _faults(target: Target) -> list[tuple[str, str]]:
    return list(kind_of(target).faults(target))


def _spools(state: Path) -> list[Finding]:
    """What waits on disk. That of a running host may be looked into, too."""
    found = []
    for name in spools(state):
        path = state / f"{name}.spool"
        if path.exists():
            try:
                inside, damaged = summary(path), log_is_damaged(path)
            except SpoolError as error:
                remedy = "at the next start it is set aside, and what can be read of it is kept"
                found.append(Finding(f"{name}, spool", Level.FAULT, str(error), remedy))
                continue
            oldest = inside.oldest and max(SystemClock.wall() - inside.oldest, 0.0)
            found.append(judgement.spool(name, inside.batches, oldest))
            if damaged:
                sentence = f"{path}-wal is damaged: there may be more in it"
                remedy = "the next start of the host saves what can be read"
                found.append(Finding(f"{name}, spool", Level.FAULT, sentence, remedy))
    for file in set_aside(state):
        sentence = f"{state / file} was damaged, and set aside: it is not sent"
        remedy = "what could be read was taken over; delete it when you have looked at it"
        found.append(Finding("spool", Level.WARNING, sentence, remedy))
    return found


async def _delivery(target: Target, config: Config, gateway: DeviceId) -> Finding:
    (result,) = await check_all([target], config, gateway)
    if result.delivered:
        return Finding(target.name, Level.OK, result.reason)
    sentence = f"not delivered: {result.step}: {result.reason}"
    return Finding(target.name, Level.FAULT, sentence, result.remedy)
