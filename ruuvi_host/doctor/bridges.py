"""Looks through a bridge: what is behind a pty, an adapter of this machine, what it can hear."""

import os
from collections.abc import Iterator

from ruuvi_host.bridge.check import Looked, look
from ruuvi_host.bridge.kernel import Adapter, Kernel, why_not_taken
from ruuvi_host.bridge.names import AdapterName, TransportName
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.bridge.telling import BridgeStatus, running
from ruuvi_host.doctor.judgement import Finding, Level


def behind(port: str) -> Iterator[Finding]:
    """Of the bridge whose pty `port` is, or was. Nothing: it is another kind of port. Blocks."""
    real = os.path.realpath(port)
    for told in running():
        if real == told.pty or os.path.abspath(port) == told.link:
            yield from of_bridge(told)


def of_bridge(told: BridgeStatus) -> Iterator[Finding]:
    """What a running bridge tells, judged."""
    topic = f"bridge {told.transport}"
    process = f"process {told.pid}"
    if not told.pty:
        sentence = f"{process}: it has lost its controller, or does not get it to start"
        yield Finding(topic, Level.FAULT, sentence, "see its log; unplug the controller")
        return
    who = told.controller.removeprefix(f"{told.transport}: ")
    heard = f"{told.sent} of {told.reports} reports handed on"
    yield Finding(topic, Level.OK, f"{process}: {who}; {heard}")
    for line in told.disappointments:
        yield Finding(topic, Level.WARNING, line)
    if any(told.rungs):
        rungs = ", ".join(f"rung {n}: {count}" for n, count in enumerate(told.rungs, 1) if count)
        sentence = f"the controller had to be helped ({rungs})"
        yield Finding(topic, Level.WARNING, sentence, "see the log of the bridge for the reasons")


def bridge_on(name: TransportName) -> BridgeStatus | None:
    """What the bridge that has this controller tells; None: there is none. Blocks."""
    return next((told for told in running() if told.transport == name.text), None)


def adapter(name: TransportName, kernel: Kernel, *, is_ours: bool = False) -> Iterator[Finding]:
    """What can be told of an adapter without opening it. is_ours: a bridge has it. Blocks."""
    if not isinstance(name, AdapterName):
        return
    try:
        kernel.open().close()
    except OSError as error:
        yield Finding("Bluetooth", Level.FAULT, why_not_taken(error, name.text, []))
        return
    found = _found(name, kernel)
    if found is None:
        names = ", ".join(a.name for a in kernel.adapters()) or "none"
        sentence = f"there is no such adapter; there is {names}"
        yield Finding(f"adapter {name.text}", Level.FAULT, sentence)
        return
    yield from _judged(found, kernel.holders(), is_ours=is_ours)


def _found(name: AdapterName, kernel: Kernel) -> Adapter | None:
    if name.index is None:
        return kernel.find(name.address)
    return next((a for a in kernel.adapters() if a.index == name.index), None)


def _judged(found: Adapter, holders: list[str], *, is_ours: bool) -> Iterator[Finding]:
    topic = f"adapter {found.name}"
    others = f"; HCI sockets are open in {', '.join(holders)}" if holders else ""
    if found.blocked:
        by = "a switch or key of this machine" if found.blocked == "hard" else "software"
        remedy = "turn it" if found.blocked == "hard" else "`sudo rfkill unblock bluetooth`"
        yield Finding(topic, Level.FAULT, f"is blocked by {by}", remedy)
    elif is_ours:
        yield Finding(topic, Level.OK, f"a bridge has it{others}")
    elif found.is_up:
        sentence = f"is switched on, so a bridge cannot have it{others}"
        remedy = "`bluetoothctl power off`, or `ruuvi-host bridge --take`"
        yield Finding(topic, Level.FAULT, sentence, remedy)
    else:
        address = found.address.hex(":").upper() if any(found.address) else "address not known yet"
        yield Finding(topic, Level.OK, f"is there, and free ({address}){others}")


async def opened(
    settings: BridgeSettings, seconds: float, enough: int
) -> tuple[Looked, list[Finding]]:
    """Open the controller and listen. What it can hear, and what would disappoint."""
    looked = await look(settings, seconds=seconds, enough=enough)
    topic = f"controller {settings.name.text}"
    if looked.problem:
        problem = looked.problem.removeprefix(f"{settings.name.text}: ")
        return looked, [Finding(topic, Level.FAULT, problem)]
    first, *rest = looked.lines
    findings = [Finding(topic, Level.OK, first.removeprefix(f"{settings.name.text}: "))]
    findings += [Finding(topic, Level.WARNING, line) for line in (*rest, *looked.happened)]
    level = Level.OK if looked.sensors else Level.WARNING
    remedy = "" if looked.sensors else "is a sensor near? `ruuvi-host bridge --hci … --check`"
    findings.append(Finding(f"{topic}, radio", level, looked.heard, remedy))
    return looked, findings
