"""The tests with what a Debian brings: its Python, its pytest, its packages, and nothing else.

    python tools/debian_tests.py                          unit and property tests on Debian 13
    python tools/debian_tests.py --suite sid --python python3.15
    python tools/debian_tests.py -- tests/unit/test_relay.py -x      behind -- is for pytest

It makes a root file system with mmdebstrap (half a minute, 300 MB), copies the work tree into it,
changes included, installs ruuvi-host there without any download but Debian's, and runs pytest in it
with every warning an error. When it ends, however it ends, all of it is gone, unless `--root` says
where it is to stay. Exit status: that of pytest; 2: there was nothing to run it in.

Needs root, git and mmdebstrap (Debian package mmdebstrap). Mirror, proxy and the like are those of
this machine's own apt; on another system give `--mirror`.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import NoReturn

from sources import SOURCE, GitError, copy_work_tree

SUITE = "trixie"
"""Debian 13, whose Python is 3.13."""
DEFAULT_TESTS = ("tests/unit", "tests/property")

PACKAGES = {
    "aiomqtt": "python3-asyncio-mqtt",
    "anyio": "python3-anyio",
    "click": "python3-click",
    "crcmod": "python3-crcmod",
    "cryptography": "python3-cryptography",
    "fastjsonschema": "python3-fastjsonschema",
    "h11": "python3-h11",
    "httpcore": "python3-httpcore",
    "httpx": "python3-httpx",
    "hypothesis": "python3-hypothesis",
    "idna": "python3-idna",
    "Jinja2": "python3-jinja2",
    "jsonschema": "python3-jsonschema",
    "prometheus_client": "python3-prometheus-client",
    "pyserial": "python3-serial",
    "pyserial-asyncio": "python3-serial-asyncio",
    "pytest": "python3-pytest",
    "pytest-timeout": "python3-pytest-timeout",
    "PyYAML": "python3-yaml",
    "requests": "python3-requests",
    "rich": "python3-rich",
    "starlette": "python3-starlette",
    "tomlkit": "python3-tomlkit",
    "trustme": "python3-trustme",
    "uvicorn": "python3-uvicorn",
}
"""What pyproject.toml asks for, and how Debian calls it."""
NOT_NEEDED = {
    *("mypy", "pytest-xdist", "ruff", "types-pyserial"),
    *("axe-playwright-python", "playwright"),
}
"""What pyproject.toml asks for to look at the code, to be quicker, or to drive a browser."""
LACKING = {
    "aioruuvigateway": "tests/clients",
    "bumble": "tests/differential",
    "ruuvi-gateway-client": "tests/clients",
    "ruuvitag-sensor": "tests/differential",
}
"""What no Debian has, and the tests that cannot run for want of it."""
TOOLS = ("python3-pip", "python3-hatchling", "python3-editables", "gcc", "libc6-dev")
"""To install ourselves without a download; and the C compiler, for the tests of hil/firmware."""

MARKER = "etc/ruuvi-host-tests"
"""A file in a root file system of ours: its first line is the suite, its second the packages."""

TO_INSTALL = """
set -e
rm -rf /venv  # of another Python, perhaps
"/usr/bin/$1" -m venv --system-site-packages --without-pip /venv
/usr/bin/python3 -m pip --quiet --python /venv/bin/python install --no-index --no-build-isolation \
    --no-deps --editable /src
"""
TO_TELL = """
import platform, sqlite3, ssl
from importlib.metadata import requires, version
from packaging.requirements import Requirement
tested = [Requirement(line) for line in requires("ruuvi-host")]
tested = [r for r in tested if not r.marker
          or any(r.marker.evaluate({"extra": extra}) for extra in ("encrypted", "test"))]
print("Python", platform.python_version(), "sqlite", sqlite3.sqlite_version, ssl.OPENSSL_VERSION,
      "pytest", version("pytest"))
for r in tested:
    try:
        if not r.specifier.contains(version(r.name), prereleases=True):
            print("outside what pyproject.toml asks for:", r.name, version(r.name), r.specifier)
    except ModuleNotFoundError:
        pass
"""
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


def main() -> int:
    options = parse(sys.argv[1:])
    for command, package in (("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux")):
        if not shutil.which(command):
            stop(f"{command} is not installed (Debian package {package})")
    if os.geteuid() != 0:
        stop("only root can make a root file system and go into it: sudo, or a container")
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _ended)
    with root_of(options.root) as root:
        make(root, options)
        shutil.rmtree(root / "src", ignore_errors=True)
        try:
            print(f"testing {copy_work_tree(root / 'src')}", flush=True)
        except GitError as error:
            stop(str(error))
        install(root, options.python)
        return in_root(root, "/venv/bin/python", "-W", "error", "-m", "pytest", *pytest(options))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", default=SUITE, help=f"of Debian: sid, ... (default: {SUITE})")
    parser.add_argument(
        "--python",
        default="python3",
        metavar="PACKAGE",
        help="another Python of that suite, by package: python3.15 (default: python3)",
    )
    parser.add_argument(
        "--with",
        dest="more",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="one more Debian package, for tests that skip without it (repeatable)",
    )
    parser.add_argument("--mirror", metavar="URL", help="(default: that of this machine's apt)")
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="keep the root file system there, and use it again if it is there",
    )
    parser.add_argument("pytest", nargs="*", metavar="ARGUMENT", help="for pytest, behind --")
    return parser.parse_args(arguments)


def pytest(options: argparse.Namespace) -> Iterator[str]:
    """Its arguments. Without a path among them: unit and property tests."""
    yield from ("-p", "no:cacheprovider")
    paths = [a for a in options.pytest if (SOURCE / a.partition("::")[0]).exists()]
    yield from options.pytest
    if not paths:
        yield from DEFAULT_TESTS
    for tests in sorted({*LACKING.values()}):
        yield f"--ignore={tests}"
        if any(f"{tests}/".startswith(f"{path.rstrip('/')}/") for path in paths):
            lacking = ", ".join(package for package in sorted(LACKING) if LACKING[package] == tests)
            print(f"not run: {tests}: Debian has no {lacking}", flush=True)


def packages(options: argparse.Namespace) -> list[str]:
    return sorted({"python3", options.python, *PACKAGES.values(), *TOOLS, *options.more})


# --- the root file system


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


def make(root: Path, options: argparse.Namespace) -> None:
    wanted = f"{options.suite}\n{' '.join(packages(options))}\n"
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        marker = root / MARKER
        if not marker.is_file():
            stop(f"{root} is there and was not made by this program: name another folder")
        if marker.read_text("utf-8") != wanted:
            stop(f"{root} was made with another suite or other packages: remove it first")
        return
    mirror = options.mirror or mirror_of_apt(output("apt-get", "--print-uris", "update"))
    if not mirror:
        stop("this machine's apt has no Debian mirror: give --mirror")
    print(f"making Debian {options.suite} from {without_password(mirror)}", flush=True)
    began = monotonic()
    settings = apt_settings(output("apt-config", "dump"))
    made = subprocess.run(
        [
            *NAMESPACES,
            *("mmdebstrap", "--quiet", "--variant=minbase"),
            *(f"--aptopt={setting}" for setting in settings),
            f"--include={','.join(packages(options))}",
            *(options.suite, str(root), mirror),
        ],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if made.returncode:
        if options.root:  # half of one is of no use
            subprocess.run(["rm", "-rf", "--one-file-system", str(root)], check=False)
        stop(f"mmdebstrap has failed (status {made.returncode}); what it said stands above")
    (root / MARKER).write_text(wanted, "utf-8")
    print(f"made in {monotonic() - began:.0f} s", flush=True)


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


# --- what is in it


def install(root: Path, python: str) -> None:
    if in_root(root, "sh", "-c", TO_INSTALL, "sh", python):
        stop("ruuvi-host cannot be installed there; what was said stands above")
    if in_root(root, "/venv/bin/python", "-c", TO_TELL):
        stop(f"{python} does not run there")


def in_root(root: Path, *command: str) -> int:
    inside = command_in(root, *command)
    return subprocess.run(inside, stdin=subprocess.DEVNULL, check=False).returncode


def command_in(root: Path, *command: str) -> list[str]:
    """What runs a command in the root file system."""
    return [
        *(*NAMESPACES, f"--mount-proc={root}/proc", "sh", "-c", IN_THE_ROOT, str(root)),
        *("env", "-i", "-C", "/src", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *command),
    ]


# --- the rest


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
    print(f"debian_tests: {problem}", file=sys.stderr)
    raise SystemExit(2)


def _ended(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)  # through every `finally`


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
