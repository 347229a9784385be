"""`POST /host/check`, the page's button, against real servers on this machine."""

import asyncio
import json
import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from asking import Host, ask, host
from certificates import Folder, authority, chain, server_context, tls_server
from posting import GATEWAY, OK, SOON, answer, answering, never, serving
from standing_clock import standing

from ruuvi_host.api.check import Checker, post_check
from ruuvi_host.api.validate import MOST_AT_ONCE
from ruuvi_host.relay.http.outcome import Stage
from ruuvi_host.relay.http.signing import Signer

SECRET = "s3cret-of-ours"
DELIVERED = {
    "ok": True,
    "status": 200,
    "message": "Delivered (status 200).",
    "step": "",
    "key": "",
}


async def told(
    door: Host,
    target: str = "custom",
    config: dict[str, Any] | None = None,
    limit: float = 25.0,
    **more: Any,
) -> dict[str, Any]:
    question = {"target": target, "config": config or {}} | more
    response = await ask(Checker(limit), door, body=json.dumps(question).encode())
    assert response.status_code == 200, response
    said: dict[str, Any] = json.loads(response.content)
    assert list(said) == list(DELIVERED)
    assert said["message"].endswith(".")
    return said


def test_values_that_are_not_saved(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as server:
            door = host(tmp_path)
            config: dict[str, Any] = {
                "http_url": server.url("/a"),
                "http_auth": "bearer",
                "http_bearer_token": SECRET,
            }
            assert await told(door, config=config) == DELIVERED
            config = {
                "http_stat_url": server.url("/b"),
                "http_stat_user": "u",
                "http_stat_pass": SECRET,
            }
            assert await told(door, "statistics", config) == DELIVERED
            batch, status = server.requests
        assert batch["Authorization"] == f"Bearer {SECRET}"
        assert json.loads(batch.body)["data"]["tags"] == {}
        assert status.line == "POST /b HTTP/1.1"
        basic = b64encode(f"u:{SECRET}".encode()).decode()
        assert status["Authorization"] == f"Basic {basic}"
        assert json.loads(status.body)["DEVICE_ADDR"] == "C8:25:2D:8E:9C:2C"
        for request in (batch, status):
            assert request["Ruuvi-HMAC-SHA256"] == Signer().sign(request.body, GATEWAY)
        assert not door.loaded.config.targets, "nothing is stored"
        assert door.loaded.sources.gateway["http_bearer_token"] == ""

    asyncio.run(main())


def test_what_is_missing_is_as_saved(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as server, answering(OK) as other:
            door = host(
                tmp_path,
                f'use_http = true\nhttp_url = "{server.url("/x")}"\nhttp_auth = "token"\n'
                f'http_api_key = "{SECRET}"\n',
                check_local=False,
            )
            assert await told(door) == DELIVERED
            assert await told(door, config={"http_url": server.url("/y")}) == DELIVERED
            assert [r["Authorization"] for r in server.requests] == [f"Token {SECRET}"] * 2
            door = host(
                tmp_path,
                f'use_http = true\nhttp_url = "{server.url("/x")}"\nhttp_auth = "token"\n'
                f'http_api_key = "{SECRET}"\n',
            )
            said = await told(door, config={"http_url": other.url("/x")})
            assert (said["ok"], said["step"], said["key"]) == (False, "settings", "http_api_key")
            assert "another server" in said["message"]
            # Another kind of authentication begins without a secret.
            none = {"http_url": other.url("/x"), "http_auth": "none"}
            assert await told(door, config=none) == DELIVERED
            given = {"http_url": other.url("/x"), "http_api_key": "new one"}
            assert await told(door, config=given) == DELIVERED
            assert other.requests[0].line == "POST /x HTTP/1.1"
            assert "Authorization" not in other.requests[0]
            assert other.requests[1]["Authorization"] == "Token new one"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"http_url": "ftp://server/"}, "http_url"),
        ({"http_url": ""}, "http_url"),
        ({"http_url": 1}, "http_url"),
        ({"http_url": "http://a.invalid/" + "x" * 255}, "http_url"),
        ({"http_auth": "basic", "http_user": "u" * 51, "http_pass": "p"}, "http_user"),
        ({"http_auth": "basic", "http_user": "a:b", "http_pass": "p"}, "http_user"),
        ({"http_auth": "bearer", "http_bearer_token": "a\nb"}, "http_bearer_token"),
        ({"http_auth": "secret"}, "http_auth"),
    ],
)
def test_values_that_cannot_be_used(tmp_path: Path, config: dict[str, Any], key: str) -> None:
    config = {"http_url": "http://a.invalid/"} | config
    said = asyncio.run(told(host(tmp_path), config=config))
    assert (said["ok"], said["status"], said["step"], said["key"]) == (False, None, "settings", key)
    assert said["message"].startswith(f"{key}: ")


def test_what_a_server_says_and_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        refusal = answer(401, body=f"no: Bearer {SECRET}".encode())
        async with answering(refusal) as server:
            config = {
                "http_url": server.url("/x?key=in-the-query"),
                "http_auth": "bearer",
                "http_bearer_token": SECRET,
            }
            said = await told(host(tmp_path), config=config)
            assert (said["ok"], said["status"], said["step"]) == (False, 401, "auth")
            assert said["message"] == (
                "Status 401 Said so: no: …. See whether kind and value of the authentication are "
                "those that the server wants."
            )
        async with answering(answer(302, "Location: http://elsewhere.test/log-in")) as server:
            said = await told(host(tmp_path), config={"http_url": server.url()})
            assert (said["status"], said["step"]) == (302, Stage.REDIRECT.value)
            assert said["message"].startswith(
                "Status 302 Said so (to elsewhere.test). A check follows no redirect, "
            )
        async with serving(never) as port:
            config = {"http_url": f"http://127.0.0.1:{port}/"}
            said = await told(host(tmp_path), config=config, limit=SOON)
            assert (said["status"], said["step"]) == (None, Stage.ANSWER.value)

    standing(main())
    assert SECRET not in caplog.text
    assert "in-the-query" not in caplog.text


def test_files_that_are_not_saved(tmp_path: Path) -> None:
    ours, theirs = authority().issue_cert("client"), authority("another").issue_cert("client")
    stored = Folder(tmp_path)
    stored.file("http_cli_cert.pem", chain(theirs))
    stored.file("http_cli_key.pem", theirs.private_key_pem.bytes())
    stored.file("http_srv_cert.pem", authority("another").cert_pem.bytes())
    before = {path.name for path in tmp_path.iterdir()}
    context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
    files: dict[str, str | None] = {
        "http_cli_cert": chain(ours).decode(),
        "http_cli_key": ours.private_key_pem.bytes().decode(),
        "http_srv_cert": authority().cert_pem.bytes().decode(),
    }

    async def main() -> None:
        async with tls_server(context) as server:
            config: dict[str, Any] = {
                "http_url": server.url(),
                "http_use_ssl_client_cert": True,
                "http_use_ssl_server_cert": True,
            }
            door = host(tmp_path)
            assert await told(door, config=config, files=files) == DELIVERED
            for name, step in (
                ("http_cli_cert", Stage.FILES),  # it does not fit the key
                ("http_srv_cert", Stage.TLS),
            ):
                of_others = {key: text for key, text in files.items() if key != name}
                said = await told(door, config=config, files=of_others)
                assert said["step"] == step.value
                assert f"{name}.pem" in said["message"]
                assert str(tmp_path) not in said["message"]
            for name in files:
                said = await told(door, config=config, files=files | {name: None})
                assert said["step"] == Stage.FILES.value
                assert f" {name} does not exist" in said["message"]
                assert "/proc" not in said["message"]
                said = await told(door, config=config, files=files | {name: "no PEM"})
                assert said["step"] == Stage.FILES.value
                assert f" {name} holds no " in said["message"]
            assert server.served == 1

    asyncio.run(main())
    assert {path.name for path in tmp_path.iterdir()} - before == {"ruuvi-host.toml"}


def test_parts_of_the_request_that_are_not_saved(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as server:
            config = {
                "http_url": f"http://127.0.0.1:{server.port}",
                "http_use_extra_http_path": True,
                "http_use_extra_http_query": True,
                "http_use_extra_http_headers": True,
            }
            files = {"http_path": "a/b", "http_query": "c=d", "http_headers": "X-One: 1\r\n"}
            assert await told(host(tmp_path), config=config, files=files) == DELIVERED
            assert server.requests[0].line == "POST /a/b?c=d HTTP/1.1"
            assert server.requests[0]["X-One"] == "1"
            said = await told(
                host(tmp_path), config=config, files=files | {"http_headers": "X-One\r\n"}
            )
            assert "http_headers cannot be used: line 1 is no header" in said["message"]

    asyncio.run(main())


def test_this_machine_is_not_asked_behind_its_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as server:
            url = server.url().replace("127.0.0.1", "localhost")
            for target, key in (("custom", "http_url"), ("statistics", "http_stat_url")):
                said = await told(host(tmp_path, check_local=False), target, {key: url})
                assert (said["ok"], said["step"]) == (False, Stage.NEAR.value)
                assert "api.check_local" in said["message"]
            assert not server.requests

    asyncio.run(main())


def test_nothing_of_a_simulated_coprocessor_gets_to_ruuvi(tmp_path: Path) -> None:
    door = host(tmp_path, simulated=True)
    keys = {"ruuvi": "use_http_ruuvi", "custom": "use_http_ruuvi", "statistics": "http_stat_url"}
    for target, key in keys.items():
        said = asyncio.run(told(door, target))
        assert (said["ok"], said["step"], said["key"]) == (False, "settings", key)
        assert "simulated" in said["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"target": "mqtt"}',
        b'{"target": "custom", "config": []}',
        b'{"target": "custom", "files": []}',
        b'{"target": "custom", "files": {"http_path": 1}}',
        b'{"target": "custom", "files": {"passwd": ""}}',
        b'{"target": "custom", "config": ' + b"[" * 1000,
    ],
)
def test_a_request_that_is_wrong(tmp_path: Path, body: bytes) -> None:
    response = asyncio.run(ask(post_check, host(tmp_path), body=body))
    assert (response.status_code, response.content) == (400, b"{}")


def test_more_checks_than_may_be(tmp_path: Path) -> None:
    door = host(tmp_path)

    async def main() -> None:
        async with serving(never) as port:
            config = {"http_url": f"http://127.0.0.1:{port}/"}
            body = json.dumps({"target": "custom", "config": config}).encode()
            asked = [ask(Checker(SOON), door, body=body) for _ in range(MOST_AT_ONCE + 1)]
            statuses = [each.status_code for each in await asyncio.gather(*asked)]
            assert sorted(statuses) == [200] * MOST_AT_ONCE + [503]

    standing(main())
