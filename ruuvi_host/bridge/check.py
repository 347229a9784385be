"""Looks at a controller for some seconds: what it is, what it hears, and what would disappoint."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf

from firmware_protocol.messages import DeviceId, SetAll
from firmware_protocol.scan import company_id
from ruuvi_host.bridge.life import Life
from ruuvi_host.bridge.local import identify, machine_id
from ruuvi_host.bridge.opening import Opener
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.clock import SystemClock
from ruuvi_host.device.port import Port
from ruuvi_host.errors import ConfigError, PortError
from ruuvi_host.hci import texts
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.happenings import (
    Asserted,
    Climbed,
    Happening,
    Heard,
    OtherKind,
    Refused,
    Started,
)
from ruuvi_host.hci.ladder import Ladder
from ruuvi_host.hci.session import ControllerSession

LISTEN = 10.0
"""Seconds of scanning: a tag speaks each 1.3 s."""
START = 20.0
"""Seconds for a start that does not go smoothly, with all its retries."""
RUUVI = 0x0499

_ALL = SetAll(fltr_tags=False, use_coded_phy=True, max_adv_len=0)
"""Whatever is in the air."""


@dataclass(slots=True)
class Looked:
    """What a look has shown."""

    missing: float = inf
    """Reports of Ruuvi's sensors until it is clear that it hears them."""
    problem: str = ""
    """Why there was nothing to be looked at, and what to do about it."""
    facts: ControllerFacts | None = None
    device: DeviceId | None = None
    """Who a bridge on it would be."""
    lines: list[str] = field(default_factory=list)
    """The controller in a line, then one for each thing that would disappoint."""
    reports: int = 0
    devices: set[bytes] = field(default_factory=set)
    sensors: set[bytes] = field(default_factory=set)
    """Addresses: of all that was heard, and of those that are Ruuvi's."""
    happened: list[str] = field(default_factory=list)
    """What went wrong meanwhile."""

    @property
    def works(self) -> bool:
        return not self.problem

    @property
    def heard(self) -> str:
        """In a sentence."""
        if not self.reports:
            return "heard nothing at all"
        return (
            f"heard {self.reports} advertisements of {len(self.devices)} devices, "
            f"{len(self.sensors)} of them Ruuvi's"
        )


async def look(settings: BridgeSettings, *, seconds: float = LISTEN, enough: float = inf) -> Looked:
    """Open the controller, start it, and scan for some seconds, or until it has heard `enough`
    reports of Ruuvi's sensors. Nothing is raised."""
    looked = Looked(enough)
    opener = Opener(settings.name, take=settings.take)
    try:
        port = await opener.open()
    except PortError as error:
        looked.problem = str(error)
        return looked
    try:
        await _listen(settings, port, looked, seconds, is_line=opener.is_line)
    except PortError as error:
        looked.problem = str(error)
    finally:
        await port.close()
    return looked


async def _listen(
    settings: BridgeSettings, port: Port, looked: Looked, seconds: float, *, is_line: bool
) -> None:
    counters = ControllerCounters()
    session = ControllerSession(
        settings.scan, bytes(range(6)), ladder=Ladder(), counters=counters, flush=is_line
    )
    started, enough = asyncio.Event(), asyncio.Event()

    def on_happening(happening: Happening, now: float) -> None:
        match happening:
            case Heard(reports):
                looked.reports += len(reports)
                looked.devices.update(report.address for report in reports)
                ruuvi = [r.address for r in reports if company_id(r.data) == RUUVI]
                looked.sensors.update(ruuvi)
                looked.missing -= len(ruuvi)
                if looked.missing <= 0:
                    enough.set()
            case Started(facts):
                looked.facts = facts
                life.tell(session.set_scan(_ALL, now), now)
                started.set()
            case Refused() | OtherKind() | Climbed() | Asserted():
                if line := texts.happening_line(happening):
                    looked.happened.append(line)

    life = Life(port, session, on_happening, lambda: True, SystemClock())
    listening = asyncio.create_task(life.run())
    waiting = [asyncio.create_task(event.wait()) for event in (started, enough)]
    try:
        for event, limit in zip(waiting, (START, seconds), strict=True):
            await asyncio.wait((listening, event), timeout=limit, return_when="FIRST_COMPLETED")
            if not event.done():
                break
        if listening.done():
            listening.result()  # raises what ended it
    finally:
        for task in (listening, *waiting):
            task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await listening
    name = settings.name.text
    if looked.facts is None:
        looked.problem = f"{name}: it does not answer as a Bluetooth controller does"
        if is_line:
            looked.problem += ": other firmware, another speed (PORT@BAUD), or it needs power off"
        return
    try:
        who = identify(settings, looked.facts, machine_id())
    except ConfigError as error:
        looked.lines.append(str(error))
        return
    looked.device = who.device
    looked.lines.append(texts.controller_line(name, looked.facts, who))
    looked.lines += texts.disappointments(looked.facts, who, session.kind, counters)
