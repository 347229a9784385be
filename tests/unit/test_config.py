"""Addresses of servers, what is in them, and where state goes."""

from base64 import b64decode
from pathlib import Path

import pytest

from ruuvi_host.config.addresses import (
    basic_authorization,
    check_url,
    is_ruuvi,
    refuse_ruuvi,
    split_user,
)
from ruuvi_host.config.model import Config, state_directory
from ruuvi_host.config.targets import Authorization, HttpTarget
from ruuvi_host.errors import ConfigError

# -- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://server",
        "https://server/",
        "HTTP://server:1/record?site=7",
        "http://127.0.0.1:65535/",
        "http://[::1]:8000/",
        "http://user:pa%2Fss@server/",
        "https://bücher.example/",
    ],
)
def test_a_good_address(url: str) -> None:
    assert check_url("--url", url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "must begin with http:// or https://"),
        ("server:8000", "must begin with http:// or https://"),
        ("ftp://server/", "must begin with http:// or https://"),
        ("http:server", "names no server"),
        ("http://", "names no server"),
        ("http://:8000/", "names no server"),
        ("http://user@/", "names no server"),
        ("http://[::1/", "malformed"),
        ("http://[nonsense]/", "malformed"),
        ("http://user:SECRET@ser\u2100ver/", "malformed"),
        ("http://[fe80::1%25\xe9]/", "cannot be used: its host has something behind the %"),
        ("http://[v1.x]/", "cannot be used: its host is no IPv6 address"),
        ("http://1.2.3.400/", "cannot be used: its host is no IPv4 address"),
        ("http://127.1/", "cannot be used: its host is no IPv4 address"),
        ("http://a_b!c/", "cannot be used: its host is no name"),
        ("http://" + "a" * 300, "cannot be used: its host is no name"),
        ("http://server/" + "x" * 20_000, "cannot be used: it is too long"),
        ("http://server:0/", "from 1 to 65535"),
        ("http://server:65536/", "from 1 to 65535"),
        ("http://server:http/", "from 1 to 65535"),
        ("http://user:SEC/RET@server/", "from 1 to 65535"),
        ("http://server/a b", "white space or control"),
        (" http://server/", "white space or control"),
        ("http://server/\n", "white space or control"),
        ("http://server/\x00", "white space or control"),
        ("http://server/\ud800", "white space or control"),
    ],
)
def test_a_bad_address(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        check_url("--url", url)
    assert str(caught.value).startswith("--url: the ")
    assert "SEC" not in str(caught.value)
    assert caught.value.__cause__ is None, "its text could hold a password"


@pytest.mark.parametrize(
    ("url", "bare", "credentials"),
    [
        ("http://server:1/a?b=c", "http://server:1/a?b=c", None),
        ("http://user:pw@server:1/a?b=c@d", "http://server:1/a?b=c@d", "user:pw"),
        ("http://user@server/", "http://server/", "user:"),
        ("http://us%3Aer:p%2F%40%C3%A4@[::1]:1/", "http://[::1]:1/", "us:er:p/@ä"),
        ("http://user:p@w@server/", "http://server/", "user:p@w"),
        ("http://:pw@server/", "http://server/", None),
        ("http://@server/", "http://server/", None),
    ],
)
def test_user_information_is_taken_out(url: str, bare: str, credentials: str | None) -> None:
    found, authorization = split_user(url)
    assert found == bare
    if credentials is None:
        assert authorization is None
    else:
        assert authorization
        kind, _, value = authorization.value.partition(" ")
        assert (kind, b64decode(value).decode()) == ("Basic", credentials)
        assert authorization.basic


def test_half_a_character_in_a_password_ends_nothing() -> None:
    """JSON can hold one."""
    value = basic_authorization("me", "\ud800x").value
    assert b64decode(value.partition(" ")[2]) == b"me:\xed\xa0\x80x"


@pytest.mark.parametrize(
    "host",
    [
        "network.ruuvi.com",
        "ruuvi.com",
        "RUUVI.com:8443",
        "user:pw@network.ruuvi.com",
        "network.ruuvi.com.",
        "network.\uff52uuvi.com",  # a wide r
        "network.ruuvi\u3002com",  # a wide full stop
    ],
)
def test_simulated_data_is_not_sent_to_ruuvi(host: str) -> None:
    with pytest.raises(ConfigError, match="--simulate: simulated data is never sent to Ruuvi"):
        refuse_ruuvi(f"https://{host}/record")


@pytest.mark.parametrize(
    "host", ["notruuvi.com", "ruuvi.com.example", "127.0.0.1", "[::1]:80", "a..b", "bücher.example"]
)
def test_other_servers_get_simulated_data(host: str) -> None:
    refuse_ruuvi(f"http://{host}/ruuvi.com?ruuvi.com")
    assert not is_ruuvi(host)


# -- secrets --------------------------------------------------------------------------------------


def test_secrets_do_not_show() -> None:
    target = HttpTarget(
        "custom", "http://server/?token=SECRET", 10, basic_authorization("SECRET", "SECRET")
    )
    config = Config(targets=(target,), coordinates="60,25")
    for thing in (target, config, Authorization("SECRET")):
        assert "SECRET" not in repr(thing)
        assert "SECRET" not in str(thing)
        assert "U0VDUkVU" not in repr(thing)  # in base64
    assert "60,25" in repr(config)


# -- where state goes -----------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    return monkeypatch


def test_state_directory(environment: pytest.MonkeyPatch) -> None:
    assert state_directory(None, simulated=False) == Path("/home/somebody/.local/state/ruuvi-host")
    environment.setenv("XDG_STATE_HOME", "relative/ones/do/not/count")
    assert state_directory(None, simulated=False) == Path("/home/somebody/.local/state/ruuvi-host")
    environment.setenv("XDG_STATE_HOME", "/xdg")
    assert state_directory(None, simulated=False) == Path("/xdg/ruuvi-host")
    environment.setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")
    assert state_directory(None, simulated=False) == Path("/var/lib/a")
    assert state_directory(Path("here"), simulated=False) == Path("here")


@pytest.mark.usefixtures("environment")
def test_a_simulated_coprocessor_has_a_folder_of_its_own() -> None:
    simulated = state_directory(None, simulated=True)
    assert simulated != state_directory(None, simulated=False)
    assert state_directory(Path("here"), simulated=True) == Path("here")


def test_without_a_home(environment: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    environment.setattr(Path, "home", nowhere)
    with pytest.raises(ConfigError, match="--state-dir: no home folder: name a folder to use"):
        state_directory(None, simulated=False)
