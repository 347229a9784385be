"""docs/pages about servers: the receiver, the settings of nginx and ours, the commands, all run."""

import http.client
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nginx import needs_nginx, nginx, wait_until_listening
from programs import COMMAND, Program, ruuvi_host
from tcp_ports import free_port

from ruuvi_host.relay.http.signing import default_key
from ruuvi_host.simulator.board import Board

PAGES = Path(__file__).parents[2] / "docs" / "pages"
NAMES = ("relay-to-my-server", "client-certificates", "ruuvi-cloud")
KEY = default_key(Board(tags=0).device)

needs_openssl = pytest.mark.skipif(
    not shutil.which("openssl") and os.environ.get("CI") != "true",
    reason="OPENSSL IS MISSING: the page's commands were not run",
)


def blocks(page: str, kind: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text("utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shell(folder: Path, script: str) -> None:
    ran = subprocess.run(["sh", "-ec", script], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@dataclass(frozen=True)
class Receiver:
    """The page's receiver, which runs."""

    program: Program
    port: int


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    (source,) = blocks("relay-to-my-server", "python")
    (tmp_path / "receiver.py").write_text(source)
    port = free_port()
    with Program(sys.executable, str(tmp_path / "receiver.py"), str(port), KEY) as program:
        wait_until_listening(port)
        yield Receiver(program, port)


def check(*arguments: str) -> tuple[int, str]:
    ran = subprocess.run(
        [COMMAND, "check", "custom", "--simulate", *arguments], capture_output=True, text=True
    )
    return ran.returncode, ran.stdout.strip()


def test_the_receiver_prints_each_reading_that_is_signed(
    receiver: Receiver, tmp_path: Path
) -> None:
    state, url = str(tmp_path / "state"), f"http://127.0.0.1:{receiver.port}/record"
    options = ("--simulate", "--interval", "1", "--url", url, "--state-dir", state)
    with ruuvi_host("run", *options) as host:
        host.wait_for("batches are accepted")
        receiver.program.wait_for(r"^\d{10} ([0-9A-F]{2}:){5}[0-9A-F]{2} -\d+ [0-9A-F]{10,}$", 3)
        assert host.stop() == 0
    assert check("--url", url) == (0, "custom: delivered (status 200)")


def test_the_receiver_refuses_another_key(receiver: Receiver) -> None:
    for signature, status in (("0" * 64, 403), (None, 403)):
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)
        headers = {"Ruuvi-HMAC-SHA256": signature} if signature else {}
        connection.request("POST", "/record", b"{}", headers)
        assert connection.getresponse().status == status
        connection.close()


def settings(folder: Path, page: str, **values: str) -> Path:
    """The page's ruuvi-host.toml, in `folder`, with some texts in it replaced."""
    (text,) = blocks(page, "toml")
    for old, new in values.items():
        text = text.replace(_PLACES[old], new)
    path = folder / "ruuvi-host.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


_PLACES = {"server": "my.server", "address": "192.168.1.5", "password": "a long password"}


def here(configuration: str, folder: Path, tls_port: int, receiver_port: int) -> str:
    """The page's nginx configuration, with files and ports of the test."""
    return (
        configuration.replace("/etc/nginx/ruuvi", str(folder))
        .replace("listen 443 ssl", f"listen 127.0.0.1:{tls_port} ssl")
        .replace("127.0.0.1:8000", f"127.0.0.1:{receiver_port}")
    )


@needs_nginx
@needs_openssl
def test_nginx_with_a_password(receiver: Receiver, tmp_path: Path) -> None:
    page = "relay-to-my-server"
    shell(tmp_path, _own_certificate(tmp_path))
    (users,) = [block for block in blocks(page, "sh") if "passwd" in block]
    shell(tmp_path, users.replace("/etc/nginx/ruuvi", str(tmp_path)))
    (configuration,) = blocks(page, "nginx")
    tls_port = free_port()
    with nginx(tmp_path, here(configuration, tmp_path, tls_port, receiver.port)):
        ours = ["--set", "http_use_ssl_server_cert=true"]
        place = f"127.0.0.1:{tls_port}"
        toml = settings(tmp_path, page, server=place)
        assert check("--config", str(toml), *ours) == (0, "custom: delivered (status 200)")
        code, line = check("--config", str(toml), *ours, "--set", "http_pass=wrong")
        assert code == 4
        assert line.startswith("custom: not delivered: auth: status 401 Unauthorized")
        # Without our own certificate: one of no authority that the system knows.
        code, line = check("--config", str(toml))
        assert code == 4
        assert line.startswith("custom: not delivered: TLS: ")


@needs_nginx
@needs_openssl
def test_nginx_with_client_certificates(receiver: Receiver, tmp_path: Path) -> None:
    page = "client-certificates"
    shell(tmp_path, _own_certificate(tmp_path))
    shell(tmp_path, blocks(page, "sh")[1])
    (configuration,) = blocks(page, "nginx")
    tls_port = free_port()
    with nginx(tmp_path, here(configuration, tmp_path, tls_port, receiver.port)):
        toml = settings(tmp_path, page, address=f"127.0.0.1:{tls_port}")
        assert check("--config", str(toml)) == (0, "custom: delivered (status 200)")
        off = ["--set", "http_use_ssl_client_cert=false"]
        code, line = check("--config", str(toml), *off)
        assert code == 4
        assert "No required SSL certificate was sent" in line


def _own_certificate(folder: Path) -> str:
    return blocks("client-certificates", "sh")[0].replace("192.168.1.5", "127.0.0.1")


@pytest.mark.parametrize("page", NAMES)
def test_commands_have_these_options(page: str) -> None:
    """Those that need a board, or go on for ever."""
    for line in "".join(blocks(page, "sh")).splitlines():
        program, *words = line.partition("#")[0].split() or [""]
        if program != "ruuvi-host":
            continue
        ran = subprocess.run([COMMAND, words[0], "--help"], capture_output=True, text=True)
        for option in filter(lambda word: word.startswith("--"), words):
            assert option in ran.stdout


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_somewhere(page: str) -> None:
    text = (PAGES / f"{page}.md").read_text("utf-8")
    for target in re.findall(r"\]\(([\w-]+\.md)\)", text):
        assert (PAGES / target).exists(), target


def test_sentences_of_the_page_are_those_of_the_code() -> None:
    """What the table of faults quotes is in the source, piece by piece."""
    code = "".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text())
        for path in (PAGES.parents[1] / "ruuvi_host/relay/http").glob("*.py")
    )
    text = (PAGES / "client-certificates.md").read_text("utf-8")
    table = text.partition("| message |")[2].partition("\n\n")[0]
    quoted = [
        q for row in table.splitlines()[2:] for q in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert len(quoted) > 15
    for sentence in quoted:
        for piece in re.split("…", sentence):
            piece = piece.strip(" :")
            if piece.startswith(("status 400", "400 ")):
                piece = piece.partition("400 ")[2]
            assert piece in code, piece
