"""TLS over time: files that change, sessions that are resumed, redirects.

What each set-up of certificates means: test_tls_matrix.py.
"""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from typing import Any

import pytest
from certificates import Folder, authority, chain, server_context, tls_server
from posting import (
    ACCEPTED,
    BODY,
    GATEWAY,
    OK,
    Server,
    answer,
    answering,
    post,
    poster_for,
    read_request,
    serving,
)
from tls_world import V12, V13, good_context
from tls_world import folder as folder

from ruuvi_host.config.targets import HttpTarget, TlsFiles
from ruuvi_host.relay.http import tls as tls_of_posts
from ruuvi_host.relay.http.check import attempt
from ruuvi_host.relay.http.outcome import Step
from ruuvi_host.relay.sink import Verdict

# -- files that change ----------------------------------------------------------------------------


def test_a_changed_file_is_taken_at_the_next_post(folder: Folder) -> None:
    async def main() -> None:
        context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
        path = folder.path / "srv.pem"
        good, other = (authority().issue_cert("gateway.example") for _ in range(2))
        tls = TlsFiles(folder.path / "cli.pem", folder.path / "cli.key", server_cert=path)
        async with tls_server(context) as server, poster_for(server, tls=tls) as poster:
            reasons = []
            for change in (
                lambda: folder.authority("theirs").rename(path),
                lambda: folder.file("cli.pem", chain(good)),
                lambda: folder.file("cli.key", other.private_key_pem.bytes()),
                lambda: folder.file("cli.key", good.private_key_pem.bytes()),
                lambda: folder.authority("ours").rename(path),
                path.unlink,
                lambda: folder.authority("ours").rename(path),
            ):
                change()
                outcome = await poster.post(BODY, GATEWAY)
                reasons.append(outcome.reason.replace(str(folder.path), "."))
            assert reasons == [
                "the client certificate ./cli.pem does not exist",
                "the client key ./cli.key does not exist",
                "the client key ./cli.key is not the key of ./cli.pem",
                f"the certificate of 127.0.0.1:{server.port} is not that in ./srv.pem, nor is it "
                "signed by it",
                "",
                "the server certificate ./srv.pem does not exist",
                "",
            ]

    asyncio.run(main())


def test_the_systems_authorities_may_change_too(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder.authority("theirs")))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder.path / "none"))

    async def main() -> None:
        async with tls_server(good_context()) as server, poster_for(server) as poster:
            assert (await poster.post(BODY, GATEWAY)).verdict is Verdict.FIX
            folder.authority("ours").rename(folder.path / "theirs.pem")
            assert await poster.post(BODY, GATEWAY) == ACCEPTED

    asyncio.run(main())


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_system_whose_authorities_are_files_named_by_hash(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then only those that are needed are read."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    authorities = folder.path / "certs"
    authorities.mkdir()
    Folder(authorities).authority()
    subprocess.run(["openssl", "rehash", str(authorities)], check=True)
    paths = ssl.get_default_verify_paths()._replace(capath=str(authorities))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)

    async def main() -> None:
        async with tls_server(good_context()) as server, poster_for(server) as poster:
            assert await poster.post(BODY, GATEWAY) == ACCEPTED
        strange = server_context(authority("theirs").issue_cert("127.0.0.1"))
        async with tls_server(strange) as server:
            assert (await post(server)).verdict is Verdict.FIX

    asyncio.run(main())


def test_a_system_without_authorities(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder.path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder.path / "none"))

    async def main() -> None:
        async with tls_server(good_context()) as server:
            assert "package ca-certificates" in (await post(server)).reason

    asyncio.run(main())


def test_a_file_that_may_not_be_read(folder: Folder) -> None:
    """By a process of its own, since root may read every file unless it gives that up."""
    path = folder.authority()
    path.chmod(0)
    program = (
        "import pathlib, sys; from ruuvi_host.relay.http.files import read_file\n"
        "read_file(pathlib.Path(sys.argv[1]), 'server certificate')"
    )
    command = [sys.executable, "-c", program, str(path)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert f"the server certificate {path} may not be read by this user" in ran.stderr


def test_a_file_that_is_none(folder: Folder) -> None:
    path = folder.path / "pipe"
    os.mkfifo(path)

    async def main() -> None:
        async with tls_server(good_context()) as server:
            outcome = await post(server, tls=TlsFiles(server_cert=path))
            assert outcome.reason == f"the server certificate {path} is no file"
            assert not outcome.begun

    asyncio.run(main())


# -- sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_is_resumed_by_its_ticket(folder: Folder, version: ssl.TLSVersion) -> None:
    tls = TlsFiles(server_cert=folder.authority())

    async def main() -> None:
        async with (
            tls_server(good_context(version)) as server,
            poster_for(server, tls=tls) as poster,
        ):
            for _ in range(3):
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
            assert (server.served, server.resumed) == (3, 2)
            # What has changed is looked at anew, the server's certificate with it.
            os.utime(folder.path / "ours.pem")
            assert await poster.post(BODY, GATEWAY) == ACCEPTED
            assert server.resumed == 2

    asyncio.run(main())


@pytest.mark.parametrize(("leak", "looks"), [(True, 1), (False, 5)])
def test_where_each_look_at_a_session_costs_memory_there_are_few(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, leak: bool, looks: int
) -> None:
    seen = []
    session: Any = vars(ssl.SSLObject)["session"]

    def look(tls: ssl.SSLObject) -> Any:
        seen.append(tls)
        return session.fget(tls)

    monkeypatch.setattr(ssl.SSLObject, "session", property(look, session.fset))
    monkeypatch.setattr(tls_of_posts, "SESSIONS_LEAK", leak)

    async def main() -> None:
        files = TlsFiles(server_cert=folder.authority())
        async with (
            tls_server(good_context()) as server,
            poster_for(server, tls=files) as poster,
        ):
            for _ in range(5):
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
            assert (server.resumed, len(seen)) == (4, looks)
            # Nobody looks at the session of a server to which another one has sent us, or of a
            # check: there is no next post.
            await attempt(
                HttpTarget("custom", server.url(), tls=files),
                GATEWAY,
                BODY,
                permits=lambda address: True,
            )
            assert len(seen) == looks

    asyncio.run(main())


def test_a_server_that_forgets_its_sessions(folder: Folder) -> None:
    tls = TlsFiles(server_cert=folder.authority())

    async def main() -> None:
        async with tls_server(good_context()) as first, poster_for(first, tls=tls) as poster:
            assert await poster.post(BODY, GATEWAY) == ACCEPTED
            # Keys for tickets belong to the context: to take another is to restart the server.
            first.contexts.append(good_context())
            assert await poster.post(BODY, GATEWAY) == ACCEPTED
            assert (first.served, first.resumed) == (2, 0)

    asyncio.run(main())


# -- redirects ------------------------------------------------------------------------------------


def test_redirects_between_http_and_https(folder: Folder) -> None:
    tls = TlsFiles(server_cert=folder.authority())

    async def main() -> None:
        context = good_context()
        async with answering(OK, tls=context) as safe, answering(OK) as plain:
            async with answering(answer(308, f"Location: {safe.url('/up')}")) as server:
                assert await post(server, secret="SECRET", tls=tls) == ACCEPTED
            assert safe.requests[0].line == "POST /up HTTP/1.1"
            assert "Authorization" not in safe.requests[0]
            moved = answer(307, f"Location: {plain.url('/down')}")
            async with answering(moved, tls=context) as server:
                outcome = await post(server, tls=tls)
            assert outcome.reason == "redirected from https to http"
            assert (outcome.verdict, outcome.step) == (Verdict.FIX, Step.REDIRECT)
            assert not plain.requests

    asyncio.run(main())


def test_a_client_certificate_does_not_go_to_another_server(folder: Folder) -> None:
    ours = authority().issue_cert("gateway.example")
    tls = TlsFiles(
        folder.file("cli.pem", chain(ours)),
        folder.file("cli.key", ours.private_key_pem.bytes()),
        server_cert=folder.authority(),
    )

    async def main() -> None:
        seen: list[object] = []

        async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            seen.append(writer.get_extra_info("peercert"))
            writer.write(locations.pop(0))
            await writer.drain()

        context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
        context.verify_mode = ssl.CERT_OPTIONAL
        async with serving(look, context) as port, serving(look, context) as other:
            locations = [answer(307, f"Location: https://127.0.0.1:{other}/"), OK]
            assert await post(Server("https", port), tls=tls) == ACCEPTED
        assert seen[0]
        assert not seen[1]

    asyncio.run(main())


def test_a_server_that_asks_for_our_certificate_after_the_request(folder: Folder) -> None:
    """As Apache does where a certificate is wanted for one location only."""
    ours = authority().issue_cert("gateway.example")
    tls = TlsFiles(
        folder.file("cli.pem", chain(ours)),
        folder.file("cli.key", ours.private_key_pem.bytes()),
        server_cert=folder.authority(),
    )
    context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
    context.post_handshake_auth = True

    async def main() -> None:
        async with tls_server(context) as server:
            assert await post(server, tls=tls) == ACCEPTED
            assert server.served == 1

    asyncio.run(main())
