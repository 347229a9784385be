"""All coprocessors of a host: one supervisor each, and one listener that is told who it was."""

from collections.abc import Sequence
from typing import Protocol

from firmware_protocol.messages import DeviceId, Report, SetAll
from ruuvi_host.clock import Clock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.identity import Machine
from ruuvi_host.device.port import Tap
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.lifetime import together
from ruuvi_host.monitoring.counters import LinkStatus


class Gathering(Protocol):
    """Who wants to know what any of them brings. Called inside the reader: must not wait."""

    def heard(self, reports: list[Report], now: float, source: int) -> None:
        """What one read brought. source: which coprocessor it was, from 0."""
        ...

    def identified(self, device: DeviceId, source: int) -> None: ...

    def ready(self, *, refused: bool, source: int) -> None: ...


class Coprocessors:
    """All of them. settings: at least one; the first one's address names the gateway.

    taps: of each in turn, or none; gets a copy of all its bytes.
    """

    def __init__(
        self,
        settings: Sequence[CoprocessorSettings],
        scan: SetAll,
        listener: Gathering,
        clock: Clock,
        *,
        taps: Sequence[Tap] = (),
        machine: Machine | None = None,
    ) -> None:
        several = len(settings) > 1
        self._supervisors = [
            Supervisor(
                one,
                scan,
                _Ear(listener, source),
                clock,
                name=f"#{source + 1}" if several else "",
                tap=taps[source] if taps else None,
                machine=machine,
            )
            for source, one in enumerate(settings)
        ]

    def __len__(self) -> int:
        return len(self._supervisors)

    @property
    def statuses(self) -> list[LinkStatus]:
        """Of each, in order; the counters are among it."""
        return [supervisor.status for supervisor in self._supervisors]

    def reconfigure(self, scan: SetAll) -> None:
        """Other settings for all of them. Running links go on."""
        for supervisor in self._supervisors:
            supervisor.reconfigure(scan)

    async def run(self, *, patient: bool = False) -> None:
        """Until cancelled.

        Raises PortError when there is only one, and its port cannot be opened the very first time;
        of several, one that is missing must not keep the others from working. patient: never.
        """
        patient = patient or len(self) > 1
        await together(
            **{
                f"coprocessor {number}": supervisor.run(patient=patient)
                for number, supervisor in enumerate(self._supervisors, 1)
            }
        )


class _Ear:
    """Adds who it was."""

    def __init__(self, listener: Gathering, source: int) -> None:
        self._listener = listener
        self._source = source

    def heard(self, reports: list[Report], now: float) -> None:
        self._listener.heard(reports, now, self._source)

    def identified(self, device: DeviceId) -> None:
        self._listener.identified(device, self._source)

    def ready(self, *, refused: bool) -> None:
        self._listener.ready(refused=refused, source=self._source)

    def rebooted(self) -> None:
        pass
