"""The relay, its HTTP sink and the reference receiver together, over real sockets."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tcp_ports import free_port

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batcher
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.receiver import Receipt, Receiver, Result, Settings, Signature
from ruuvi_host.relay.gateway_json import BodyFacts
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.signing import default_key
from ruuvi_host.relay.http.sink import HttpSink
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.spool import Spool

GATEWAY = DeviceId(bytes.fromhex("4098A778581AE138"), bytes.fromhex("C8252D8E9C2C"))
KEY = default_key(GATEWAY).encode()
# A RuuviTag's advertising data (format 5), up to where its address begins.
TAG_DATA = bytes.fromhex("0201061BFF99040515714D9FC56DFFF0FFF803E4B516E84D7EF4")
INTERVAL = 0.02
"""Seconds. Short, so that tests are; nothing depends on its being kept."""


class World:
    """A relay to `url`, and the table that it takes from."""

    def __init__(self, url: str, folder: Path, period: float = INTERVAL, **timeouts: Any) -> None:
        clock = SystemClock()
        self.table = AdvertisementTable(max_sensors=10_000)
        batcher = Batcher(self.table.queue(), period, clock.monotonic())
        spool = Spool(folder, "custom", SpoolSettings(), RelayCounters(), clock)
        source = BatchSource(batcher, lambda: GATEWAY, Nonces(), spool, clock)
        sink = HttpSink(Poster(HttpTarget("custom", url), **timeouts), BodyFacts("60.17,24.94"))
        self.relay = HostRelay("custom", sink, source, spool, clock, Pacing(gap=0.0))
        self.counters = self.relay.counters

    def hear(self, sensor: int) -> None:
        address = sensor.to_bytes(6, "big")
        timestamp = int(SystemClock().wall())
        data = TAG_DATA + address[1:]
        self.table.put([Advertisement(address, data, -60, 1, 15, 37, None, 0.0, timestamp)])

    async def run(self, while_: Coroutine[Any, Any, None]) -> None:
        """Relay while this runs."""
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.relay.run())
            await while_
            running.cancel()

    async def run_until(self, condition: Callable[[], bool]) -> None:
        await self.run(becomes_true(condition))


async def becomes_true(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - counters have no event to wait for
        await asyncio.sleep(INTERVAL / 4)


def sensors(receipt: Receipt) -> list[int]:
    if not receipt.body:  # broken off
        return []
    tags = json.loads(receipt.body)["data"]["tags"]
    return [int(address.replace(":", ""), 16) for address in tags]


def nonce(receipt: Receipt) -> int:
    value: int = json.loads(receipt.body)["data"]["nonce"]
    return value


@pytest.fixture(autouse=True)
def _all_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_batches_arrive_as_a_strict_receiver_wants_them(tmp_path: Path) -> None:
    async def main() -> None:
        async with Receiver(Settings(keys=(KEY,))) as receiver:
            world = World(receiver.url, tmp_path)
            world.hear(1)
            await world.run_until(lambda: world.counters.accepted >= 3)
            await world.relay.finish(5)
            first, second, third = receiver.batches[:3]
            assert [sensors(receipt) for receipt in (first, second, third)] == [[1], [], []]
            assert all(r.verdict.signature is Signature.OK for r in receiver.batches)
            data = json.loads(first.body)["data"]
            assert data["coordinates"] == "60.17,24.94"
            assert data["gw_mac"] == "C8:25:2D:8E:9C:2C"

    asyncio.run(main())


def test_what_failed_arrives_later_as_the_same_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Receiver(Settings(keys=(KEY,), answer=500, fail_first=3)) as receiver:
            world = World(receiver.url, tmp_path)
            world.hear(1)
            await world.run_until(lambda: world.counters.accepted_reports == 1)
            with_it = [receipt for receipt in receiver.receipts if sensors(receipt) == [1]]
            assert len(with_it) > 1
            assert len({nonce(receipt) for receipt in with_it}) == 1
            assert [r.verdict.result for r in with_it[:-1]] == [Result.FAILED] * (len(with_it) - 1)
            await world.relay.finish(5)

    asyncio.run(main())
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("custom: not delivered (status 500")
    assert lines[1].startswith("custom: batches are accepted after ")
    assert len(lines) == 2


def test_an_answer_that_is_lost_costs_a_duplicate_and_no_data(tmp_path: Path) -> None:
    """The receiver takes the batch, and we do not wait for its answer."""

    async def main() -> None:
        async with Receiver(Settings(keys=(KEY,), delay=600)) as receiver:
            world = World(receiver.url, tmp_path, period=3600, total_timeout=0.1)
            world.hear(1)
            await world.run_until(lambda: world.counters.failed_attempts >= 1)
            await world.relay.finish(0)
            assert world.counters.kept_reports == 1
            # In the next life it is what waits longest, and comes as the batch that it was. (On a
            # slow machine an attempt may end before the receiver has it.)
            patience = 0.1
            while not receiver.totals[Result.DUPLICATE]:
                world = World(receiver.url, tmp_path, period=3600, total_timeout=patience)
                assert not await world.relay.drain()
                await world.relay.finish(0)
                assert receiver.totals[Result.ACCEPTED] <= 1
                patience *= 2
            assert [sensors(receipt) for receipt in receiver.batches] == [[1]]

    asyncio.run(main())


def test_a_server_that_is_not_there_yet_gets_all_when_it_comes(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        port = free_port()
        world = World(f"http://127.0.0.1:{port}/", tmp_path)

        async def an_outage() -> None:
            for sensor in range(5):
                world.hear(sensor)
                await becomes_true(lambda: world.relay.waiting[1] > sensor)  # noqa: B023
            await becomes_true(lambda: world.counters.failed_attempts > 0)
            async with Receiver(Settings(port=port)) as receiver:
                await becomes_true(lambda: world.counters.accepted_reports == 5)
                arrived = [sensor for receipt in receiver.batches for sensor in sensors(receipt)]
                assert sorted(arrived) == [0, 1, 2, 3, 4]

        await world.run(an_outage())
        assert world.relay.waiting[1] == 0
        await world.relay.finish(0)

    asyncio.run(main())
    first = caplog.records[0].getMessage()
    assert first.startswith("custom: not delivered (the server 127.0.0.1:")
    assert "Connection refused" in first


def test_what_a_receiver_refuses_is_dropped(tmp_path: Path) -> None:
    async def main() -> None:
        async with Receiver(Settings(answer=400)) as receiver:
            world = World(receiver.url, tmp_path)
            world.hear(1)
            await world.relay.finish(5)
            assert world.counters.refused_reports == 1
            assert world.relay.waiting[1] == 0

    asyncio.run(main())


def test_a_new_key_and_a_new_rate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        settings = Settings(keys=(KEY,), new_key=b"another", rate="3600")
        async with Receiver(settings) as receiver:
            world = World(receiver.url, tmp_path)
            world.hear(1)
            await world.run_until(lambda: world.counters.accepted_reports == 1)
            world.hear(2)
            await world.relay.finish(5)
            # The receiver expects the new key once it has been offered.
            assert 403 not in [receipt.verdict.status for receipt in receiver.receipts]
            assert [sensors(r) for r in receiver.batches if sensors(r)] == [[1], [2]]
            assert all(r.verdict.signature is Signature.OK for r in receiver.batches)

    asyncio.run(main())
    assert "custom: the server asks for a batch every 3600 s" in caplog.text


@pytest.mark.parametrize("settings", [Settings(hang=True), Settings(answer=503)])
def test_what_is_left_at_the_end_is_saved_and_delivered_next_time(
    tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "custom.spool"

    async def first_life() -> None:
        async with Receiver(settings) as receiver:
            world = World(receiver.url, tmp_path)
            for sensor in range(3):
                world.hear(sensor)
            async with asyncio.timeout(20):
                await world.relay.finish(0.2)
            assert world.counters.kept_reports == 3

    async def second_life() -> None:
        # A slow disk lets many empty batches go ahead.
        async with Receiver(Settings(keys=(KEY,)), keep=100_000) as receiver:
            world = World(receiver.url, tmp_path)
            world.hear(3)
            await world.run_until(lambda: world.counters.accepted_reports == 4)
            await world.relay.finish(5)
            with_data = [sensors(r) for r in receiver.batches if sensors(r)]
            assert with_data == [[3], [0, 1, 2]]
            assert world.relay.waiting[1] == 0

    asyncio.run(first_life())
    assert path.stat().st_mode & 0o777 == 0o600
    asyncio.run(second_life())
    assert not path.exists()
