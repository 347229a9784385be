"""What a user installs: ruuvi-host and its dependencies, in an environment with nothing else in it.

For the tools that look at dependencies (sbom.py, audit.py). The extras are those that a user may
want; `hil`, for testing boards, is not among them.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sources import SOURCE

EXTRAS = ("encrypted", "gpio", "import", "mqtt")
OURS = "ruuvi-host"


class CannotInstallError(Exception):
    """The message says what has failed, and what it said."""


@dataclass(frozen=True)
class Environments:
    """Two, side by side: what a user installs, and the tool that looks at it."""

    users: Path
    tools: Path

    @property
    def python(self) -> Path:
        return self.users / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where the user's packages are."""
        [folder] = self.users.glob("lib/python*/site-packages")
        return folder

    def tool(self, name: str) -> str:
        return str(self.tools / "bin" / name)


def make(folder: Path, tool: str, *, newest: bool, source: Path = SOURCE) -> Environments:
    """Make both in `folder`. tool: what to install beside, with its version.

    newest: what pip would choose today, in place of what the tests ran with.
    Raises CannotInstallError.
    """
    made = Environments(folder / "user", folder / "tool")
    run(sys.executable, "-m", "venv", "--without-pip", str(made.users))
    run(sys.executable, "-m", "venv", str(made.tools))
    pip = (made.tool("python"), "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "install", tool)
    pinned = () if newest else ("-c", str(source / "constraints.txt"))
    wanted = f"{source}[{','.join(EXTRAS)}]"
    run(*pip, "--python", str(made.python), "install", *pinned, wanted)
    # It names the folder that this was installed from: another one for everybody.
    for name in made.packages.glob("*.dist-info/direct_url.json"):
        name.unlink()
    return made


def run(*command: str) -> None:
    """Raises CannotInstallError."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = ran.stderr.strip() or ran.stdout.strip()
        status = f"status {ran.returncode}"
        raise CannotInstallError(f"{' '.join(command)} has failed ({status}):\n{said}")


def normalized(name: str) -> str:
    """The name of a package as an index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def foreign(names: Iterable[str]) -> list[str]:
    """Without ourselves: no index has us."""
    return sorted(name for name in map(normalized, names) if name != OURS)
