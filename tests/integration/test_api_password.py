"""Passwords and keys by command, for a host that runs and for one that does not."""

import os
import pty
import re
import subprocess
import termios
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from programs import COMMAND, PATIENCE, Program, ruuvi_host

from ruuvi_host.api.access.settings import password_hash
from ruuvi_host.config.sources import Inputs, Sources

NAME = "RuuviGatewayEEFF"


def run(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], input=given or "", capture_output=True, text=True, timeout=PATIENCE
    )


def changed(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """`config` ARGUMENTS for the configuration in this folder."""
    where = ("--config", str(folder / "gw_cfg.json"), "--state-dir", str(folder / "state"))
    return run("config", *arguments, *where, given=given)


def gateway(folder: Path, name: str) -> str:
    return str(Sources(Inputs(folder / "gw_cfg.json")).gateway[name])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gw_cfg.json").write_text("{}")
    return tmp_path


# -- no host runs ---------------------------------------------------------------------------------


def test_a_password_from_standard_input(folder: Path) -> None:
    ran = changed(folder, "password", "--gateway-name", NAME, given="qwe\n")
    assert ran.returncode == 0, ran.stderr
    assert gateway(folder, "lan_auth_type") == "lan_auth_ruuvi"
    assert gateway(folder, "lan_auth_user") == "Admin"
    assert gateway(folder, "lan_auth_pass") == password_hash("Admin", NAME, "qwe")
    assert (folder / "gw_cfg.json").stat().st_mode & 0o777 == 0o600
    assert "log in again" in ran.stderr
    assert "can be guessed" in ran.stderr
    assert "counts from the next start on" in ran.stderr
    assert "api is off" in ran.stderr.lower()


def test_a_password_from_a_file_and_of_another_user(folder: Path) -> None:
    (folder / "secret").write_text("a long password\r\n")
    arguments = ("--user", "me", "--type", "digest", "--gateway-name", NAME)
    ran = changed(folder, "password", f"@{folder / 'secret'}", *arguments)
    assert ran.returncode == 0, ran.stderr
    assert gateway(folder, "lan_auth_type") == "lan_auth_digest"
    assert gateway(folder, "lan_auth_pass") == password_hash("me", NAME, "a long password")
    assert changed(folder, "password", "--gateway-name", NAME, given="12345678").returncode == 0
    assert gateway(folder, "lan_auth_user") == "me", "as before"


def test_basic_needs_no_gateway_name(folder: Path) -> None:
    ran = changed(folder, "password", "--user", "user1", "--type", "basic", given="s3cret")
    assert ran.returncode == 0, ran.stderr
    assert gateway(folder, "lan_auth_pass") == "dXNlcjE6czNjcmV0"


@pytest.mark.parametrize(
    ("arguments", "given", "why"),
    [
        (["plain text"], "", "not taken from the command line"),
        (["--gateway-name", NAME], "", "empty"),
        (["--gateway-name", NAME], "a\tb", "control characters"),
        (["--gateway-name", "eeff"], "x", "must be as RuuviGatewayEEFF"),
        (["--gateway-name", NAME, "--user", "a:b"], "x", "colon"),
        (["--gateway-name", NAME, "--user", ""], "x", "1 to 50 bytes"),
        (["--gateway-name", NAME, "--user", "x" * 51], "x", "1 to 50 bytes"),
        (["--type", "basic"], "x" * 43, "47 bytes together"),
        (["@/nowhere/file", "--gateway-name", NAME], "", "/nowhere/file"),
        ([], "x", "no coprocessor has been heard yet"),
    ],
)
def test_what_is_no_password(folder: Path, arguments: list[str], given: str, why: str) -> None:
    ran = changed(folder, "password", *arguments, given=given)
    assert ran.returncode == 2
    assert why in ran.stderr
    assert "plain text" not in ran.stderr
    assert (folder / "gw_cfg.json").read_text() == "{}"


def test_a_password_that_is_typed_twice_is_not_shown(folder: Path) -> None:
    ours, theirs = pty.openpty()
    where = ("--config", str(folder / "gw_cfg.json"), "--state-dir", str(folder / "state"))
    try:
        with subprocess.Popen(
            [COMMAND, "config", "password", *where, "--gateway-name", NAME],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            try:
                shown = b""
                for prompt in (b"Password", b"Once more"):
                    while prompt not in shown:
                        shown += os.read(ours, 1000)
                    # Only then it is read: what is typed before is thrown away.
                    while termios.tcgetattr(theirs)[3] & termios.ECHO:
                        time.sleep(0.01)
                    os.write(ours, b"not for eyes\n")
                while b"log in again" not in shown:
                    shown += os.read(ours, 1000)
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"eyes" not in shown
    assert gateway(folder, "lan_auth_pass") == password_hash("Admin", NAME, "not for eyes")


def test_keys(folder: Path) -> None:
    reading, writing = changed(folder, "key").stdout, changed(folder, "key", "--write").stdout
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", reading)
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", writing)
    assert gateway(folder, "lan_auth_api_key") + "\n" == reading
    assert gateway(folder, "lan_auth_api_key_rw") + "\n" == writing
    assert changed(folder, "key", "--off").stdout == ""
    assert gateway(folder, "lan_auth_api_key") == ""
    assert gateway(folder, "lan_auth_api_key_rw") + "\n" == writing


def test_what_the_environment_sets_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUUVI_HOST_LAN_AUTH_API_KEY", "x")
    ran = changed(folder, "key")
    assert "lan_auth_api_key keeps its value, which RUUVI_HOST_LAN_AUTH_API_KEY sets" in ran.stderr


# -- a host runs ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Program, str]]:
    """Its folder, the program, and where its API is."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "gw_cfg.json").write_text("{}")
    (folder / "ruuvi-host.toml").write_text('[api]\nlisten = "127.0.0.1:0"\n')
    options = ("--config", str(folder / "gw_cfg.json"), "--state-dir", str(folder / "state"))
    with ruuvi_host("run", "--simulate", *options) as program:
        url = program.wait_for(r"local API: (http://\S+)")[1]
        program.wait_for("coprocessor configured")
        yield folder, program, url
        assert program.stop() == 0


def test_a_running_host_takes_them_up(running: tuple[Path, Program, str]) -> None:
    folder, program, url = running
    before = len([line for line in program.err if "configuration read again" in line])
    ran = changed(folder, "password", "--user", "me", "--type", "digest", given="secret 123")
    assert "The running ruuvi-host takes it now." in ran.stderr, ran.stderr
    program.wait_for("configuration read again", before + 1)
    key = changed(folder, "key").stdout.strip()
    program.wait_for("configuration read again", before + 2)
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        assert client.get("/history").status_code == 401
        digest = httpx.DigestAuth("me", "secret 123")
        assert client.get("/history?time=9", auth=digest).status_code == 200
        assert client.get("/history", auth=digest).status_code == 200
        bearer = {"Authorization": f"Bearer {key}"}
        assert client.get("/history", headers=bearer).status_code == 200
    status = run("status", "--state-dir", str(folder / "state")).stdout
    assert f"local API: {url}; lan_auth_digest, user me; key for reading" in status
    assert key not in status + str(program)
    assert "secret" not in status + str(program)


def test_who_guesses_at_many_connections_at_once_waits_alone(
    running: tuple[Path, Program, str],
) -> None:
    folder, program, url = running
    before = len([line for line in program.err if "configuration read again" in line])
    key = changed(folder, "key", "--write").stdout.strip()
    program.wait_for("configuration read again", before + 1)

    def ask(address: str, key: str) -> httpx.Response:
        transport = httpx.HTTPTransport(local_address=address)
        with httpx.Client(base_url=url, transport=transport, timeout=PATIENCE) as client:
            return client.get("/history", headers={"Authorization": f"Bearer {key}"})

    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda n: ask("127.0.0.9", f"guess {n}"), range(24)))
    refused = [answer.status_code for answer in got]
    assert set(refused) == {401, 429}
    assert refused.count(401) >= 5  # on a slow machine further ones are looked at
    assert ask("127.0.0.1", key).status_code == 200
    program.wait_for("wrong keys or passwords from 127.0.0.9")
    assert "guess" not in str(program)


def test_a_change_that_is_taken_back_ends_sessions_too(
    running: tuple[Path, Program, str],
) -> None:
    folder, program, url = running

    def set_password(text: str) -> None:
        before = len([line for line in program.err if "configuration read again" in line])
        changed(folder, "password", "--user", "me", given=text)
        program.wait_for("configuration read again", before + 1)

    set_password("secret 123")
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        asked = client.get("/auth").headers["WWW-Authenticate"]
        parts = dict(re.findall('([a-z_]+)="(.*?)"', asked))
        secret = password_hash("me", parts["realm"], "secret 123")
        answer = sha256(f"{parts['challenge']}:{secret}".encode()).hexdigest()
        login = {"login": "me", "password": answer}
        assert client.post("/auth", json=login).status_code == 200
        assert client.get("/history").status_code == 200
        set_password("another one")
        set_password("secret 123")
        assert client.get("/history").status_code == 302
