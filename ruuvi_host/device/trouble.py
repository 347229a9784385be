"""Why a port cannot be opened or was lost, in words for people."""

import errno
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def why_not_opened(path: str, error: Exception, port_names: Callable[[], list[str]]) -> str:
    """Why the device `path` cannot be opened, and what to do about it.

    port_names: which ports there are, if it comes to that.
    """
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        others = ", ".join(port_names())
        here = f"Ports here: {others}" if others else "This machine has no serial port"
        return f"there is no such port. {here}"
    if number in (errno.EACCES, errno.EPERM):
        return f"no permission to open it. {_permission_advice(path)}"
    if number in (errno.EBUSY, errno.EAGAIN):
        return f"in use by {_holder(path)}. Stop it, or choose another port"
    with suppress(OSError, ValueError):
        if not stat.S_ISCHR(os.stat(path).st_mode):
            return "not a serial port"
    if number is None and "configure port" in str(error):
        return "not a serial port, or no hardware behind it"
    return f"cannot be opened: {describe(error)}"


def describe(error: BaseException) -> str:
    """An error of the system or of pyserial as half a sentence."""
    if isinstance(error, TimeoutError):
        return "no answer"
    number = getattr(error, "errno", None)
    in_text = re.search(r"\[Errno (\d+)\]", str(error))  # several addresses were tried
    if in_text:
        number = int(in_text[1])
    if number is not None and number > 0:
        return os.strerror(number)  # what libraries write in its place names the port once more
    # pyserial appends the state of all its options, as Python prints them
    return getattr(error, "strerror", None) or re.split(r":? (?:\[|dict_)", str(error))[0]


def _permission_advice(path: str) -> str:
    import grp

    try:
        group = grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        return "Ask the owner of the device"
    if group == "root":
        return (
            f"It belongs to root: give it a group with a udev rule, or run `sudo chmod a+rw {path}`"
        )
    return f"Join its group: `sudo usermod -aG {group} $USER`, then log in again"


def _holder(path: str) -> str:
    """Who has `path` open, as far as this user may know."""
    real = os.path.realpath(path)
    holders = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.path.realpath(fd) == real for fd in (process / "fd").iterdir()):
                holders.append(f"{(process / 'comm').read_text().strip()} (process {process.name})")
    return " and ".join(holders) or "another process (run as root to see which)"
