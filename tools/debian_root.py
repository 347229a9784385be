"""A Debian of our own: a root file system made by mmdebstrap, and programs that run in it.

For the tools that need another Debian than this machine is, or one that may be spoilt. Needs root,
and the packages mmdebstrap and util-linux. Mirror, proxy and the like are those of this machine's
own apt; on another system give `--mirror`.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import NoReturn

SUITE = "trixie"
"""Debian 13, whose Python is 3.13."""

MARKER = "etc/ruuvi-host-tests"
"""A file in a root file system of ours: its first line is the suite, its second the packages."""

IN_THE_ROOT = """
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$0/dev/pts" || exit 2
mount -t tmpfs tmpfs "$0/dev/shm" || exit 2
mount -t tmpfs tmpfs "$0/tmp" || exit 2
chroot "$0" "$@"
exit $?  # so that this shell is process 1, not the tests: it has to bury what they leave behind
"""
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
"""Around all that is started: nothing stays mounted, and nothing runs on, when it ends."""
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/venv/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": os.environ.get("TERM", "dumb"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of every tool that makes one."""
    parser.add_argument("--mirror", metavar="URL", help="(default: that of this machine's apt)")
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="keep the root file system there, and use it again if it is there",
    )


def need() -> None:
    """End with status 2, and why, where none can be made. And end well when told to."""
    for command, package in (("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux")):
        if not shutil.which(command):
            stop(f"{command} is not installed (Debian package {package})")
    if os.geteuid() != 0:
        stop("only root can make a root file system and go into it: sudo, or a container")
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _ended)


@contextmanager
def root_of(kept: Path | None) -> Iterator[Path]:
    """Where it is, or is to be made. What is not to be kept is removed in the end."""
    if kept:
        yield kept.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="ruuvi-host-debian-"))
    try:
        yield folder / "root"
    finally:
        # Should anything still be mounted in there, it is somebody's.
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=False)


def make(
    root: Path,
    packages: Iterable[str],
    *,
    suite: str = SUITE,
    mirror: str | None = None,
    kept: bool = False,
) -> None:
    """Make it, unless it is there with the same. kept: it was named by the user."""
    names = sorted({*packages})
    wanted = f"{suite}\n{' '.join(names)}\n"
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        marker = root / MARKER
        if not marker.is_file():
            stop(f"{root} is there and was not made by this program: name another folder")
        if marker.read_text("utf-8") != wanted:
            stop(f"{root} was made with another suite or other packages: remove it first")
        return
    mirror = mirror or mirror_of_apt(output("apt-get", "--print-uris", "update"))
    if not mirror:
        stop("this machine's apt has no Debian mirror: give --mirror")
    print(f"making Debian {suite} from {without_password(mirror)}", flush=True)
    began = monotonic()
    settings = apt_settings(output("apt-config", "dump"))
    made = subprocess.run(
        [
            *NAMESPACES,
            *("mmdebstrap", "--quiet", "--variant=minbase"),
            *(f"--aptopt={setting}" for setting in settings),
            f"--include={','.join(names)}",
            *(suite, str(root), mirror),
        ],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if made.returncode:
        if kept:  # half of one is of no use
            subprocess.run(["rm", "-rf", "--one-file-system", str(root)], check=False)
        stop(f"mmdebstrap has failed (status {made.returncode}); what it said stands above")
    (root / MARKER).write_text(wanted, "utf-8")
    print(f"made in {monotonic() - began:.0f} s", flush=True)


def in_root(root: Path, *command: str, folder: str = "/src") -> int:
    """Run a program there, in a folder of it. Its exit status."""
    inside = command_in(root, *command, folder=folder)
    return subprocess.run(inside, stdin=subprocess.DEVNULL, check=False).returncode


def command_in(root: Path, *command: str, folder: str = "/src") -> list[str]:
    """What runs a program there."""
    return [
        *(*NAMESPACES, f"--mount-proc={root}/proc", "sh", "-c", IN_THE_ROOT, str(root)),
        *("env", "-i", "-C", folder, *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *command),
    ]


def mirror_of_apt(uris: str) -> str | None:
    """The Debian archive, of those that `apt-get --print-uris update` tells."""
    archives = re.findall(r"^'(\S+)/dists/([^/']+)/InRelease'", uris, re.MULTILINE)
    # The suites of a security archive, and of all that is added to a release, have a suffix.
    whole = [uri for uri, suite in archives if re.fullmatch(r"[a-z]+", suite)]
    return min(whole, key=lambda uri: not uri.endswith("/debian"), default=None)


def apt_settings(dump: str) -> list[str]:
    """What `apt-config dump` tells about how this machine reaches its archives."""
    about = r"Acquire::(https?|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date)\b"
    return [
        line.rstrip(";")
        for line in dump.splitlines()
        if re.match(about, line) and not line.endswith('"";')
    ]


def without_password(url: str) -> str:
    return re.sub(r"//[^/]*@", "//", url)


def output(*command: str) -> str:
    """What a program prints; nothing, if it is not there."""
    try:
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    except subprocess.CalledProcessError as error:
        stop(f"{' '.join(command)}: {error.stderr.strip() or error}")
    return ran.stdout


def stop(problem: str) -> NoReturn:
    """There is nothing to run in."""
    print(f"{Path(sys.argv[0]).stem}: {problem}", file=sys.stderr)
    raise SystemExit(2)


def _ended(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)  # through every `finally`
