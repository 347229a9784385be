"""Poster against nginx: TLS 1.2 and 1.3, client certificates, basic authentication, resumption,
kept connections.
"""

import asyncio
import base64
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from certificates import Folder, authority, chain, encrypted
from nginx import needs_nginx, nginx
from posting import ACCEPTED, BODY, GATEWAY
from tcp_ports import free_port

from ruuvi_host.config.addresses import basic_authorization
from ruuvi_host.config.targets import HttpTarget, TlsFiles
from ruuvi_host.relay.http.outcome import PostOutcome
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.sink import Verdict

pytestmark = needs_nginx

_TLS = """
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/ours.pem;
    ssl_session_tickets on;
    log_format ruuvi '$ssl_protocol $ssl_session_reused $connection_requests $ssl_client_s_dn';
    access_log {folder}/tls.log ruuvi;
    server {{ listen 127.0.0.1:{v12} ssl; ssl_protocols TLSv1.2; location / {{ return 200; }} }}
    server {{ listen 127.0.0.1:{v13} ssl; ssl_protocols TLSv1.3; location / {{ return 200; }} }}
    server {{
        listen 127.0.0.1:{client12} ssl; ssl_protocols TLSv1.2; ssl_verify_client on;
        location / {{ return 200; }}
    }}
    server {{
        listen 127.0.0.1:{client13} ssl; ssl_protocols TLSv1.3; ssl_verify_client on;
        location / {{ return 200; }}
    }}
    server {{ listen 127.0.0.1:{ok}; location / {{ return 200; }} }}
    server {{
        listen 127.0.0.1:{basic};
        location /record {{
            auth_basic "batches"; auth_basic_user_file {folder}/users;
            proxy_pass http://127.0.0.1:{ok};
        }}
        location /small {{ client_max_body_size 10; proxy_pass http://127.0.0.1:1; }}
        location /dead {{ proxy_pass http://127.0.0.1:1; }}
    }}
"""


@dataclass(frozen=True)
class Place:
    folder: Folder
    ports: dict[str, int]

    def target(self, server: str, path: str = "/record", **tls: Any) -> HttpTarget:
        files = TlsFiles(server_cert=self.folder.path / "ours.pem")
        scheme = "http" if server == "basic" else "https"
        return HttpTarget(
            "custom",
            f"{scheme}://127.0.0.1:{self.ports[server]}{path}",
            tls=replace(files, **tls),
        )

    def logged(self) -> list[str]:
        return (self.folder.path / "tls.log").read_text().splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = Folder(tmp_path)
    server = authority().issue_cert("127.0.0.1")
    folder.authority()
    folder.file("server.pem", chain(server))
    folder.file("server.key", server.private_key_pem.bytes())
    secret = base64.b64encode(hashlib.sha1(b"pass1").digest()).decode()
    (tmp_path / "users").write_text(f"user1:{{SHA}}{secret}\n")
    names = ("v12", "v13", "client12", "client13", "basic", "ok")
    return Place(folder, {name: free_port() for name in names})


def deliveries(target: HttpTarget, times: int = 1) -> list[PostOutcome]:
    async def main() -> list[PostOutcome]:
        poster = Poster(target, rest=0)
        outcomes = [await poster.post(BODY, GATEWAY) for _ in range(times)]
        await poster.close()
        return outcomes

    return asyncio.run(main())


def configuration(place: Place) -> str:
    return _TLS.format(folder=place.folder.path, **place.ports)


def client_files(place: Place, authority_name: str = "ours") -> dict[str, Any]:
    ours = authority(authority_name).issue_cert("gateway.example")
    key = encrypted(ours.private_key_pem.bytes(), "secret")
    return {
        "client_cert": place.folder.file("cli.pem", chain(ours)),
        "client_key": place.folder.file("cli.key", key),
        "client_key_password": "secret",
    }


def test_versions_resumption_and_kept_connections(place: Place) -> None:
    with nginx(place.folder.path, configuration(place)):
        for server in ("v12", "v13"):
            assert deliveries(place.target(server), 3) == [ACCEPTED] * 3
            kept = replace(place.target(server), keep_alive=True)
            assert deliveries(kept, 3) == [ACCEPTED] * 3
    expected = []
    for version in ("TLSv1.2", "TLSv1.3"):
        expected += [f"{version} . 1 -", f"{version} r 1 -", f"{version} r 1 -"]
        expected += [f"{version} . {number} -" for number in (1, 2, 3)]
    assert place.logged() == expected


@pytest.mark.parametrize("server", ["client12", "client13"])
def test_client_certificates(place: Place, server: str) -> None:
    with nginx(place.folder.path, configuration(place)):
        good = place.target(server, **client_files(place))
        assert deliveries(good, 2) == [ACCEPTED] * 2
        [none] = deliveries(place.target(server))
        assert none.reason.endswith(
            "was sent (nginx: it wants a client certificate that it trusts)"
        )
        [other] = deliveries(place.target(server, **client_files(place, "theirs")))
        assert other.reason.endswith("error (nginx: it wants a client certificate that it trusts)")
        # Both are 400, and yet it is not the data that is wrong.
        for outcome in (none, other):
            assert (outcome.verdict, outcome.code) == (Verdict.FIX, 400)


def test_http_to_the_port_of_https_and_the_other_way_round(place: Place) -> None:
    with nginx(place.folder.path, configuration(place)):
        target = place.target("v13")
        plain = replace(target, url=target.url.replace("https:", "http:"))
        [outcome] = deliveries(plain)
        assert "The plain HTTP request was sent to HTTPS port (nginx: the port speaks https)" in (
            outcome.reason
        )
        assert outcome.verdict is Verdict.FIX
        target = place.target("basic")
        [outcome] = deliveries(replace(target, url=target.url.replace("http:", "https:")))
        assert outcome.reason.endswith("does not answer in TLS: is it http, or another port?")
        assert outcome.verdict is Verdict.FIX


def test_basic_authentication_and_what_nginx_answers(place: Place) -> None:
    with nginx(place.folder.path, configuration(place)):
        target = place.target("basic")
        for password, status in (("pass1", 200), ("wrong", 401)):
            authorization = basic_authorization("user1", password)
            [outcome] = deliveries(replace(target, authorization=authorization))
            assert outcome.code == status
        assert outcome.verdict is Verdict.FIX
        assert deliveries(place.target("basic", "/small"))[0].verdict is Verdict.REFUSED
        assert deliveries(place.target("basic", "/dead"))[0].verdict is Verdict.LATER
