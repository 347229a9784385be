"""Brokers for the tools of this folder: real ones, on loopback, on ports that are free."""

import resource
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Self

PATIENCE = 30.0
"""Seconds until a broker listens."""
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


class BrokerError(Exception):
    """It cannot be started. The message says why, and what would help."""


def free_port() -> int:
    """One that nobody uses at any address, kept for this process: see tests/tcp_ports.py."""
    holder = socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET)
    if holder.family == socket.AF_INET6:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("", 0))
    port = int(holder.getsockname()[1])
    holder.detach()
    return port


def allow_connections(count: int) -> None:
    """So many, for this process and those it starts. Raises BrokerError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise BrokerError(f"only {hard} files may be open here (ulimit -Hn); {count} are needed")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Mosquitto:
    """mosquitto, with these lines of configuration. A context manager."""

    def __init__(self, folder: Path, *lines: str) -> None:
        if not Path(MOSQUITTO).exists():
            raise BrokerError("mosquitto is not installed (Debian's package mosquitto)")
        self.port = free_port()
        self._path = folder / "mosquitto.conf"
        given = (
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            *lines,
            "",
        )
        self._path.write_text("\n".join(("user root", "log_type error", *given)), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Until it listens. Raises BrokerError."""
        log = self._path.with_suffix(".log")
        with log.open("ab") as out:
            command = [MOSQUITTO, "-c", str(self._path)]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        wait_for_port(self.port, self._process, log)

    def kill(self) -> None:
        """As by a power cut."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def wait_for_port(
    port: int, process: "subprocess.Popen[bytes]", log: Path, patience: float = PATIENCE
) -> None:
    """Until somebody listens there, for so many seconds. Raises BrokerError."""
    end = monotonic() + patience
    while monotonic() < end:
        if process.poll() is not None:
            said = log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
            raise BrokerError(f"{process.args!r} has ended: {said}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        sleep(0.05)
    raise BrokerError(f"nobody listens on port {port}")
