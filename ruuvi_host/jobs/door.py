"""What the API can ask of the running host, and have it do."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_protocol.dialect import Generation
from firmware_protocol.messages import DeviceId
from ruuvi_host import __version__
from ruuvi_host.clock import Clock
from ruuvi_host.config.file_places import FILE_NAMES
from ruuvi_host.config.load import Loaded
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.readings import Readings
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.jobs.evidence import Gathering
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.remote import RemoteConfiguration
from ruuvi_host.jobs.reporting import Reporting
from ruuvi_host.jobs.scanning import OtherScanning
from ruuvi_host.jobs.sensor_care import SensorCare
from ruuvi_host.monitoring.api_status import ApiStatus
from ruuvi_host.monitoring.overview import Overview
from ruuvi_host.relay.kinds import Remembered
from ruuvi_host.relay.status_document import firmware_version, semver

if TYPE_CHECKING:
    from ruuvi_host.api.door import Change, Identity
    from ruuvi_host.bundle.evidence import Evidence
    from ruuvi_host.config.kept import Kept
    from ruuvi_host.intake.history import Points
    from ruuvi_host.jobs.changes import Changes


class HostDoor:
    """Implements `api.door.Door`.

    remembered: of the relays. folder: of the state. simulated: so is the coprocessor.
    """

    def __init__(
        self,
        configuration: Configuration,
        receiving: Receiving,
        sensors: SensorCare,
        reporting: Reporting,
        remembered: Remembered,
        folder: Path,
        *,
        simulated: bool,
        gathering: Gathering,
    ) -> None:
        self.remembered = remembered
        self.simulated = simulated
        self._configuration = configuration
        self._receiving = receiving
        self._sensors = sensors
        self._reporting = reporting
        self._folder = folder
        self._gathering = gathering
        self.listening: tuple[str, ...] = ()
        """Where the API can be asked, as URLs."""
        self._api_fault = ""
        self.remote: RemoteConfiguration | None = None
        """What fetches the configuration."""
        reporting.api = self._api_status
        self.scanning = OtherScanning(receiving)

    @cached_property
    def changes(self) -> "Changes":
        # Imported when the first change is asked for: half a megabyte.
        from ruuvi_host.jobs.changes import Changes

        return Changes(self._configuration, self._receiving.clock.wall)

    @property
    def clock(self) -> Clock:
        return self._receiving.wall  # times as in the batches, also while the clock is not right

    @property
    def clock_is_right(self) -> bool:
        return self._receiving.wall.check()

    @property
    def loaded(self) -> Loaded:
        return self._configuration.loaded

    async def other_than(self, loaded: Loaded) -> None:
        await self._configuration.other_than(loaded)

    def tell_api(self, listening: Sequence[str] | None, fault: str) -> None:
        if listening is not None:
            self.listening = tuple(listening)
        self._api_fault = fault

    def _api_status(self) -> ApiStatus | None:
        """For who asks the host how it is."""
        if self.loaded.config.api is None:
            return None
        from ruuvi_host.api.access.settings import access

        now = access(self.loaded.sources.gateway.values, self.identity())
        return ApiStatus(
            *(self.listening, self._api_fault, now.type.value, now.user),
            reading_key=bool(now.key),
            writing_key=bool(now.key_rw),
        )

    def identity(self) -> "Identity":
        from ruuvi_host.api.door import Identity

        known = self._receiving.identified.is_set()
        device = self._receiving.gateway() if known else DeviceId(bytes(8), bytes(6))
        named = self.loaded.config.nrf_firmware
        status = self._receiving.statuses[0]
        nrf = semver(named) if named else firmware_version(Generation(status.firmware))
        return Identity(device, semver(__version__), nrf)

    async def identified(self) -> "Identity":
        await self._receiving.identified.wait()
        return self.identity()

    def newest_first(self) -> Iterator[Advertisement]:
        return self._receiving.table.newest_first()

    @property
    def readings(self) -> Readings:
        return self._sensors.readings

    def quantities(self, address: bytes) -> list[str]:
        history = self._sensors.history
        return history.quantities(address) if history else []

    def series(self, address: bytes, quantity: str, since: float) -> "Points":
        return self._sensors.series(address, quantity, since)

    def overview(self) -> Overview:
        return self._reporting.overview()

    def document(self) -> dict[str, Any]:
        return self._reporting.document()

    async def evidence(self) -> "Evidence":
        return await self._gathering.evidence(self.loaded)

    def log_lines(self) -> list[str]:
        return self._gathering.log_lines()

    def files(self) -> frozenset[str]:
        places = self.loaded.sources.places
        return frozenset(name for name in FILE_NAMES if places.find(name))

    async def read_file(self, name: str) -> bytes | None:
        from ruuvi_host.config.extra_files import read_file

        return await asyncio.to_thread(read_file, self.loaded.sources, name)

    async def write_file(self, name: str, content: bytes) -> None:
        await self.changes.write_file(name, content)

    async def delete_file(self, name: str) -> bool:
        return await self.changes.delete_file(name)

    async def change(self, document: Mapping[str, Any]) -> "Change":
        return await self.changes.change(document, self.identity().mac)

    async def change_together(
        self,
        document: Mapping[str, Any],
        pairs: Sequence[tuple[str, str]],
        files: Mapping[str, str | None],
    ) -> "Change":
        return await self.changes.change_together(document, pairs, files, self.identity().mac)

    async def fetch_configuration(self) -> tuple[int, str]:
        assert self.remote
        outcome = await self.remote.fetch()
        return outcome.status, outcome.reason

    async def earlier(self) -> "Sequence[Kept]":
        return await self.changes.earlier()

    async def undo(self) -> "Change":
        return await self.changes.undo()

    async def scan_for_now(self, document: Mapping[str, Any]) -> None:
        self.scanning.begin(document, self.loaded)
