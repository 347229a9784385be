"""The installed service of this machine: where its configuration and its state are, and who may
look at them.

The places are fixed, so that commands find them without being told. $RUUVI_HOST_ROOT is a folder
that they are looked for below: of a card that is mounted, or of a test.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ruuvi_host.config.file_places import GATEWAY_FILE, HOST_FILE

ROOT_VARIABLE = "RUUVI_HOST_ROOT"
USER = "ruuvi-host"
"""The system user whom a package makes for it."""


@dataclass(frozen=True, slots=True)
class Service:
    """The places. None of them need be there."""

    folder: Path
    """Of the configuration."""
    state: Path
    runtime: Path
    """With the socket over which members of its group ask a running one."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Service":
        root = Path(environment.get(ROOT_VARIABLE) or "/")
        return cls(root / "etc/ruuvi-host", root / "var/lib/ruuvi-host", root / "run/ruuvi-host")

    @property
    def config(self) -> Path | None:
        """Its file; None: there is none. One that may not be seen is taken for there."""
        own, gateway = self.folder / HOST_FILE, self.folder / GATEWAY_FILE
        return next((path for path in (own, gateway) if is_there(path)), None)

    @property
    def is_installed(self) -> bool:
        return self.config is not None or is_there(self.state)

    @property
    def denied(self) -> str:
        """Why this user cannot look at it, and who may; empty: all of it may be read."""
        config = self.config
        places = [place for place in (config, self.state) if place and is_there(place)]
        return next((why for place in places if (why := why_denied(place))), "")

    def group_of(self, path: Path) -> int | None:
        """The group of the service's user, if the service is to read that file; None: it is not, or
        there is no such user."""
        import pwd

        if self.folder.absolute() not in path.absolute().parents:
            return None
        try:
            return pwd.getpwnam(USER).pw_gid
        except KeyError:
            return self._group_of_state()

    def _group_of_state(self) -> int | None:
        try:
            return self.state.stat().st_gid or None
        except OSError:
            return None

    def has(self, config: Path) -> bool:
        """Is that its own file?"""
        try:
            return any(config.samefile(self.folder / name) for name in (HOST_FILE, GATEWAY_FILE))
        except OSError:
            return config.absolute().parent == self.folder.absolute()


def is_there(path: Path) -> bool:
    """Also when a folder above it may not be looked into: nobody can say then that it is not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def why_denied(path: Path) -> str:
    """Why this user cannot read `path`, a file or a folder, and who may. Empty: it can be read, or
    is not there."""
    for place in (*reversed(path.absolute().parents), path):
        is_last = place == path
        try:
            found = place.stat()
        except OSError:
            return ""
        is_folder = stat.S_ISDIR(found.st_mode)
        wanted = (os.R_OK if is_last else 0) | (os.X_OK if is_folder else 0)
        if not os.access(place, wanted):
            what = "it" if is_last else str(place)
            verb = "look into" if is_folder else "read"
            return f"{path} may not be read: only {_who(found, wanted)} may {verb} {what}"
    return ""


def _who(found: os.stat_result, wanted: int) -> str:
    """Root, its owner and the members of its group, as far as they may. wanted: bits of access(2),
    which are those of a mode."""
    names = ["root"]
    if found.st_uid != 0 and (found.st_mode >> 6) & wanted == wanted:
        names.append(f"the user {user_name(found.st_uid)}")
    if found.st_gid != 0 and (found.st_mode >> 3) & wanted == wanted:
        names.append(f"members of the group {group_name(found.st_gid)}")
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
