"""The page's own files: in memory, compressed once, under an address that changes with them.

They hold no data, so anybody gets them. A browser keeps a file as long as it likes, because its
address has the hash of all files in it; only the page itself is asked for each time.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from time import time

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import HTML, PROTECTION, answer
from ruuvi_host.api.door import Door

FOLDER = Path(__file__).with_name("page")
INDEX = "index.html"
TYPES = {
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_KEPT = "public, max-age=31536000, immutable"
_REFERENCE = re.compile(rb'(?<=")((?:\./)?)([a-z0-9_.]+\.(?:css|js|svg))(?=")')


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file. A handler of its own."""

    content: bytes
    zipped: bytes
    content_type: str
    tag: str
    """Of this content; empty: it is asked for each time."""

    async def __call__(self, request: Request, door: Door) -> Response:
        if not self.tag:
            return answer(200, self.content, self.content_type)
        headers = {
            "Server": "Ruuvi Gateway",
            "Date": formatdate(time(), usegmt=True),
            "Cache-Control": _KEPT,
            "ETag": self.tag,
            "Vary": "Accept-Encoding",
            **PROTECTION,
        }
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        headers["Content-Type"] = self.content_type
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.content, 200, headers)
        return Response(self.zipped, 200, headers | {"Content-Encoding": "gzip"})


def page_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """Path → file. Names of files within files become those that they are served under."""
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    contents = {name: text for name, text in contents.items() if Path(name).suffix in TYPES}
    stamp = _stamp(contents)
    names = {name: _stamped(name, stamp) for name in contents if name != INDEX}
    files = {f"/{names[name]}": _file(name, contents[name], names, stamp) for name in names}
    files["/"] = replace(_file(INDEX, contents[INDEX], names, stamp), tag="")
    return files


def _stamp(contents: Mapping[str, bytes]) -> str:
    """Another one whenever a name or a byte is another one."""
    hashes = [
        sha256(part).digest() for pair in contents.items() for part in (pair[0].encode(), pair[1])
    ]
    return sha256(b"".join(hashes)).hexdigest()[:12]


def _stamped(name: str, stamp: str) -> str:
    path = Path(name)
    return f"{path.stem}.{stamp}{path.suffix}"


def _file(name: str, content: bytes, names: Mapping[str, str], stamp: str) -> PageFile:
    def served(found: re.Match[bytes]) -> bytes:
        known = names.get(found[2].decode())
        return found[1] + known.encode() if known else found[0]

    content = _REFERENCE.sub(served, content)
    zipped = gzip.compress(content, mtime=0)
    return PageFile(content, zipped, TYPES[Path(name).suffix], f'"{stamp}"')
