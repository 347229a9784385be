"""What receives: coprocessors → intake → table, and who the gateway is."""

import asyncio
import os
from collections.abc import Sequence

from firmware_protocol.dialect import Generation
from firmware_protocol.events import Event, Identified, Ready, Received
from firmware_protocol.messages import DeviceId, SetAll
from ruuvi_host.clock import Clock, WallClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.model import Config
from ruuvi_host.device.coprocessors import Coprocessors
from ruuvi_host.device.port import Tap
from ruuvi_host.intake.filter import AddressFilter
from ruuvi_host.intake.intake import Intake
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.monitoring.health import LinkFacts
from ruuvi_host.monitoring.link_status import LinkState, LinkStatus
from ruuvi_host.relay.status_document import CoprocessorFacts, firmware_version, semver

SAVING = 60.0
"""Seconds between two times that the identity of the gateway is written, at least; the last one is
written at the end in any case."""


class Receiving:
    """The serial side of a host.

    coprocessors: at least one; the address of the first one is that of the gateway.
    taps: of each coprocessor in turn; gets a copy of all its bytes.
    """

    def __init__(
        self,
        coprocessors: Sequence[CoprocessorSettings],
        config: Config,
        state: StateDirectory,
        clock: Clock,
        taps: Sequence[Tap] = (),
    ) -> None:
        self.clock = clock
        self.wall = WallClock(clock, trusted=config.trust_clock)
        self.table = AdvertisementTable(config.max_sensors)
        self._coprocessors = Coprocessors(
            coprocessors, config.scan, self._on_event, clock, taps=taps
        )
        self._intake = self._make_intake(config)
        self._state = state
        self._gateway = self._saved = state.load_gateway()
        self._save_after = 0.0
        """Monotonic seconds."""
        self.identified = asyncio.Event()
        """It is known who the gateway is, if only from the previous run."""
        if self._gateway:
            self.identified.set()
        self._identity_news = asyncio.Event()
        """Set, and another one, when it is another gateway."""
        self.configured = asyncio.Event()
        self._scan = config.scan
        self._ready: dict[str, float] = {}
        """When each coprocessor was first configured."""
        self._answered: dict[str, float] = {}
        """When each coprocessor was last seen to answer; before the first time: looked at."""

    @property
    def statuses(self) -> list[LinkStatus]:
        """Of each coprocessor, in order."""
        return self._coprocessors.statuses

    def gateway(self) -> DeviceId:
        """Of the first coprocessor. Only once it is `identified`."""
        assert self._gateway is not None
        return self._gateway

    async def other_gateway(self, known: DeviceId | None) -> DeviceId:
        """Who the gateway is, once that is known, and is another one than `known`."""
        while self._gateway is None or self._gateway == known:
            await self._identity_news.wait()
        return self._gateway

    async def run(self, *, required: bool) -> None:
        """Until cancelled. required: a port that cannot be opened at all is an error."""
        try:
            await self._coprocessors.run(required=required)
        finally:
            if self._gateway and self._gateway != self._saved:
                self._state.save_gateway(self._gateway)

    def empty(self, config: Config) -> None:
        """Begin with an empty table, and the settings of another configuration. May not wait:
        reports are received all the time."""
        self.table.reset(config.max_sensors)
        self._intake = self._make_intake(config)

    def reconfigure(self, config: Config) -> None:
        """Send the coprocessors their settings again."""
        self._scan = config.scan
        self._coprocessors.reconfigure(config.scan)
        if config.trust_clock:
            self.wall.trust()

    def scan_with(self, scan: SetAll) -> None:
        """Have them scan with these settings, from an empty table on."""
        self._scan = scan
        self.table.clear()
        self._coprocessors.reconfigure(scan)

    def missing(self) -> str:
        """Who has not told who the gateway is, and how much is known of it."""
        first = self.statuses[0]
        who = "the coprocessor"
        if len(self._coprocessors) > 1:
            who = f"coprocessor {first.name}, which names the gateway,"
        there = first.state is not LinkState.CLOSED
        return f"{who} {'does not send its address' if there else 'is not there'}"

    def link_facts(self) -> list[LinkFacts]:
        """Of each coprocessor, for the judgement of health."""
        return [self._link_facts(status) for status in self.statuses]

    def coprocessor_facts(self, nrf_firmware: str) -> CoprocessorFacts:
        """Of the first one, for statistics. nrf_firmware: as configured; empty: not."""
        status = self.statuses[0]
        counters = status.counters
        return CoprocessorFacts(
            self.gateway(),
            semver(nrf_firmware) if nrf_firmware else firmware_version(Generation(status.firmware)),
            answers=_answers(status),
            self_reboots=counters.session.reboots,
            resets=counters.resets,
            lost_acks=counters.session.lost_acks,
        )

    def _make_intake(self, config: Config) -> Intake:
        return Intake(
            self.table,
            AddressFilter(config.filter.addresses, config.filter.allow, config.filter.closed),
            use_timestamps=config.use_timestamps,
            coprocessors=len(self._coprocessors),
        )

    def _link_facts(self, status: LinkStatus) -> LinkFacts:
        answers, now = _answers(status), self.clock.monotonic()
        if answers:
            self._answered[status.name] = now
        answered = self._answered.setdefault(status.name, now)
        present = "://" not in status.path and os.path.exists(status.path)
        damage = status.damage
        lasts = damage is not None and damage.lasts and damage.is_recent(now)
        said = damage.sentence if damage and lasts else ""
        return LinkFacts(
            *(status.name, answers, present, answered, status.reported, said),
            ready=self._ready.get(status.name),
            company=self._scan.fltr_id if self._scan.fltr_tags else None,
        )

    def _on_event(self, source: int, event: Event, now: float) -> None:
        """What a coprocessor tells. Called inside the reader: must not wait."""
        match event:
            case Received(reports):
                self._intake.receive(reports, now, self.wall.utc(), source)
            case Identified(device) if source == 0:
                if device != self._gateway:
                    self._gateway = device
                    self._identity_news.set()
                    self._identity_news = asyncio.Event()
                # One with a fault may be another one at each answer, and the disk is waited for.
                if device != self._saved and now >= self._save_after:
                    self._saved, self._save_after = device, now + SAVING
                    self._state.save_gateway(device)
                self.identified.set()
            case Ready():
                self._ready.setdefault(self.statuses[source].name, now)
                self.configured.set()


def _answers(status: LinkStatus) -> bool:
    return status.state in (LinkState.READY, LinkState.QUIET)
