"""A real avahi-daemon for tests, on a bus of its own, in a network of its own: a network namespace
with nothing but a loopback interface, so that no packet can leave it.

`needs_avahi` marks what needs it: skipped where it is missing, a failure where CI says so.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import Program

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_MISSING = [
    name
    for name in ("avahi-daemon", "avahi-publish-service", "avahi-browse", "dbus-daemon", "unshare")
    if not shutil.which(name, path=_PATH)
]
needs_avahi = pytest.mark.skipif(
    bool(_MISSING or os.geteuid() != 0) and os.environ.get("CI") != "true",
    reason=f"needs root, and avahi-daemon, avahi-utils, dbus (missing: {_MISSING})",
)

_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={path}</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_type="method_return"/>
    <allow send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""
_AVAHI = """\
[server]
host-name=machine
use-ipv4=yes
use-ipv6=no
allow-interfaces=lo
enable-dbus=yes
[wide-area]
enable-wide-area=no
[publish]
publish-hinfo=no
publish-workstation=no
[reflector]
enable-reflector=no
[rlimits]
"""
_ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_:  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    flags = struct.unpack("16sH", fcntl.ioctl(any_, 0x8913, struct.pack("16sH", b"lo", 0)))[1]
    fcntl.ioctl(any_, 0x8914, struct.pack("16sH", b"lo", flags | 1))
os.execvp(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def bus(folder: Path) -> Iterator[dict[str, str]]:
    """A system bus. Gives the environment of who is to use it."""
    path = folder / "bus"
    configuration = folder / "bus.conf"
    configuration.write_text(_BUS.format(path=path))
    arguments = ("--nofork", "--print-address", f"--config-file={configuration}")
    with Program("dbus-daemon", *arguments) as daemon:
        daemon.wait_for("^unix:path=")
        yield {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}", "PATH": _PATH}


@contextmanager
def avahi(folder: Path, environment: dict[str, str]) -> Iterator[Program]:
    """The daemon, on that bus."""
    configuration = folder / "avahi.conf"
    configuration.write_text(_AVAHI)
    # Its file with the process number is always in the same place: let that be a folder of its own.
    inside = 'mount -t tmpfs tmpfs /run && exec "$0" "$@"'
    daemon = ("avahi-daemon", "--no-drop-root", "--no-chroot", "--no-proc-title", "--no-rlimits")
    alone = (sys.executable, "-c", _ALONE, *daemon, f"--file={configuration}")
    namespaces = ("unshare", "--net", "--mount")
    command = (*namespaces, "sh", "-c", inside, *alone)
    with Program(*command, env=environment) as program:
        program.wait_for("Server startup complete")
        yield program


def heard(environment: dict[str, str]) -> list[list[str]]:
    """The web servers that are announced: name, host, port and TXT records of each."""
    browse = ("avahi-browse", "--resolve", "--terminate", "--parsable", "--no-db-lookup")
    ran = subprocess.run(
        [*browse, "_http._tcp"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    found = [line.split(";") for line in ran.stdout.splitlines() if line.startswith("=")]
    return [[parts[3], parts[6], parts[8], parts[9]] for parts in found]
