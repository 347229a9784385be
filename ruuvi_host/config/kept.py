"""The configurations of before, in the state folder: what each change has replaced, when, by whom.

configurations.json    the last five, the newest first; for its owner alone, as secrets are in it
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruuvi_host import private_files
from ruuvi_host.config.files import write_private

log = logging.getLogger(__name__)

MOST_KEPT = 5
_FILE = "configurations.json"
_LONGEST = 64 << 20
"""Bytes. Each may have two configurations of 256 KiB, and certificates, all of it escaped."""
_LAST = 253e9
"""UTC of the year 9987: what can be shown."""
_UNUSABLE = (OSError, ValueError, TypeError, KeyError, RecursionError)

API, CLI, UNDO = "api", "cli", "undo"
"""Who has changed it."""

Texts = Mapping[Path, str | None]
"""What is in files; None: the file is not there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one change has replaced."""

    at: float
    """UTC."""
    by: str
    keys: tuple[str, ...]
    """What it was about."""
    before: Texts = field(repr=False)


class KeptConfigurations:
    """Reads and writes them. folder: of the state."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def read(self) -> list[Kept]:
        """The newest first; what cannot be read is none."""
        try:
            return [_kept(each) for each in json.loads(private_files.read(self._path, _LONGEST))]
        except FileNotFoundError:
            return []
        except _UNUSABLE as error:
            log.warning(
                "%s: cannot be used (%s); earlier configurations are lost", self._path, error
            )
            return []

    def write(self, kept: Iterable[Kept]) -> None:
        """The newest first. That it cannot be written is no reason not to change anything."""
        documents = [
            {
                "at": each.at,
                "by": each.by,
                "keys": each.keys,
                "files": {str(path): text for path, text in each.before.items()},
            }
            for each in kept
        ][:MOST_KEPT]
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._path, json.dumps(documents))
        except OSError as error:
            problem = error.strerror or error
            log.warning(
                "%s: cannot be written (%s); no way back from this change", self._path, problem
            )


def _kept(document: Any) -> Kept:
    files = {Path(path): text for path, text in document["files"].items()}
    if not all(text is None or isinstance(text, str) for text in files.values()):
        raise TypeError("a file is no text")
    keys = tuple(str(key) for key in document["keys"])
    at = float(document["at"])
    if not 0 <= at <= _LAST:
        raise ValueError("no time")
    return Kept(at, str(document["by"]), keys, files)
