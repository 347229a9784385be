"""`GET /validate_url` with check_mqtt, against a stand-in for a broker.

Source of the vectors: compiled code of ruuvi.gateway_esp.c 5d0ab90, see `sources` in the file.
"""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from asking import Host, ask, host
from certificates import Folder, authority, chain, server_context
from conftest import load_vectors
from mosquitto import Mosquitto, needs_broker
from mqtt_peer import Peer, peer
from tcp_ports import free_port

from ruuvi_host.api.validate import validate_url
from ruuvi_host.relay.mqtt import client

CASES = load_vectors("mqtt.json")["check"]
PASSWORD = "password (after decryption)"


def connack(code: int) -> bytes:
    return bytes([0x20, 2, 0, code])


async def said(door: Host, query: dict[str, str]) -> tuple[int, Any]:
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    response = await ask(validate_url, door, text)
    return response.status_code, json.loads(response.content)


BY_NAME = {case["name"]: case for case in CASES}
OF_THEIR_OWN = ("accepted_tls_user", "websocket_schemes")
"""TLS, and WebSockets."""
NOT_PLAYED = ("connect_timeout",)
"""A network that swallows packets cannot be had on loopback: what has no answer is `no_answer`."""
PLAYED = [case for case in CASES if case["name"] not in OF_THEIR_OWN + NOT_PLAYED]


@pytest.mark.parametrize("case", PLAYED, ids=lambda case: case["name"])
def test_cases(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if case["peer"] == "silence":  # the others have all the time that they need
        monkeypatch.setattr(client, "WHOLE", 1.0)
    asyncio.run(played(case, tmp_path))


async def played(case: dict[str, Any], folder: Path) -> None:
    does: dict[str, Any] = {}
    answer = str(case["peer"])
    if answer.startswith("CONNACK"):
        does["connack"] = connack(int(answer.removeprefix("CONNACK ")))
    elif answer in ("close", "TCP reset", "TLS handshake failure"):
        does["connack"] = b""
    elif answer == "silence":
        does["connack"] = None
    async with peer(Peer(**does)) as there:
        port = free_port() if answer == "TCP refused" else there.port
        query = dict(case["query"])
        if "url" in query and case["connect"]:
            scheme, _, _ = query["url"].partition("://")
            if "invalid" not in query["url"]:
                query["url"] = f"{scheme}://127.0.0.1:{port}"
        password = case.get("saved_mqtt_pass", "")
        if PASSWORD in query:  # encrypting is another test's part
            password = query.pop(PASSWORD)
            query["use_saved_password"] = "true"
        saved = f'mqtt_server = "127.0.0.1"\nmqtt_port = {port}\n'
        saved += f'mqtt_pass = "{password}"\n'
        door = host(folder, saved)
        status, body = await said(door, query)
        assert status == case["http_status"], body
        if case["body"]:
            assert body["status"] == case["body"]["status"], body
            assert outer(body["message"]) == outer(case["body"]["message"])
        assert bool(there.connects) <= bool(case["connect"])
        assert not there.published
        if "saved_mqtt_pass" in case:
            assert case["saved_mqtt_pass"].encode() in there.connects[0]


def outer(message: str) -> str:
    """Without what stands in the inner parentheses, which are the system's words."""
    if "Refusal" in message or "(" not in message or message == "Failed to connect ()":
        return message
    return message.partition("(")[0]


def test_with_tls_user_and_certificates(tmp_path: Path) -> None:
    case = BY_NAME["accepted_tls_user"]

    async def main() -> None:
        there, ours = Peer(), authority().issue_cert("gateway")
        folder = Folder(tmp_path)
        folder.file("mqtt_srv_cert", authority().cert_pem.bytes())
        folder.file("mqtt_cli_cert", chain(ours))
        folder.file("mqtt_cli_key", ours.private_key_pem.bytes())
        tls = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
        listening = await asyncio.start_server(there.serve, "127.0.0.1", 0, ssl=tls)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            saved = f'mqtt_server = "127.0.0.1"\nmqtt_port = {port}\nmqtt_transport = "SSL"\n'
            query = {**case["query"], "url": f"mqtts://127.0.0.1:{port}"}
            saved += f'mqtt_pass = "{query.pop(PASSWORD)}"\n'
            query["use_saved_password"] = "true"  # encrypting is another test's part
            door = host(tmp_path, saved)
            assert await said(door, query) == (case["http_status"], case["body"])
            await there.until(lambda it: it.ended)
            assert there.ended == ["DISCONNECT"]
            for value in (case["connect"]["username"], case["connect"]["password"]):
                assert value.encode() in there.connects[0]

    asyncio.run(main())


@needs_broker
def test_websockets(tmp_path: Path) -> None:
    case = BY_NAME["websocket_schemes"]
    with Mosquitto(tmp_path, "allow_anonymous true", "protocol websockets") as broker:
        query = {**case["query"], "url": f"mqttws://127.0.0.1:{broker.port}"}
        told = asyncio.run(said(host(tmp_path), query))
        assert told == (case["http_status"], case["body"])


def query(there: Peer, **more: str) -> dict[str, str]:
    return {
        "validate_type": "check_mqtt",
        "url": f"mqtt://127.0.0.1:{there.port}",
        "auth_type": "none",
        "mqtt_topic_prefix": "",
        "mqtt_client_id": "cellar",
        **more,
    }


def test_a_check_has_no_will_and_another_client_id(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer() as there:
            assert (await said(host(tmp_path), query(there)))[1]["status"] == 200
            await there.until(lambda it: it.ended)
            assert b"cellar-check" in there.connects[0]
            assert b"gw_status" not in there.connects[0]
            assert there.ended == ["DISCONNECT"]

    asyncio.run(main())


def test_a_saved_password_goes_to_its_own_broker_only(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer() as there, peer() as other:
            saved = f'mqtt_server = "127.0.0.1"\nmqtt_port = {there.port}\nmqtt_pass = "SECRET"\n'
            door = host(tmp_path, saved)
            more = {"auth_type": "basic", "user": "u", "use_saved_password": "true"}
            assert (await said(door, query(there, **more)))[1]["status"] == 200
            assert b"SECRET" in there.connects[0]
            status, body = await said(door, query(other, **more))
            assert (status, body["status"]) == (200, 400)
            assert "another broker" in body["message"]
            assert not other.connects

    asyncio.run(main())


def test_this_machine_is_not_asked_but_at_the_saved_address(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer() as there:
            status, body = await said(host(tmp_path, check_local=False), query(there))
            assert (status, body["status"]) == (200, 502)
            assert "only this machine" in body["message"]
            assert not there.connects

    asyncio.run(main())
