"""Who answers in the place of a broker: web servers, TLS, other services, brokers that say what no
CONNACK says. A sentence tells what it is, and what to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from certificates import authority, server_context

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.model import Config
from ruuvi_host.config.mqtt_target import Broker, MqttTarget, Transport
from ruuvi_host.relay.kinds import CheckResult, SinkContext, kind_of
from ruuvi_host.relay.mqtt.opening import Opening

GATEWAY = DeviceId(bytes(8), bytes.fromhex("AACCEE001122"))
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
PAGE = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>" + 500 * b" "
ALERT = bytes.fromhex("15 03 03 00 02 02 46")


class Stranger:
    """Answers whoever comes with these bytes, and hangs up unless it stays."""

    def __init__(self, answer: bytes, *, stays: bool = False) -> None:
        self.answer, self.stays = answer, stays

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                await reader.read(1000)
                writer.write(self.answer)
                if self.stays:
                    await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def listening(it: Stranger, **options: Any) -> AsyncIterator[int]:
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0, **options)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def checked(
    it: Stranger, transport: Transport = Transport.TCP, version: str = "3.1.1", **options: Any
) -> CheckResult:
    async with asyncio.timeout(30), listening(it, **options) as port:
        target = MqttTarget("mqtt", Broker("127.0.0.1", port, transport, version=version))
        return await kind_of(target).probe(target, GATEWAY, SinkContext(Config()), 0.0)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize(
    ("answer", "step", "says"),
    [
        (BAD_REQUEST, "MQTT", "is a web server (HTTP/1.1 400 Bad Request), and no broker"),
        (PAGE, "MQTT", "or the transport to WS if it takes MQTT over WebSockets"),
        (ALERT, "MQTT", "wants TLS: set the transport to SSL"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "MQTT", "answers with 'SSH-2.0-OpenSSH_9.2p1"),
        (b"220 mail.example ESMTP\r\n", "MQTT", "answers with '220 mail.example ESMTP', which is"),
        (b"\x00\xff\x1b[2J" + bytes(50), "MQTT", "answers with 00 ff 1b 5b 32 4a 00 00, which"),
        (b"\xd0\x00", "MQTT", "answers with d0 00, which is no MQTT"),
        (b"\x20", "MQTT", "a CONNACK that is none (20)"),
        (b"\x20\x01\x00", "MQTT", "a CONNACK that is none (20 01 00)"),
        (b"\x20\x02\x00\x01", "CONNACK", "does not speak MQTT 3.1.1 (CONNACK 1)"),
        (b"\x20\x02\x00\xfa", "CONNACK", "reason code 250 (CONNACK 250)"),
        (b"\x20\x03\x00\xfa\x00", "CONNACK", "reason code 250 (CONNACK 250)"),
        (b"", "closed", "has closed the connection without an answer"),
    ],
)
def test_an_answer(answer: bytes, step: str, says: str, version: str) -> None:
    result = asyncio.run(checked(Stranger(answer), version=version))
    assert (result.step, result.delivered) == (step, False)
    assert says in result.reason
    assert "\x1b" not in str(result)


def test_who_says_nothing_more_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (0.2, 2.0, 8.0):  # a slow machine needs more for the answer to be there
        monkeypatch.setattr("ruuvi_host.relay.mqtt.client.WHOLE", seconds)
        result = asyncio.run(checked(Stranger(BAD_REQUEST, stays=True)))
        if "is a web server" in result.reason:
            return
    raise AssertionError(result)


def test_a_server_that_wants_tls() -> None:
    """A real one, to which we speak without."""
    context = server_context(authority().issue_cert("127.0.0.1"))
    result = asyncio.run(checked(Stranger(b""), ssl=context))
    assert result.step in ("MQTT", "closed"), result
    assert "TLS" in str(result)


def test_a_broker_without_tls() -> None:
    result = asyncio.run(checked(Stranger(BAD_REQUEST), Transport.SSL))
    assert result.step == "TLS"
    assert "does not answer in TLS: is it transport TCP (or WS), or another port?" in result.reason


def test_websockets_that_are_elsewhere() -> None:
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    for answer in (missing, BAD_REQUEST, b"", ALERT):
        result = asyncio.run(checked(Stranger(answer), Transport.WS))
        assert result.step == "WebSocket", result
        assert "at the path /" in result.reason
        assert "mqtt.websocket_path" in result.remedy


@pytest.mark.parametrize("transport", ["SSL", "WS"])
@pytest.mark.parametrize("seconds", [0.3, 0.0])
def test_a_handshake_in_which_nothing_comes_is_given_up_at_once(
    seconds: float, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that waits for it would hold up the end of the host; also when it is given up
    before there is a socket."""
    monkeypatch.setattr("ruuvi_host.relay.mqtt.client.WHOLE", seconds)
    made = Opening.__init__

    def patient(self: Opening, paho: Any) -> None:
        paho._connect_timeout = 120.0  # as in 2.1
        made(self, paho)

    monkeypatch.setattr(Opening, "__init__", patient)

    async def main() -> None:
        asleep = Stranger(b"", stays=True)
        result = await checked(asleep, Transport(transport))
        assert result.step in ("answer", "connect"), result
        async with asyncio.timeout(30):
            await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(main())
