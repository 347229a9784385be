"""All coprocessors of a host: one supervisor each, and one listener that is told which it was."""

from collections.abc import Callable, Sequence
from functools import partial

from firmware_protocol.events import Event
from firmware_protocol.messages import SetAll
from ruuvi_host.clock import Clock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.identity import Machine
from ruuvi_host.device.port import Tap
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.lifetime import together
from ruuvi_host.monitoring.link_status import LinkStatus

SourceListener = Callable[[int, Event, float], None]
"""As a link's Listener; which coprocessor it was, from 0, comes first."""


class Coprocessors:
    """All of them. settings: at least one; the first one's address names the gateway.

    taps: of each in turn, or none; gets a copy of all its bytes.
    """

    def __init__(
        self,
        settings: Sequence[CoprocessorSettings],
        scan: SetAll,
        listener: SourceListener,
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
                partial(listener, source),
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

    async def run(self, *, required: bool = True) -> None:
        """Until cancelled.

        Raises PortError when there is only one, it is `required`, and its port cannot be opened
        the very first time. Of several, one that is missing must not keep the others from working.
        """
        required = required and len(self) == 1
        await together(
            **{
                f"coprocessor {number}": supervisor.run(required=required)
                for number, supervisor in enumerate(self._supervisors, 1)
            }
        )
