"""`GET /validate_url` against real servers on this machine."""

import asyncio
import json
import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from asking import Host, ask, host, query
from certificates import Folder, authority, chain, server_context, tls_server
from posting import GATEWAY, OK, SOON, answer, answering, never, serving
from standing_clock import standing

from ruuvi_host.api.validate import MOST_AT_ONCE, TIME_LIMIT, Validation, validate_url
from ruuvi_host.receiver import Receiver, Settings
from ruuvi_host.relay.http.signing import Signer, default_key

SECRET = "s3cret-of-ours"


def checked(
    door: Host, url: str, check: str = "check_post_advs", limit: float = TIME_LIMIT, **more: Any
) -> tuple[int, str]:
    """Status and message of a check of `url`, which must be answered with 200."""

    async def main() -> tuple[int, str]:
        return await told(door, url, check, limit, **more)

    return asyncio.run(main())


async def told(
    door: Host, url: str, check: str = "check_post_advs", limit: float = TIME_LIMIT, **more: Any
) -> tuple[int, str]:
    given = {"validate_type": check, "url": url, "auth_type": "none"} | more
    response = await ask(Validation(limit), door, query(**given))
    assert response.status_code == 200, response
    said = json.loads(response.content)
    quoted = json.dumps(said["message"], ensure_ascii=False)
    form = f'{{\n\t"status":\t{said["status"]},\n\t"message":\t{quoted}\n}}'
    assert response.content.decode() == form
    return said["status"], said["message"]


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
