"""What a relay tells of its health, with a real server that takes, refuses and is gone."""

import asyncio
from collections.abc import Callable
from math import inf
from pathlib import Path

from lines import run, until
from tcp_ports import free_port

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batcher
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.receiver import Receiver, Settings
from ruuvi_host.relay.gateway_json import BodyFacts
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.sink import HttpSink
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.spool import Spool

GATEWAY = DeviceId(bytes.fromhex("4098A778581AE138"), bytes.fromhex("C8252D8E9C2C"))
PERIOD = 0.02


class World:
    """A relay to `url`, with one sensor."""

    def __init__(self, url: str, folder: Path, ready: asyncio.Event | None = None) -> None:
        self.clock = SystemClock()
        self.began = self.clock.monotonic()
        table = AdvertisementTable()
        settings, batcher = SpoolSettings(ballast=0), Batcher(table.queue(), PERIOD, self.began)
        spool = self.spool = Spool(folder, "custom", settings, RelayCounters(), self.clock)
        source = BatchSource(batcher, lambda: GATEWAY, Nonces(), spool, self.clock, ready=ready)
        sink = HttpSink(Poster(HttpTarget("custom", url)), BodyFacts())
        self.relay = HostRelay("custom", sink, source, spool, self.clock)
        table.put([Advertisement(bytes(6), b"\x01", -60, 1, 15, 37, None, 0.0, 1)])

    async def facts_when(self, condition: Callable[[], object]) -> TargetFacts:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.relay.run())
            await until(condition)
            facts = self.relay.facts()
            running.cancel()
        await self.relay.finish(0.0)
        return facts


def test_a_server_that_takes_all(tmp_path: Path) -> None:
    async def main() -> None:
        async with Receiver(Settings()) as receiver:
            world = World(receiver.url, tmp_path)
            facts = await world.facts_when(lambda: world.relay.counters.accepted >= 3)
            assert facts.failing == ""
            assert facts.served == facts.answered > world.began
            assert facts.batch_due > world.began + PERIOD
            assert facts.unkept_since is None

    run(main())


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"

    async def main() -> None:
        world = World(url, tmp_path)
        facts = await world.facts_when(lambda: world.relay.counters.failed_attempts)
        assert "Connection refused" in facts.failing
        assert world.began <= facts.served == facts.answered < world.began + 10
        assert facts.step_due < inf
        assert facts.waiting >= 1

    run(main())


def test_too_many_posts_are_no_success_and_prove_the_network(tmp_path: Path) -> None:
    async def main() -> None:
        async with Receiver(Settings(answer=429)) as receiver:
            world = World(receiver.url, tmp_path)
            facts = await world.facts_when(lambda: world.relay.counters.failed_attempts)
            assert facts.failing.startswith("status 429")
            assert facts.answered > facts.served

    run(main())


def test_a_relay_that_may_not_cut_yet_does_not_stand_still(tmp_path: Path) -> None:
    async def main() -> None:
        async with Receiver(Settings()) as receiver:
            world = World(receiver.url, tmp_path, asyncio.Event())
            facts = await world.facts_when(lambda: world.clock.monotonic() > world.began + 0.1)
            assert (facts.batch_due, facts.step_due) == (inf, inf)

    run(main())


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"

    async def main() -> None:
        folder = tmp_path / "file"
        folder.touch()  # nothing can be below it
        world = World(url, folder)

        def unkept() -> bool:
            return world.relay.facts().unkept_since is not None

        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(world.relay.run())
            await until(unkept)
            first = world.relay.facts().unkept_since
            await until(lambda: world.relay.counters.batches > 5)
            assert world.relay.facts().unkept_since == first
            running.cancel()
        await world.relay.retire()
        await world.spool.close()

    run(main())
