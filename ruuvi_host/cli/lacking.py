"""What to do when a package that ruuvi-host depends on is missing, as in a clone of its source."""

from __future__ import annotations

import os
import sys

OURS = ("firmware_protocol", "hil", "ruuvi_host")


def sentence(module: str | None, root: str | None = None) -> str | None:
    """For people: what to do about a module that could not be imported. None: it is no package of
    others that is missing, but a fault of ours.

    root: the folder that this package is in, if not the real one.
    """
    name = (module or "").partition(".")[0]
    if not name or name in OURS or name in sys.stdlib_module_names:
        return None
    root = root or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    told = f"{sys.executable} has no package {name}, which ruuvi-host needs"
    if not os.path.exists(os.path.join(root, "Makefile")):
        return f"{told}: install ruuvi-host again, with what it depends on"
    program = os.path.join(root, ".venv", "bin", "ruuvi-host")
    if os.path.exists(program):
        return f"{told}: use {program}"
    return f"{told}: `make run` in {root} makes {program}, which has all (README.md: other ways)"
