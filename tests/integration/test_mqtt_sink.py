"""The sink, against a stand-in for a broker that refuses, stalls, hangs up and withholds PUBACK."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from mqtt_peer import Peer, Published, peer
from tcp_ports import free_port

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.broker_options import BrokerOptions
from ruuvi_host.config.mqtt_target import Broker, MqttLogin, MqttTarget
from ruuvi_host.config.target_parts import DataFormat, TlsFiles
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.mqtt import connection, pauses, publishing
from ruuvi_host.relay.mqtt.client import connect
from ruuvi_host.relay.mqtt.companions import Companion, Presence
from ruuvi_host.relay.mqtt.connection import MOST_IN_FLIGHT
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE, Message, MessageMaker
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.pauses import Pauses
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step, reason, refusal
from ruuvi_host.relay.mqtt.seat import Seat
from ruuvi_host.relay.mqtt.sink import MqttSink
from ruuvi_host.relay.mqtt.standing import Standing
from ruuvi_host.relay.sink import Outcome, Verdict

GATEWAY = DeviceId(id=b"\x00\x11\x22\x33\x44\x55\x66\x77", addr=bytes.fromhex("AACCEE001122"))
STATUS = "ruuvi/AA:CC:EE:00:11:22/gw_status"
NOW = 1_795_000_000


def target(port: int, *, version: str = "3.1.1", **settings: Any) -> MqttTarget:
    return MqttTarget("mqtt", Broker("127.0.0.1", port, version=version), **settings)


def batch(count: int, first: int = 0, age: int = 0) -> Batch:
    reports = [
        Advertisement(
            number.to_bytes(6, "big"), b"\x02\x01\x06", -70, 1, 15, 37, None, 0.0, NOW - age
        )
        for number in range(first, first + count)
    ]
    return Batch(1, GATEWAY, tuple(reports))


def tags(there: Peer) -> list[int]:
    return [
        int(p.topic.rpartition("/")[2].replace(":", ""), 16)
        for p in there.published
        if not p.topic.endswith("/gw_status")
    ]


@asynccontextmanager
async def running(at: MqttTarget, *companions: Companion) -> AsyncIterator[MqttSink]:
    """A sink that knows who we are from the first batch."""

    async def known(other_than: DeviceId | None) -> DeviceId:
        if other_than:
            await asyncio.Event().wait()
        return GATEWAY

    maker = MessageMaker(at.prefix, DataFormat.RAW, "")
    sink = MqttSink(at, maker, Seat(), lambda: Standing(at, companions, known))
    task = asyncio.create_task(sink.run())
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sink.close()


def run(part: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(50):
            await part

    asyncio.run(limited())


def test_the_packet_of_connect_is_that_of_a_gateway() -> None:
    async def main() -> None:
        [case] = [c for c in load_vectors("mqtt.json")["connect"] if c["name"] == "default"]
        async with peer() as there:
            async with running(target(there.port)) as sink:
                assert (await sink.deliver(batch(0), NOW)).verdict is Verdict.ACCEPTED
            await there.until(lambda peer: peer.ended)
            assert [c.hex().upper() for c in there.connects] == [case["packet"]]
            assert there.ended == ["DISCONNECT"]

    run(main())


def test_a_batch_is_a_message_for_each_report_between_online_and_offline() -> None:
    async def main() -> None:
        async with peer() as there:
            async with running(target(there.port)) as sink:
                outcome = await sink.deliver(batch(50), NOW)
                assert outcome == Outcome(Verdict.ACCEPTED)
            await there.until(lambda peer: peer.ended)
            assert tags(there) == [*range(50)]
            first, *_, last = there.published
            assert (first.topic, first.payload, first.retained) == (STATUS, ONLINE, True)
            assert (last.topic, last.payload, last.retained) == (STATUS, OFFLINE, True)
            assert not any(p.duplicate for p in there.published)

    run(main())


def test_qos_0_as_a_gateway() -> None:
    async def main() -> None:
        async with peer() as there:
            async with running(target(there.port, qos=0)) as sink:
                assert await sink.deliver(batch(50), NOW) == Outcome(Verdict.ACCEPTED)
            await there.until(lambda peer: peer.ended)
            assert tags(there) == [*range(50)]
            assert {p.number for p in there.published} == {0}

    run(main())


def test_no_more_than_twenty_messages_are_unconfirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNANSWERED", 1.0)

    async def main() -> None:
        async with peer(confirms=lambda p: p.topic == STATUS) as there:
            async with running(target(there.port)) as sink:
                outcome = await sink.deliver(batch(50), NOW)
                assert outcome.verdict is Verdict.LATER
                assert outcome.remaining == batch(50).advertisements
                assert "has not confirmed a message" in outcome.reason
            await there.until(lambda peer: peer.ended)
            assert there.withheld == MOST_IN_FLIGHT
            assert there.ended == ["closed"]

    run(main())


def test_what_is_confirmed_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One PUBACK is withheld, then the connection ends: only that message is still to be sent."""
    monkeypatch.setattr(connection, "UNANSWERED", 1.0)

    async def main() -> None:
        async with (
            peer(confirms=lambda p: not p.topic.endswith(":07")) as there,
            running(target(there.port)) as sink,
        ):
            outcome = await sink.deliver(batch(50), NOW)
            assert outcome.remaining == batch(1, first=7).advertisements
            assert outcome.fates(batch(50)).accepted == 49

    run(main())


def test_a_message_that_is_sent_again_keeps_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pauses, "failed", lambda self, refused=False: 0.01)

    async def main() -> None:
        async with peer(hangs_up=lambda p: p.topic.endswith(":02")) as there:
            async with running(target(there.port)) as sink:
                first = await sink.deliver(batch(3), NOW)
                assert first.verdict is Verdict.LATER
                there.hangs_up = lambda _: False
                await there.until(lambda peer: len(peer.connects) == 2)
                await sink.pause(30)
                assert first.remaining
                again = Batch(1, GATEWAY, first.remaining)
                assert (await sink.deliver(again, NOW + 60)).verdict is Verdict.ACCEPTED
            texts = [p.payload for p in there.published if p.topic.endswith(":02")]
            assert len(texts) == 2
            assert texts[0] == texts[1]

    run(main())


@pytest.mark.parametrize(
    ("answer", "verdict", "code", "says"),
    [
        (b"\x20\x02\x00\x04", Verdict.FIX, 4, "does not take user and password"),
        (b"\x20\x02\x00\x05", Verdict.FIX, 5, "does not let this client in"),
        (b"\x20\x02\x00\x02", Verdict.FIX, 2, "does not take the client id"),
        (b"\x20\x02\x00\x01", Verdict.FIX, 1, "does not speak MQTT 3.1.1"),
        (b"\x20\x02\x00\x03", Verdict.LATER, 3, "cannot serve now"),
        (b"", Verdict.LATER, None, "has closed the connection without an answer"),
    ],
)
def test_a_broker_that_refuses(
    answer: bytes, verdict: Verdict, code: int | None, says: str
) -> None:
    async def main() -> None:
        async with peer(connack=answer) as there, running(target(there.port)) as sink:
            outcome = await sink.deliver(batch(1), NOW)
            assert (outcome.verdict, outcome.code) == (verdict, code)
            assert says in outcome.reason
            assert not outcome.begun
            assert outcome.reached
            assert outcome.wait is not None
            assert outcome.wait > (60 if verdict is Verdict.FIX else 0)

    run(main())


def test_nobody_listens() -> None:
    async def main() -> None:
        async with running(target(free_port())) as sink:
            outcome = await sink.deliver(batch(1), NOW)
            assert outcome.verdict is Verdict.LATER
            assert "refused" in outcome.reason
            assert not outcome.reached

    run(main())


def test_an_attempt_to_connect_that_is_given_up_leaves_nothing_open() -> None:
    """It holds a door open in aiomqtt and paho: that a connection can be closed at any time."""

    async def main() -> None:
        async with peer(connack=None) as there:
            at = target(there.port)
            attempt = asyncio.create_task(connect(at, connect_of(at, GATEWAY.addr)))
            await there.until(lambda peer: peer.connects)
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
            assert attempt.cancelled()
            await there.until(lambda peer: peer.ended)

    run(main())


def test_a_broker_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ruuvi_host.relay.mqtt.client.WHOLE", 0.3)

    async def main() -> None:
        async with peer(connack=None) as there:
            at = target(there.port)
            with pytest.raises(NoConnectionError) as caught:
                await connect(at, connect_of(at, GATEWAY.addr))
            assert caught.value.step is Step.SILENT
            await there.until(lambda peer: peer.ended)

    run(main())


def test_late_messages_are_sent_slowly() -> None:
    async def main() -> None:
        async with peer() as there:
            at = target(there.port, drain_rate=100)
            async with running(at) as sink:
                loop = asyncio.get_running_loop()
                await sink.deliver(batch(1), NOW)
                begin = loop.time()
                await sink.deliver(batch(30, age=600), NOW)
                assert loop.time() - begin >= 0.28
            assert len(tags(there)) == 31

    run(main())


def test_user_and_password_are_sent_and_not_shown() -> None:
    async def main() -> None:
        async with peer(connack=b"\x20\x02\x00\x05") as there:
            at = target(there.port, login=MqttLogin("me", "user", "SECRET"))
            async with running(at) as sink:
                outcome = await sink.deliver(batch(1), NOW)
            assert b"\x00\x06SECRET" in there.connects[0]
            assert "SECRET" not in f"{outcome} {at} {connect_of(at, GATEWAY.addr)}"

    run(main())


# -- MQTT 5 ---------------------------------------------------------------------------------------


def test_a_puback_that_refuses_is_no_delivery() -> None:
    """It holds a door open in paho: aiomqtt itself takes such a message for delivered."""

    async def main() -> None:
        async with peer(code=lambda p: 0x87 if p.topic.endswith((":01", ":03")) else 0) as there:
            async with running(target(there.port, version="5")) as sink:
                outcome = await sink.deliver(batch(5), NOW)
                assert (outcome.verdict, outcome.refused) == (Verdict.ACCEPTED, 2)
                assert outcome.fates(batch(5)).accepted == 3
                assert "does not take a part" in outcome.reason
                there.code = lambda _: 0x87
                outcome = await sink.deliver(batch(5), NOW)
                assert outcome.verdict is Verdict.REFUSED
            assert there.level == 5

    run(main())


@pytest.mark.parametrize("code", [1, 17, 0x91, 0x95, 250, 255])
def test_a_puback_with_any_number_is_counted(code: int) -> None:
    """It holds doors open in paho, which ends a connection at what MQTT 5 does not know."""

    async def main() -> None:
        there = Peer(code=lambda p: code if p.topic.endswith(":01") else 0)
        async with peer(there), running(target(there.port, version="5")) as sink:
            outcome = await sink.deliver(batch(5), NOW)
            assert (outcome.verdict, outcome.refused) == (Verdict.ACCEPTED, 1)
            assert outcome.fates(batch(5)).accepted == 4
            assert reason(code) in outcome.reason
            assert tags(there) == [*range(5)]
            there.code = lambda _: code
            assert (await sink.deliver(batch(2), NOW)).verdict is Verdict.REFUSED
            there.code = lambda _: 16  # nobody has subscribed
            assert await sink.deliver(batch(2), NOW) == Outcome(Verdict.ACCEPTED)
        assert len(there.connects) == 1

    run(main())


DISCONNECT, PUBACK = b"\xe0\x02", b"\x40"


@pytest.mark.parametrize(
    ("farewell", "says"),
    [
        (b"", "has ended the connection"),
        (b"\xe0\x00", "has ended the connection"),
        (DISCONNECT + b"\x8e\x00", "another client has the same client id"),
        (DISCONNECT + b"\x8b\x00", "has ended the connection: server shutting down"),
        (DISCONNECT + b"\x95\x00", "has ended the connection: packet too large"),
        (DISCONNECT + b"\xfa\x00", "has ended the connection: reason code 250"),
        (PUBACK + b"\x01\x00", "sends what is no MQTT"),
        (PUBACK + b"\x05\x00\x02\x00\x01\xff", "sends what is no MQTT"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(90), "sends what is no MQTT"),
    ],
)
def test_why_a_connection_has_ended(farewell: bytes, says: str) -> None:
    async def main() -> None:
        there = Peer(hangs_up=lambda p: p.topic.endswith(":01"), farewell=farewell)
        async with peer(there), running(target(there.port, version="5")) as sink:
            outcome = await sink.deliver(batch(2), NOW)
            assert (outcome.verdict, outcome.refused) == (Verdict.LATER, 0)
            assert outcome.remaining
            assert batch(1, first=1).advertisements == outcome.remaining[-1:]
            assert says in outcome.reason
            await there.until(lambda it: it.ended)
            while sink._standing.is_up:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
            assert len(there.connects) == 1, "there is a pause before the next one"

    run(main())


def test_what_a_broker_says_of_itself_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNANSWERED", 1.0)

    async def main() -> None:
        receive_maximum, longest = b"\x21\x00\x03", b"\x27\x00\x00\x01\x80"
        async with peer(confirms=lambda p: p.topic == STATUS, says=receive_maximum) as there:
            async with running(target(there.port, version="5")) as sink:
                assert (await sink.deliver(batch(9), NOW)).verdict is Verdict.LATER
            await there.until(lambda peer: peer.ended)
            assert there.withheld == 3
        async with peer(says=longest) as there:
            at = target(there.port, version="5", prefix="p" * 250 + "/")
            async with running(at) as sink:
                outcome = await sink.deliver(batch(2), NOW)
                assert outcome.verdict is Verdict.REFUSED
            assert tags(there) == []

    run(main())


def test_a_message_that_just_fits_is_sent() -> None:
    async def main() -> None:
        async with peer() as there, running(target(there.port, version="5")) as sink:
            await sink.deliver(batch(1, age=61), NOW)
            sent = there.published[1]
        lengths = 2 + 2 + 2  # of what follows, of the topic, and the number
        size = 1 + lengths + len(sent.topic) + 1 + len(sent.properties) + len(sent.payload)
        for most, verdict in ((size + 2, Verdict.ACCEPTED), (size - 1, Verdict.REFUSED)):
            async with peer(says=b"\x27" + most.to_bytes(4, "big")) as there:
                async with running(target(there.port, version="5")) as sink:
                    assert (await sink.deliver(batch(1, age=61), NOW)).verdict is verdict
                assert len(tags(there)) == (verdict is Verdict.ACCEPTED)

    run(main())


def test_a_broker_that_does_not_take_the_state(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        there = Peer(code=lambda p: 0x87 if p.topic == STATUS else 0)
        async with peer(there), running(target(there.port, version="5")) as sink:
            assert (await sink.deliver(batch(1), NOW)).verdict is Verdict.ACCEPTED

    run(main())
    assert "does not take our state (the topic …gw_status): not authorized" in caplog.text


def test_messages_say_what_they_are_and_that_they_are_late() -> None:
    async def main() -> None:
        async with peer() as there:
            async with running(target(there.port, version="5")) as sink:
                await sink.deliver(batch(1), NOW)
                await sink.deliver(batch(1, age=61), NOW)
            await there.until(lambda peer: peer.ended)
            _, soon, late, _ = there.published
            for message in (soon, late):
                assert b"\x01\x01" in message.properties  # the payload is UTF-8
                assert b"application/json" in message.properties
                assert b"gw_mac\x00\x11AA:CC:EE:00:11:22" in message.properties
            assert b"late" not in soon.properties
            assert b"late\x00\x011" in late.properties

    run(main())


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x00", b"\x20\x02\x00\x04"])
def test_a_broker_that_only_knows_the_older_version(answer: bytes) -> None:
    async def main() -> None:
        async with peer(speaks=4, connack=answer) as there:
            async with running(target(there.port, version="5")) as sink:
                outcome = await sink.deliver(batch(1), NOW)
                accepted = answer[3] == 0
                assert outcome.verdict is (Verdict.ACCEPTED if accepted else Verdict.FIX)
            assert there.level == 4
            assert len(there.connects) == 2

    run(main())


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


# -- options --------------------------------------------------------------------------------------


def test_a_message_for_which_there_is_no_room_is_sent_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishing, "FULL", 0.01)

    async def main() -> None:
        seen: list[str] = []

        def code(message: Published) -> int:
            seen.append(message.topic)
            full = message.topic.endswith(":02") or seen.count(message.topic) == 1
            return 0x97 if full and message.topic != STATUS else 0

        async with peer(code=code) as there:
            async with running(target(there.port, version="5")) as sink:
                outcome = await sink.deliver(batch(4), NOW)
            assert tags(there) == [0, 1, 2, 3, 0, 1, 2, 3]
            assert (outcome.verdict, outcome.refused) == (Verdict.ACCEPTED, 1)
            assert "quota exceeded" in outcome.reason

    run(main())


def test_limits_of_a_broker_are_ours() -> None:
    async def main() -> None:
        most_qos_0, retains_nothing = b"\x24\x00", b"\x25\x00"
        options = BrokerOptions(retain_readings=True, message_expiry=90)
        async with peer(says=most_qos_0 + retains_nothing) as there:
            async with running(target(there.port, version="5", options=options)) as sink:
                assert await sink.deliver(batch(3), NOW) == Outcome(Verdict.ACCEPTED)
            await there.until(lambda peer: peer.ended)
            assert {(p.number, p.retained) for p in there.published} == {(0, False)}
        async with peer() as there:
            async with running(target(there.port, version="5", options=options)) as sink:
                await sink.deliver(batch(3), NOW)
            await there.until(lambda peer: peer.ended)
            online, *readings, _ = there.published
            assert all(p.retained and b"\x02\x00\x00\x00\x5a" in p.properties for p in readings)
            assert b"\x02\x00\x00\x00\x5a" not in online.properties

    run(main())


@pytest.mark.parametrize("delay", [0, 30])
def test_a_will_that_waits_needs_a_session_that_lives_so_long(delay: int) -> None:
    async def main() -> None:
        options = BrokerOptions(will_delay=delay)
        async with peer() as there:
            async with running(target(there.port, version="5", options=options)) as sink:
                await sink.deliver(batch(1), NOW)
            [hello] = there.connects
            session, will = b"\x11\x00\x00\x00\x1e", b"\x18\x00\x00\x00\x1e"
            assert (session in hello, will in hello) == (delay > 0, delay > 0)
            clean_start = bool(hello[9] & 2)
            assert clean_start is (delay == 0)

    run(main())


def test_the_names_of_reasons() -> None:
    assert "retain not supported: set mqtt_disable" in str(refusal("broker:1883", 154))
    assert refusal("broker:1883", 154).fix
    assert "server busy (CONNACK 137)" in str(refusal("broker:1883", 137))
    assert "reason code 250" in str(refusal("broker:1883", 250))


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
