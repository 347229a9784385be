"""A real Caddy for tests. `needs_caddy` marks what needs it: loudly skipped where it is missing, a
failure where CI says so.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nginx import wait_until_listening
from programs import PATIENCE

CADDY = shutil.which("caddy")

needs_caddy = pytest.mark.skipif(
    not CADDY and os.environ.get("CI") != "true",
    reason="CADDY IS MISSING (Debian: apt install caddy): the page's settings were not run",
)


@contextmanager
def caddy(folder: Path, configuration: str, port: int) -> Iterator[None]:
    """Runs while the block does, and listens on `port`."""
    assert CADDY, "CI=true, and caddy is not installed"
    path = folder / "Caddyfile"
    path.write_text(
        f"{{\n admin off\n auto_https off\n storage file_system {folder}\n}}\n{configuration}"
    )
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    log = (folder / "caddy.log").open("w+")
    process = subprocess.Popen(
        [CADDY, "run", "--config", str(path), "--adapter", "caddyfile"],
        stderr=log,
        env=os.environ | home,
    )
    try:
        wait_until_listening(port, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        log.close()
