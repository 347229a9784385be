"""The sink and what MQTT 5 has more: reasons, limits of the broker, properties of messages."""

import asyncio

import pytest
from mqtt_peer import Peer, Published, peer
from mqtt_sink_world import NOW, STATUS, batch, run, running, tags, target

from ruuvi_host.config.broker_options import BrokerOptions
from ruuvi_host.relay.mqtt import connection, publishing
from ruuvi_host.relay.mqtt.host_status import HostStatus
from ruuvi_host.relay.mqtt.refusals import reason, refusal
from ruuvi_host.relay.sink import Outcome, Verdict

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


@pytest.mark.parametrize("qos", [0, 1])
def test_a_message_that_just_fits_is_sent(qos: int) -> None:
    async def main() -> None:
        async with peer() as there, running(target(there.port, version="5", qos=qos)) as sink:
            await sink.deliver(batch(1, age=61), NOW)
            await there.until(lambda peer: len(peer.published) > 1)
            sent = there.published[1]
        lengths = 2 + 2 + 2 * qos  # of what follows, of the topic, and the number
        size = 1 + lengths + len(sent.topic) + 1 + len(sent.properties) + len(sent.payload)
        for most, verdict in ((size, Verdict.ACCEPTED), (size - 1, Verdict.REFUSED)):
            async with peer(says=b"\x27" + most.to_bytes(4, "big")) as there:
                async with running(target(there.port, version="5", qos=qos)) as sink:
                    assert (await sink.deliver(batch(1, age=61), NOW)).verdict is verdict
                await there.until(lambda peer: peer.ended)
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


def test_a_broker_gets_no_more_than_it_has_room_for_at_the_end() -> None:
    async def main() -> None:
        async with peer(says=b"\x21\x00\x03", confirms=lambda p: "online" in str(p)) as there:
            async with running(target(there.port, version="5")) as sink:
                sending = asyncio.create_task(sink.deliver(batch(9), NOW))
                await there.until(lambda peer: peer.withheld == 3)
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            await there.until(lambda peer: peer.ended)
            assert there.withheld == 3
            assert there.published[-1].payload == b'{"state": "offline"}'
            assert there.ended == ["DISCONNECT"]

    run(main())


def test_a_broker_gets_no_more_than_it_has_room_for_at_the_beginning() -> None:
    async def main() -> None:
        async with peer(says=b"\x21\x00\x01", confirms=lambda _: False) as there:
            at = target(there.port, version="5", options=BrokerOptions(status_topic="host"))
            async with running(at, HostStatus(at, dict, lambda document: document)):
                await there.until(lambda peer: peer.published)
            await there.until(lambda peer: peer.ended)
            assert [(p.topic, bool(p.number)) for p in there.published] == [
                *((STATUS, True), (STATUS, False)),
            ]

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
