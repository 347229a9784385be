"""Who is to read the service's files, and whether that user can, by the modes of the files and of
the folders above them: what root can read says nothing of that."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from ruuvi_host.config.model import Config
from ruuvi_host.config.service import USER, Service, user_name
from ruuvi_host.config.sources import Sources

_ACL = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class Reader:
    """A user, and the groups that it is in."""

    name: str
    user: int
    groups: frozenset[int]

    @classmethod
    def of_service(cls, service: Service) -> "Reader | None":
        """Whom the service runs as; None: not known, or root."""
        import pwd

        with suppress(KeyError):
            found = pwd.getpwnam(USER)
            groups = os.getgrouplist(USER, found.pw_gid)
            return cls(USER, found.pw_uid, frozenset(groups))
        with suppress(OSError):
            owner = service.state.stat()
            if owner.st_uid:
                name = user_name(owner.st_uid)
                return cls(name, owner.st_uid, frozenset({owner.st_gid}))
        return None

    def why_not(self, path: Path) -> tuple[str, str] | None:
        """Why this user cannot read that file, and a remedy; None: it can, or nobody can say."""
        real = Path(os.path.realpath(path))
        for place in (*reversed(real.parents), real):
            try:
                found = place.stat()
            except OSError:
                return None
            wanted, verb = (4, "read it") if place == real else (1, f"look into {place}")
            if not self._may(found, wanted) and not _has_list(place):
                mode = f"{stat.filemode(found.st_mode)}, of {user_name(found.st_uid)}"
                letter = "r" if place == real else "x"
                remedy = f"sudo chgrp {self.name} {place} && sudo chmod g+{letter} {place}"
                why = f"the service, which runs as {self.name}, may not {verb} ({mode})"
                return why, remedy
        return None

    def _may(self, found: os.stat_result, wanted: int) -> bool:
        if self.user == 0:
            return True
        if found.st_uid == self.user:
            return bool(found.st_mode >> 6 & wanted)
        if found.st_gid in self.groups:
            return bool(found.st_mode >> 3 & wanted)
        return bool(found.st_mode & wanted)


def files_of(sources: Sources, config: Config) -> Iterator[Path]:
    """What a host reads for this configuration, and what is there of it."""
    yield from sources.gateway_files
    yield from (path for path in (sources.host_path, sources.kept_host_path) if path)
    for target in (*config.targets, config.statistics):
        yield from (path for path in _paths_in(target) if path.is_file())


def _paths_in(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _paths_in(getattr(value, field.name))


def _has_list(path: Path) -> bool:
    """Has it an access control list, which says more than its mode?"""
    try:
        return _ACL in os.listxattr(path)
    except OSError:
        return False
