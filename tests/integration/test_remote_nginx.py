"""A configuration fetched from nginx, set up as on the page."""

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

from certificates import Folder, authority, chain
from nginx import needs_nginx, nginx
from remote_world import MAC, TEXT, get
from tcp_ports import free_port

from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.remote.answer import Failed, Fetched, NotModified

pytestmark = needs_nginx

_SERVERS = """
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/ours.pem;
    gzip on; gzip_types application/json; gzip_min_length 1;
    types {{ application/json json; }}
    server {{
        listen 127.0.0.1:{page} ssl;
        underscores_in_headers on;
        location /gw/ {{ root {folder}; etag on; }}
        location /who.json {{ return 200 '$http_ruuvi_gw_mac'; }}
        location /moved/ {{ return 308 /gw/gw_cfg.json; }}
        location /basic/ {{
            auth_basic "gw"; auth_basic_user_file {folder}/users; alias {folder}/gw/;
        }}
    }}
    server {{ listen 127.0.0.1:{plain}; location /who.json {{ return 200 '$http_ruuvi_gw_mac'; }} }}
    server {{
        listen 127.0.0.1:{client} ssl; ssl_verify_client on; location /gw/ {{ root {folder}; }}
    }}
"""


def test_nginx(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    anchor = folder.authority()
    server = authority().issue_cert("127.0.0.1")
    folder.file("server.pem", chain(server))
    folder.file("server.key", server.private_key_pem.bytes())
    ours = authority().issue_cert("host")
    cert = folder.file("cert.pem", chain(ours))
    key = folder.file("key.pem", ours.private_key_pem.bytes())
    digest = base64.b64encode(hashlib.sha1(b"secret").digest()).decode()
    folder.file("users", f"fleet:{{SHA}}{digest}\n".encode())
    (tmp_path / "gw").mkdir()
    (tmp_path / "gw" / "gw_cfg.json").write_text(TEXT)
    ports = {name: free_port() for name in ("page", "plain", "client")}
    trusting = TlsFiles(server_cert=anchor)

    async def main() -> None:
        page = f"https://127.0.0.1:{ports['page']}"
        first = await get(f"{page}/gw/", tls=trusting)
        assert isinstance(first.answer, Fetched), first.answer
        assert (first.answer.text, bool(first.answer.etag)) == (TEXT, True)
        again = await get(f"{page}/gw/", first.memory, tls=trusting)
        assert again.answer == NotModified(f"{page}/gw/gw_cfg.json")
        (tmp_path / "gw" / "gw_cfg.json").write_text(TEXT + "\n")
        changed = await get(f"{page}/gw/", again.memory, tls=trusting)
        assert isinstance(changed.answer, Fetched)

        who = await get(f"{page}/who.json", tls=trusting)
        assert isinstance(who.answer, Fetched)
        assert who.answer.text == MAC
        dropped = (await get(f"http://127.0.0.1:{ports['plain']}/who.json")).answer
        assert isinstance(dropped, Failed), "without underscores_in_headers nobody knows who asks"
        assert dropped.reason == "the file is empty"

        moved = await get(f"{page}/moved/", tls=trusting)
        assert isinstance(moved.answer, Fetched)
        secret: dict[str, Any] = {"auth": "basic", "user": "fleet", "password": "secret"}
        basic = await get(f"{page}/basic/gw_cfg.json", tls=trusting, **secret)
        assert isinstance(basic.answer, Fetched)
        refused = (await get(f"{page}/basic/gw_cfg.json", tls=trusting)).answer
        assert isinstance(refused, Failed)
        assert (refused.result, refused.status) == ("auth", 401)

        client = f"https://127.0.0.1:{ports['client']}/gw/"
        known = await get(client, tls=TlsFiles(cert, key, None, anchor))
        assert isinstance(known.answer, Fetched)
        unknown = (await get(client, tls=trusting)).answer
        assert isinstance(unknown, Failed)
        assert "certificate" in unknown.reason

    with nginx(tmp_path, _SERVERS.format(folder=tmp_path, **ports)):
        asyncio.run(main())
