"""The kinds of targets, and what each of them offers to the rest of the house.

A kind is a module with one `KIND`. It is imported when a target of this kind is configured, so a
kind that nobody uses costs nothing. A new kind: its module, its line in `MODULES`, and its settings
in `config/targets.py`.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import Target
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.sink import Sink

MODULES = {
    "http": "ruuvi_host.relay.http.kind",
    "file": "ruuvi_host.relay.file.kind",
    "influxdb": "ruuvi_host.relay.influxdb.kind",
    "mqtt": "ruuvi_host.relay.mqtt.kind",
}

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Remembered:
    """What sinks remember of their targets while the configuration changes, such as a key that a
    server gave. In memory only."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, type], Any] = {}

    def of(self, name: str, make: type[T]) -> T:
        """The value of the target `name`; made at the first call."""
        value: T = self._values.setdefault((name, make), make())
        return value


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink may need besides its target."""

    config: Config
    remembered: Remembered = field(default_factory=Remembered)
    readings: Callable[[], Readings] | None = None
    """What people say about their sensors, as of now; asked for each batch, in any thread. None: as
    `config` has it."""
    gateway: Callable[[DeviceId | None], Awaitable[DeviceId]] | None = None
    """Who we are, as soon as that is known, and is another one than that. None: batches tell."""
    host: Callable[[], dict[str, Any]] | None = None
    """What the host tells of itself, as of now; see monitoring/host_status.py. None: nothing."""
    same_id: bool = False
    """A check of a broker has the client id of the host itself."""
    folder: Path | None = None
    """Where a sink may keep what is to outlive it. None: nowhere."""

    def known(self) -> Callable[[], Readings]:
        """As `readings`, and always there."""
        if self.readings is not None:
            return self.readings
        of_config = Readings(self.config.sensors)
        return lambda: of_config


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one real delivery to a target has shown."""

    target: str
    """Its name."""
    reason: str
    """What happened, one line."""
    step: str = ""
    """What failed; empty: nothing, it was delivered."""
    remedy: str = ""
    """What to do, one line."""
    code: int | None = None
    """As in Outcome."""
    failed: str = "not delivered"
    """What it is called if it failed."""

    @property
    def delivered(self) -> bool:
        return not self.step

    def __str__(self) -> str:
        """One line for people."""
        if self.delivered:
            return f"{self.target}: {self.reason}"
        return f"{self.target}: {self.failed}: {self.step}: {self.reason}; {self.remedy}"


class Kind(Protocol[T_contra]):
    """What a kind of target offers."""

    is_network: bool
    """It can only be reached over a network, which the network watchdog watches."""

    needs_gateway: bool
    """A probe must know who the coprocessor is: its address or its id is in what is sent."""

    begins_at_once: bool
    """The first batch is made at once, and not after the first interval."""
    is_always_kept: bool
    """What is not delivered is kept in profile gateway, too."""

    def public_name(self, target: T_contra) -> str:
        """Where it is, for logs: an address or a folder, without any secret."""
        ...

    def pacing(self, target: T_contra) -> Pacing: ...

    def faults(self, target: T_contra) -> Iterator[tuple[str, str]]:
        """What keeps batches from being delivered, as far as it can be seen without delivering
        one: for each the key (or file name) and half a sentence. May block."""
        ...

    async def probe(
        self, target: T_contra, gateway: DeviceId, context: SinkContext, utc: float
    ) -> CheckResult:
        """Deliver a batch without reports."""
        ...

    def make_sink(self, target: T_contra, context: SinkContext) -> Sink:
        """Raises ConfigError when the settings cannot be used."""
        ...


def kind_of(target: Target) -> Kind[Any]:
    """The kind of a target."""
    kind: Kind[Any] = import_module(MODULES[target.KIND]).KIND
    return kind
