"""The sink, against a stand-in for a broker that refuses, stalls, hangs up and withholds PUBACK."""

import asyncio

import pytest
from conftest import load_vectors
from mqtt_peer import peer
from mqtt_sink_world import GATEWAY, NOW, STATUS, batch, run, running, tags, target
from tcp_ports import free_port

from ruuvi_host.config.mqtt_target import MqttLogin
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.mqtt import connection
from ruuvi_host.relay.mqtt.client import connect
from ruuvi_host.relay.mqtt.connection import MOST_IN_FLIGHT
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.pauses import Pauses
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step
from ruuvi_host.relay.sink import Outcome, Verdict


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
