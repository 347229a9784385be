"""The accounting of a relay: whatever its server does, each batch and each report is in one place.

The real relay, its spool in a real file, and a table; what is scripted is the network.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.model import Profile
from ruuvi_host.config.spool import SpoolSettings, Sync
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch, Batcher
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.accounting import accounts_of, unaccounted
from ruuvi_host.monitoring.counters import RelayCounters, TargetCounters
from ruuvi_host.relay.gateway_relay import GatewayRelay
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.sink import Outcome, Verdict
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.spool import Spool

GATEWAY = DeviceId(bytes(8), bytes(6))
PERIOD = 0.004
PATIENCE = 20.0

OUTCOMES = {
    "accepted": Outcome(Verdict.ACCEPTED, code=200),
    "later": Outcome(Verdict.LATER, "no answer"),
    "refused": Outcome(Verdict.REFUSED, "status 400", code=400),
    "all but one": Outcome(Verdict.ACCEPTED, "status 400", refused=1),
}
NAMES = [*OUTCOMES, "in parts", "raises"]


def outcome_of(name: str, batch: Batch) -> Outcome:
    """Raises what a sink never should."""
    reports = batch.advertisements
    if name == "raises":
        raise LookupError("a mistake in a sink")
    if name == "in parts" and len(reports) > 1:  # one accepted, one refused if there are three
        refused = len(reports) > 2
        return Outcome(Verdict.LATER, "?", remaining=reports[1 + refused :], refused=refused)
    if name == "all but one" and not reports:
        return OUTCOMES["accepted"]
    return OUTCOMES.get(name, OUTCOMES["later"])


scripts = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 3), st.integers(0, 5)), max_size=12
)


class World:
    """A relay whose server answers as scripted: (outcome, sensors heard meanwhile, waits)."""

    def __init__(self, folder: Path, script: list[tuple[str, int, int]], **options: object) -> None:
        clock = SystemClock()
        self.table = AdvertisementTable(max_sensors=3)
        self.queue = self.table.queue()
        self.script = iter(script)
        self.done = asyncio.Event()
        self.numbers: Iterator[int] = iter(range(1, 10**9))
        self.unaccounted: list[str] = []
        profile = options["profile"]
        sync = options["sync"]
        window = options["window"]
        assert isinstance(profile, Profile)
        assert isinstance(sync, Sync)
        assert isinstance(window, float)
        counters = RelayCounters()
        spool = Spool(folder, "custom", SpoolSettings(sync=sync, ballast=0), counters, clock)
        self.spool = spool
        batcher = Batcher(self.queue, PERIOD, clock.monotonic())
        source = BatchSource(batcher, lambda: GATEWAY, Nonces(), spool, clock)
        make = GatewayRelay if profile is Profile.GATEWAY else HostRelay
        self.relay = make("custom", self, source, spool, clock, Pacing(gap=0.0, window=window))

    def hear(self, sensors: int) -> None:
        for sensor in range(sensors):
            data = next(self.numbers).to_bytes(4, "big")
            address = bytes([sensor] * 6)
            self.table.put([Advertisement(address, data, -60, 1, 15, 37, None, 0.0, 1)])

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        name, sensors, waits = next(self.script, ("accepted", 0, 0))
        if name == "accepted" and not sensors:
            self.done.set()
        for _ in range(waits):
            self.hear(sensors)
            await asyncio.sleep(PERIOD / 2)
            self.look()
        return outcome_of(name, batch)

    async def run(self) -> None:
        pass

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        pass

    def look(self) -> None:
        relay = self.relay
        counters = TargetCounters(
            *(self.queue.changed, self.queue.counters, len(self.queue)),
            *(relay.counters, *relay.waiting),
        )
        self.unaccounted += map(str, unaccounted([*accounts_of(counters)]))

    async def relay_and_stop(self, *, finish: bool) -> None:
        running = asyncio.ensure_future(self.relay.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.done.wait()
        self.look()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        self.hear(2)
        if finish:
            await self.relay.finish(PATIENCE)
        else:
            await self.relay.retire()
            await self.spool.close()
        self.look()


@settings(max_examples=40)
@given(
    scripts,
    st.sampled_from([Profile.HOST, Profile.HOST, Profile.GATEWAY]),
    st.sampled_from(Sync),
    st.sampled_from([0.0, 1.0]),
    st.booleans(),
)
def test_it_adds_up_whatever_the_server_does(
    script: list[tuple[str, int, int]], profile: Profile, sync: Sync, window: float, finish: bool
) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), script, profile=profile, sync=sync, window=window)
            await world.relay_and_stop(finish=finish)
            # What an earlier run left is counted, too.
            again = World(Path(folder), [], profile=profile, sync=sync, window=window)
            await again.relay_and_stop(finish=True)
            assert world.unaccounted + again.unaccounted == []
            assert again.relay.counters.from_previous_run == world.spool.batches

    asyncio.run(main())
