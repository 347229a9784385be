"""Where the local API may listen, and whose request it is: decisions without a socket."""

from ipaddress import ip_network
from typing import Any

import pytest

from ruuvi_host.api.listening import Place, place
from ruuvi_host.config.api import ApiSettings, parse_listen, parse_proxies
from ruuvi_host.web.client import client_address, is_local
from ruuvi_host.web.target import path_and_headers

NOBODY = {"lan_auth_type": "lan_auth_default", "lan_auth_api_key": "", "lan_auth_api_key_rw": ""}
ANYBODY = NOBODY | {"lan_auth_type": "lan_auth_allow"}
OWN = NOBODY | {"lan_auth_type": "lan_auth_ruuvi"}


def at(
    listen: str, access: dict[str, str], *, local_socket: bool = False, as_root: bool = False
) -> Place:
    settings = ApiSettings(parse_listen(listen))
    return place(settings, access, local_socket=local_socket, as_root=as_root)


@pytest.mark.parametrize("access", [NOBODY, ANYBODY, OWN])
@pytest.mark.parametrize(
    "listen", ["127.0.0.1:80", "[::1]:80", "localhost:80", "127.9.9.9:80", "unix:/run/x"]
)
def test_this_machine_may_always_ask(listen: str, access: dict[str, str]) -> None:
    assert at(listen, access) == Place(parse_listen(listen))


@pytest.mark.parametrize(
    ("listen", "inside"),
    [
        ("0.0.0.0:8080", "127.0.0.1:8080"),
        ("[::]:8080", "[::1]:8080"),
        ("gateway.lan:80", "127.0.0.1:80"),
        ("192.168.1.5:80", "127.0.0.1:80"),
    ],
)
def test_nobody_has_set_a_password(listen: str, inside: str) -> None:
    found = at(listen, NOBODY)
    assert found.listen == parse_listen(inside)
    assert found.fault == (
        f"{listen} is open to the network, and there is no password or key of your own yet: the "
        f"API listens on {inside} only. Set one: ruuvi-host config password"
    )


def test_a_socket_of_systemd() -> None:
    assert at("systemd", NOBODY, local_socket=True) == Place(parse_listen("systemd"))
    found = at("systemd", NOBODY)
    assert found.listen == parse_listen("systemd")
    assert found.is_inside
    assert "the API answers this machine only" in found.fault
    assert at("systemd", OWN) == Place(parse_listen("systemd"))


def test_what_is_dangerous_and_wanted() -> None:
    for access, said in (
        (ANYBODY, "everybody in the network can read and change everything"),
        (NOBODY | {"lan_auth_api_key": "k"}, "the password is still the device id"),
        (NOBODY | {"lan_auth_api_key_rw": "k"}, "the password is still the device id"),
    ):
        found = at("0.0.0.0:80", access)
        assert (found.listen, found.fault) == (parse_listen("0.0.0.0:80"), "")
        assert said in found.warnings[0]
    for kind in ("lan_auth_ruuvi", "lan_auth_basic", "lan_auth_digest", "lan_auth_deny"):
        found = at("0.0.0.0:80", NOBODY | {"lan_auth_type": kind})
        assert found == Place(parse_listen("0.0.0.0:80"))


def test_who_asks_by_a_proxy_is_not_this_machine() -> None:
    settings = ApiSettings(parse_listen("127.0.0.1:80"), proxies=parse_proxies(["127.0.0.1"]))
    for access, said in ((ANYBODY, "everybody in the network"), (NOBODY, "is still the device id")):
        found = place(settings, access, local_socket=False, as_root=False)
        assert found.listen == settings.listen
        assert said in found.warnings[0]
    assert place(settings, OWN, local_socket=False, as_root=False).warnings == ()


def test_root_is_warned_of_where_others_reach_it() -> None:
    assert at("127.0.0.1:80", OWN, as_root=True).warnings == ()
    (warning,) = at("0.0.0.0:80", OWN, as_root=True).warnings
    assert warning.startswith("0.0.0.0:80: ruuvi-host runs as root")
    assert len(at("0.0.0.0:80", ANYBODY, as_root=True).warnings) == 2


def test_no_api() -> None:
    assert place(None, ANYBODY, local_socket=False, as_root=True) == Place()


PROXIES = parse_proxies(["10.0.0.1", "10.0.1.0/24", "::1"])


def client(peer: str | None, *forwarded: str, proxies: Any = PROXIES) -> str:
    headers = [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded]
    scope = {"client": (peer, 1) if peer else None, "headers": headers}
    return str(client_address(scope, proxies))


def test_whose_request_it_is() -> None:
    assert client("192.168.1.9") == "192.168.1.9"
    assert client("10.0.0.1", "192.168.1.9") == "192.168.1.9"
    assert client("::1", "fe80::1%eth0") == "fe80::1"
    assert client("::ffff:10.0.0.1", "192.168.1.9") == "192.168.1.9"
    assert client(None, "192.168.1.9") == "None"


def test_what_a_client_says_of_itself_is_not_believed() -> None:
    assert client("192.168.1.9", "1.1.1.1") == "192.168.1.9"
    assert client("10.0.0.1", "1.1.1.1, 192.168.1.9") == "192.168.1.9"
    assert client("10.0.0.1", "1.1.1.1", "192.168.1.9") == "192.168.1.9"
    assert client("10.0.0.1", "1.1.1.1, 192.168.1.9, 10.0.1.7") == "192.168.1.9"
    assert client("10.0.0.1", "1.1.1.1, garbage") == "10.0.0.1"
    assert client("10.0.0.1", "10.0.1.2") == "10.0.1.2"
    assert client("10.0.0.1", "") == "10.0.0.1"
    assert client("10.0.0.1", "192.168.1.9", proxies=()) == "10.0.0.1"
    assert client("10.0.0.1", "::ffff:1.2.3.4", proxies=[ip_network("0.0.0.0/0")]) == "1.2.3.4"


def test_this_machine() -> None:
    for peer in (None, ("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)):
        assert is_local(peer)
    for host in ("192.168.1.9", "::ffff:192.168.1.9", "fe80::1%eth0", "what"):
        assert not is_local((host, 1))


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"/history", "/history", b"x"),
        (b"/%2e/a", "/%2e/a", b"x"),
        (b"http://gw:80/a//b", "/a//b", b"gw:80"),
        (b"HTTP://gw", "/", b"gw"),
        (b"https://[::1]:8080/", "/", b"[::1]:8080"),
        (b"http:///a", "/a", b""),
        (b"ftp://gw/a", "ftp://gw/a", b"x"),
        (b"history", "history", b"x"),
        (b"*", "*", b"x"),
    ],
)
def test_targets(target: bytes, path: str, host: bytes) -> None:
    found, headers = path_and_headers(target, [(b"host", b"x"), (b"a", b"b")])
    assert found == path
    assert sorted(headers) == [(b"a", b"b"), (b"host", host)]
