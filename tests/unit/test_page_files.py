"""The page's own files: what is in them, and how they are served."""

import asyncio
import gzip
import re
import shutil
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import PROTECTION
from ruuvi_host.api.page_files import FOLDER, PageFile, page_files

SOURCES = sorted(path for path in FOLDER.iterdir() if path.is_file())
SCRIPTS = [path for path in SOURCES if path.suffix == ".js"]


def asked(file: PageFile, **headers: str) -> Response:
    lines = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": lines})
    return asyncio.run(file(request, None))  # type: ignore[arg-type] # no file asks the host


def path_of(files: dict[str, PageFile], stem: str) -> str:
    [path] = [path for path in files if path.startswith(f"/{stem}.")]
    return path


def test_every_file_is_served_and_found_by_the_others() -> None:
    files = page_files()
    assert len(files) == len(SOURCES)
    for path, file in files.items():
        for name in re.findall(rb'(?:from|src=|href=) ?"(?!#)(?:\./)?([^":]+)"', file.content):
            assert f"/{name.decode()}" in files, (path, name)
    index = files["/"].content.decode()
    assert path_of(files, "app").removeprefix("/") in index
    assert path_of(files, "style").removeprefix("/") in index


def test_addresses_change_with_any_file(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "page")
    before = page_files(tmp_path / "page")
    assert set(before) == set(page_files())
    with (tmp_path / "page" / "plot.js").open("a") as file:
        file.write("\n")
    after = page_files(tmp_path / "page")
    assert set(before) & set(after) == {"/"}


def test_the_page_is_asked_for_each_time() -> None:
    answer = asked(page_files()["/"], accept_encoding="gzip")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "no-store" in answer.headers["cache-control"]


def test_its_files_are_kept() -> None:
    files = page_files()
    file = files[path_of(files, "app")]
    answer = asked(file)
    assert answer.body == file.content
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    zipped = asked(file, accept_encoding="gzip, br")
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(bytes(zipped.body)) == file.content
    assert int(zipped.headers["content-length"]) == len(zipped.body) < len(file.content)


@pytest.mark.parametrize("headers", [{}, {"if_none_match": "*"}, {"accept_encoding": "gzip"}])
def test_every_answer_protects_the_browser(headers: dict[str, str]) -> None:
    files = page_files()
    for path, file in files.items():
        tagged = headers | ({"if_none_match": file.tag} if "if_none_match" in headers else {})
        answer = asked(file, **tagged)
        assert answer.status_code == (304 if tagged.get("if_none_match") else 200), path
        for name, value in PROTECTION.items():
            assert answer.headers[name] == value, path
        if answer.status_code == 304:
            assert answer.body == b""


def test_what_protects_the_browser() -> None:
    policy = [part.split() for part in PROTECTION["Content-Security-Policy"].split(";")]
    allowed = {name: sources for name, *sources in policy}
    assert allowed["default-src"] == ["'self'"]
    assert allowed["frame-ancestors"] == allowed["object-src"] == allowed["base-uri"] == ["'none'"]
    assert allowed["require-trusted-types-for"] == ["'script'"]
    assert not {"script-src", "style-src"} & allowed.keys(), "nothing more than the default"
    assert PROTECTION["X-Content-Type-Options"] == "nosniff"
    assert PROTECTION["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_in_them_can_become_markup_or_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for word in (
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser"),
        *("eval(", "new Function", "createPolicy", "srcdoc", "javascript:", '"data:'),
        *("import(", "localStorage", "sessionStorage"),
    ):
        assert word not in text
    addresses = set(re.findall(r"https?://[a-z0-9][a-z0-9.]+", text))
    assert addresses <= {
        "http://www.w3.org",  # the name of SVG, which nothing fetches
        *("https://network.ruuvi.com", "https://server.example"),
    }
    if path.suffix == ".html":
        assert not re.search(r"<style|style=|<script>|\son[a-z]+=", text)


def test_every_text_of_the_page_is_there() -> None:
    keys = set(re.findall(r"^  (\w+):", (FOLDER / "texts.en.js").read_text("utf-8"), re.MULTILINE))
    others = [path for path in SCRIPTS if not path.name.startswith("texts.")]
    used = {
        key for path in others for key in re.findall(r'say\(\s*"(\w+)"', path.read_text("utf-8"))
    }
    assert len(used) > 100
    assert used <= keys


def test_the_english_texts_are_one_each() -> None:
    keys = re.findall(r"^  (\w+):", (FOLDER / "texts.en.js").read_text("utf-8"), re.MULTILINE)
    assert len(keys) == len(set(keys))
