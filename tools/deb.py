"""The Debian package: made of the work tree, for Debian 13 and Raspberry Pi OS of today.

    python tools/deb.py                      into dist/
    python tools/deb.py --output DIR --revision 2
    sudo apt install ./dist/ruuvi-host_0.1.0-1_all.deb

tools/debian is copied beside the source as debian/, and dpkg-buildpackage runs: on this machine, if
it is a Debian 13 with all that the package is built with; else, as root, in a root file system of
Debian 13 that mmdebstrap makes for it. Then lintian looks at the package (in that root file system;
here if it is installed); what it says and tools/debian does not explain is an error.

Exit status: 0: the package is there. 1: it cannot be built, or lintian has found something. 2:
there was nothing to build it in.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import debian_root
from debian_root import stop
from sources import SOURCE, GitError, copy_work_tree

PACKAGING = SOURCE / "tools" / "debian"
NAME = "ruuvi-host"
RELEASE = Path("/etc/os-release")
TO_BUILD = """
set -e
cd "$1/source"
dpkg-buildpackage --build=binary --unsigned-source --unsigned-changes
cd ..
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning --info --tag-display-limit 0 ./*.changes
else
    echo "lintian is not installed: what it would say is not known"
fi
"""


def main() -> int:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, metavar="DIR", default=SOURCE / "dist")
    parser.add_argument("--revision", metavar="N", help="of the package, after the version")
    debian_root.add_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ruuvi-host-deb-") as folder:
        if is_the_right_debian() and not options.root:
            prepare(Path(folder), options.revision)
            status = subprocess.run(["sh", "-c", TO_BUILD, "sh", folder], check=False).returncode
            return status or take(Path(folder), options.output)
        debian_root.need()
        with debian_root.root_of(options.root) as root:
            return build(root, options)


def build(root: Path, options: argparse.Namespace) -> int:
    """In a root file system that is made for it. The exit status."""
    wanted = [*build_packages((PACKAGING / "control").read_text("utf-8")), "lintian"]
    kept = bool(options.root)
    debian_root.make(root, ["build-essential", *wanted], mirror=options.mirror, kept=kept)
    folder = root / "build"
    shutil.rmtree(folder, ignore_errors=True)
    prepare(folder, options.revision)
    return debian_root.in_root(root, "sh", "-c", TO_BUILD, "sh", "/build", folder="/") or take(
        folder, options.output
    )


def prepare(folder: Path, revision: str | None) -> None:
    """The source, with debian/ in it."""
    source = folder / "source"
    try:
        print(f"packaging {copy_work_tree(source)}", flush=True)
    except GitError as error:
        stop(str(error))
    debian = source / "debian"
    shutil.copytree(source / "tools" / "debian", debian)
    if revision:
        changelog = debian / "changelog"
        told = re.sub(r"-\w+\)", f"-{revision})", changelog.read_text("utf-8"), count=1)
        changelog.write_text(told, "utf-8")


def take(folder: Path, output: Path) -> int:
    """Put the package where it is wanted, and say so."""
    output.mkdir(parents=True, exist_ok=True)
    for package in sorted(folder.glob("*.deb")):
        shutil.copyfile(package, output / package.name)
        print(output / package.name)
    return 0


def build_packages(control: str) -> list[str]:
    """What the package is built with, as tools/debian/control says."""
    [field] = re.findall(r"^Build-Depends:((?:\n .*)+)", control, re.MULTILINE)
    names = [line.strip(" ,") for line in field.splitlines() if line.strip()]
    # These two names are no packages: packages provide them.
    return [
        *(n.split()[0] for n in names if not re.match(r"debhelper-compat|dh-sequence-", n)),
        *("debhelper", "dh-python"),
    ]


def is_the_right_debian() -> bool:
    """Is this machine one on which the package can be built as it is?"""
    told = RELEASE.read_text("utf-8") if RELEASE.is_file() else ""
    if f"VERSION_CODENAME={debian_root.SUITE}\n" not in told:
        return False
    checks = ["dpkg-checkbuilddeps", str(PACKAGING / "control")]
    if not (shutil.which(checks[0]) and shutil.which("dpkg-buildpackage")):
        return False
    missing = subprocess.run(checks, check=False, capture_output=True, text=True)
    if missing.returncode:
        print(f"{missing.stderr.strip()}: not built here", file=sys.stderr)
    return not missing.returncode


if __name__ == "__main__":
    raise SystemExit(main())
