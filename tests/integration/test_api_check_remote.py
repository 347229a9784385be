"""`GET /validate_url?validate_type=check_remote_cfg` against real servers on this machine."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from asking import Host, ask, host, query
from certificates import Folder, authority, server_context
from posting import GATEWAY
from remote_world import TEXT, Misbehave, asked, files, hanging_up, ok, silent
from tcp_ports import free_port

from ruuvi_host.api.validate import Validation

OWN, COMMON = f"/gw/{GATEWAY.addr.hex().upper()}.json", "/gw/gw_cfg.json"
FAILED = "Download of gw_cfg failed, HTTP error code"


async def told(door: Host, url: str, limit: float = 10.0, **more: Any) -> tuple[int, str]:
    given = {"validate_type": "check_remote_cfg", "url": url, "auth_type": "none"} | more
    response = await ask(Validation(limit), door, query(**given))
    assert response.status_code == 200, response
    said = json.loads(response.content)
    return said["status"], said["message"]


def checked(tmp_path: Path, answers: dict[str, bytes | Misbehave], **more: Any) -> tuple[int, str]:
    async def main() -> tuple[int, str]:
        async with files(answers) as server:
            return await told(host(tmp_path), server.url("/gw/"), **more)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (TEXT, ""),
        ('{"remote_cfg_use":true,"mqtt_server":"away.example","future_key":1}', ""),
        ("<html>", "Invalid first byte of json, expected '{', actual '<' (60)"),
        (" {}", "Invalid first byte of json, expected '{', actual ' ' (32)"),
        ("[]", "Invalid first byte of json, expected '{', actual '[' (91)"),
        ('{"remote_cfg_use":tru', "Failed to parse gw_cfg.json or no memory"),
        (TEXT + "x", "Failed to parse gw_cfg.json or no memory"),
        ("{}", "Invalid gw_cfg.json: 'use_remote_cfg' is missing or 'false'"),
        (
            '{"remote_cfg_use":false}',
            "Invalid gw_cfg.json: 'use_remote_cfg' is missing or 'false'",
        ),
        ('{"remote_cfg_use":1}', "Invalid gw_cfg.json: 'use_remote_cfg' is missing or 'false'"),
        ('{"Remote_Cfg_Use":true}', ""),
    ],
)
def test_what_stands_in_the_file(tmp_path: Path, body: str, message: str) -> None:
    said = checked(tmp_path, {OWN: ok(body)})
    assert said == ((502, message) if message else (200, ""))


def test_a_byte_order_mark_and_a_value_that_this_host_would_refuse(tmp_path: Path) -> None:
    status, message = checked(tmp_path, {OWN: ok("\ufeff" + TEXT)})
    assert (status, "(239)" in message) == (502, True)
    status, message = checked(tmp_path, {OWN: ok('{"remote_cfg_use":true,"mqtt_port":99999}')})
    assert (status, "mqtt_port" in message) == (502, True)


def test_what_keeps_the_file_from_us(tmp_path: Path) -> None:
    assert checked(tmp_path, {OWN: ok("no\n", status="403 X")}) == (
        403,
        f"{FAILED} 403, message: no",
    )
    assert checked(tmp_path, {OWN: ok("", status="500 X")}) == (
        500,
        f"{FAILED} 500, message: <NULL>",
    )
    assert checked(tmp_path, {}) == (404, f"{FAILED} 404, message: nope")
    assert checked(tmp_path, {COMMON: ok()}) == (200, "")
    assert checked(tmp_path, {OWN: ok("")}) == (400, f"{FAILED} 400, message: <NULL>")
    late = f"{FAILED} 502, message: Timeout waiting for a response from the server"
    assert checked(tmp_path, {OWN: silent}, limit=0.3) == (502, late)
    for_all = f"{FAILED} 502, message: Network error when communicating with the server, err="
    status, message = checked(tmp_path, {OWN: hanging_up})
    assert (status, message[: len(for_all)]) == (502, for_all)
    door = host(tmp_path)
    status, message = asyncio.run(told(door, f"http://127.0.0.1:{free_port()}/gw/"))
    assert (status, message[: len(for_all)]) == (502, for_all)
    resolved = asyncio.run(told(door, "http://nowhere.invalid/gw/", limit=25.0))
    assert resolved == (502, f"{FAILED} 502, message: Failed to resolve hostname")


@pytest.mark.parametrize("url", ["ftp://a.example/", "ab", "", "http://a.example/?x=1", "x y"])
def test_what_is_no_address(tmp_path: Path, url: str) -> None:
    assert asyncio.run(told(host(tmp_path), url)) == (400, f"Incorrect URL: '{url}'")


def test_the_saved_secret_goes_to_its_own_server_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with files({OWN: ok()}) as server, files({OWN: ok()}) as other:
            door = host(
                tmp_path,
                f'remote_cfg_url = "{server.url("/other.json")}"\n'
                'remote_cfg_auth_type = "bearer"\nremote_cfg_auth_bearer_token = "SAVED"\n',
            )
            saved: dict[str, Any] = {"auth_type": "bearer", "use_saved_password": "true"}
            assert await told(door, server.url("/gw/"), **saved) == (200, "")
            assert server.requests[0]["Authorization"] == "Bearer SAVED"
            status, message = await told(door, other.url("/gw/"), **saved)
            assert (status, "another server" in message) == (400, True)
            assert not other.requests
            # Saved is one of another kind.
            basic: dict[str, Any] = {"auth_type": "api_key", "use_saved_password": "true"}
            assert await told(door, server.url("/gw/"), **basic) == (200, "")
            assert server.requests[1]["Authorization"] == "SAVED"

    asyncio.run(main())


def test_this_machine_is_asked_only_where_it_is_saved_or_allowed(tmp_path: Path) -> None:
    async def main() -> None:
        async with files({OWN: ok()}) as server:
            door = host(tmp_path, check_local=False)
            status, message = await told(door, server.url("/gw/"))
            assert (status, "api.check_local" in message) == (400, True)
            assert not server.requests
            door = host(tmp_path, f'remote_cfg_url = "{server.url("/")}"\n', check_local=False)
            assert await told(door, server.url("/gw/")) == (200, "")

    asyncio.run(main())


def test_with_the_saved_certificates(tmp_path: Path) -> None:
    async def main() -> None:
        context = server_context(authority().issue_cert("127.0.0.1"))
        async with files({OWN: ok()}, context) as server:
            door = host(tmp_path)
            status, message = await told(door, server.url("/gw/"), use_ssl_server_cert="true")
            assert (status, "rcfg_srv_cert" in message) == (400, True)
            assert str(tmp_path) not in message
            Folder(tmp_path).file("rcfg_srv_cert", authority().cert_pem.bytes())
            assert await told(door, server.url("/gw/"), use_ssl_server_cert="true") == (200, "")
            status, message = await told(door, server.url("/gw/"))
            assert (status, "no authority" in message) == (502, True)
            assert asked(server) == [OWN]

    asyncio.run(main())
