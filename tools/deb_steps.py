"""What is tried with the installed package, step by step: see deb_test.py, which boots the Debian
that this happens in. Each step leaves the system as the next one needs it."""

import json
import re
from collections.abc import Callable
from time import monotonic, sleep

from booted import Booted

PATIENCE = 120.0
"""Seconds for what takes up to forty: systemd waits for a process that was stopped."""
CONFIG = "/etc/ruuvi-host/ruuvi-host.toml"
STATE = "/var/lib/ruuvi-host"
LOG = "/run/server.log"
MEMBER, STRANGER = "member", "stranger"
USUAL = 'test -e /run/server.log && grep -c \'"signature": "ok"\' /run/server.log || echo 0'
NOT_OURS = "^/(proc|sys|dev|run|tmp|srv|var/log|var/cache|var/lib/(dpkg|apt|systemd)|root)(/|$)"
"""Where others write meanwhile."""


class Trial:
    """A system on which it is tried, and what was found."""

    def __init__(self, system: Booted) -> None:
        self.system = system
        self.right = 0
        self.wrong: list[str] = []
        self.before = ""

    def check(self, what: str, right: object, told: object = "") -> None:
        """Count one thing, and say it."""
        print(f"{'ok   ' if right else 'WRONG'} {what}{f': {told}' if told else ''}", flush=True)
        if right:
            self.right += 1
        else:
            self.wrong.append(what)

    def sh(self, script: str, *arguments: str) -> str:
        return self.system.shell(script, *arguments)

    def until(self, is_so: Callable[[], object]) -> bool:
        """Wait for it. False: it was waited for in vain."""
        end = monotonic() + PATIENCE
        while not is_so():
            if monotonic() > end:
                return False
            sleep(0.25)
        return True

    def asked(self, user: str, *command: str) -> tuple[int, str]:
        """Exit status and output of a command of the program, for a user."""
        ran = self.system.run("ruuvi-host", *command, user=user)
        return ran.returncode, ran.stdout

    # --- the service

    def show(self, name: str) -> str:
        return self.sh('systemctl show --value -p "$1" ruuvi-host', name)

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    def is_another(self, pid: int) -> bool:
        """Does another process than that run, and is it ready?"""
        return self.show("ActiveState") == "active" and self.pid not in (0, pid)

    # --- the server

    @property
    def accepted(self) -> int:
        """Batches that it has taken, since it was first started."""
        return int(self.sh(USUAL) or 0)

    def arrives(self) -> bool:
        """Does one more?"""
        before = self.accepted
        return self.until(lambda: self.accepted > before)

    def serve(self) -> None:
        self.sh(
            "systemd-run --quiet --collect --unit=server "
            f"-p StandardOutput=append:{LOG} ruuvi-host receive --simulated 1 --json"
        )

    def silence(self) -> None:
        self.sh("systemctl stop server")

    @property
    def kept(self) -> int:
        """Batches that wait on the disk."""
        _, told = self.asked("root", "spool", "list")
        return sum(int(number) for number in re.findall(r"batches (\d+)", told))

    def batches(self) -> set[str]:
        """What tells accepted batches apart."""
        told = (json.loads(line) for line in self.sh(f"cat {LOG}").splitlines())
        return {str(line["nonce"]) for line in told if line.get("signature") == "ok"}


def files(trial: Trial) -> str:
    return trial.sh(f"find / -xdev | grep -Ev '{NOT_OURS}' | grep -v __pycache__ | LC_ALL=C sort")


def install(trial: Trial) -> None:
    """Installing: what is there, and that nothing runs."""
    trial.before = files(trial)
    ran = trial.system.run(*INSTALL, "/srv/old/ruuvi-host_0.1.0-1_all.deb")
    trial.check("apt installs it", ran.returncode == 0, ran.stdout if ran.returncode else "")
    version = trial.sh("ruuvi-host --version; python3 --version; systemctl --version | head -1")
    trial.check("it is there", version.startswith("ruuvi-host"), version.replace("\n", ", "))
    state = trial.sh("systemctl is-enabled ruuvi-host; systemctl is-active ruuvi-host")
    trial.check("the service is off", state == "disabled\ninactive", state.replace("\n", ", "))
    owners = trial.sh(f"stat -c '%n %U:%G %a' /etc/ruuvi-host {CONFIG} {STATE}")
    expected = [
        "/etc/ruuvi-host ruuvi-host:ruuvi-host 750",
        f"{CONFIG} ruuvi-host:ruuvi-host 600",
        f"{STATE} ruuvi-host:ruuvi-host 700",
    ]
    trial.check("its folders are its user's", owners.splitlines() == expected, owners)
    code, told = trial.asked("root", "config", "check")
    trial.check("the configuration is good, and sends nothing", code == 0, told.strip())
    trial.check("udev understands the rule", "Fail:    0" in trial.sh("udevadm verify"))
    failed = trial.sh("systemctl start ruuvi-host; systemctl show -p ExecMainStatus ruuvi-host")
    said = trial.sh("journalctl -u ruuvi-host -o cat | grep Error")
    trial.check("started as it is, it says what is missing", "=2" in failed, said)


def shells(trial: Trial) -> None:
    """Man pages, and completion in three shells."""
    pages = trial.sh("man -w ruuvi-host ruuvi-host-run ruuvi-host-config-import")
    trial.check("man pages", len(pages.splitlines()) == 3, pages.replace("\n", ", "))
    bash = trial.sh(
        "bash -c '. /usr/share/bash-completion/completions/ruuvi-host;"
        " COMP_WORDS=(ruuvi-host stat); COMP_CWORD=1;"
        ' _ruuvi_host_completion ruuvi-host stat ruuvi-host; echo "${COMPREPLY[@]}"\''
    )
    trial.check("bash completes", bash == "status", bash)
    zsh = trial.sh("zsh -c 'autoload -Uz compinit; compinit -u; echo $_comps[ruuvi-host]'")
    trial.check("zsh knows the completion", zsh.startswith("_ruuvi"), zsh)
    fish = trial.sh("fish -c 'complete --do-complete \"ruuvi-host stat\"'")
    trial.check("fish completes", fish.startswith("status"), fish)


def first_start(trial: Trial) -> None:
    """A board, one line edited, systemctl start: data at a server."""
    trial.sh(
        "systemd-run --quiet --collect --unit=board -p User=nobody -p RuntimeDirectory=board"
        " ruuvi-host simulate --link /run/board/pty"
    )
    trial.until(lambda: trial.sh("readlink /run/board/pty"))
    # As udev would have it.
    trial.sh(
        "ln -s /run/board/pty /dev/ruuvi-coprocessor;"
        " chgrp dialout /run/board/pty; chmod 660 /run/board/pty"
    )
    trial.serve()
    # No time server is reached from in here, and a minute of watchdog need not be waited for.
    trial.sh(
        "mkdir -p /run/systemd/system/ruuvi-host.service.d;"
        " printf '[Service]\\nEnvironment=RUUVI_HOST_TRUST_CLOCK=true\\nWatchdogSec=15\\n'"
        " > /run/systemd/system/ruuvi-host.service.d/test.conf; systemctl daemon-reload"
    )
    trial.sh(f"sed -i 's/^use_http = false/use_http = true/' {CONFIG}")
    began = monotonic()
    ran = trial.system.run("systemctl", "start", "ruuvi-host")
    took = f"{monotonic() - began:.1f} s"
    trial.check("it starts, and says when it is ready", ran.returncode == 0, took + ran.stdout)
    trial.check("Type=notify", trial.show("Type") == "notify", trial.show("StatusText"))
    trial.check("data arrives", trial.arrives(), f"{trial.accepted} batches")
    user = trial.sh('ps -o user= -p "$1"', str(trial.pid)).strip()
    trial.check("it runs as its user", user == "ruuvi-h+" or user == "ruuvi-host", user)
    trial.sh("systemctl enable ruuvi-host")


def people(trial: Trial) -> None:
    """What root, a member of the group and a stranger are told."""
    trial.sh(f"useradd --system --groups ruuvi-host {MEMBER}; useradd --system {STRANGER}")
    for user in ("root", MEMBER):
        code, told = trial.asked(user, "status")
        trial.check(f"status as {user}", code == 0 and "health: ok" in told, told.splitlines()[1])
    code, told = trial.asked(STRANGER, "status")
    trial.check("status as a stranger is refused", code != 0, told.strip())
    code, told = trial.asked("root", "spool", "list")
    trial.check("spool list as root", code == 0, told.strip())
    for user in (MEMBER, STRANGER):
        code, told = trial.asked(user, "spool", "list")
        trial.check(f"spool list as {user} is refused", code != 0 and "may" in told, told.strip())
    for user in ("root", MEMBER, STRANGER):
        code, told = trial.asked(user, "doctor")
        clean = "Traceback" not in told and "fault" not in told
        trial.check(f"doctor as {user}", clean, f"status {code}\n{told.strip()}")


def reload(trial: Trial) -> None:
    """A reload with a good and with a bad file."""
    pid = trial.pid
    length = f"tail -n 1 {LOG} | grep -o '.bytes.: [0-9]*'"
    raw = trial.sh(length)
    trial.sh(
        f"echo 'http_data_format = \"ruuvi_decoded\"' >> {CONFIG}; systemctl reload ruuvi-host"
    )
    good = trial.until(lambda: trial.sh(length) != raw)
    told = f"{raw}, with decoded data {trial.sh(length)}"
    trial.check("a good one is in use", good and trial.pid == pid, told)
    trial.sh(f"echo 'use_http = maybe' >> {CONFIG}; systemctl reload ruuvi-host")
    said = "journalctl -u ruuvi-host -o cat | tail -n 20 | grep -i ruuvi-host.toml"
    trial.check("a bad one is told", trial.until(lambda: trial.sh(said)), trial.sh(said))
    trial.check("and changes nothing", trial.arrives() and trial.pid == pid)
    told = trial.show("StatusText")
    trial.check("the status tells it", "configuration" in told, told)
    trial.sh(f"sed -i '$d' {CONFIG}; systemctl reload ruuvi-host")
    trial.check("mended, it goes on", trial.arrives() and trial.pid == pid)
    imported = trial.sh(
        'echo \'{"http_user": "me"}\' > /root/gw_cfg.json;'
        f" ruuvi-host config import --config {CONFIG} /root/gw_cfg.json >/dev/null 2>&1;"
        " stat -c %U:%a /etc/ruuvi-host/*"
    )
    right = {*imported.splitlines()} == {"ruuvi-host:600"}
    trial.check("what root imports is the service's", right, imported.replace("\n", ", "))
    trial.sh("systemctl reload ruuvi-host")
    trial.check("and it goes on", trial.arrives() and trial.pid == pid)


def killed(trial: Trial) -> None:
    """SIGSTOP, until the watchdog comes; SIGKILL."""
    pid = trial.pid
    began = monotonic()
    trial.sh("systemctl kill -s STOP ruuvi-host")
    back = trial.until(lambda: trial.is_another(pid))
    said = trial.sh("journalctl -u ruuvi-host -o cat | grep -i 'watchdog timeout' | tail -n 1")
    took = f"{said} Back after {monotonic() - began:.0f} s"
    trial.check("after SIGSTOP the watchdog starts it again", back and said, took)
    trial.check("data arrives", trial.arrives())
    pid = trial.pid
    trial.sh("systemctl kill -s KILL ruuvi-host")
    trial.check("after SIGKILL it is back", trial.until(lambda: trial.is_another(pid)))
    trial.check("data arrives", trial.arrives())


def backlog(trial: Trial) -> None:
    """A server that is away, over a SIGKILL."""
    trial.silence()
    trial.check("batches are kept", trial.until(lambda: trial.kept >= 2), trial.kept)
    pid, kept = trial.pid, trial.kept
    trial.sh("systemctl kill -s KILL ruuvi-host")
    back = trial.until(lambda: trial.is_another(pid))
    trial.check("and are there after a SIGKILL", back and trial.kept >= kept, trial.kept)
    before = len(trial.batches())
    trial.serve()
    trial.check("the server is back: none waits", trial.until(lambda: trial.kept == 0))
    arrived = len(trial.batches()) - before
    trial.check("all have arrived", arrived >= kept, f"{arrived} after {kept} were kept")


def upgrade(trial: Trial) -> None:
    """An upgrade while batches wait."""
    trial.silence()
    trial.check("batches are kept", trial.until(lambda: trial.kept >= 2), trial.kept)
    pid, kept, config = trial.pid, trial.kept, trial.sh(f"sha256sum {CONFIG}")
    ran = trial.system.run(*INSTALL, "/srv/new/ruuvi-host_0.1.0-2_all.deb")
    trial.check("apt upgrades it", ran.returncode == 0, ran.stdout if ran.returncode else "")
    trial.check("the new one runs", trial.until(lambda: trial.is_another(pid)))
    trial.check("the configuration is as it was", trial.sh(f"sha256sum {CONFIG}") == config)
    trial.check("what was kept is kept", trial.kept >= kept, trial.kept)
    trial.serve()
    trial.check("and delivered", trial.until(lambda: trial.kept == 0) and trial.arrives())
    enabled = trial.sh("systemctl is-enabled ruuvi-host")
    trial.check("it is enabled as it was", enabled == "enabled", enabled)


def remove(trial: Trial) -> None:
    """Removing, and installing again."""
    ran = trial.system.run(*APT, "remove", "ruuvi-host")
    trial.check("apt removes it", ran.returncode == 0, ran.stdout if ran.returncode else "")
    trial.check("nothing of it runs", not trial.sh("pgrep -f '[r]uuvi-host run'"))
    there = trial.sh(f"ls {CONFIG} {STATE}/gateway.json")
    trial.check("configuration and state stay", len(there.splitlines()) == 2, there)
    ran = trial.system.run(*INSTALL, "/srv/new/ruuvi-host_0.1.0-2_all.deb")
    trial.check("it is installed again", ran.returncode == 0, ran.stdout if ran.returncode else "")
    trial.sh("systemctl start ruuvi-host")
    trial.check("with its configuration: data arrives", trial.arrives())


def purge(trial: Trial) -> None:
    """Purging leaves nothing."""
    ran = trial.system.run(*APT, "purge", "ruuvi-host")
    trial.check("apt purges it", ran.returncode == 0, ran.stdout if ran.returncode else "")
    trial.sh(f"systemctl stop board server; userdel {MEMBER}; userdel {STRANGER}")
    left = sorted({*files(trial).splitlines()} - {*trial.before.splitlines()})
    trial.check("no file is left", not left, " ".join(left))
    names = trial.sh("getent passwd ruuvi-host; getent group ruuvi-host; ls /run/ruuvi-host")
    trial.check("no user, group or folder in /run", "ruuvi-host:" not in names, "")
    links = trial.sh("find /etc/systemd /var/lib/systemd -name '*ruuvi-host*'")
    trial.check("systemd has no link to it", not links, links)


APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y")
INSTALL = (*APT, "--no-install-recommends", "install")
STEPS = (
    *(install, shells, first_start, people, reload),
    *(killed, backlog, upgrade, remove, purge),
)
