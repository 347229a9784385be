"""A connection to a broker needs no right clock; readings do."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

from lines import PATIENCE
from lines import run as run_async
from mqtt_peer import Peer, peer

from ruuvi_host.clock import EARLIEST, SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.model import Config
from ruuvi_host.config.mqtt_target import Broker, MqttTarget
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.relaying import Relaying
from ruuvi_host.jobs.reporting import Reporting
from ruuvi_host.jobs.sensor_care import SensorCare
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.lifetime import ended, together
from ruuvi_host.monitoring.accounting import unaccounted
from ruuvi_host.monitoring.starts import ResetReason, Start
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.pty import PtyServer


class Clock(SystemClock):
    """This machine's, and as far off as the test says. The kernel calls it synchronised."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def wall(self) -> float:
        return SystemClock.wall() + self.ahead

    def synchronised(self) -> bool:
        return True


def readings(there: Peer) -> list[int]:
    """The times of those that came."""
    topics = [p for p in there.published if not p.topic.endswith("gw_status")]
    return [json.loads(p.payload)["ts"] for p in topics]


def test_it_connects_at_once_and_publishes_when_the_clock_is_right(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        clock.ahead = wrong = EARLIEST - 365 * 86_400.0 - SystemClock.wall()
        with PtyServer(Board(tags=3)) as board, closing(StateDirectory.open(tmp_path)) as state:
            async with asyncio.timeout(2 * PATIENCE), peer() as there:
                config = Config(targets=(MqttTarget("mqtt", Broker("127.0.0.1", there.port)),))
                receiving = Receiving([CoprocessorSettings(board.path)], config, state, clock)
                start = Start(1, ResetReason.POWER_ON, "")
                relaying = Relaying(config, state.path, receiving, start)
                reporting = Reporting(receiving, relaying, SensorCare(config, receiving))
                life = asyncio.create_task(
                    together(
                        board=board.run(),
                        receiving=receiving.run(required=True),
                        relaying=relaying.run(),
                    )
                )
                [target] = reporting.overview().document(clock.monotonic())["targets"]
                assert target["connection"].startswith("waits for the address of the gateway")
                await there.until(lambda peer: len(peer.published) == 1)
                assert relaying.hindrance.startswith("the clock is not right")
                while not receiving.table.counters.clock_not_synchronised:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert not readings(there)
                clock.ahead = 0.0
                await there.until(readings)
                assert min(readings(there)) > EARLIEST
                # It jumps: what relays begins anew, and the connection does not.
                clock.ahead = wrong
                while "jumped" not in relaying.hindrance:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                clock.ahead = 0.0
                there.published.clear()
                await there.until(readings)
                await ended(life)
                await relaying.finish()
                await there.until(lambda peer: peer.ended)
                assert len(there.connects) == 1
                assert there.ended == ["DISCONNECT"]
                assert there.published[-1].payload == b'{"state": "offline"}'
        assert unaccounted(reporting.accounts()) == []

    run_async(main())
