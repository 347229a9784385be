"""The values of a configuration, as the rest of the program uses them.

Where they come from (a gateway's file, the host's own, environment, options) is not known here.
"""

import os
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from firmware_protocol.messages import SetAll
from ruuvi_host.config.addresses import refuse_ruuvi
from ruuvi_host.config.api import ApiSettings
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.config.targets import RUUVI, HttpTarget, Target
from ruuvi_host.errors import ConfigError


class Profile(Enum):
    """Whose behaviour it is where ours is better than the gateway's: see `host` in the pages."""

    HOST = "host"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Which addresses of sensors pass."""

    addresses: frozenset[bytes] = frozenset()
    """Six bytes each; none: no filter."""
    allow: bool = False
    """True: only the listed addresses pass; False: all but these."""
    closed: bool = False
    """What was given cannot be read: nothing passes."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that `run` needs to know; the defaults are the gateway's, without any target."""

    scan: SetAll = field(default_factory=SetAll)
    """What the coprocessor is configured with."""
    filter: FilterSettings = field(default_factory=FilterSettings)
    use_timestamps: bool = True
    """False: a running number in place of the time, as a gateway without NTP does."""
    coordinates: str = ""
    """At most 63 bytes."""
    targets: tuple[Target, ...] = ()
    statistics: HttpTarget | None = None
    profile: Profile = Profile.HOST
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    max_sensors: int = 100
    """1..100,000."""
    trust_clock: bool = False
    signed_tx_power: bool = False
    nrf_firmware: str = ""
    """For statistics; empty: guessed from the coprocessor's behaviour."""
    network_watchdog: float = 3600.0
    """Seconds without any answer to a batch that are an error."""
    exit_by_watchdog: bool = False
    coprocessors: tuple[CoprocessorSettings, ...] = ()
    """The first one's address names the gateway."""
    api: ApiSettings | None = None
    """None: there is no local API."""
    sensors: tuple[SensorSettings, ...] = ()
    """Those that a person has said something about, each address once."""
    remote: RemoteSettings | None = None
    """Where another configuration is fetched; None: nowhere."""
    faults: tuple[str, ...] = ()
    """What is wrong with it and does not keep the host from running."""

    def without_ruuvi(self) -> "Config":
        """For simulated data, which must not be sent to Ruuvi."""
        statistics = self.statistics
        if statistics:
            try:
                refuse_ruuvi(statistics.url)
            except ConfigError:
                statistics = None
        others = tuple(target for target in self.targets if target.name != RUUVI)
        return replace(self, targets=others, statistics=statistics)


def state_directory(named: Path | None, *, simulated: bool) -> Path:
    """Where this instance keeps its state: as named, $STATE_DIRECTORY, $XDG_STATE_HOME, home.

    Raises ConfigError when there is none of them.

    A simulated coprocessor gets a folder of its own, unless one is named: its undelivered
    batches must never be posted by a real gateway.
    """
    if named:
        return named
    if systemd := os.environ.get("STATE_DIRECTORY"):
        path = Path(systemd.partition(":")[0])
    elif os.path.isabs(xdg := os.environ.get("XDG_STATE_HOME", "")):  # others do not count
        path = Path(xdg) / "ruuvi-host"
    else:
        try:
            path = Path.home() / ".local" / "state" / "ruuvi-host"
        except RuntimeError as error:
            raise ConfigError("--state-dir", "no home folder: name a folder to use") from error
    return path / "simulated" if simulated else path
