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
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import debian_root
from debian_root import ENVIRONMENT as ENVIRONMENT
from debian_root import SUITE, need
from debian_root import command_in as command_in
from debian_root import in_root as in_root
from debian_root import root_of as root_of
from debian_root import stop as stop
from sources import SOURCE, GitError, copy_work_tree

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
    "pytest-xdist": "python3-pytest-xdist",
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
    *("mypy", "ruff", "types-pyserial"),
    *("axe-playwright-python", "playwright"),
    "pyarrow",
}
"""What pyproject.toml asks for to look at the code, to drive a browser, or to read Parquet: the few
tests of that are skipped without it."""
LACKING = {
    "aioruuvigateway": "tests/clients",
    "bumble": "tests/differential",
    "ruuvi-gateway-client": "tests/clients",
    "ruuvitag-sensor": "tests/differential",
}
"""What no Debian has, and the tests that cannot run for want of it."""
TOOLS = ("python3-pip", "python3-hatchling", "python3-editables", "gcc", "libc6-dev", "procps")
"""To install ourselves without a download; the C compiler, for the tests of hil/firmware; and kill,
which tests run."""

TO_INSTALL = """
set -e
# As every machine has one that was booted once.
[ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
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


def main() -> int:
    options = parse(sys.argv[1:])
    need()
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
    debian_root.add_options(parser)
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


def make(root: Path, options: argparse.Namespace) -> None:
    """A root file system with what the tests need."""
    names = packages(options)
    debian_root.make(
        root, names, suite=options.suite, mirror=options.mirror, kept=bool(options.root)
    )


def install(root: Path, python: str) -> None:
    if in_root(root, "sh", "-c", TO_INSTALL, "sh", python):
        stop("ruuvi-host cannot be installed there; what was said stands above")
    if in_root(root, "/venv/bin/python", "-c", TO_TELL):
        stop(f"{python} does not run there")


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
