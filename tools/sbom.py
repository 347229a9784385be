"""`make sbom`: which software a user gets with ruuvi-host, as a CycloneDX document.

    python tools/sbom.py                     dist/ruuvi-host-VERSION.cdx.json, as the tests ran
    python tools/sbom.py --newest            with what pip would choose today
    python tools/sbom.py --output FILE

Installs ruuvi-host with its extras into a temporary environment, and has cyclonedx-bom describe
what is in it. The document is checked against the schema of CycloneDX before it is written, and is
the same each time: no time, no random numbers, no paths of this machine. How to read it is on the
page about dependencies (docs/pages/dependencies.md). The Debian package is made of Debian's
packages, which apt lists, not this.

Exit status: 0: it is there. 1: it cannot be made; what the tool said is told. 2: the packages
cannot be installed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import user_environment
from sources import SOURCE
from user_environment import OURS

TOOL = "cyclonedx-bom==7.5.0"
SPECIFICATION = "1.6"
INIT = SOURCE / "ruuvi_host" / "__init__.py"
TO_VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
version = SchemaVersion.from_version(sys.argv[1])
found = JsonStrictValidator(version).validate_str(sys.stdin.read())
sys.exit(found and f"not valid CycloneDX {sys.argv[1]}: {found}")
"""
"""What is written is looked at once more, as we have added to it what cyclonedx-py leaves out."""


def main() -> int:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--newest", action="store_true", help="what pip would choose today")
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ruuvi-host-sbom-") as folder:
        try:
            made = user_environment.make(Path(folder), TOOL, newest=options.newest)
        except user_environment.CannotInstallError as error:
            print(f"sbom: {error}", file=sys.stderr)
            return 2
        command = [
            *(made.tool("cyclonedx-py"), "environment", "--output-reproducible", "--validate"),
            *("--pyproject", str(SOURCE / "pyproject.toml"), "--sv", SPECIFICATION),
            *("--of", "JSON", "-o", "-", str(made.python)),
        ]
        # It would write this time into the document.
        settings = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
        if ran.returncode:
            print(f"sbom: cyclonedx-py has failed:\n{ran.stderr.strip()}", file=sys.stderr)
            return 1
        document = completed(json.loads(ran.stdout))
        text = f"{json.dumps(document, indent=2, sort_keys=True)}\n"
        command = [made.tool("python"), "-c", TO_VALIDATE, SPECIFICATION]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, input=text)
        if ran.returncode:
            print(f"sbom: {ran.stderr.strip()}", file=sys.stderr)
            return 1
    output = options.output or SOURCE / "dist" / f"{OURS}-{version()}.cdx.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, "utf-8")
    print(output)
    print(summary(document))
    return 0


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """With our version, which pyproject.toml leaves to the source."""
    document["metadata"]["component"]["version"] = version()
    return document


def version() -> str:
    found: list[str] = re.findall(r'^__version__ = "(.+)"$', INIT.read_text("utf-8"), re.MULTILINE)
    return found[0]


def summary(document: Mapping[str, Any]) -> str:
    """What is in it, in a sentence."""
    components = user_environment.foreign(c["name"] for c in document.get("components", ()))
    without = [c["name"] for c in document.get("components", ()) if not c.get("licenses")]
    told = f"{len(components)} packages: {', '.join(components)}"
    return f"{told}\nno license is told by: {', '.join(without)}" if without else told


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
