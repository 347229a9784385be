"""The Debian package on a running systemd: installed, used, spoilt, upgraded, removed, purged.

    python tools/deb_test.py                        builds it, and a second one to upgrade to
    python tools/deb_test.py --root DIR             keeps the Debian in which it is tried

In a Debian 13 of its own, whose process 1 is systemd (see booted.py): the package is installed, a
simulated board plugged in, one line of the configuration edited, the service started, and data has
to arrive at a server. Then what people do, and what goes wrong: `status`, `spool list` and `doctor`
as root, as a member of the group and as a stranger; a reload with a good and with a bad file;
SIGSTOP; SIGKILL; a server that is away over a restart and over an upgrade; removing and purging.

Needs root, mmdebstrap, and control groups of version 2; some ten minutes, 1 GB for the time. Exit
status: 0: all went as it should; 1: not; 2: there was nothing to try it in.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import debian_root
from booted import PACKAGES, Booted
from deb_steps import STEPS, Trial
from sources import SOURCE

SHELLS = ("bash-completion", "fish", "man-db", "zsh")


def main() -> int:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    debian_root.add_options(parser)
    parser.add_argument(
        "--packages",
        nargs=2,
        type=Path,
        metavar=("OLD", "NEW"),
        help="these, in place of those that are built",
    )
    options = parser.parse_args()
    debian_root.need()
    with (
        tempfile.TemporaryDirectory(prefix="ruuvi-host-deb-test-") as folder,
        debian_root.root_of(options.root) as root,
    ):
        packages = options.packages or build(Path(folder), options.mirror)
        wanted = [*PACKAGES, *SHELLS, "udev", *needed(packages[0])]
        debian_root.make(root, wanted, mirror=options.mirror, kept=bool(options.root))
        for place, package in zip(("old", "new"), packages, strict=True):
            shutil.rmtree(root / "srv" / place, ignore_errors=True)
            (root / "srv" / place).mkdir()
            shutil.copyfile(package, root / "srv" / place / package.name)
        with Booted(root) as system:
            trial = Trial(system)
            for step in STEPS:
                print(f"--- {(step.__doc__ or '').partition('.')[0]}", flush=True)
                step(trial)
    print(f"{trial.right} right, {len(trial.wrong)} wrong")
    return 1 if trial.wrong else 0


def build(folder: Path, mirror: str | None) -> list[Path]:
    """The package, and one more to upgrade to."""
    found: list[Path] = []
    with debian_root.root_of(None) as root:
        for revision in ("1", "2"):
            command = [sys.executable, str(SOURCE / "tools" / "deb.py"), "--root", str(root)]
            command += ["--output", str(folder / revision), "--revision", revision]
            command += ["--mirror", mirror] if mirror else []
            if subprocess.run(command, check=False).returncode:
                debian_root.stop("the package cannot be built; what was said stands above")
            found += (folder / revision).glob("*.deb")
    return found


def needed(package: Path) -> list[str]:
    """What it depends on and recommends; of alternatives the first."""
    lines = debian_root.output("dpkg-deb", "--field", str(package), "Depends", "Recommends")
    return [
        re.split(r"[ (:|]", one.strip())[0]
        for line in lines.splitlines()
        for one in line.partition(":")[2].split(",")
    ]


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
