"""`GET /validate_url` with what is saved: secrets go to their server only; certificates, parts."""

import asyncio
import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from asking import Host, ask, host, query
from certificates import Folder, authority, chain, server_context, tls_server
from posting import OK, SOON, answer, answering
from validating import told

from ruuvi_host.api.validate import validate_url

SECRET = "s3cret-of-ours"


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


KINDS = [
    ("basic", f'http_user = "u"\nhttp_pass = "{SECRET}"\n', basic("v w", SECRET)),
    ("bearer", f'http_bearer_token = "{SECRET}"\n', f"Bearer {SECRET}"),
    ("token", f'http_api_key = "{SECRET}"\n', f"Token {SECRET}"),
    ("api_key", f'http_api_key = "{SECRET}"\n', SECRET),
]


@pytest.mark.parametrize(("kind", "lines", "expected"), KINDS)
def test_a_saved_secret_goes_only_to_its_server(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    lines: str,
    expected: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    more: dict[str, Any] = {"auth_type": kind, "user": "v w", "use_saved_password": "true"}

    async def main() -> None:
        echo = expected.encode() + b" and " + SECRET.encode()
        async with answering(answer(403, body=echo)) as server, answering(OK) as other:
            saved = f'use_http = true\nhttp_url = "{server.url("/x")}"\nhttp_auth = "{kind}"\n'
            door = host(tmp_path, saved + lines)
            status, message = await told(door, server.url("/y"), **more)
            assert status == 403
            assert message.startswith("HTTP response status: 403, Message from the server: ")
            assert SECRET not in message
            assert expected not in message
            (request,) = server.requests
            assert request["Authorization"] == expected
            elsewhere = (
                other.url("/x"),
                server.url("/x").replace("http:", "https:"),
                server.url("/x").replace("127.0.0.1", "localhost"),
            )
            for url in elsewhere:
                status, message = await told(door, url, **more)
                assert status == 400
                assert "another server" in message
            assert not other.requests
            assert len(server.requests) == 1

    asyncio.run(main())
    assert SECRET not in caplog.text


def test_a_saved_password_of_statistics(tmp_path: Path) -> None:
    more: dict[str, Any] = {"auth_type": "basic", "user": "u", "use_saved_password": "true"}

    async def main() -> None:
        async with answering(OK) as server:
            door = host(
                tmp_path,
                f'use_http_stat = true\nhttp_stat_url = "{server.url("/x")}"\n'
                f'http_stat_user = "u"\nhttp_stat_pass = "{SECRET}"\n',
            )
            assert await told(door, server.url("/y"), "check_post_stat", **more) == (200, "{}")
            assert server.requests[0]["Authorization"] == basic("u", SECRET)
            # It is not that of the other target.
            assert (await told(door, server.url("/y"), **more))[0] == 400
            assert len(server.requests) == 1

    asyncio.run(main())


def test_a_secret_that_is_not_saved(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as server:
            url = server.url("/x")
            door = host(tmp_path, f'use_http = true\nhttp_url = "{url}"\n')
            given = {
                "validate_type": "check_post_advs",
                "url": url,
                "auth_type": "bearer",
                "use_saved_password": "true",
            }
            assert (await ask(validate_url, door, query(**given))).status_code == 400
            assert not server.requests

    asyncio.run(main())


def test_certificates_are_the_stored_ones(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    ours = authority().issue_cert("client")
    folder.file("http_cli_cert", chain(ours))
    folder.file("http_cli_key", ours.private_key_pem.bytes())
    folder.file("http_srv_cert", authority().cert_pem.bytes())
    context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())

    async def main() -> None:
        async with tls_server(context) as server:
            both: dict[str, Any] = {"use_ssl_client_cert": "true", "use_ssl_server_cert": "true"}
            door = host(tmp_path)
            assert await told(door, server.url(), **both) == (200, "{}")
            for missing in both:
                status, message = await told(door, server.url(), **(both | {missing: "false"}))
                assert status == 502
                assert message.startswith("Network error when communicating with the server, err=")
            (tmp_path / "http_srv_cert").unlink()
            status, message = await told(door, server.url(), **both)
            assert (status, message) == (400, "the server certificate http_srv_cert does not exist")
            assert server.served == 1

    asyncio.run(main())


def test_parts_of_the_request_are_the_stored_ones(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.file("http_path", b"long/path")
    folder.file("http_query", b"a=b")
    folder.file("http_headers", b"X-One: 1\r\n")

    async def main() -> None:
        async with answering(OK) as server:
            url = f"http://127.0.0.1:{server.port}"
            wanted: dict[str, Any] = {
                f"use_extra_http_{part}": "true" for part in ("path", "query", "headers")
            }
            assert await told(host(tmp_path), url, **wanted) == (200, "{}")
            assert server.requests[0].line == "POST /long/path?a=b HTTP/1.1"
            assert server.requests[0]["X-One"] == "1"

    asyncio.run(main())


def test_a_server_on_another_machine_is_reached_by_the_address_that_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is looked up once; who answers for it cannot tell us another address behind it."""
    import socket

    asked = []

    def look_up(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        asked.append(host)
        near = ("127.0.0.1", port)
        far = ("192.0.2.1", port) if len(asked) == 1 else near
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (near, far)]

    async def main() -> None:
        async with answering(OK) as server:
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            door = host(tmp_path, check_local=False)
            status, _ = await told(door, f"http://rebinding.test:{server.port}/", limit=SOON)
            assert status == 502
            assert not server.requests
            assert asked == [b"rebinding.test"]

    asyncio.run(main())


def test_a_proxy_is_not_led_back_to_this_machine(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as proxy:
            door = host(tmp_path, check_local=False)
            path = tmp_path / "ruuvi-host.toml"
            path.write_text(f'[http]\nproxy = "{proxy.url("")}"\n' + path.read_text())
            from ruuvi_host.config.load import load
            from ruuvi_host.config.sources import Inputs

            door = Host(load(Inputs(config=path)))
            for url in ("http://localhost/", "http://127.0.0.1:1/"):
                assert (await told(door, url))[0] == 400
            assert not proxy.requests
            assert await told(door, "http://no-such-name.invalid/x") == (200, "{}")
            assert proxy.requests[0].line == "POST http://no-such-name.invalid:80/x HTTP/1.1"

    asyncio.run(main())
