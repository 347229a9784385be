"""What the API asks of the running host, and has it do. `jobs/door.py` is the real one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from firmware_protocol.messages import DeviceId, address_text
from ruuvi_host.bundle.evidence import Evidence
from ruuvi_host.clock import Clock
from ruuvi_host.config.kept import Kept
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.problems import Problem
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.history import Points
from ruuvi_host.intake.readings import Readings
from ruuvi_host.monitoring.overview import Overview
from ruuvi_host.relay.kinds import Remembered


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the gateway is."""

    device: DeviceId
    """Of the first coprocessor; all zero while it is not known."""
    version: str
    """Our own, as v1.2.3."""
    nrf_version: str
    """Of the coprocessor's firmware, as v1.0.0."""

    @property
    def name(self) -> str:
        """The gateway name: RuuviGateway and the end of the address. Realm of all passwords."""
        last = self.device.addr[-2:].hex().upper() if any(self.device.addr) else "XXXX"
        return f"RuuviGateway{last}"

    @property
    def mac(self) -> str:
        return address_text(self.device.addr)


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a change of the configuration that was saved."""

    changed: frozenset[str] = frozenset()
    """Keys whose effective value is another one now."""
    fixed: Mapping[str, str] | None = None
    """Key that was to change → the source (file, variable, option) that keeps its value."""
    problems: Sequence[Problem] = ()
    needs_restart: bool = False
    """Something of it counts from the next start on."""
    saved_to: str = ""
    """The file that was written; empty: nothing had to be."""


class SaveError(Exception):
    """A change could not be written durably; nothing has changed. The text is for the log: it may
    have a path."""


class Door(Protocol):
    """The running host."""

    @property
    def clock(self) -> Clock: ...

    @property
    def clock_is_right(self) -> bool: ...

    @property
    def loaded(self) -> Loaded:
        """The present configuration: effective values, and where each comes from. Never to be
        changed in place."""
        ...

    @property
    def simulated(self) -> bool:
        """The coprocessor is a simulated one: nothing of it may get to Ruuvi."""
        ...

    @property
    def remembered(self) -> Remembered:
        """What the relays know of their servers, such as the keys that these gave."""
        ...

    async def other_than(self, loaded: Loaded) -> None:
        """Wait until another configuration than `loaded` is the present one."""
        ...

    def tell_api(self, listening: Sequence[str] | None, fault: str) -> None:
        """Where the API listens now (None: as before), and why not as configured; empty: it is."""
        ...

    def identity(self) -> Identity: ...

    async def identified(self) -> Identity:
        """The same, as soon as it is known who the gateway is."""
        ...

    def newest_first(self) -> Iterator[Advertisement]:
        """The table, the most recently changed sensor first."""
        ...

    @property
    def readings(self) -> Readings:
        """What people say about their sensors: `readings.of(address, data)` is a reading with name
        and offsets, for all answers of our own form; never for a gateway's."""
        ...

    def quantities(self, address: bytes) -> list[str]:
        """Names of what `series` has of a sensor: fields of measurements, and rssi."""
        ...

    def series(self, address: bytes, quantity: str, since: float) -> Points:
        """What a sensor measured in the last day: (UTC seconds, value) two minutes apart, with None
        for gaps, from `since` (UTC seconds) on. In memory only."""
        ...

    def overview(self) -> Overview:
        """Health, links, counters."""
        ...

    def document(self) -> dict[str, Any]:
        """What `ruuvi-host status --json` prints."""
        ...

    async def evidence(self) -> Evidence:
        """For the report of a fault. Takes a few seconds, in which the port is listened to."""
        ...

    def log_lines(self) -> list[str]:
        """The last lines of the log, the oldest first. Nothing in them is masked, but secrets are
        in no log."""
        ...

    def files(self) -> frozenset[str]:
        """Names (without .pem) of the files beside the configuration that are there."""
        ...

    async def read_file(self, name: str) -> bytes | None: ...

    async def write_file(self, name: str, content: bytes) -> None:
        """Atomically, for the owner alone; what uses it takes it up. Raises SaveError."""
        ...

    async def delete_file(self, name: str) -> bool:
        """False: it was not there. Raises SaveError."""
        ...

    async def change(self, document: Mapping[str, Any]) -> Change:
        """Keys of a gateway, as `POST /ruuvi.json` has them: written durably and taken up when
        this returns. Raises SaveError."""
        ...

    async def change_together(
        self,
        document: Mapping[str, Any],
        pairs: Sequence[tuple[str, str]],
        files: Mapping[str, str | None],
    ) -> Change:
        """All that the page changes at once, or nothing: keys of a gateway, keys of
        ruuvi-host.toml, and files beside the configuration (name → text; None: to be removed).
        Raises SaveError, ConfigError."""
        ...

    async def fetch_configuration(self) -> tuple[int, str]:
        """Fetch the remote configuration now, and take it: a status as of HTTP, and why it is not
        200."""
        ...

    async def earlier(self) -> Sequence[Kept]:
        """What the last changes have replaced, the newest first: `undo` goes back by one."""
        ...

    async def undo(self) -> Change:
        """Back to the configuration before the last change. Raises SaveError, ConfigError."""
        ...

    async def scan_for_now(self, document: Mapping[str, Any]) -> None:
        """Scan with other settings, which are not saved, and empty the table."""
        ...
