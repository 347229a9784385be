"""Statistics over real sockets to the reference receiver."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from lines import run, until
from tcp_ports import free_port

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.starts import ResetReason, Start
from ruuvi_host.receiver import Receiver, Result, Settings, Signature
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.signing import default_key
from ruuvi_host.relay.statistics import Statistics
from ruuvi_host.relay.status_document import CoprocessorFacts

GATEWAY = DeviceId(bytes.fromhex("4098A778581AE138"), bytes.fromhex("C8252D8E9C2C"))
KEY = default_key(GATEWAY).encode()
NEVER = 10_000.0


class World:
    """Statistics of a host with one sensor, to `url`."""

    def __init__(self, url: str, period: float = NEVER, again: float = NEVER) -> None:
        self.table = AdvertisementTable()
        self.answers = True
        self.start = Start(3, ResetReason.PANIC, "Reset by panic: killed, without a crash report")
        self.clock = SystemClock()
        self.url = url
        self.statistics = Statistics(
            lambda: CoprocessorFacts(GATEWAY, "v2.0.0", answers=self.answers),
            self.table,
            self.start,
            self.clock,
            period=period,
            again=again,
        )
        self.counters = self.statistics.counters

    def hear(self, times: int) -> None:
        for n in range(times):
            data = bytes([n])
            self.table.put([Advertisement(bytes(6), data, -60, 1, 15, 37, None, 0.0, 0)])

    def answered_and_then(self, seconds: float) -> Callable[[], bool]:
        """Has a post been answered, and have so many seconds passed since?"""
        answered: list[float] = []

        def condition() -> bool:
            if (self.counters.accepted or self.counters.failed) and not answered:
                answered.append(self.clock.monotonic())
            return bool(answered) and self.clock.monotonic() > answered[0] + seconds

        return condition

    async def run_until(
        self, condition: Callable[[], object], clock_right_at: float | None = None
    ) -> None:
        poster = Poster(HttpTarget("statistics", self.url))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.statistics.run(poster, clock_right_at))
            await until(condition)
            running.cancel()


def posted(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(receipt.body) for receipt in receiver.receipts]


def test_a_post_when_it_is_ready_and_each_hour() -> None:
    async def main() -> None:
        async with Receiver(Settings(keys=(KEY,))) as receiver:
            world = World(receiver.url + "status", period=0.05)
            world.hear(4)
            await world.run_until(lambda: world.counters.accepted >= 3)
            assert {receipt.verdict.signature for receipt in receiver.receipts} == {Signature.OK}
            assert receiver.receipts[0].request == "POST /status"
            first, second, *_ = posted(receiver)
            assert first["DEVICE_ADDR"] == "C8:25:2D:8E:9C:2C"
            # The first report of a sensor is not counted, and each document begins a new count.
            assert first["ACTIVE_SENSORS"] == [{"MAC": "00:00:00:00:00:00", "COUNTER": "3"}]
            assert second["INACTIVE_SENSORS"] == ["00:00:00:00:00:00"]
            assert int(second["NONCE"]) == (int(first["NONCE"]) + 1) % 2**32
            # How the life before ended is told once.
            assert first["RESET_INFO"] == "Reset by panic: killed, without a crash report"
            assert second["RESET_INFO"] == ""
            assert second["RESET_REASON"] == "PANIC"

    run(main())


def test_what_has_failed_is_not_tried_again_and_its_reset_is_still_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with Receiver(Settings(answer=503)) as receiver:
            world = World(receiver.url)
            await world.run_until(lambda: world.counters.failed)
            assert len(receiver.receipts) == 1
            assert world.start.info
            assert (world.counters.posts, world.counters.accepted) == (1, 0)

    caplog.set_level(logging.WARNING)
    run(main())
    (record,) = caplog.records
    assert record.getMessage() == (
        "statistics: not delivered (status 503 Service Unavailable: simulated outage); "
        "next try in an hour"
    )


def test_again_a_while_after_the_clock_became_right() -> None:
    async def main() -> None:
        async with Receiver(Settings()) as receiver:
            world = World(receiver.url, again=0.2)
            right_at = world.clock.monotonic()
            await world.run_until(lambda: world.counters.accepted >= 2, right_at)
            assert world.clock.monotonic() >= right_at + 0.2
            # Ready long after that: the first post has told enough.
            late = World(receiver.url, again=0.2)
            await late.run_until(late.answered_and_then(0.3), right_at - NEVER)
            assert late.counters.posts == 1

    run(main())


def test_a_changed_configuration_is_told_at_once_to_the_new_server() -> None:
    async def main() -> None:
        async with Receiver(Settings()) as first, Receiver(Settings()) as second:
            world = World(first.url)
            await world.run_until(lambda: world.counters.accepted >= 1)
            world.url = second.url
            await world.run_until(lambda: world.counters.accepted >= 2)
            nonces = [int(posted(each)[0]["NONCE"]) for each in (first, second)]
            assert nonces[1] == (nonces[0] + 1) % 2**32

    run(main())


def test_the_rate_is_ignored_and_the_key_is_taken() -> None:
    async def main() -> None:
        settings = Settings(keys=(KEY,), rate="1", new_key=b"another")
        async with Receiver(settings) as receiver:
            world = World(receiver.url, period=0.05)
            await world.run_until(lambda: world.counters.accepted >= 3)
            # One that is under way at the end may have come, and has no answer.
            results = {receipt.verdict.result for receipt in receiver.receipts}
            assert results == {Result.ACCEPTED}
            slow = World(receiver.url)
            await slow.run_until(slow.answered_and_then(0.3))
            assert slow.counters.posts == 1

    run(main())


def test_a_coprocessor_that_does_not_answer() -> None:
    async def main() -> None:
        async with Receiver(Settings()) as receiver:
            world = World(receiver.url)
            world.answers = False
            await world.run_until(lambda: world.counters.accepted)
            assert posted(receiver)[0]["NRF_STATUS"] is False

    run(main())


def test_a_server_that_is_away_is_said(caplog: pytest.LogCaptureFixture) -> None:
    url = f"http://127.0.0.1:{free_port()}/"

    async def main() -> None:
        world = World(url)
        await world.run_until(lambda: world.counters.failed)

    caplog.set_level(logging.WARNING)
    run(main())
    assert "statistics: not delivered (the server 127.0.0.1:" in caplog.text
    assert ": Connection refused); next try in an hour" in caplog.text
