"""Who the sink is to its broker, when it connects anew, and what companions publish with it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from mqtt_peer import peer
from mqtt_sink_world import GATEWAY, NOW, STATUS, batch, run, running, target

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.mqtt_target import MqttLogin, MqttTarget
from ruuvi_host.config.target_parts import TlsFiles
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.mqtt import pauses
from ruuvi_host.relay.mqtt.companions import Companion, Presence
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE, Message
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.seat import Seat
from ruuvi_host.relay.mqtt.standing import Standing
from ruuvi_host.relay.sink import Outcome, Verdict

# -- what else is published -----------------------------------------------------------------------


class Noting(Companion):
    """Publishes before each reading once, and lets one of them wait."""

    topics = ("home/status",)

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._asked: set[bytes] = set()

    def connected(self, presence: Presence) -> None:
        presence.connection.publish("config/gateway", presence.gateway, qos=1)

    def before(
        self, presence: Presence, report: Advertisement, message: Message, now: float
    ) -> float:
        tag = report.address.hex()
        if report.address in self._asked:
            return 0.0
        self._asked.add(report.address)
        presence.connection.publish(f"config/{tag}", b"", qos=1)
        return 0.05 if tag.endswith("02") else 0.0

    def received(self, presence: Presence, topic: str, payload: bytes) -> None:
        self.heard.put_nowait((topic, payload))

    async def leaving(self, presence: Presence, successor: MqttTarget | None) -> None:
        presence.connection.publish("config/gateway", b"", qos=1)


def test_companions_have_their_say_in_this_order() -> None:
    async def main() -> None:
        noting = Noting()
        async with peer() as there:
            async with running(target(there.port), noting) as sink:
                assert await sink.deliver(batch(4), NOW) == Outcome(Verdict.ACCEPTED)
                await there.say("home/status", b"online")
                assert await noting.heard.get() == ("home/status", b"online")
            await there.until(lambda peer: peer.ended)
            assert there.subscribed == ["home/status"]
            assert [p.topic.rpartition("/")[2][-2:] for p in there.published] == [
                *("us", "ay"),  # online, and what comes with the connection
                *("00", "00", "01", "01", "02", "03", "03", "02"),
                *("ay", "us"),
            ]

    run(main())


def test_what_companions_publish_counts_among_what_is_unconfirmed() -> None:
    async def main() -> None:
        async with peer(says=b"\x21\x00\x03", confirms=lambda p: p.topic == STATUS) as there:
            at = target(there.port, version="5")
            async with running(at, Noting()) as sink:
                sending = asyncio.create_task(sink.deliver(batch(9), NOW))
                await there.until(lambda peer: peer.withheld == 3)
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            await there.until(lambda peer: peer.ended)
            assert there.withheld <= 4  # with what is said when we leave

    run(main())


# -- who we are -----------------------------------------------------------------------------------


OTHER = DeviceId(id=bytes(8), addr=bytes.fromhex("0A0B0C0D0E0F"))


class Identity:
    """Who the gateway is, once a test says so."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[DeviceId] = asyncio.Queue()

    def tell(self, device: DeviceId) -> None:
        self._told.put_nowait(device)

    async def __call__(self, other_than: DeviceId | None) -> DeviceId:
        return await self._told.get()


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes something for a failure is not back before a test gives up."""
    monkeypatch.setattr(pauses, "FIRST", pauses.LONGEST)


@pytest.mark.usefixtures("long_pauses")
def test_it_connects_when_it_is_known_who_we_are_and_anew_when_it_is_another() -> None:
    async def main() -> None:
        who = Identity()
        async with peer() as there:
            at = target(there.port)
            standing = Standing(at, (), who)
            assert standing.state.startswith("waits for the address of the gateway")
            task = asyncio.create_task(standing.run())
            who.tell(GATEWAY)
            await there.until(lambda peer: peer.published)
            assert f"connected to mqtt://127.0.0.1:{there.port}" in standing.state
            who.tell(OTHER)  # it is no failure, after which there is a pause
            await there.until(lambda peer: len(peer.connects) == 2 and len(peer.published) == 3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await standing.leave()
            await there.until(lambda peer: len(peer.ended) == 2)
            assert there.ended == ["DISCONNECT", "DISCONNECT"]
            other = "ruuvi/0A:0B:0C:0D:0E:0F/gw_status"
            assert [(p.topic, p.payload) for p in there.published] == [
                *((STATUS, ONLINE), (STATUS, OFFLINE), (other, ONLINE), (other, OFFLINE)),
            ]
            assert b"0A:0B:0C:0D:0E:0F" in there.connects[1]

    run(main())


def test_with_names_of_our_own_another_gateway_changes_no_connection() -> None:
    async def main() -> None:
        who = Identity()
        async with peer() as there:
            at = target(there.port, prefix="cellar/", login=MqttLogin("cellar"))
            async with asyncio.TaskGroup() as tasks:
                standing = Standing(at, (), who)
                task = tasks.create_task(standing.run())
                who.tell(GATEWAY)
                await there.until(lambda peer: peer.published)
                who.tell(OTHER)
                while standing._address != OTHER.addr:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0)
                assert standing.is_up
                task.cancel()
            await standing.leave()
            await there.until(lambda peer: peer.ended)
            assert len(there.connects) == 1

    run(main())


def test_a_connection_goes_on_with_the_same_settings_and_certificates(tmp_path: Path) -> None:
    path = tmp_path / "mqtt_srv_cert"
    path.write_bytes(b"one")
    at = target(1883)
    at = replace(at, broker=replace(at.broker, tls=TlsFiles(server_cert=path)))
    seat = Seat()

    def taken(by: object, at: MqttTarget) -> Standing:
        return seat.take(by, at, lambda: Standing(at))

    first = taken(1, at)
    assert taken(2, replace(at, login=at.login)) is first
    assert not seat.is_left_by(1, first)
    assert seat.is_left_by(2, first)
    path.write_bytes(b"another")
    second = taken(3, at)
    assert second is not first
    assert seat.is_left_by(2, first)
    assert taken(4, replace(at, qos=0)) is not second


def test_a_check_has_an_id_of_its_own_unless_it_is_to_have_the_same() -> None:
    at = target(1883, login=MqttLogin("cellar"))
    checks = [connect_of(at, GATEWAY.addr, check=True, same_id=same) for same in (False, True)]
    assert [(c.client_id, c.will) for c in checks] == [("cellar-check", None), ("cellar", None)]


@pytest.mark.usefixtures("long_pauses")
def test_other_certificates_make_another_connection_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "mqtt_srv_cert"
        path.write_bytes(b"one")
        async with peer() as there:
            at = target(there.port)
            at = replace(at, broker=replace(at.broker, tls=TlsFiles(server_cert=path)))
            async with running(at) as sink:
                await sink.deliver(batch(1), NOW)
                await sink.refresh()
                assert len(there.connects) == 1
                path.write_bytes(b"another")
                await sink.refresh()
                # It is no failure, after which there is a pause.
                await there.until(lambda peer: peer.published[-1].payload == ONLINE)
            await there.until(lambda peer: len(peer.ended) == 2)
            assert len(there.connects) == 2
            states = [p.payload for p in there.published if p.topic == STATUS]
            assert states == [ONLINE, OFFLINE, ONLINE, OFFLINE]

    run(main())
