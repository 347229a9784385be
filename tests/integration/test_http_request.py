"""What Poster sends, byte for byte."""

import asyncio
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import load_vectors
from posting import (
    ACCEPTED,
    BODY,
    GATEWAY,
    OK,
    Request,
    Server,
    answer,
    answering,
    poster_for,
    read_request,
    serving,
)

from ruuvi_host.config.addresses import basic_authorization
from ruuvi_host.config.gateway_keys import RUUVI_CLOUD_URL
from ruuvi_host.config.targets import Authorization, ExtraFiles, HttpTarget
from ruuvi_host.config.url import parse_address, public_url
from ruuvi_host.errors import ConfigError
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.signing import Signer
from ruuvi_host.relay.sink import Verdict

HTTP = load_vectors("http.json")


BODIES = {case["name"]: case["expected_body"] for case in HTTP["batch"]}


def authorization(config: dict[str, Any]) -> Authorization | None:
    match config.get("http_auth", "none"):
        case "basic":
            return basic_authorization(config["http_user"], config["http_pass"])
        case "bearer":
            return Authorization(f"Bearer {config['http_bearer_token']}")
        case "token":
            return Authorization(f"Token {config['http_api_key']}")
        case "api_key":
            return Authorization(config["http_api_key"])
    return None


def target_of(case: dict[str, Any], folder: Path) -> HttpTarget:
    """The target of a vector, its files in `folder`."""
    config = case["config"]
    files = config.get("files", {})
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    used = {name[5:]: folder / name for name in files if config[f"http_use_extra_{name}"]}
    url = RUUVI_CLOUD_URL if case["target"] == "ruuvi" else config["http_url"]
    auth = authorization(config)
    return HttpTarget(case["target"], url, authorization=auth, extra=ExtraFiles(**used))


@pytest.mark.parametrize("case", HTTP["requests"], ids=lambda c: str(c["name"]))
def test_request(tmp_path: Path, case: dict[str, Any]) -> None:
    configured = target_of(case, tmp_path)
    address = parse_address(configured.url)
    connect = case["connect"]
    assert address.origin == (
        "https" if connect["tls"] else "http",
        connect["host"],
        connect["port"],
    )

    async def main() -> Request:
        async with answering(OK) as server:
            parts = urlsplit(configured.url)
            here = parts._replace(scheme="http", netloc=f"127.0.0.1:{server.port}").geturl()
            poster = Poster(replace(configured, url=here))
            body = BODIES[case["body_of"]].encode()
            outcome = await poster.post(body, GATEWAY)
            await poster.close()
            assert outcome == ACCEPTED
            (request,) = server.requests
            assert request.body == body
            assert request["Host"] == f"127.0.0.1:{server.port}"
            return request

    request = asyncio.run(main())
    assert request.line == case["request_line"]
    expected = [(name, value) for name, value in case["headers"]]
    # h11 writes Host first; all else is where the gateway has it.
    assert request.headers[0][0] == "Host"
    assert request.headers[1:] == [(name, value) for name, value in expected if name != "Host"]
    assert dict(expected)["Host"] == address.server


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://server/", "server"),
        ("http://server:80/", "server"),
        ("http://server:443/", "server"),
        ("https://server:80/", "server"),
        ("https://server:8443/", "server:8443"),
        ("http://SERVER:8000/", "server:8000"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("http://bücher.example:8000/", "xn--bcher-kva.example:8000"),
        ("http://xn--/", "xn--"),
    ],
)
def test_host(url: str, host: str) -> None:
    assert parse_address(url).server == host


def test_a_body_of_any_size_arrives_whole() -> None:
    async def main() -> None:
        body = random.Random(1).randbytes(3_000_000)
        async with answering(OK) as server, poster_for(server) as poster:
            assert (await poster.post(body, GATEWAY)).verdict is Verdict.ACCEPTED
            assert server.requests[0].body == body
            assert server.requests[0]["Ruuvi-HMAC-SHA256"] == Signer().sign(body, GATEWAY)

    asyncio.run(main())


def test_each_post_has_a_connection_of_its_own() -> None:
    connections = 0

    async def keep_alive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read_request(reader)
            writer.write(OK)

    async def main() -> None:
        async with serving(keep_alive) as port, poster_for(Server("http", port)) as poster:
            for _ in range(3):
                assert (await poster.post(BODY, GATEWAY)).verdict is Verdict.ACCEPTED

    asyncio.run(main())
    assert connections == 3


def test_what_the_environment_says_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies, .netrc; and cookies, which no gateway keeps."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password SECRET\n")
    (tmp_path / ".netrc").chmod(0o600)

    async def main() -> None:
        cookie = answer(200, "Set-Cookie: session=1; Path=/")
        async with answering(cookie) as server, poster_for(server) as poster:
            for _ in range(2):
                assert (await poster.post(BODY, GATEWAY)).verdict is Verdict.ACCEPTED
            assert len(server.requests) == 2
            for request in server.requests:
                assert "Authorization" not in request
                assert "Cookie" not in request

    asyncio.run(main())


def test_an_address_that_cannot_be_posted_to_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"^custom: http://1\.2\.3\.400/path: ") as caught:
        Poster(HttpTarget("custom", "http://1.2.3.400/path?key=SECRET"))
    assert "SECRET" not in str(caught.value)


def test_public_url() -> None:
    assert public_url("https://u:SECRET@server:1/path?SECRET#SECRET") == "https://server:1/path"


def test_no_more_is_loaded_than_is_needed() -> None:
    """httpx brings its command line along, with click and rich: 5 MB."""
    code = "import sys, ruuvi_host.relay.http.sink; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "httpx" in loaded
    assert not loaded & {"click", "rich"}
