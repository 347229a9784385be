"""Keeps a secret of the command line out of the list of processes."""

from contextlib import suppress
from pathlib import Path

_ARGUMENTS_BEGIN, _ARGUMENTS_END = 48, 49
"""Fields of /proc/PID/stat, counted from 1."""


def hide(secret: str) -> bool:
    """Overwrite it where `ps` reads the arguments of this process. False: it is still there.

    The system shows the memory in which it has put them; Python has copied them long before.
    """
    wanted = secret.encode("utf-8", "surrogateescape")
    with suppress(OSError, ValueError, IndexError):
        # The second field may have spaces and parentheses in it.
        fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        begin, end = (int(fields[n - 3]) for n in (_ARGUMENTS_BEGIN, _ARGUMENTS_END))
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(begin)
            shown = memory.read(end - begin)
            memory.seek(begin)
            memory.write(shown.replace(wanted, b"*" * len(wanted)))
    with suppress(OSError):
        return wanted not in Path("/proc/self/cmdline").read_bytes()
    return False
