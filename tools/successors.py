"""The tests with the libraries that may one day take the place of those that age.

    python tools/successors.py                    all of them, in turn
    python tools/successors.py httpx2 -- -x       one of them; behind -- is for pytest

httpx has had no release since December 2024, pyserial-asyncio none since September 2021. Each
stands behind one module of ours. So this copies the work tree into a temporary folder, changes
there what would have to change for a successor (CANDIDATES below says it to the letter), installs
ours and the successor into a virtual environment of its own, and runs the tests of what the library
does for us. What came of it is on the page about dependencies (docs/pages/dependencies.md).

Needs git and a package index; one or two minutes each. When it ends all of it is gone, unless
`--keep` says where it is to stay. Exit status: 0: all tests pass; 1: some do not; 2: there was
nothing to run.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sources import GitError, copy_work_tree

EXCHANGE = "ruuvi_host/relay/http/exchange.py"
CONNECTION = "ruuvi_host/relay/http/connection.py"
PYSERIAL = "ruuvi_host/device/pyserial.py"
LOCAL = "ruuvi_host/device/local.py"
TEST = "tests/integration/test_http_request.py"

HTTP_TESTS = (
    "tests/property/test_http_properties.py",
    *(f"tests/integration/test_http_{name}.py" for name in ("answers", "connections", "faults")),
    *(f"tests/integration/test_http_{name}.py" for name in ("extra_files", "guard", "redirects")),
    *(f"tests/integration/test_http_{name}.py" for name in ("refusals", "request")),
    *(f"tests/integration/test_{name}.py" for name in ("check", "nginx", "relay_delivery")),
    *(f"tests/integration/test_{name}.py" for name in ("server_pages", "statistics")),
    *(f"tests/integration/test_{name}.py" for name in ("tls", "tls_faults", "tls_matrix")),
)
PORT_TESTS = (
    *(f"tests/integration/test_port{name}.py" for name in ("", "_gathering", "_network")),
    *(f"tests/integration/test_{name}.py" for name in ("port_opening", "pty_line", "reset")),
    *(f"tests/integration/test_{name}.py" for name in ("damaged_line", "link", "supervisor")),
    "tests/integration/test_supervisor_network.py",
    "tests/faults/test_serial_faults.py",
    "tests/hotplug",
)


@dataclass(frozen=True)
class Edit:
    """A text in a file of ours, once, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Candidate:
    """A successor, and what would have to change for it."""

    takes_the_place_of: str
    packages: tuple[str, ...]
    tests: tuple[str, ...]
    edits: tuple[Edit, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    """A file of ours, and the module in tools/ that stands there instead."""


CANDIDATES = {
    "httpx2": Candidate(
        "httpx 0.28 and httpcore 1.0",
        ("httpx2==2.16.2", "httpcore2==2.16.2"),
        HTTP_TESTS,
        (
            Edit(EXCHANGE, '"httpx._main"', '"httpx2._main"'),
            Edit(EXCHANGE, "import httpx  #", "import httpx2 as httpx  #"),
            Edit(CONNECTION, "import httpcore\n", "import httpcore2 as httpcore\n"),
            # The one test that names the library.
            Edit(TEST, 'assert "httpx" in loaded', 'assert "httpx2" in loaded'),
        ),
    ),
    "pyserial-asyncio-fast": Candidate(
        "pyserial-asyncio 0.6",
        ("pyserial-asyncio-fast==0.16",),
        PORT_TESTS,
        (
            Edit(PYSERIAL, "import serial_asyncio\n", "import serial_asyncio_fast\n"),
            Edit(PYSERIAL, "= serial_asyncio.Serial", "= serial_asyncio_fast.Serial"),
            # There it is a coroutine, and told whether what was not sent is waited for.
            Edit(
                LOCAL,
                "    def _call_connection_lost(self, exc: BaseException | None) -> None:\n",
                "    async def _call_connection_lost(\n"
                "        self, exc: BaseException | None, *, flush: bool\n"
                "    ) -> None:\n",
            ),
        ),
    ),
    "serialx": Candidate(
        "pyserial 3.5 and pyserial-asyncio 0.6, but for rfc2217://",
        ("serialx==1.15.1",),
        PORT_TESTS,
        replaced=((PYSERIAL, "successors_serialx.py"),),
    ),
}


class CannotTryError(Exception):
    """There is nothing to run. The message says why."""


def main() -> int:
    options = parse(sys.argv[1:])
    results = {}
    for name in options.candidates or CANDIDATES:
        try:
            results[name] = attempt(name, options)
        except (CannotTryError, GitError) as error:
            print(f"successors: {name}: {error}", file=sys.stderr)
            results[name] = 2
    for name, status in results.items():
        told = {0: "all tests pass", 1: "some tests fail"}.get(status, f"not run (status {status})")
        print(f"{name} for {CANDIDATES[name].takes_the_place_of}: {told}")
    return 2 if {*results.values()} - {0, 1} else max(results.values())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # No `choices`: argparse would take what stands behind -- for one.
    parser.add_argument(
        "candidates", nargs="*", metavar="NAME", help=f"of {', '.join(CANDIDATES)} (default: all)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep copies and environments there"
    )
    ours, _, pytest = " ".join(arguments).partition("-- ")
    options = parser.parse_args(ours.split())
    options.pytest = pytest.split()
    for name in options.candidates:
        if name not in CANDIDATES:
            parser.error(f"{name} is none of {', '.join(CANDIDATES)}")
    return options


def attempt(name: str, options: argparse.Namespace) -> int:
    """Pytest's exit status."""
    candidate = CANDIDATES[name]
    with tempfile.TemporaryDirectory(prefix="ruuvi-host-successors-") as temporary:
        folder = Path(temporary)
        if options.keep:
            folder = options.keep.absolute() / name
            shutil.rmtree(folder, ignore_errors=True)
        copy = folder / "source"
        print(f"trying {' '.join(candidate.packages)} in {copy_work_tree(copy)}", flush=True)
        change(copy, candidate)
        python = environment(folder / "venv", copy, candidate.packages)
        tests = options.pytest or ["-q", "-n", "2", "--dist", "worksteal"]
        command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *tests, *candidate.tests]
        return subprocess.run(command, cwd=copy, stdin=subprocess.DEVNULL, check=False).returncode


def change(copy: Path, candidate: Candidate) -> None:
    """Make a copy of ours use the successor. Raises CannotTryError."""
    for edit in candidate.edits:
        text = (copy / edit.file).read_text("utf-8")
        if text.count(edit.old) != 1:
            raise CannotTryError(f"{edit.file} does not have this once: {edit.old.strip()}")
        (copy / edit.file).write_text(text.replace(edit.old, edit.new), "utf-8")
    for file, module in candidate.replaced:
        shutil.copyfile(copy / "tools" / module, copy / file)


def environment(folder: Path, copy: Path, packages: Sequence[str]) -> Path:
    """A virtual environment with the copy, all that its tests need, and the successor: its Python.

    Raises CannotTryError.
    """
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("-c", str(copy / "constraints.txt"), "-e", f"{copy}[encrypted,test]", *packages),
        ],
    ):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise CannotTryError(f"{' '.join(command)} has failed:\n{ran.stderr.strip()}")
    return python


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
