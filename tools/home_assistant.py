"""Home Assistant itself, against a running host: its integration Ruuvi Gateway, unchanged.

    python tools/home_assistant.py                     in a Debian 13 that is made for it
    python tools/home_assistant.py --root DIR          kept there, and used again

A host with simulated sensors runs on this machine, on loopback. In the Debian, whose Python is new
enough, Home Assistant's core is started (by `home_assistant_core.py`, beside this file) and its
integration is set up as a user does it: with the right key, with a wrong one, and without
timestamps. With the right one it has to find all sensors, and *RuuviTag BLE* has to make entities
of them whose values come and change.

Needs what tools/debian_tests.py needs, and a package index for pip (that of this machine). Five
minutes, 1 GB. Exit status: 0 when all went as it should, 1 when not, 2 when there was nothing to
run it in.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import debian_tests
import httpx

HERE = Path(__file__).parent
CORE = HERE / "home_assistant_core.py"
COMMAND = str(Path(sys.executable).with_name("ruuvi-host"))
VERSION = "2026.2.3"
READ, WRITE = "a-reading-key", "a-reading-and-writing-key"
NOWHERE = "http://127.0.0.1:9/"
SENSORS = 10
"""Of the simulator."""
LISTENS = re.compile(r"local API: (http://127\.0\.0\.1:\d+)/")

FOR_PIP = ("/etc/ssl/certs/ca-certificates.crt", "/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf")
"""Files of this machine without which its package index is not reached."""
TO_INSTALL = """
set -e
cmp -s /core/home_assistant_core.py /ha/done && exit 0  # which says what it needs
rm -rf /ha
/usr/bin/python3 -m venv --without-pip /ha
pip() { /usr/bin/python3 -m pip --quiet --disable-pip-version-check --python /ha/bin/python "$@"; }
pip install "homeassistant==$1"
/ha/bin/python /core/home_assistant_core.py requirements > /ha/requirements.txt
pip install -c /ha/lib/python3*/site-packages/homeassistant/package_constraints.txt \
    -r /ha/requirements.txt
cp /core/home_assistant_core.py /ha/done
"""


def main() -> int:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    with installed(parser.parse_args()) as root, host() as url:
        return judge(root, url)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version", default=VERSION, help=f"of Home Assistant (default: {VERSION})"
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="as for tools/debian_tests.py")
    parser.add_argument("--mirror", metavar="URL", help="as for tools/debian_tests.py")


@contextmanager
def installed(options: argparse.Namespace) -> Iterator[Path]:
    """A Debian with Home Assistant in it."""
    if not shutil.which("mmdebstrap") or os.geteuid() != 0:
        debian_tests.stop("mmdebstrap is not installed, or you are not root: see debian_tests.py")
    wanted = [
        *("--with", "python3-venv", "--with", "python3-dev"),
        *(["--mirror", options.mirror] if options.mirror else []),
    ]
    with debian_tests.root_of(options.root) as root:
        debian = debian_tests.parse([*wanted, *(["--root", str(root)] if options.root else [])])
        debian_tests.make(root, debian)
        prepare(root)
        if debian_tests.in_root(root, "sh", "-c", TO_INSTALL, "sh", options.version):
            debian_tests.stop("Home Assistant cannot be installed; what was said stands above")
        yield root


def prepare(root: Path) -> None:
    """What is to run there, and what pip needs of this machine."""
    for folder in ("src", "core"):
        (root / folder).mkdir(exist_ok=True)
    shutil.copy(CORE, root / "core")
    for name in FOR_PIP:
        if Path(name).is_file():
            (root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, root / name[1:])
    passed = re.compile(r"PIP_.*|.*_PROXY|SSL_CERT_FILE|REQUESTS_CA_BUNDLE", re.IGNORECASE)
    debian_tests.ENVIRONMENT.update({k: v for k, v in os.environ.items() if passed.fullmatch(k)})


@contextmanager
def host() -> Iterator[str]:
    """A host with simulated sensors; its address."""
    keys = [f"lan_auth_api_key={READ}", f"lan_auth_api_key_rw={WRITE}", "api.listen=127.0.0.1:0"]
    settings = [part for key in keys for part in ("--set", key)]
    with tempfile.TemporaryDirectory(prefix="ruuvi-host-") as state:
        run = subprocess.Popen(
            [COMMAND, "run", "--simulate", *("--url", NOWHERE), *("--state-dir", state), *settings],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert run.stderr
            for line in run.stderr:
                if found := LISTENS.search(line):
                    break
            else:
                raise SystemExit("the host has ended")
            drain = subprocess.Popen(["cat"], stdin=run.stderr, stdout=subprocess.DEVNULL)
            try:
                yield found[1]
            finally:
                run.terminate()
                drain.wait()
        finally:
            run.kill()
            run.wait()


def judge(root: Path, url: str) -> int:
    """Try it in all ways; 0: each went as it should."""
    wrong: list[str] = []

    def check(what: str, *, right: bool, told: Any) -> None:
        print(f"{'ok   ' if right else 'WRONG'} {what}: {json.dumps(told, ensure_ascii=False)}")
        if not right:
            wrong.append(what)

    told = home_assistant(root, url, READ)
    check("the right key", right=told["result"] == "create_entry", told=told["title"])
    check("sensors found", right=len(told["sensors"]) == SENSORS, told=told["sensors"])
    entities = sorted(told["entities"].items())
    some = [f"{len(entities)} of them", *(f"{name}: {value}" for name, value in entities[:4])]
    check("entities", right=len(entities) >= SENSORS, told=some)
    check("they change", right=bool(told["changed"]), told=f"{len(told['changed'])} of them")
    told = home_assistant(root, url, "a wrong key")
    check("a wrong key", right=told["errors"] == {"base": "invalid_auth"}, told=told["errors"])
    answer = httpx.post(
        f"{url}/ruuvi.json",
        json={"ntp_use": False},
        headers={"Authorization": f"Bearer {WRITE}"},
    )
    check("ntp_use false is posted", right=answer.status_code == 200, told=answer.status_code)
    told = home_assistant(root, url, READ)
    right = told["errors"] == {"base": "cannot_connect"}
    check("without timestamps it cannot work", right=right, told=told["errors"])
    return 1 if wrong else 0


def home_assistant(root: Path, url: str, key: str) -> dict[str, Any]:
    """Set up the integration in a fresh Home Assistant; what has come of it."""
    out = root / "core" / "told.json"
    out.unlink(missing_ok=True)
    command = ("/ha/bin/python", "/core/home_assistant_core.py", url.partition("//")[2], key)
    if debian_tests.in_root(root, *command, "/core/told.json") or not out.exists():
        debian_tests.stop("Home Assistant's core has failed; what it said stands above")
    told: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return told


if __name__ == "__main__":
    raise SystemExit(main())
