"""Why a port cannot be opened or was lost, in words for people."""

import errno
import os
import re
import stat
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from pathlib import Path

PTY_MAJORS = range(136, 144)
"""Major numbers of the host's ends of Unix98 pseudo-terminals."""
MODEM_MANAGER = "ModemManager"
BRLTTY = "brltty"
TAKERS: Mapping[str, tuple[str, str]] = {
    # It opens each new serial port for some seconds and sends it AT commands.
    MODEM_MANAGER: (
        "takes it for a modem",
        'tell it not to with a udev rule that sets ENV{ID_MM_DEVICE_IGNORE}="1", or remove it',
    ),
    # Its udev rules know some Braille displays by the numbers of the adapter that is in them. It
    # takes the whole USB device away from its driver, so that there is no port any more.
    BRLTTY: (
        "takes it for a Braille display",
        "unless somebody here reads Braille, remove it (`sudo apt remove brltty`), or mask its "
        "rule (`sudo ln -s /dev/null /etc/udev/rules.d/85-brltty.rules`) and plug in again",
    ),
    "gpsd": (
        "takes it for a GPS receiver",
        'set USBAUTO="false" in /etc/default/gpsd, and restart it',
    ),
    "agetty": (
        "offers a login on it",
        "switch the console off: `sudo systemctl disable --now serial-getty@NAME`, with the name "
        "of the port without /dev/ (Raspberry Pi: raspi-config, Interface Options, Serial Port)",
    ),
}
"""Programs that take serial ports for something else: what each does, and what to do about it."""


def why_not_opened(path: str, error: Exception, port_names: Callable[[], list[str]]) -> str:
    """Why the device `path` cannot be opened, and what to do about it.

    port_names: which ports there are, if it comes to that.
    """
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        others = ", ".join(port_names())
        here = f"Ports here: {others}" if others else "This machine has no serial port"
        return f"there is no such port. {here}{_perhaps_taken(path)}"
    if number in (errno.EACCES, errno.EPERM):
        return f"no permission to open it. {_permission_advice(path)}"
    if number in (errno.EBUSY, errno.EAGAIN):
        return f"in use by {_holder(path)}"
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


def who_else_has(path: str, but: int | None = None) -> str:
    """Who has `path` open; empty: nobody that this user may know of, besides us and `but`."""
    known = (os.getpid(), but)
    return " and ".join(_named(pid, comm) for pid, comm in _holders(path) if pid not in known)


def _permission_advice(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return "Ask the owner of the device"
    return permission_advice(path, status, os.geteuid(), {os.getegid(), *os.getgroups()})


def permission_advice(path: str, status: os.stat_result, user: int, groups: Container[int]) -> str:
    """What `user`, a member of `groups`, can do to be let in to `path`."""
    mode = stat.filemode(status.st_mode)
    group = _group_name(status.st_gid)
    in_group = status.st_gid in groups
    group_may = _may(status.st_mode, stat.S_IRGRP | stat.S_IWGRP)
    owner_may = _may(status.st_mode, stat.S_IRUSR | stat.S_IWUSR)
    if user == 0 or (owner_may if user == status.st_uid else in_group and group_may):
        return (
            "Its mode would allow it, so something else forbids it: a container that was not "
            "given the device, or a service that is denied it (DeviceAllow= of systemd)"
        )
    if not group_may or user == status.st_uid:
        return (
            f"Its mode is {mode}, so that {'its owner' if user == status.st_uid else 'its group'} "
            f"may not use it: change that with a udev rule, or run `sudo chmod ug+rw {path}`"
        )
    if status.st_gid == 0:
        return (
            f"It belongs to root: give it a group with a udev rule, or run `sudo chmod a+rw {path}`"
        )
    if _is_listed(user, group):
        return f"You have joined its group {group}; that counts from your next login: log in again"
    return f"Join its group: `sudo usermod -aG {group} $USER`, then log in again"


def _may(mode: int, wanted: int) -> bool:
    return mode & wanted == wanted


def _group_name(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _is_listed(user: int, group: str) -> bool:
    """Is this user in the group, though this process is not?"""
    import grp
    import pwd

    try:
        return pwd.getpwuid(user).pw_name in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


def _holder(path: str) -> str:
    """Who has `path` open, as far as this user may know, and what to do about it."""
    holders = _holders(path)
    named = " and ".join(_named(pid, comm) for pid, comm in holders)
    for _, comm in holders:
        if comm in TAKERS:
            why, remedy = TAKERS[comm]
            return f"{named}, which {why}. {remedy[0].upper()}{remedy[1:]}"
    named = named or "another process (run as root to see which)"
    return f"{named}. Stop it, or choose another port"


def _perhaps_taken(path: str) -> str:
    """brltty leaves no port behind that it could be found to have open."""
    if ("USB" not in path and "serial" not in path) or BRLTTY not in running():
        return ""
    why, remedy = TAKERS[BRLTTY]
    return (
        f". {BRLTTY} runs here, and perhaps {why}, as it does with many USB adapters (CH340, "
        f"CP210x, FTDI), whose port then vanishes: {remedy}"
    )


def running() -> set[str]:
    """The names of all processes."""
    names = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            names.add((process / "comm").read_text().strip())
    return names


def _named(pid: int, comm: str) -> str:
    return f"{comm} (process {pid})"


def _holders(path: str) -> list[tuple[int, str]]:
    """Process id and name of each."""
    try:
        wanted, name = _identity(os.stat(path)), os.path.basename(os.path.realpath(path))
    except OSError:
        return []
    holders = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(_is_it(fd, name, wanted) for fd in (process / "fd").iterdir()):
                holders.append((int(process.name), (process / "comm").read_text().strip()))
    return sorted(holders)


def _is_it(fd: Path, name: str, wanted: tuple[int, int]) -> bool:
    """fd: of a process. Only what has the name is looked at: a file of a server that does not
    answer would hold us up."""
    try:
        return os.path.basename(os.readlink(fd)) == name and _identity(os.stat(fd)) == wanted
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    """By its path a port in a container is another one: each has its own pseudo-terminals, and all
    begin with /dev/pts/0. A device that is no pseudo-terminal is its number, wherever it stands."""
    if not stat.S_ISCHR(status.st_mode):
        return status.st_dev, status.st_ino
    is_pty = os.major(status.st_rdev) in PTY_MAJORS
    return status.st_dev if is_pty else 0, status.st_rdev
