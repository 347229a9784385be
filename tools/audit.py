"""`make audit`: has a package that a user installs a vulnerability that is publicly known?

    python tools/audit.py                    the versions that the tests ran with
    python tools/audit.py --newest           those that pip would choose today
    python tools/audit.py -- --service osv   behind -- is for pip-audit: another database

Installs ruuvi-host with its extras into a temporary environment, and has pip-audit look up each
package. pip-audit itself calls a package that its database does not know "skipped", and ends with 0
and "No known vulnerabilities found" even if that was each of them, as behind a mirror without this
part of PyPI. So its report is judged here: nothing is called good that nobody has looked at.

Exit status: 0: all were looked up, and nothing is known of them. 1: something is known. 2: the
packages cannot be installed. 3: the database was not reached, or does not know all of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import user_environment

TOOL = "pip-audit==2.10.1"
GOOD, KNOWN, NOT_INSTALLED, NOT_LOOKED_UP = 0, 1, 2, 3


def main() -> int:
    options, more = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="ruuvi-host-audit-") as temporary:
        folder = Path(temporary)
        try:
            made = user_environment.make(folder, TOOL, newest=options.newest)
        except user_environment.CannotInstallError as error:
            print(f"audit: {error}", file=sys.stderr)
            return NOT_INSTALLED
        report = folder / "report.json"
        command = [
            *(made.tool("pip-audit"), "--path", str(made.packages), "--progress-spinner", "off"),
            *("--format", "json", "--desc", "off", "--output", str(report), *more),
        ]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        text = report.read_text("utf-8") if report.is_file() else ""
        status, told = judge(json.loads(text) if text else None, ran.stderr)
    print(told, file=sys.stderr if status else sys.stdout)
    return status


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--newest", action="store_true", help="what pip would choose today")
    parser.add_argument("more", nargs="*", metavar="ARGUMENT", help="for pip-audit, behind --")
    options = parser.parse_args(arguments)
    return options, options.more


def judge(report: Mapping[str, Any] | None, said: str) -> tuple[int, str]:
    """Exit status, and what people are told. report: pip-audit's, if it made one; said: by it."""
    if report is None:
        last = (said.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return NOT_LOOKED_UP, f"audit: NOT AUDITED: the database was not reached: {last}"
    packages = [
        package
        for package in report["dependencies"]
        if user_environment.normalized(package["name"]) != user_environment.OURS
    ]
    known = [
        f"{package['name']} {package['version']}: {found['id']}"
        f"{', mended in ' + ', '.join(found['fix_versions']) if found['fix_versions'] else ''}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    skipped = user_environment.foreign(p["name"] for p in packages if "skip_reason" in p)
    lines = [f"audit: vulnerabilities that are known: {len(known)}", *known] if known else []
    if skipped or not packages:
        lines += [
            f"audit: NOT AUDITED: {len(skipped)} of {len(packages)} packages are not known to the"
            f" database that was asked: {', '.join(skipped)}"
        ]
    if known:
        return KNOWN, "\n".join(lines)
    if lines:
        return NOT_LOOKED_UP, "\n".join(lines)
    return GOOD, f"audit: {len(packages)} packages were looked up; nothing is known of them"


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
