"""Where the files beside a configuration are: certificates, keys, extra parts of requests.

They are in the user's folder. What the local API could not write there is in the state folder, and
counts above it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

GATEWAY_FILE, HOST_FILE = "gw_cfg.json", "ruuvi-host.toml"
CERTIFICATES = tuple(
    f"{prefix}_{what}"
    for prefix in ("http", "stat", "mqtt", "rcfg")
    for what in ("cli_cert", "cli_key", "srv_cert")
)
PARTS = ("http_path", "http_query", "http_headers")
FILE_NAMES = (*CERTIFICATES, *PARTS)
"""All of them. Certificates and keys may end in .pem besides."""

KEPT_FILES = "files"
"""The folder of them in the state folder."""


@dataclass(frozen=True, slots=True)
class FilePlaces:
    """The folders. reading: the first one that has a file counts, and a new one is looked for in
    the last; writing: the first one that can be written gets a new file."""

    reading: tuple[Path, ...]
    writing: tuple[Path, ...]

    def find(self, name: str) -> Path | None:
        """The file that counts; None: there is none."""
        for folder in self.reading:
            for path in _variants(folder, name):
                if os.path.exists(path):
                    return path
        return None

    def where(self, name: str) -> Path:
        """The file that counts, or where the user would put one."""
        return self.find(name) or self.reading[-1] / name

    def all_of(self, name: str) -> list[Path]:
        """Every one of that name."""
        found = (path for folder in self.reading for path in _variants(folder, name))
        return [path for path in found if os.path.exists(path)]


def _variants(folder: Path, name: str) -> list[Path]:
    plain = folder / name
    return [plain, plain.with_suffix(".pem")]
