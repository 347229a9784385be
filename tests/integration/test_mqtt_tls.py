"""Certificates that are wrong, at either end of a connection to a broker: each is told, and no
packet goes out."""

import asyncio
from pathlib import Path

import pytest
import trustme
from certificates import authority, chain, expired, not_yet_valid, server_context
from mqtt_peer import Peer

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.model import Config
from ruuvi_host.config.mqtt_target import Broker, MqttTarget, Transport
from ruuvi_host.config.target_parts import TlsFiles
from ruuvi_host.relay.kinds import CheckResult, SinkContext, kind_of

GATEWAY = DeviceId(bytes(8), bytes.fromhex("AACCEE001122"))


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def checked(
    there: Peer, server: trustme.LeafCert, files: TlsFiles, *, wants_ours: bool = False
) -> CheckResult:
    """What a check of a broker with this certificate says."""

    async def main() -> CheckResult:
        context = server_context(server, clients_of=authority() if wants_ours else None)
        listening = await asyncio.start_server(there.serve, "127.0.0.1", 0, ssl=context)
        async with asyncio.timeout(20), listening:
            port = listening.sockets[0].getsockname()[1]
            target = MqttTarget("mqtt", Broker("127.0.0.1", port, Transport.SSL, files))
            kind = kind_of(target)
            return await kind.probe(target, GATEWAY, SinkContext(Config()), 0.0)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (expired(), "expired"),
        (not_yet_valid(), "is not valid yet"),
        (authority().issue_cert("broker.example"), "127.0.0.1"),
        (authority("another").issue_cert("127.0.0.1"), "mqtt_srv_cert"),
    ],
    ids=["expired", "not yet valid", "another name", "another authority"],
)
def test_a_broker_that_is_not_the_one(server: trustme.LeafCert, says: str, tmp_path: Path) -> None:
    there = Peer()
    ours = written(tmp_path, "mqtt_srv_cert", authority().cert_pem.bytes())
    result = checked(there, server, TlsFiles(server_cert=ours))
    assert result.step == "TLS"
    assert says in result.reason
    assert there.connects == []


def test_our_own_certificate(tmp_path: Path) -> None:
    there, server = Peer(), authority().issue_cert("127.0.0.1")
    ours, others = authority().issue_cert("gateway"), authority("another").issue_cert("gateway")
    trusted = written(tmp_path, "mqtt_srv_cert", authority().cert_pem.bytes())
    cert = written(tmp_path, "mqtt_cli_cert", chain(ours))
    key = written(tmp_path, "mqtt_cli_key", ours.private_key_pem.bytes())
    right = TlsFiles(cert, key, server_cert=trusted)
    assert checked(there, server, right, wants_ours=True).delivered
    assert len(there.connects) == 1

    result = checked(there, server, TlsFiles(server_cert=trusted), wants_ours=True)
    assert not result.delivered, "it presents none"
    written(tmp_path, "mqtt_cli_key", others.private_key_pem.bytes())
    result = checked(there, server, right, wants_ours=True)
    assert result.step == "here", result
    assert "mqtt_cli_key" in result.reason
    written(tmp_path, "mqtt_cli_cert", chain(others))
    result = checked(there, server, right, wants_ours=True)
    assert not result.delivered, "it is of an authority that the broker does not know"
    trusted.unlink()
    result = checked(there, server, right, wants_ours=True)
    assert result.step == "here"
    assert "mqtt_srv_cert does not exist" in result.reason
    assert len(there.connects) == 1
