"""A Debian that has booted: systemd as process 1 of a root file system, in namespaces of its own.

No virtual machine and no container program is needed: `unshare` gives it processes, mounts, a host
name, a control group and a network (loopback alone) that are its own, so that nothing of this
machine is seen or changed. What it writes goes to memory: the root file system stays as it was
made. Its /sys is read-only, so udev does not run there. Needs root.
"""

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from debian_root import stop

PACKAGES = ("systemd", "systemd-sysv", "dbus", "init")
PATIENCE = 60.0
"""Seconds for what takes two."""
TO_BOOT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$0/mnt"
cd "$0/mnt"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=$0,upperdir=$0/mnt/upper,workdir=$0/mnt/work" root
cd root
mount -t proc proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
hostname ruuvi-host-test
pivot_root . mnt
exec chroot . sh -c 'umount -l /mnt
    exec env -i container=unshare PATH=/usr/sbin:/usr/bin \
    /usr/lib/systemd/systemd --log-target=journal --show-status=no'
"""
ENVIRONMENT = ("env", "-i", "PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8", "HOME=/root", "TERM=dumb")


class Booted:
    """A context manager: it runs, and in the end nothing of it does."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._group = _cgroups() / f"ruuvi-host-test-{root.stat().st_ino}"
        self._said = root / "var/log/boot-of-a-test"
        self._process: subprocess.Popen[bytes] | None = None
        self._init = ""

    def __enter__(self) -> Self:
        try:
            self._group.mkdir(exist_ok=True)
        except OSError as error:
            stop(f"{self._group}: no control group can be made: {error.strerror}")
        join = 'echo 0 > "$1/cgroup.procs"; shift; exec "$@"'
        spaces = "--mount --pid --fork --kill-child=KILL --cgroup --uts --ipc --net".split()
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [
                    *("sh", "-ec", join, "sh", str(self._group), "unshare", *spaces),
                    *("sh", "-c", TO_BOOT, str(self._root)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        try:
            self._wait_for_it()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process
        self._process.kill()  # and with it process 1, and with that all others
        self._process.wait()
        until = monotonic() + PATIENCE
        while self._group.exists() and monotonic() < until:
            for group in [*sorted(self._group.rglob("*/"), reverse=True), self._group]:
                with suppress(OSError):
                    group.rmdir()
            sleep(0.1)

    def run(self, *command: str, user: str = "root") -> "subprocess.CompletedProcess[str]":
        """Run a program in it, and give back what it said, with stderr in stdout."""
        switch = () if user == "root" else ("runuser", "-u", user, "--")
        return subprocess.run(
            ["nsenter", "--all", "--target", self._init, *ENVIRONMENT, *switch, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
        )

    def shell(self, script: str, *arguments: str) -> str:
        """What a script of sh prints, without the last line's end."""
        return self.run("sh", "-c", script, "sh", *arguments).stdout.rstrip("\n")

    def _wait_for_it(self) -> None:
        until = monotonic() + PATIENCE
        while (told := self._state()) not in ("running", "degraded"):
            assert self._process
            if self._process.poll() is not None or monotonic() > until:
                said = self._said.read_text(errors="replace")
                stop(f"systemd does not boot here ({told or 'it has ended'}): {said}")
            sleep(0.2)

    def _state(self) -> str:
        assert self._process
        children = _children(self._process.pid)
        if not children:
            return ""
        self._init = children[0]
        if Path(f"/proc/{self._init}/comm").read_text().strip() != "systemd":
            return ""
        return self.run("systemctl", "is-system-running").stdout.strip()


def _children(pid: int) -> Sequence[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ()


def _cgroups() -> Path:
    """Where version 2 of the control groups is mounted; where there is version 1, too, that is
    beside it."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    stop("control groups of version 2 are not mounted here")
