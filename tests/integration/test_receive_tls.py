"""The receiver with TLS, and settings with which it cannot serve."""

import os
import ssl
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trustme
from receiver_world import SETTINGS, body, exchange, post, with_receiver
from server_log import no_complaint as no_complaint

from ruuvi_host.errors import ConfigError
from ruuvi_host.receiver import Receiver, Result, Settings
from ruuvi_host.receiver.tls import LARGEST


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> Settings:
    pair = authority.issue_cert("127.0.0.1")
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    return replace(SETTINGS, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")


def test_tls(tls: Settings, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def client(receiver: Receiver) -> None:
        assert receiver.url.startswith("https://127.0.0.1:")
        assert (await post(receiver, body(), verify=context)).status_code == 200
        with pytest.raises(httpx.ConnectError, match=r"self-signed|unable to get local issuer"):
            await post(receiver, body(), verify=ssl.create_default_context())

    assert with_receiver(tls, client).totals == {Result.ACCEPTED: 1}


def test_a_tls_handshake_that_does_not_come_ends_after_its_time(tls: Settings) -> None:
    async def client(receiver: Receiver) -> None:
        assert await exchange(receiver) == b""

    with_receiver(replace(tls, head_timeout=0.05), client)


def refused_settings(settings: Settings) -> ConfigError:
    async def client(receiver: Receiver) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(ConfigError) as caught:
        with_receiver(settings, client)
    return caught.value


def test_a_port_in_use() -> None:
    async def client(receiver: Receiver) -> None:
        port = httpx.URL(receiver.url).port
        assert port is not None
        with pytest.raises(ConfigError) as caught:
            await Receiver(Settings(port=port)).__aenter__()
        assert (
            str(caught.value)
            == f"--port: port {port} is in use; take another one (0: any that is free)"
        )

    with_receiver(SETTINGS, client)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "x" * 70 + ".example"])
def test_a_host_that_is_not_here(host: str) -> None:
    assert str(refused_settings(Settings(host=host))) == (
        f"--host: {host!r} is no address of this machine"
    )


def test_a_key_of_another_certificate(tls: Settings, authority: trustme.CA) -> None:
    assert tls.tls_key is not None
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(str(tls.tls_key))
    assert str(refused_settings(tls)) == (
        f"--tls-key: {tls.tls_key} is not the key of the certificate {tls.tls_cert}"
    )


def test_files_of_tls_that_cannot_be_used(tls: Settings, tmp_path: Path) -> None:
    missing, junk = tmp_path / "missing.pem", tmp_path / "junk.pem"
    junk.write_text("junk")
    pipe, large = tmp_path / "pipe", tmp_path / "large.pem"
    os.mkfifo(pipe)
    large.write_bytes(b"-----BEGIN CERTIFICATE-----" + bytes(LARGEST))
    cases = [
        (replace(tls, tls_cert=None), "--tls-key: needs --tls-cert, too"),
        (replace(tls, tls_cert=missing), f"--tls-cert: cannot read {missing}: No such file"),
        (replace(tls, tls_key=missing), f"--tls-key: cannot read {missing}: No such file"),
        (replace(tls, tls_key=tmp_path), f"--tls-key: cannot read {tmp_path}: Is a directory"),
        (replace(tls, tls_cert=junk), f"--tls-cert: {junk} holds no certificate in PEM form"),
        (replace(tls, tls_key=junk), f"--tls-key: {junk} holds no private key in PEM form"),
        (replace(tls, tls_key=None), f"--tls-cert: {tls.tls_cert} holds no private key"),
        (replace(tls, tls_cert=pipe), f"--tls-cert: {pipe} is no file"),
        (replace(tls, tls_key=Path("/dev/zero")), "--tls-key: /dev/zero is no file"),
        (replace(tls, tls_cert=large), f"--tls-cert: {large} is larger than {LARGEST} bytes"),
    ]
    for settings, sentence in cases:
        assert str(refused_settings(settings)).startswith(sentence)
    assert tls.tls_cert is not None
    tls.tls_cert.write_text(tls.tls_cert.read_text().replace("MII", "XXX", 1))
    assert str(refused_settings(tls)).endswith("one of them is damaged")


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tls: Settings) -> None:
    from cryptography.hazmat.primitives import serialization

    assert tls.tls_key is not None
    key = serialization.load_pem_private_key(tls.tls_key.read_bytes(), None)
    tls.tls_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert "is encrypted" in str(refused_settings(tls))
