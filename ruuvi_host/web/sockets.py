"""Listening sockets: on TCP, as a file, or opened by systemd.

What cannot be is a ConfigError with the key or option that names the place.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from ruuvi_host.errors import ConfigError

MODE = 0o660
"""Of a Unix socket: for its owner and group, as a proxy may be in."""
LONGEST = 107
"""Bytes of its path; a limit of the system."""
FIRST_FD = 3
"""sd_listen_fds(3): the first that systemd passes on."""


def tcp(
    host: str, port: int, host_key: str, port_key: str, low_ports: str = ""
) -> list[socket.socket]:
    """On every address that the host name stands for. Looks the name up, which can take long.

    port: 0: any free one. low_ports: how else one below 1024 can be had. Raises ConfigError.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(host_key, f"{host!r} is no address of this machine") from error
    opened: list[socket.socket] = []
    failed: OSError | None = None
    for family, address in dict.fromkeys((family, address) for family, *_, address in found):
        where = cast(
            Any, (address[0], opened[0].getsockname()[1] if opened else port, *address[2:])
        )
        both = address[0] == "::" and socket.has_dualstack_ipv6()
        try:
            opened.append(socket.create_server(where, family=family, dualstack_ipv6=both))
        except OSError as error:
            failed = error
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                break
    if failed and (not opened or failed.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        for each in opened:
            each.close()
        raise ConfigError(
            *_explained(failed, host, port, host_key, port_key, low_ports)
        ) from failed
    return opened


def _explained(
    error: OSError, host: str, port: int, host_key: str, port_key: str, low_ports: str
) -> tuple[str, str]:
    """The key, and what is wrong with it."""
    match error.errno:
        case errno.EADDRINUSE:
            return port_key, f"port {port} is in use; take another one (0: any that is free)"
        case errno.EACCES | errno.EPERM:
            return port_key, f"no permission for port {port}; take one over 1023{low_ports}"
        case errno.EADDRNOTAVAIL:
            return host_key, f"{host!r} is no address of this machine"
    return host_key, f"cannot listen on {host!r}: {error.strerror}"


@contextmanager
def unix(path: str, key: str) -> Iterator[socket.socket]:
    """A socket at `path`, gone afterwards. One that nobody listens at any more is replaced.

    Raises ConfigError.
    """
    if len(os.fsencode(path)) > LONGEST:
        raise ConfigError(key, f"{path} is too long: a socket has at most {LONGEST} bytes")
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    ours: os.stat_result | None = None
    try:
        try:
            _remove_stale(path, key)
            opened.bind(path)
            os.chmod(path, MODE)  # before anybody listens: until then no client can connect
            ours = os.lstat(path)
        except OSError as error:
            raise ConfigError(key, f"no socket at {path}: {error.strerror}") from error
        yield opened
    finally:
        opened.close()
        with suppress(OSError):
            if ours and os.path.samestat(os.lstat(path), ours):
                os.unlink(path)


def _remove_stale(path: str, key: str) -> None:
    """Raises ConfigError when there is something else than a socket that nobody listens at."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise ConfigError(key, f"{path} is there, and is no socket: move it, or take another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full queue is somebody who listens
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass
    raise ConfigError(key, f"{path} is in use by another process")


def of_systemd(key: str, environment: MutableMapping[str, str] = os.environ) -> socket.socket:
    """The socket that systemd has opened for us; each call gives a copy of it. Raises ConfigError.

    Source: sd_listen_fds(3).
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        raise ConfigError(
            key, 'there is no socket of systemd: "systemd" needs a .socket unit beside the service'
        )
    if environment.get("LISTEN_FDS") != "1":
        count = environment.get("LISTEN_FDS", "0")
        raise ConfigError(key, f"systemd has passed {count} sockets; there must be one")
    os.set_inheritable(FIRST_FD, False)
    try:
        opened = socket.socket(fileno=os.dup(FIRST_FD))
        listens = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(key, f"the socket of systemd: {error.strerror}") from error
    if not listens or opened.type != socket.SOCK_STREAM:
        opened.close()
        raise ConfigError(key, "the socket of systemd must be one that listens, as ListenStream=")
    return opened
