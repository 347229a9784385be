"""One real delivery to each target by hand: does it arrive, and if not, what is to be done?"""

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn

from firmware_protocol.events import Event, Identified
from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import SystemClock, WallClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import STATISTICS, Target
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.errors import HandshakeError
from ruuvi_host.lifetime import together
from ruuvi_host.relay.kinds import CheckResult, SinkContext, kind_of

log = logging.getLogger(__name__)

IDENTIFY_TIME = 10.0
"""Seconds for a coprocessor to tell who it is."""


NOBODY = DeviceId(bytes(8), bytes(6))
"""In place of a coprocessor, for targets that ask for none."""


async def check_all(
    targets: Sequence[Target], config: Config, gateway: DeviceId, *, same_id: bool = False
) -> list[CheckResult]:
    """A batch without reports to each target, one after the other; to statistics a status.

    same_id: brokers are asked with the client id of the host itself.
    """
    clock = SystemClock()
    if config.use_timestamps and not WallClock(clock, trusted=config.trust_clock).check():
        log.warning("the clock is not synchronised: `run` would wait for it (--trust-clock)")
    results = []
    statistics = config.statistics
    for target in targets:
        if statistics and target.name == STATISTICS:
            from ruuvi_host.relay.http.check import check, empty_status

            results.append(await check(statistics, gateway, empty_status(gateway, config)))
        else:
            kind, context = kind_of(target), SinkContext(config, same_id=same_id)
            results.append(await kind.probe(target, gateway, context, clock.wall()))
    return results


async def identify(settings: CoprocessorSettings) -> DeviceId:
    """Ask the coprocessor who it is. Raises PortError or HandshakeError."""
    answer: asyncio.Future[DeviceId] = asyncio.get_running_loop().create_future()

    def on_event(event: Event, now: float) -> None:
        if isinstance(event, Identified) and not answer.done():
            answer.set_result(event.device)

    supervisor = Supervisor(settings, Config().scan, on_event, SystemClock())
    try:
        async with asyncio.timeout(IDENTIFY_TIME):
            await together(supervisor=supervisor.run(), answer=_told(answer))
    except _Told as told:
        return told.device
    except TimeoutError:
        pass
    problem = f"{settings.port}: the coprocessor does not send its address"
    raise HandshakeError("identifying", 0, problem)


class _Told(Exception):  # noqa: N818 - an event; it never leaves this module
    """The coprocessor sent its address."""

    def __init__(self, device: DeviceId) -> None:
        super().__init__()
        self.device = device


async def _told(answer: "asyncio.Future[DeviceId]") -> NoReturn:
    """Ends what runs beside it, by an exception."""
    raise _Told(await answer)
