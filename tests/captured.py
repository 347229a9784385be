"""Captures that tests read, and what a command said."""

import subprocess
from pathlib import Path

from programs import COMMAND

from ruuvi_host.capture.pcapng import Reader, Record

CAPTURES = Path(__file__).parent / "captures"
BOOT = CAPTURES / "boot.pcapng"


def read(path: Path) -> tuple[list[Record], Reader]:
    reader = Reader([path.read_bytes()])
    return list(reader), reader


def told(*arguments: str, code: int = 2) -> str:
    """What the command says on stderr; it must end by itself, with this exit code."""
    ran = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60)
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr
