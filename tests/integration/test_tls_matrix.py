"""Every kind of TLS set-up, good and bad, each against a real server: how a post ends, and what
people are told.

`reason` is what must be found in the sentence; {server} is host and port, {folder} where the
files are.
"""

import asyncio
import re
import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from certificates import (
    Folder,
    authority,
    chain,
    encrypted,
    expired,
    not_yet_valid,
    server_context,
    tls_server,
)
from posting import post

from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.relay.http.outcome import Step
from ruuvi_host.relay.sink import Verdict

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

Files = Callable[[Folder], TlsFiles]


def own() -> trustme.LeafCert:
    return authority().issue_cert("127.0.0.1")


def client(name: str = "ours") -> trustme.LeafCert:
    return authority(name).issue_cert("gateway.example")


def nothing(folder: Folder) -> TlsFiles:
    return TlsFiles()


def trusting(name: str = "ours") -> Files:
    return lambda folder: TlsFiles(server_cert=folder.authority(name))


def presenting(
    certificate: bytes | None = None,
    key: bytes | None = None,
    password: str | None = None,
    **missing: None,
) -> Files:
    """A client certificate; what is not given is that of a good one."""

    def files(folder: Folder) -> TlsFiles:
        good = client()
        return TlsFiles(
            client_cert=folder.file("cli.pem", chain(good) if certificate is None else certificate),
            client_key=folder.file("cli.key", good.private_key_pem.bytes() if key is None else key),
            client_key_password=password,
            server_cert=folder.authority(),
        )

    return files


def locked(password: str | None, *, old_form: bool = False) -> Files:
    """An encrypted key whose password is "right"."""

    def files(folder: Folder) -> TlsFiles:
        good = client()
        key = encrypted(good.private_key_pem.bytes(), "right", old_form=old_form)
        return presenting(chain(good), key, password)(folder)

    return files


def pinned(certificate: trustme.LeafCert) -> Files:
    leaf = certificate.cert_chain_pems[0].bytes()
    return lambda folder: TlsFiles(server_cert=folder.file("srv.pem", leaf))


def intermediate() -> tuple[trustme.LeafCert, Files]:
    middle = authority().create_child_ca()
    return (
        middle.issue_cert("127.0.0.1"),
        lambda folder: TlsFiles(server_cert=folder.file("mid.pem", middle.cert_pem.bytes())),
    )


OUR_AUTHORITY = trusting()


@dataclass(frozen=True)
class Row:
    name: str
    context: Callable[[], ssl.SSLContext]
    files: Files = OUR_AUTHORITY
    verdict: Verdict = Verdict.ACCEPTED
    reason: str = ""
    step: Step | None = None
    host: str = "127.0.0.1"


def wanting(version: ssl.TLSVersion | None = None) -> Callable[[], ssl.SSLContext]:
    return lambda: server_context(own(), version=version, clients_of=authority())


def on(
    version: ssl.TLSVersion, certificate: Callable[[], trustme.LeafCert]
) -> Callable[[], ssl.SSLContext]:
    return lambda: server_context(certificate(), version=version)


def old() -> ssl.SSLContext:
    context = server_context(own())
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # Python does not advise it, either
        context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
    return context


PINNED, PINNED_EXPIRED = own(), expired()
BY_INTERMEDIATE, INTERMEDIATE = intermediate()
FIX, TLS, FILES = Verdict.FIX, Step.TLS, Step.FILES

ROWS = [
    Row("the system's authorities", lambda: server_context(own()), nothing),
    Row("TLS 1.2", lambda: server_context(own(), version=V12)),
    Row("TLS 1.3", lambda: server_context(own(), version=V13)),
    Row("own authority", lambda: server_context(own())),
    Row("the server's very certificate", lambda: server_context(PINNED), pinned(PINNED)),
    Row("an intermediate", lambda: server_context(BY_INTERMEDIATE), INTERMEDIATE),
    Row(
        "a file of several, with remarks",
        lambda: server_context(own()),
        lambda folder: TlsFiles(
            server_cert=folder.file(
                "srv.pem",
                *("Müller\n".encode(), authority("theirs").cert_pem.bytes(), b"\xff\0 ours:\n"),
                authority().cert_pem.bytes(),
            )
        ),
    ),
    Row("client certificate, 1.2", wanting(V12), presenting()),
    Row("client certificate, 1.3", wanting(V13), presenting()),
    Row(
        "client certificate with its chain",
        lambda: server_context(own(), clients_of=authority()),
        lambda folder: presenting(
            chain(deep := authority().create_child_ca().issue_cert("gateway.example")),
            deep.private_key_pem.bytes(),
        )(folder),
    ),
    Row("encrypted key", wanting(), locked("right")),
    Row("encrypted key in the old form", wanting(), locked("right", old_form=True)),
    Row("client certificate that nobody wants", lambda: server_context(own()), presenting()),
    Row("by name", lambda: server_context(authority().issue_cert("localhost")), host="localhost"),
    # What is wrong with the server's certificate
    *(
        Row(
            f"expired {version.name}",
            on(version, expired),
            trusting(),
            FIX,
            "the certificate of {server}, or one of its chain, has expired",
            TLS,
        )
        for version in (V12, V13)
    ),
    Row(
        "not yet valid",
        lambda: server_context(not_yet_valid()),
        trusting(),
        FIX,
        "the certificate of {server}, or one of its chain, is not valid yet",
        TLS,
    ),
    Row(
        "a pinned one that has expired",
        lambda: server_context(PINNED_EXPIRED),
        pinned(PINNED_EXPIRED),
        FIX,
        "the certificate of {server}, or one of its chain, has expired",
        TLS,
    ),
    Row(
        "another host",
        lambda: server_context(authority().issue_cert("other.example")),
        trusting(),
        FIX,
        "the certificate of {server} is for other names, not for localhost",
        TLS,
        "localhost",
    ),
    Row(
        "another address",
        lambda: server_context(authority().issue_cert("127.0.0.2")),
        trusting(),
        FIX,
        "does not have the address 127.0.0.1 as a subject alternative name.*"
        "openssl req .*-addext subjectAltName=IP:127.0.0.1 ",
        TLS,
    ),
    Row(
        "an address as the common name only",
        lambda: server_context(authority().issue_cert(common_name="127.0.0.1")),
        trusting(),
        FIX,
        "does not have the address 127.0.0.1 as a subject alternative name",
        TLS,
    ),
    Row(
        "an authority that the system does not know",
        lambda: server_context(authority("theirs").issue_cert("127.0.0.1")),
        nothing,
        FIX,
        "the certificate of {server} is of no authority that this system knows",
        TLS,
    ),
    Row(
        "one that the system knows, but not the anchor",
        lambda: server_context(own()),
        trusting("theirs"),
        FIX,
        "the certificate of {server} is not that in {folder}/theirs.pem, nor is it signed by it",
        TLS,
    ),
    Row(
        "old versions only",
        old,
        trusting(),
        FIX,
        "{server} speaks neither TLS 1.2 nor 1.3",
        TLS,
    ),
    # What is wrong with ours
    *(
        Row(
            f"wanted, and not there, {version.name}",
            wanting(version),
            trusting(),
            verdict,
            reason,
            step,
        )
        for version, verdict, reason, step in [
            (V12, FIX, "{server} refuses the handshake: .* it wants a client certificate", TLS),
            (V13, FIX, "{server} wants a client certificate .* none is configured here", TLS),
        ]
    ),
    *(
        Row(
            f"of an authority that the server does not know, {version.name}",
            wanting(version),
            lambda folder: presenting(
                chain(strange := client("theirs")), strange.private_key_pem.bytes()
            )(folder),
            FIX,
            "{server} wants a client certificate that it trusts: .* ours \\({folder}/cli.pem\\)",
            TLS,
        )
        for version in (V12, V13)
    ),
    Row(
        "the key of another certificate",
        wanting(),
        presenting(key=client().private_key_pem.bytes()),
        FIX,
        "the client key {folder}/cli.key is not the key of {folder}/cli.pem",
        FILES,
    ),
    Row(
        "wrong password",
        wanting(),
        locked("wrong"),
        FIX,
        "the client key {folder}/cli.key cannot be decrypted",
        FILES,
    ),
    Row(
        "wrong password in the old form",
        wanting(),
        locked("wrong", old_form=True),
        FIX,
        "the client key {folder}/cli.key cannot be decrypted",
        FILES,
    ),
    Row(
        "password missing",
        wanting(),
        locked(None),
        FIX,
        "the client key {folder}/cli.key is encrypted, and no password",
        FILES,
    ),
    Row(
        "password too long",
        wanting(),
        locked("x" * 2000),
        FIX,
        "{folder}/cli.key .*password",
        FILES,
    ),
    Row(
        "client certificate missing",
        wanting(),
        lambda folder: TlsFiles(folder.path / "none.pem", folder.path / "none.key"),
        FIX,
        "the client certificate {folder}/none.pem does not exist",
        FILES,
    ),
    Row(
        "client key missing",
        wanting(),
        lambda folder: TlsFiles(folder.file("cli.pem", chain(client())), folder.path / "none.key"),
        FIX,
        "the client key {folder}/none.key does not exist",
        FILES,
    ),
    Row(
        "server certificate missing",
        lambda: server_context(own()),
        lambda folder: TlsFiles(server_cert=folder.path / "none.pem"),
        FIX,
        "the server certificate {folder}/none.pem does not exist",
        FILES,
    ),
    Row(
        "server certificate is a folder",
        lambda: server_context(own()),
        lambda folder: TlsFiles(server_cert=folder.path),
        FIX,
        "the server certificate {folder} is a folder",
        FILES,
    ),
    Row(
        "server certificate is no PEM",
        lambda: server_context(own()),
        lambda folder: TlsFiles(server_cert=folder.file("srv.pem", b"\x30\x82\x01")),
        FIX,
        "the server certificate {folder}/srv.pem holds no certificate in PEM form",
        FILES,
    ),
    Row(
        "server certificate is damaged",
        lambda: server_context(own()),
        lambda folder: TlsFiles(
            server_cert=folder.file("srv.pem", authority().cert_pem.bytes()[:300])
        ),
        FIX,
        "the server certificate {folder}/srv.pem is damaged",
        FILES,
    ),
    Row(
        "client certificate is no PEM",
        wanting(),
        presenting(b"nonsense"),
        FIX,
        "the client certificate {folder}/cli.pem holds no certificate",
        FILES,
    ),
    Row(
        "client certificate is damaged",
        wanting(),
        presenting(chain(client())[:200]),
        FIX,
        "OpenSSL cannot use {folder}/cli.pem",
        FILES,
    ),
    Row(
        "client key is no PEM",
        wanting(),
        presenting(key=b"nonsense"),
        FIX,
        "the client key {folder}/cli.key holds no private key",
        FILES,
    ),
    Row(
        "client key is damaged",
        wanting(),
        presenting(key=client().private_key_pem.bytes()[:300]),
        FIX,
        "{folder}/cli.key",
        FILES,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.name))
def test_tls(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(folder.file("system", authority().cert_pem.bytes())))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "no-folder"))

    async def main() -> None:
        async with tls_server(row.context()) as server:
            server.host = row.host
            outcome = await post(server, secret="SECRET", tls=row.files(folder))
            name = f"{row.host}:{server.port}"
            wanted = row.reason.replace("{server}", name).replace("{folder}", str(tmp_path))
            assert re.search(wanted, outcome.reason), outcome.reason
            assert outcome.verdict is row.verdict
            assert outcome.step is row.step
            assert outcome.begun is (row.step is not Step.FILES)
            assert server.served == (row.verdict is Verdict.ACCEPTED)

    asyncio.run(main())
