"""Authorities, certificates and keys for tests, and servers that use them."""

import asyncio
import select
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from posting import OK, Server

DAY = timedelta(days=1)


@cache
def _authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


def authority(name: str = "ours") -> trustme.CA:
    """One of that name for the whole run: making one takes time."""
    return _authority(name)


def chain(certificate: trustme.LeafCert) -> bytes:
    return b"".join(blob.bytes() for blob in certificate.cert_chain_pems)


def expired(name: str = "127.0.0.1") -> trustme.LeafCert:
    now = datetime.now(UTC)
    return authority().issue_cert(name, not_before=now - 9 * DAY, not_after=now - DAY)


def not_yet_valid(name: str = "127.0.0.1") -> trustme.LeafCert:
    now = datetime.now(UTC)
    return authority().issue_cert(name, not_before=now + DAY, not_after=now + 9 * DAY)


def encrypted(key: bytes, password: str, *, old_form: bool = False) -> bytes:
    form = PrivateFormat.TraditionalOpenSSL if old_form else PrivateFormat.PKCS8
    encryption = BestAvailableEncryption(password.encode())
    return load_pem_private_key(key, None).private_bytes(Encoding.PEM, form, encryption)


def server_context(
    certificate: trustme.LeafCert,
    *,
    version: ssl.TLSVersion | None = None,
    clients_of: trustme.CA | None = None,
) -> ssl.SSLContext:
    """version: the only one that it speaks. clients_of: wants a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if version:
        context.minimum_version = context.maximum_version = version
    if clients_of:
        context.verify_mode = ssl.CERT_REQUIRED
        clients_of.configure_trust(context)
    return context


class Folder:
    """Writes files, and returns their paths."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str, *contents: bytes) -> Path:
        path = self.path / name
        path.write_bytes(b"".join(contents))
        return path

    def authority(self, name: str = "ours") -> Path:
        return self.file(f"{name}.pem", authority(name).cert_pem.bytes())


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[Server]:
    """A server that answers 200, and tells its client what it does not like in a handshake.

    Servers of asyncio do not: they hang up before the alert has left. `requests` is not filled
    in, `served` counts.
    """
    server = Server("https", contexts=[context])
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError, ValueError), connection:
                connection.settimeout(10)
                with server.contexts[-1].wrap_socket(connection, server_side=True) as tls:
                    received = b""
                    while b"\r\n\r\n{" not in received:
                        if not (data := tls.recv(4096)):
                            break
                        received += data
                    else:
                        if tls.context.post_handshake_auth:
                            _ask_late(tls)
                        server.served += 1
                        server.resumed += bool(tls.session_reused)
                        tls.sendall(OK)
                        with suppress(OSError):
                            tls.unwrap()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        await asyncio.to_thread(thread.join)


def _ask_late(tls: ssl.SSLSocket) -> None:
    """Ask for a certificate when the request has been read. Raises OSError if none comes."""
    tls.verify_client_post_handshake()
    tls.do_handshake()
    tls.setblocking(False)
    while not tls.getpeercert():
        select.select([tls], [], [], 10)
        with suppress(ssl.SSLWantReadError):
            if tls.recv(1) == b"":
                raise OSError("hung up")
    tls.setblocking(True)
