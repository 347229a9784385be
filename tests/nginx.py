"""A real nginx for tests. `needs_nginx` marks what needs it: loudly skipped where it is missing,
a failure where CI says so.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import PATIENCE

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

needs_nginx = pytest.mark.skipif(
    not NGINX and os.environ.get("CI") != "true",
    reason="NGINX IS MISSING (Debian: apt install nginx-light): TLS was not tried against it",
)

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr warn;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""


@contextmanager
def nginx(folder: Path, http: str) -> Iterator[None]:
    """Runs while the block does. http: what stands inside the http block."""
    assert NGINX, "CI=true, and nginx is not installed"
    path = folder / "nginx.conf"
    path.write_text(_CONFIGURATION.format(folder=folder, http=http))
    log = (folder / "error.log").open("w+")
    process = subprocess.Popen(
        [NGINX, "-p", str(folder), "-c", str(path), "-e", "stderr"], stderr=log
    )
    try:
        for line in http.splitlines():
            if line.strip().startswith(("listen", "server { listen")):
                address = line.split("listen", 1)[1].split()[0].rstrip(";")
                wait_until_listening(int(address.rpartition(":")[2]), process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        log.close()


def wait_until_listening(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """process: the one that is to listen; it must not end meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert not process or process.poll() is None, "it has ended: see error.log"
        assert time.monotonic() < deadline, f"nobody listens on port {port}"
        time.sleep(0.01)
