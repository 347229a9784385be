"""`ruuvi-host receive --gw-cfg`: a folder of configurations, fetched by a host and by others."""

import asyncio
import json
import os
import re
from pathlib import Path

import httpx
import pytest
from programs import PATIENCE
from remote_world import MAC, TEXT, get
from test_receive_cli import receive, refused

from ruuvi_host import __version__
from ruuvi_host.receiver.configurations import serve
from ruuvi_host.remote.answer import Fetched, NotModified


def test_a_host_fetches_its_own_file_or_the_one_for_all(tmp_path: Path) -> None:
    (tmp_path / "gw_cfg.json").write_text(TEXT)
    with receive("--gw-cfg", str(tmp_path)) as process:
        fetched = asyncio.run(get(process.url))
        assert isinstance(fetched.answer, Fetched)
        assert fetched.answer.text == TEXT
        again = asyncio.run(get(process.url, fetched.memory))
        assert again.answer == NotModified(f"{process.url}gw_cfg.json")
        (tmp_path / "AACCEE001122.json").write_text("{}")
        own = asyncio.run(get(process.url, again.memory)).answer
        assert isinstance(own, Fetched)
        assert (own.text, own.url) == ("{}", f"{process.url}AACCEE001122.json")
        assert process.post().status_code == 200, "batches are taken, too"
        lines, _ = process.stop()
    tail = f"ruuvi-host {__version__}"
    assert [line[10:] for line in lines[:-2]] == [
        f"asked      {MAC}  GET /AACCEE001122.json  answered 404  {tail}",
        f"asked      {MAC}  GET /gw_cfg.json  answered 200  {tail}",
        f"asked      {MAC}  GET /AACCEE001122.json  answered 404  {tail}",
        f"asked      {MAC}  GET /gw_cfg.json  answered 304  {tail}",
        f"asked      {MAC}  GET /AACCEE001122.json  answered 200  {tail}",
    ]
    assert lines[-1].startswith("Stopped: 1 accepted, ")


def test_as_json_and_for_any_client(tmp_path: Path) -> None:
    (tmp_path / "gw_cfg.json").write_text(TEXT)
    with receive("--json", "--gw-cfg", str(tmp_path)) as process:
        url = json.loads(process.first)["listening"]
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            first = client.get(f"{url}gw_cfg.json?key=SECRET")
            assert first.text == TEXT
            assert first.headers["Content-Type"] == "application/json"
            when = first.headers["Last-Modified"]
            for name, value, status in (
                ("If-Modified-Since", when, 304),
                ("If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT", 200),
                ("If-Modified-Since", "yesterday", 200),
                ("If-None-Match", f'"x", W/{first.headers["ETag"]}', 304),
                ("If-None-Match", "*", 304),
                ("If-None-Match", '"x"', 200),
            ):
                answer = client.get(f"{url}gw_cfg.json", headers={name: value})
                assert answer.status_code == status, (name, value)
            head = client.head(f"{url}gw_cfg.json")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Length"] == str(len(TEXT))
            assert client.get(url).text.startswith("This is ruuvi-host receive")
            assert client.put(f"{url}gw_cfg.json", content=b"{}").status_code == 405
        lines, _ = process.stop()
    said = json.loads(lines[0])
    assert (said["result"], said["status"], said["version"]) == ("asked", 200, None)
    assert said["request"] == "GET /gw_cfg.json"
    assert re.fullmatch(r"127.0.0.1:\d+", said["gw_mac"])
    assert "SECRET" not in "".join(lines)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "//", "/../secret.json", "/..%2fsecret.json", "/%2e%2e/secret.json", "/sub", ""),
        *("/.hidden.json", "/link.json", "/pipe.json", "/large.json", "/sub/../gw_cfg.json"),
        *("/gw_cfg.json/", "/gw_cfg.json\0", "/\udc80", "/" + "a" * 300, "/none.json"),
    ],
)
def test_nothing_else_is_served(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "gw"
    (folder / "sub").mkdir(parents=True)
    (folder / "gw_cfg.json").write_text(TEXT)
    (folder / "sub" / "a.json").write_text("{}")
    (tmp_path / "secret.json").write_text("secret")
    (folder / ".hidden.json").write_text("hidden")
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(folder / "pipe.json")
    (folder / "large.json").write_bytes(bytes((1 << 20) + 1))
    answer = serve(folder, path, ())
    assert (answer.status, answer.body) == (404, b"There is no such file.\n")
    assert serve(folder, "/sub/a.json", ()).body == b"{}"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    said = refused("--port", "0", "--gw-cfg", str(tmp_path / "nowhere"))
    assert "--gw-cfg" in said
    assert "is no folder" in said
