"""`ruuvi-host decode` as a process: what it is given and what it says; with little memory, too."""

import os
import subprocess

from programs import COMMAND, PATIENCE

MEMORY_KIB = 200_000
"""What a process that streams may use, far below the input that it is given."""


def decode(
    *arguments: str | bytes, stdin: bytes = b"", env: dict[str, str] | None = None, code: int = 0
) -> tuple[str, str]:
    """Run it: what it says on stdout and on stderr."""
    ran = subprocess.run(
        [COMMAND, "decode", *arguments],
        input=stdin,
        capture_output=True,
        env=os.environ | (env or {}),
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert b"Traceback" not in ran.stderr
    return ran.stdout.decode(), ran.stderr.decode()


def limited(*arguments: str, size: int) -> subprocess.CompletedProcess[str]:
    """Run it with little memory on `size` zero bytes."""
    command = f'head -c {size} /dev/zero | (ulimit -v {MEMORY_KIB}; exec "$0" "$@")'
    return subprocess.run(
        ["sh", "-c", command, COMMAND, "decode", *arguments],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
