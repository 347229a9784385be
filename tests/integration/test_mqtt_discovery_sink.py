"""What Home Assistant is told, against a stand-in for a broker that hangs up, refuses, and takes no
long packets."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from mqtt_peer import Peer, peer
from mqtt_sink_world import run, running_sink

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.homeassistant import Extras, HomeAssistant
from ruuvi_host.config.mqtt_target import Broker, MqttTarget
from ruuvi_host.config.target_parts import DataFormat
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.mqtt import announced, homeassistant, pauses
from ruuvi_host.relay.mqtt.announced import load, save
from ruuvi_host.relay.mqtt.announcements import RATE
from ruuvi_host.relay.mqtt.homeassistant import ToHomeAssistant
from ruuvi_host.relay.mqtt.messages import MessageMaker
from ruuvi_host.relay.mqtt.seat import Seat
from ruuvi_host.relay.mqtt.sink import MqttSink
from ruuvi_host.relay.mqtt.standing import Standing
from ruuvi_host.relay.sink import Verdict

GATEWAY = DeviceId(id=b"\x00\x11\x22\x33\x44\x55\x66\x77", addr=bytes.fromhex("AACCEE001122"))
SWAPPED = bytes.fromhex("AACCEE003344")
NOW = 1_795_000_000
[CASE] = [c for c in load_vectors("formats.json")["cases"] if c["name"] == "df5-official-valid"]
DATA = bytes.fromhex(CASE["adv_hex"])
TOLD = Extras(homeassistant=HomeAssistant())


def batch(*sensors: int, data: bytes = DATA) -> Batch:
    reports = [
        Advertisement(number.to_bytes(6, "big"), data, -70, 1, 15, 37, None, 0.0, NOW)
        for number in sensors
    ]
    return Batch(1, GATEWAY, tuple(reports))


@asynccontextmanager
async def running(
    port: int,
    path: Path | None = None,
    *,
    version: str = "3.1.1",
    swapped: asyncio.Event | None = None,
    **settings: Any,
) -> AsyncIterator[MqttSink]:
    """swapped: then there is another gateway."""
    at = MqttTarget(
        *("mqtt", Broker("127.0.0.1", port, version=version)),
        **{"data_format": DataFormat.DECODED, "extras": TOLD, **settings},
    )

    gateways: list[DeviceId] = [GATEWAY, replace(GATEWAY, addr=SWAPPED)]

    async def known(other_than: DeviceId | None) -> DeviceId:
        if other_than:
            await (swapped or asyncio.Event()).wait()
        if not gateways:
            await asyncio.Event().wait()
        return gateways.pop(0)

    maker = MessageMaker(at.prefix, at.data_format, "")
    teller = ToHomeAssistant(at, lambda _: "", path)
    sink = MqttSink(at, maker, Seat(), lambda: Standing(at, (teller,), known))
    async with running_sink(sink):
        yield sink


def told(there: Peer) -> list[str]:
    """What was published, in order: a letter for what it is, and the end of the address."""
    found = []
    for each in there.published:
        if each.topic.startswith("homeassistant/"):
            device = each.topic.split("/")[2]
            kind = "G" if "gateway" in device else "C"
            found.append(kind.lower() if not each.payload else kind + device[-2:])
        elif not each.topic.endswith("gw_status"):
            found.append(f"R{each.topic[-2:]}")
    return found


def test_a_config_goes_before_the_first_reading_of_its_sensor() -> None:
    async def main() -> None:
        async with peer() as there, running(there.port) as sink:
            assert (await sink.deliver(batch(1, 2), NOW)).verdict is Verdict.ACCEPTED
            assert (await sink.deliver(batch(2, 3), NOW)).verdict is Verdict.ACCEPTED
            # The first one waits for that of the gateway, and the second one has not to.
            assert told(there) == ["G22", "C02", "R02", "C01", "R01", "R02", "C03", "R03"]
            assert all(p.retained for p in there.published if "homeassistant" in p.topic)

    run(main())


def test_what_is_not_decoded_is_published_and_not_told() -> None:
    async def main() -> None:
        async with peer() as there, running(there.port) as sink:
            outcome = await sink.deliver(batch(1, data=b"\x02\x01\x06"), NOW)
            assert outcome.verdict is Verdict.ACCEPTED
            assert told(there) == ["R01"]

    run(main())


def test_over_each_connection_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "FIRST", 0.01)

    async def main() -> None:
        async with peer() as there, running(there.port) as sink:
            await sink.deliver(batch(1), NOW)
            for writer in there.writers:
                writer.close()
            await there.until(lambda peer: len(peer.connects) == 2)
            before = len(told(there))
            while (await sink.deliver(batch(1), NOW)).verdict is not Verdict.ACCEPTED:
                await sink.pause(1.0)
            assert told(there)[before:] == ["G22", "C01", "R01"]

    run(main())


def test_another_gateway_tells_that_it_is_another_one() -> None:
    async def main() -> None:
        swapped = asyncio.Event()
        async with peer() as there, running(there.port, swapped=swapped) as sink:
            await sink.deliver(batch(1), NOW)
            before = len(told(there))
            swapped.set()
            await there.until(lambda peer: len(peer.connects) == 2)
            # Its old self is taken back.
            await there.until(lambda _: len(told(there)) == before + 1)
            other = replace(batch(1), gateway=replace(GATEWAY, addr=SWAPPED))
            while (await sink.deliver(other, NOW)).verdict is not Verdict.ACCEPTED:
                await sink.pause(1.0)
            assert told(there)[before:] == ["g", "G44", "C01", "R01"]
            *_, config, _ = there.published
            assert b'"state_topic":"ruuvi/AA:CC:EE:00:33:44/00:00' in config.payload

    run(main())


def test_readings_wait_for_no_more_configs_than_ten_a_second() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with peer() as there, running(there.port) as sink:
            await sink.deliver(batch(1), NOW)
            began = loop.time()
            outcome = await sink.deliver(batch(*range(2, 15), 1), NOW)
            assert outcome.verdict is Verdict.ACCEPTED
            assert loop.time() - began > 0.9
            order = told(there)[3:]
            # That of a sensor that is known does not wait with those that are not.
            assert order.index("R01") < order.index("C0C")
            assert sum(each[0] == "C" for each in order[: order.index("R01")]) <= RATE
            assert len(order) == 13 + 14

    run(main())


def test_a_broker_that_refuses_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with (
            peer(code=lambda p: 135 if "homeassistant" in p.topic else 0) as there,
            running(there.port, version="5") as sink,
        ):
            assert (await sink.deliver(batch(1, 2, 3), NOW)).verdict is Verdict.ACCEPTED

    run(main())
    lines = [r.getMessage() for r in caplog.records if "Home Assistant" in r.getMessage()]
    assert lines == [
        "mqtt: the broker does not take what Home Assistant is to be told: it may not be published "
        "to"
    ]


def test_a_broker_of_short_packets(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        longest = b"\x27" + (1000).to_bytes(4, "big")
        async with peer(says=longest) as there, running(there.port, version="5") as sink:
            assert (await sink.deliver(batch(1), NOW)).verdict is Verdict.ACCEPTED
            assert told(there) == ["G22", "R01"]

    run(main())
    assert "its packets may not be so long" in caplog.text


# -- what is remembered ---------------------------------------------------------------------------


def test_what_is_not_told_any_more_is_taken_back(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "mqtt.announced"
        async with peer() as there:
            async with running(there.port, path) as sink:
                await sink.deliver(batch(1), NOW)
            assert len(load(path)) == 2
            there.published.clear()
            async with running(there.port, path, extras=Extras()) as sink:
                await there.until(lambda _: len(told(there)) == 2)
                await sink.deliver(batch(1), NOW)  # is confirmed after them
            assert told(there) == ["c", "g", "R01"]
            assert not path.exists()

    run(main())


def test_of_another_gateway_only_itself_is_taken_back(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "mqtt.announced"
        sensor, other = "device/ruuvi_000000000001/config", "device/ruuvi_gateway_FF/config"
        save(path, [f"homeassistant/{sensor}", f"homeassistant/{other}"])
        async with peer() as there:
            async with running(there.port, path) as sink:
                await there.until(lambda _: told(there))
                await sink.deliver(batch(1, data=b"\x02\x01\x06"), NOW)
            assert told(there) == ["g", "R01"]
            assert load(path) == {f"homeassistant/{sensor}"}

    run(main())


def test_what_hosts_share_is_not_remembered(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "mqtt.announced"
        shared = Extras(homeassistant=HomeAssistant(shared=True))
        async with peer() as there, running(there.port, path, extras=shared) as sink:
            await sink.deliver(batch(1), NOW)
        assert [topic.split("/")[2] for topic in load(path)] == ["ruuvi_gateway_AACCEE001122"]

    run(main())


@pytest.mark.parametrize("slow", ["load", "save"])
def test_a_slow_disk_that_is_still_at_it_at_the_end_remembers_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    path = tmp_path / "mqtt.announced"
    save(path, ["homeassistant/device/ruuvi_000000000009/config"])
    begun, free, real = threading.Event(), threading.Event(), getattr(announced, slow)

    def slowly(*arguments: Any) -> Any:
        begun.set()
        free.wait()
        return real(*arguments)

    monkeypatch.setattr(announced, slow, slowly)
    monkeypatch.setattr(homeassistant, "CLOSING", 30.0)

    async def main() -> None:
        async with peer() as there, running(there.port, path) as sink:
            await sink.deliver(batch(1), NOW)
            assert await asyncio.to_thread(begun.wait, 30)
            asyncio.get_running_loop().call_later(0.1, free.set)
        assert {topic.split("_")[-1].partition("/")[0] for topic in load(path)} == {
            *("000000000001", "000000000009", "AACCEE001122")
        }

    try:
        run(main())
    finally:
        free.set()


def test_a_file_that_cannot_be_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "mqtt.announced"
    path.write_bytes(b"\xff\xfe")
    assert load(path) == set()
    path.unlink()
    path.mkdir()
    assert load(path) == set()
    save(path, ["a"])
    save(path, [])
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 4
    assert load(None) == set()
    save(None, ["a"])
