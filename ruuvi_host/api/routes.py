"""What can be asked: method, path, who may, and what answers it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.auth import delete_auth, get_auth, post_auth
from ruuvi_host.api.bundle import bundle
from ruuvi_host.api.check import post_check
from ruuvi_host.api.door import Door
from ruuvi_host.api.download import post_download
from ruuvi_host.api.files import delete_file, get_file, post_file
from ruuvi_host.api.gateway_document import get_ruuvi_json
from ruuvi_host.api.history import get_history
from ruuvi_host.api.metrics import get_metrics
from ruuvi_host.api.page_changes import get_settings, get_undo, post_settings, post_undo
from ruuvi_host.api.page_data import get_log, get_now, get_points
from ruuvi_host.api.page_files import page_files
from ruuvi_host.api.scanning import post_bluetooth_scanning
from ruuvi_host.api.settings import post_ruuvi_json
from ruuvi_host.api.validate import validate_url

Handler: TypeAlias = Callable[[Request, Door], Awaitable[Response]]


class Key(Enum):
    """Who may ask."""

    NOBODY = "none"
    """Anyone: the page's own files, which hold no data."""
    OWN = "own"
    """`/auth` checks for itself."""
    READ = "r"
    """Either key, or the access type."""
    WRITE = "rw"
    """The reading-and-writing key, or the access type."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    key: Key
    handler: Handler


ROUTES: tuple[Route, ...] = (
    Route("GET", "/auth", Key.OWN, get_auth),
    Route("POST", "/auth", Key.OWN, post_auth),
    Route("DELETE", "/auth", Key.OWN, delete_auth),
    Route("GET", "/history", Key.READ, get_history),
    Route("GET", "/metrics", Key.READ, get_metrics),
    Route("GET", "/ruuvi.json", Key.READ, get_ruuvi_json),
    *(Route("GET", path, Key.NOBODY, file) for path, file in page_files().items()),
    Route("GET", "/validate_url", Key.WRITE, validate_url),
    Route("POST", "/gw_cfg_download", Key.WRITE, post_download),
    Route("POST", "/host/check", Key.WRITE, post_check),
    Route("GET", "/host/bundle", Key.WRITE, bundle),
    Route("POST", "/ruuvi.json", Key.WRITE, post_ruuvi_json),
    Route("GET", "/extra_cfg", Key.READ, get_file),
    Route("POST", "/extra_cfg", Key.WRITE, post_file),
    Route("DELETE", "/extra_cfg", Key.WRITE, delete_file),
    Route("POST", "/ssl_cert", Key.WRITE, post_file),
    Route("DELETE", "/ssl_cert", Key.WRITE, delete_file),
    Route("POST", "/bluetooth_scanning.json", Key.WRITE, post_bluetooth_scanning),
    Route("GET", "/host/now", Key.READ, get_now),
    Route("GET", "/host/history", Key.READ, get_points),
    Route("GET", "/host/log", Key.WRITE, get_log),
    Route("GET", "/host/settings", Key.WRITE, get_settings),
    Route("POST", "/host/settings", Key.WRITE, post_settings),
    Route("GET", "/host/undo", Key.WRITE, get_undo),
    Route("POST", "/host/undo", Key.WRITE, post_undo),
)
