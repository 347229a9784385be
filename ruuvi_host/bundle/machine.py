"""What program on what machine: facts for the report of a fault, none of which names anybody."""

import os
import platform
import sqlite3
import ssl
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ruuvi_host import __version__
from ruuvi_host.clock import SystemClock
from ruuvi_host.monitoring.machine import memory_available

_LIBRARIES = (
    *("anyio", "click", "crcmod", "cryptography", "fastjsonschema", "gpiod", "httpcore", "httpx"),
    *("idna", "pyserial", "pyserial-asyncio", "rich", "starlette", "tomlkit", "uvicorn"),
)


def facts() -> dict[str, Any]:
    """Looked up at each call. What cannot be read is left out."""
    clock = SystemClock()
    found: dict[str, Any] = {
        "ruuvi-host": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": _system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "c_library": " ".join(platform.libc_ver()).strip(),
        "openssl": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        "board": _first_line("/proc/device-tree/model"),
        "processors": os.cpu_count(),
        "memory_available": memory_available(),
        "uptime": round(clock.uptime()),
        "clock_synchronised": clock.synchronised(),
        "is_root": os.geteuid() == 0,
        "started_by_systemd": "INVOCATION_ID" in os.environ,
        "variables": sorted(name for name in os.environ if name.startswith("RUUVI_HOST_")),
        "libraries": _libraries(),
    }
    return {name: fact for name, fact in found.items() if fact not in (None, "")}


def _libraries() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _system() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return ""


def _first_line(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text("utf-8", "replace").partition("\n")[0].strip("\0 ")
    return ""
