"""A folder of configurations, as gateways fetch them: by name, with ETag and Last-Modified.

A gateway asks for `<12 digits of its address>.json`, and if there is none, for `gw_cfg.json`.
Source: ruuvi.gateway_esp.c http_server_cb.c; of the conditions, RFC 9110 section 13.
"""

import hashlib
import json
import os
import re
import stat
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

from ruuvi_host.receiver.examine import Headers
from ruuvi_host.receiver.receipt import printable

LARGEST = 1 << 20
"""Bytes of a file that is served. A host takes 256 KiB at most."""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
"""Of a folder or file: none that is hidden, and none that leads up."""
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Served:
    """An answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for which file, and what was answered."""

    time: float
    """Wall seconds."""
    gateway: str
    """As it says, in `ruuvi_gw_mac`; else the address that it asks from."""
    request: str
    """Method and target."""
    status: int
    version: str
    """Of ruuvi-host; empty: it does not say, as a real gateway."""


def serve(folder: Path, path: str, headers: Headers) -> Served:
    """The file of this path below the folder, if the client has not got it yet. May block.

    path: decoded, beginning with a slash.
    """
    body, modified = _read(folder, path)
    if body is None:
        # Else a host would not look for its own file for a while.
        told = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
        return Served(404, told, b"There is no such file.\n")
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    about = {"ETag": etag, "Last-Modified": formatdate(modified, usegmt=True)}
    about["Cache-Control"] = "no-cache"
    if _has_it(headers, etag, modified):
        return Served(304, about)
    kind = "application/json" if path.endswith(".json") else "text/plain; charset=utf-8"
    return Served(200, about | {"Content-Type": kind}, body)


def header(headers: Headers, name: bytes) -> str:
    """Of a name in lower case; empty: there is none."""
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


def text_line(asked: Asked) -> str:
    words = [
        time.strftime("%H:%M:%S", time.localtime(asked.time)),
        f"{'asked':<9}",
        printable(asked.gateway, 60),
        printable(asked.request),
        f"answered {asked.status}",
        f"ruuvi-host {printable(asked.version, 30)}" if asked.version else "",
    ]
    return "  ".join(word for word in words if word)


def json_line(asked: Asked) -> str:
    return json.dumps(
        {
            "time": round(asked.time, 3),
            "result": "asked",
            "status": asked.status,
            "gw_mac": printable(asked.gateway, 60),
            "request": printable(asked.request),
            "version": printable(asked.version, 30) or None,
        }
    )


def _read(folder: Path, path: str) -> tuple[bytes | None, float]:
    """The content of a file, and when it was changed. None: there is none that may be served."""
    segments = path.removeprefix("/").split("/")
    if not all(_NAME.fullmatch(segment) for segment in segments):
        return None, 0.0
    try:
        real = folder.joinpath(*segments).resolve(strict=True)
        if not real.is_relative_to(folder.resolve()):  # a link that leads out of it
            return None, 0.0
        with open(real, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                return None, 0.0
            return file.read(LARGEST), found.st_mtime
    except (OSError, RuntimeError):
        return None, 0.0


def _has_it(headers: Headers, etag: str, modified: float) -> bool:
    if given := header(headers, b"if-none-match"):
        names = {name.strip().removeprefix("W/") for name in given.split(",")}
        return bool(names & {etag, _ANY})
    try:
        since = parsedate_to_datetime(header(headers, b"if-modified-since"))
    except ValueError:
        return False
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return datetime.fromtimestamp(int(modified), UTC) <= since


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would wait for its writer
