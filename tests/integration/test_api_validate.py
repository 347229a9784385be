"""`GET /validate_url` against real servers on this machine."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from asking import Host, ask, host, query
from posting import GATEWAY, OK, SOON, answer, answering, never, serving
from standing_clock import standing
from validating import told

from ruuvi_host.api.validate import MOST_AT_ONCE, TIME_LIMIT, Validation, validate_url
from ruuvi_host.receiver import Receiver, Settings
from ruuvi_host.relay.http.signing import Signer, default_key


def checked(
    door: Host, url: str, check: str = "check_post_advs", limit: float = TIME_LIMIT, **more: Any
) -> tuple[int, str]:
    """Status and message of a check of `url`, which must be answered with 200."""

    async def main() -> tuple[int, str]:
        return await told(door, url, check, limit, **more)

    return asyncio.run(main())


def answered(door: Host, reply: bytes, **more: Any) -> tuple[int, str]:
    async def main() -> tuple[int, str]:
        async with answering(reply) as server:
            said = await told(door, server.url("/x"), **more)
            assert len(server.requests) == 1
            return said

    return asyncio.run(main())


@pytest.mark.parametrize("check", ["check_post_advs", "check_post_stat"])
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(200), (200, "{}")),
        (answer(202, body=b"taken"), (200, "{}")),
        (answer(429), (200, "")),
        (
            answer(429, body=b"slowly"),
            (200, "HTTP response status: 429, Message from the server: slowly"),
        ),
        (
            answer(404, body=b'{"error":"not found"}'),
            (404, 'HTTP response status: 404, Message from the server: {"error":"not found"}'),
        ),
        (answer(401), (401, "")),
        (answer(500, body=b""), (500, "")),
        (
            answer(400, body=b"a\r\n\tb\x00c\x7f" + "\x85ä".encode()),
            (400, "HTTP response status: 400, Message from the server: abcä"),
        ),
        (
            answer(503, body=b"x" * 3000),
            (503, "HTTP response status: 503, Message from the server: " + "x" * 1024),
        ),
    ],
)
def test_what_a_server_answers(
    tmp_path: Path, check: str, reply: bytes, expected: tuple[int, str]
) -> None:
    assert answered(host(tmp_path), reply, check=check) == expected


def test_the_probe_is_what_the_relay_would_send(tmp_path: Path) -> None:
    door = host(tmp_path)

    async def main() -> None:
        async with answering(OK) as server:
            url = server.url("/x?a=1")
            assert await told(door, url) == (200, "{}")
            assert await told(door, url, "check_post_stat") == (200, "{}")
            batch, status = server.requests
        assert batch.line == status.line == "POST /x?a=1 HTTP/1.1"
        data = json.loads(batch.body)["data"]
        assert (data["gw_mac"], data["tags"]) == ("C8:25:2D:8E:9C:2C", {})
        assert json.loads(status.body)["DEVICE_ADDR"] == "C8:25:2D:8E:9C:2C"
        for request in (batch, status):
            assert request["Ruuvi-HMAC-SHA256"] == Signer().sign(request.body, GATEWAY)
            assert "Authorization" not in request

    asyncio.run(main())


def test_a_receiver_that_verifies_takes_the_probes(tmp_path: Path) -> None:
    async def main() -> None:
        async with Receiver(Settings(keys=(default_key(GATEWAY).encode(),), port=0)) as receiver:
            door = host(tmp_path)
            assert await told(door, receiver.url) == (200, "{}")
            assert await told(door, receiver.url + "status", "check_post_stat") == (200, "{}")
            assert [receipt.verdict.signature for receipt in receiver.receipts] == ["ok", "ok"]
            assert [receipt.verdict.result for receipt in receiver.receipts] == ["accepted"] * 2

    asyncio.run(main())


def test_a_server_that_gave_a_key_is_checked_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as server:
            door = host(tmp_path, f'use_http = true\nhttp_url = "{server.url("/a")}"\n')
            signer = door.remembered.of("custom", Signer)
            signer.replace_key(b"theirs")
            await told(door, server.url("/b"))
            assert server.requests[-1]["Ruuvi-HMAC-SHA256"] == signer.sign(
                server.requests[-1].body, GATEWAY
            )
            async with answering(OK) as other:  # has nothing to do with it
                await told(door, other.url("/b"))
                (request,) = other.requests
                assert request["Ruuvi-HMAC-SHA256"] == Signer().sign(request.body, GATEWAY)

    asyncio.run(main())


@pytest.mark.parametrize(
    "url",
    [
        *("hello world", '"', "", "ftp://server/", "http://", "http://a:0/"),
        "http://" + "a" * 64 + "/",  # no label of a name is so long
    ],
)
def test_what_is_no_address(tmp_path: Path, url: str) -> None:
    door = host(tmp_path)
    assert checked(door, url) == (400, f"Incorrect URL: '{url}'")
    assert checked(door, url, "check_post_stat") == (400, f"Incorrect URL: '{url}'")
    status, message = checked(door, url, "check_file")
    assert status == 502
    assert message.startswith("Network error when communicating with the server, err=")


def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    url = "http://no-such-name.invalid/"
    for check in ("check_post_advs", "check_post_stat", "check_file"):
        assert checked(host(tmp_path), url, check) == (502, "Failed to resolve hostname")


def test_no_answer(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(never) as port:
            for check in ("check_post_advs", "check_post_stat", "check_file"):
                url = f"http://127.0.0.1:{port}/"
                said = await told(host(tmp_path), url, check, SOON)
                assert said == (502, "Timeout waiting for a response from the server")
        status, message = await told(host(tmp_path), f"http://127.0.0.1:{port}/")
        assert status == 502
        assert message == (
            "Network error when communicating with the server, err=28674, description="
            f"the server 127.0.0.1:{port}: Connection refused"
        )

    standing(main())


def test_a_redirect_is_a_failure_and_not_followed(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as elsewhere:
            for status in (301, 302, 303, 307, 308):
                location = f"Location: {elsewhere.url()}"
                for reply in (answer(status, location), answer(status, location, body=b"moved")):
                    async with answering(reply) as server:
                        code, message = await told(host(tmp_path), server.url())
                        assert code == status
                        assert message in (
                            "",
                            f"HTTP response status: {status}, Message from the server: moved",
                        )
                        assert bool(message) == (b"moved" in reply)
                        assert await told(host(tmp_path), server.url(), "check_file") == (
                            status,
                            "",
                        )
            assert not elsewhere.requests

    asyncio.run(main())


@pytest.mark.parametrize("status", [200, 204, 301, 404, 429, 500])
def test_a_file_is_asked_for_by_head(tmp_path: Path, status: int) -> None:
    async def main() -> None:
        # A length, and no body: so HEAD is answered.
        reply = f"HTTP/1.1 {status} So\r\nContent-Length: 999\r\n\r\n".encode()
        async with answering(reply) as server:
            url = server.url("/f.bin?a=b")
            assert await told(host(tmp_path), url, "check_file") == (status, "")
            assert server.requests[0].line == "HEAD /f.bin?a=b HTTP/1.1"

    asyncio.run(main())


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "127.9.9.9"])
@pytest.mark.parametrize("check", ["check_post_advs", "check_post_stat", "check_file"])
def test_this_machine_is_not_asked_behind_its_back(tmp_path: Path, name: str, check: str) -> None:
    async def main() -> None:
        async with answering(OK) as server:
            door = host(tmp_path, check_local=False)
            status, message = await told(door, f"http://{name}:{server.port}/x", check)
            assert status == 400
            assert "is this machine" in message
            assert not server.requests

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fe80::1%25lo]/"])
def test_neighbours_on_the_wire_are_not_asked(tmp_path: Path, url: str) -> None:
    assert checked(host(tmp_path, check_local=False), url)[0] == 400


def test_the_server_that_is_saved_may_be_on_this_machine(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(OK) as server, answering(OK) as other:
            saved = f'use_http = true\nhttp_url = "{server.url("/x")}"\n'
            door = host(tmp_path, saved, check_local=False)
            assert await told(door, server.url("/x")) == (200, "{}")
            assert (await told(door, other.url("/x")))[0] == 400
            # It is saved for another target.
            assert (await told(door, server.url("/x"), "check_post_stat"))[0] == 400
            assert (await told(door, server.url("/x"), "check_file"))[0] == 400
            assert len(server.requests) == 1
            assert not other.requests

    asyncio.run(main())


GOOD = "validate_type=check_post_advs&url=http%3A%2F%2Fa.invalid%2F&auth_type=none"
MQTT = GOOD.replace("post_advs", "mqtt").replace("http%3A%2F%2Fa.invalid%2F", "mqtt%3A%2F%2Fa%3A1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("validate_type=check_post_advs", ""),
        GOOD.replace("check_post_advs", "check_p"),
        GOOD.replace("check_post_advs", "check_post_advsx"),
        GOOD.replace("check_post_advs", "check_post_%61dvs"),
        GOOD.replace("validate_type", "xvalidate_type"),
        GOOD.replace("url=http%3A%2F%2Fa.invalid%2F", ""),
        GOOD.replace("%2Fa.", "%2a.%0"),
        GOOD.replace("%2Fa.", "%00a."),
        GOOD.replace("%2Fa.", "%zza."),
        GOOD.replace("auth_type=none", ""),
        GOOD.replace("auth_type=none", "auth_type=no"),
        "auth_type=x&" + GOOD,
        GOOD.replace("none", "basic"),
        GOOD.replace("none", "basic&use_saved_password=true"),
        GOOD.replace("none", "basic&user=u"),
        GOOD.replace("none", "basic&user=u&use_saved_password=TRUE"),
        GOOD.replace("none", f"basic&user={'u' * 51}&use_saved_password=true"),
        GOOD.replace("none", "bearer"),
        GOOD.replace("none", "token&encrypted_password=AA"),
        GOOD.replace("none", "basic&user=u&use_saved_password=true").replace("post_advs", "file"),
        GOOD.replace("post_advs", "mqtt"),
        MQTT,
        MQTT + "&mqtt_topic_prefix=",
        MQTT + "&mqtt_client_id=",
        *(
            (MQTT + "&mqtt_topic_prefix=&mqtt_client_id=").replace("mqtt%3A%2F%2Fa%3A1", bad)
            for bad in ("ws://a:1", "mqtt://a", "mqtt://a:0", "mqtt://a:65536", "mqtt://a:1/x")
        ),
    ],
)
def test_a_request_that_is_wrong(tmp_path: Path, text: str) -> None:
    response = asyncio.run(ask(validate_url, host(tmp_path), text))
    assert (response.status_code, response.content) == (400, b"{}")


def test_the_first_of_equal_names_counts_and_a_plus_stays(tmp_path: Path) -> None:
    door = host(tmp_path)
    text = GOOD.replace("http%3A%2F%2Fa.invalid%2F", "a+b%20c&url=" + "x")
    response = asyncio.run(ask(validate_url, door, text))
    assert json.loads(response.content) == {"status": 400, "message": "Incorrect URL: 'a+b c'"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (GOOD.replace("post_advs", "fw_update_url"), "updated"),
    ],
)
def test_what_is_not_there(tmp_path: Path, text: str, word: str) -> None:
    response = asyncio.run(ask(validate_url, host(tmp_path), text))
    said = json.loads(response.content)
    assert (response.status_code, said["status"]) == (200, 400)
    assert word in said["message"]


def test_nothing_of_a_simulated_coprocessor_gets_to_ruuvi(tmp_path: Path) -> None:
    door = host(tmp_path, simulated=True)
    for check in ("check_post_advs", "check_post_stat", "check_file"):
        status, message = checked(door, "https://network.ruuvi.com/record", check)
        assert (status, "simulated" in message) == (400, True)


def test_more_checks_than_may_be(tmp_path: Path) -> None:
    door = host(tmp_path)

    async def main() -> None:
        async with serving(never) as port:
            given = query(
                validate_type="check_post_advs",
                url=f"http://127.0.0.1:{port}/",
                auth_type="none",
            )
            asked = [ask(Validation(SOON), door, given) for _ in range(MOST_AT_ONCE + 1)]
            statuses = [each.status_code for each in await asyncio.gather(*asked)]
            assert sorted(statuses) == [200] * MOST_AT_ONCE + [503]
            assert (await ask(Validation(SOON), door, given)).status_code == 200

    standing(main())
