"""docs/pages/local-api-behind-a-proxy.md: its settings for ruuvi-host, nginx and Caddy, all run."""

import http.client
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from caddy import caddy, needs_caddy
from nginx import needs_nginx, nginx
from programs import COMMAND, Program, ruuvi_host
from tcp_ports import free_port

from ruuvi_host.web.limits import Limits

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "local-api-behind-a-proxy.md"
KEY = "a-long-key"
CLIENT = "127.0.0.2"
"""Another address of this machine, to tell a client from the proxy, which connects from .1."""


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_the_figures_of_the_page() -> None:
    limits = Limits()
    assert limits.body
    times = f"{limits.head_time:g} s; {limits.request_time:g} s; {limits.silence:g} s"
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    for begun, figures in {
        "| head of a request": f"{limits.head >> 10} KiB | 431",
        "| body |": f"{limits.body >> 10} KiB | 413",
        "| time for": f"{times} | 408",
        "| time to take": f"{limits.sending:g} s",
        "| connections": f"{limits.connections}, then",
        "| HTTP versions": "1.0, 1.1 | 505",
    }.items():
        (row,) = [row for row in rows if row.startswith(begun)]
        assert figures in row


def test_the_command_of_the_page() -> None:
    program, *words = block("sh").split()
    assert program == "ruuvi-host"
    asked = subprocess.run([COMMAND, *words[:2], "--help"], capture_output=True, text=True)
    assert asked.returncode == 0
    assert words[2] in asked.stdout


@dataclass(frozen=True)
class Api:
    """A host with the page's settings."""

    host: Program
    port: int


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder, port = tmp_path_factory.mktemp("host"), free_port()
    toml = folder / "ruuvi-host.toml"
    access = f'[gateway]\nlan_auth_type = "lan_auth_allow"\nlan_auth_api_key = "{KEY}"\n'
    toml.write_text(block("toml").replace("8080", str(port)) + access)
    toml.chmod(0o600)
    target = ("--set", "target.log.kind=file", "--set", f"target.log.folder={folder}")
    options = ("--simulate", "--debug", "--config", str(toml), "--state-dir", str(folder / "s"))
    with ruuvi_host("run", *options, *target) as host:
        host.wait_for("local API: ")
        yield Api(host, port)
        assert host.stop() == 0


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A folder with the server's certificate, and what believes it."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    pair = authority.issue_cert("gateway.example")
    pair.private_key_pem.write_to_path(str(folder / "server.key"))
    for pem in pair.cert_chain_pems:
        pem.write_to_path(str(folder / "server.pem"), append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return folder, context


def ask(
    port: int, context: ssl.SSLContext, method: str, path: str, **fields: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """As a browser would that finds gateway.example here."""
    raw = socket.create_connection(("127.0.0.1", port), 30, source_address=(CLIENT, 0))
    with context.wrap_socket(raw, server_hostname="gateway.example") as tls:
        connection = http.client.HTTPSConnection("gateway.example", port)
        connection.sock = tls
        names = {"Host": "gateway.example", **fields}
        body = b"{}" if method == "POST" else None
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in names.items()})
        with closing(connection.getresponse()) as answer:
            return answer.status, answer.headers, answer.read()


def goes_through(api: Api, port: int, context: ssl.SSLContext) -> None:
    status, headers, _ = ask(port, context, "GET", "/nosuch.html")
    assert status == 404
    assert headers["X-Content-Type-Options"] == "nosniff"
    # The address is the client's, whatever it says of itself.
    ask(port, context, "GET", "/mine.html", X_Forwarded_For="6.6.6.6")
    assert api.host.wait_for(r"GET /mine\.html 404 (\S+)$")[1] == CLIENT
    # Paths arrive as they were sent.
    ask(port, context, "GET", "/a//%62.html?secret")
    api.host.wait_for(r"GET /a//%62\.html 404")
    # The page's own requests pass, those of another site do not.
    own = ask(port, context, "POST", "/nosuch", Origin="https://gateway.example")
    assert own[0] == 404
    foreign = ask(port, context, "POST", "/nosuch", Origin="https://evil.example")
    assert foreign[0] == 403


@needs_nginx
def test_nginx(api: Api, context: tuple[Path, ssl.SSLContext], tmp_path: Path) -> None:
    folder, trusting = context
    port = free_port()
    settings = (
        block("nginx")
        .replace("/etc/nginx/ruuvi", str(folder))
        .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        .replace("127.0.0.1:8080", f"127.0.0.1:{api.port}")
    )
    with nginx(tmp_path, settings):
        goes_through(api, port, trusting)
        # nginx passes on what Caddy would answer itself.
        assert ask(port, trusting, "GET", "/nosuch", Host="evil.example")[0] == 421


@needs_nginx
def test_nginx_and_a_unix_socket(context: tuple[Path, ssl.SSLContext], tmp_path: Path) -> None:
    folder, trusting = context
    port, path = free_port(), tmp_path / "api.sock"
    options = ("--simulate", "--debug", "--state-dir", str(tmp_path / "state"))
    keys = (f"api.listen=unix:{path}", "lan_auth_type=lan_auth_allow", "api.names=gateway.example")
    log = ("target.log.kind=file", f"target.log.folder={tmp_path}")
    settings = (
        block("nginx")
        .replace("/etc/nginx/ruuvi", str(folder))
        .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        .replace("http://127.0.0.1:8080", f"http://unix:{path}")
    )
    given = [word for key in (*keys, *log) for word in ("--set", key)]
    with ruuvi_host("run", *options, *given) as host:
        host.wait_for("local API: unix:")
        with nginx(tmp_path, settings):
            origin = "https://gateway.example"
            assert ask(port, trusting, "POST", "/nosuch", Origin=origin)[0] == 404
            assert ask(port, trusting, "GET", "/history", X_Forwarded_For="6.6.6.6")[0] == 200
            host.wait_for("GET /history 200 -$")
        assert host.stop() == 0


@needs_caddy
def test_caddy(api: Api, context: tuple[Path, ssl.SSLContext], tmp_path: Path) -> None:
    folder, trusting = context
    port = free_port()
    settings = (
        block("caddy")
        .replace("/etc/caddy/ruuvi", str(folder))
        .replace("gateway.example {", f"https://gateway.example:{port} {{\n    bind 127.0.0.1")
        .replace("127.0.0.1:8080", f"127.0.0.1:{api.port}")
    )
    with caddy(tmp_path, settings, port):
        goes_through(api, port, trusting)
