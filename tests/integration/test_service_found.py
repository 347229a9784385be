"""Commands without options find the service that is installed on this machine."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from programs import Program, ruuvi_host

NOBODY = "http://127.0.0.1:9/"
_SETPRIV = shutil.which("setpriv")
AS_OTHERS = (_SETPRIV or "", "--bounding-set=-dac_override,-dac_read_search")
"""Root, to whom modes of files apply: as to a user who may not look at the service, and who may
start this Python, wherever it is."""


class Machine:
    """A folder with the places of a service, and a home."""

    def __init__(self, root: Path) -> None:
        self.config = root / "etc/ruuvi-host/ruuvi-host.toml"
        self.state = root / "var/lib/ruuvi-host"
        self.runtime = root / "run/ruuvi-host"
        self.home = root / "home"
        self.config.parent.mkdir(parents=True)
        self.state.parent.mkdir(parents=True)
        self.home.mkdir(mode=0o777)
        self.config.write_text(
            f'trust_clock = true\n[gateway]\nuse_http = true\nhttp_url = "{NOBODY}"\n'
            "http_period = 1\n"
        )
        self.config.chmod(0o600)
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        self.environment = kept | {"RUUVI_HOST_ROOT": str(root)}

    def asked(self, *arguments: str, other: bool = False) -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(
            [*(AS_OTHERS if other else ()), sys.executable, "-m", "ruuvi_host", *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=60,
        )
        assert "Traceback" not in ran.stderr, ran
        return ran

    def own_state(self) -> Path:
        folder = self.home / ".local/state/ruuvi-host"
        folder.mkdir(parents=True)
        return folder

    @contextmanager
    def running(self) -> Iterator[Program]:
        """The service, with a simulated board."""
        options = ("--config", str(self.config), "--state-dir", str(self.state))
        environment = self.environment | {"RUNTIME_DIRECTORY": str(self.runtime)}
        with ruuvi_host("run", "--simulate", *options, env=environment) as host:
            host.wait_for("not delivered")
            yield host


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def open_machine() -> Iterator[Machine]:
    """In a folder that others may look into, as pytest's own is not."""
    with TemporaryDirectory(prefix="machine-") as folder:
        Path(folder).chmod(0o755)
        yield Machine(Path(folder))


def test_a_running_service(machine: Machine) -> None:
    with machine.running() as host:
        assert json.loads(machine.asked("status", "--json").stdout)["pid"] == host.pid
        while not (listed := machine.asked("spool", "list")).stdout:
            assert listed.returncode == 0
        assert listed.stdout.startswith("custom: batches ")
        told = {f["topic"]: f for f in map(json.loads, doctor(machine).stdout.splitlines())}
        assert told["host"]["sentence"].startswith(f"runs as process {host.pid}: ")
        [port] = json.loads(machine.asked("status", "--json").stdout)["coprocessors"]
        # Its port is its own, also for who examines a host of another kind.
        done = machine.asked("doctor", "--port", port["port"], "--no-post", "--json")
        told = {f["topic"]: f for f in map(json.loads, done.stdout.splitlines())}
        topic = f"coprocessor {port['port']}"
        assert f"(process {host.pid})" in told[f"{topic}, host"]["sentence"]
        assert "answers" in told[topic]["sentence"] or told[topic]["level"] == "ok"
        assert host.stop() == 0
    assert machine.asked("status").returncode == 5
    assert "systemctl status ruuvi-host" in machine.asked("status").stderr
    assert "nonce" in machine.asked("spool", "show", "custom").stdout
    assert machine.asked("check").stdout.startswith("custom: not delivered")
    drained = machine.asked("spool", "drain", "custom")
    assert (drained.returncode, "the rest stays" in drained.stderr) == (4, True)


def doctor(machine: Machine) -> subprocess.CompletedProcess[str]:
    return machine.asked("doctor", "--no-post", "--json")


def test_its_configuration_is_shown_checked_and_changed(machine: Machine) -> None:
    assert NOBODY in machine.asked("config", "show").stdout
    assert f"read: {machine.config}" in machine.asked("config", "check").stderr
    done = machine.asked("config", "set", "http_period=30")
    assert f"changed {machine.config}" in done.stderr
    assert "http_period = 30" in machine.config.read_text()
    assert machine.state.is_dir(), "the way back is kept in its state"
    assert machine.asked("config", "undo").returncode == 0
    assert "http_period = 1\n" in machine.config.read_text()
    # Named or not, it is the service's, and so is its state.
    shown = machine.asked("config", "undo", "--list", "--config", str(machine.config)).stdout
    assert "http_period" in shown


def test_without_a_service_a_missing_folder_is_not_an_empty_one(machine: Machine) -> None:
    shutil.rmtree(machine.config.parent)
    for words in (["list"], ["list", "--simulate"], ["show", "custom"], ["drop", "custom"]):
        done = machine.asked("spool", *words)
        assert done.returncode == 2
        assert f"{machine.home}/.local/state/ruuvi-host" in done.stderr
        assert "there is no such folder, and none of the service" in done.stderr
    done = machine.asked("config", "set", "max_sensors=5")
    assert done.returncode == 2
    assert "name the ruuvi-host.toml or gw_cfg.json to change" in done.stderr
    machine.own_state()
    assert "Nothing waits" in machine.asked("spool", "list").stderr


def test_a_service_that_has_never_run(machine: Machine) -> None:
    done = machine.asked("spool", "list")
    assert done.returncode == 2
    assert f"{machine.state}: there is no such folder: the service has not run" in done.stderr


def test_an_option_names_another_host(machine: Machine) -> None:
    folder = str(machine.own_state())
    (machine.state).mkdir()
    done = machine.asked("spool", "list")
    assert f"Nothing waits in {machine.state}." in done.stderr
    assert f"note: this is the service's; a host of your own is found by --state-dir {folder}" in (
        done.stderr
    )
    assert (
        f"Nothing waits in {folder}."
        in machine.asked("spool", "list", "--state-dir", folder).stderr
    )
    machine.environment["RUUVI_HOST_STATE_DIR"] = folder
    assert f"Nothing waits in {folder}." in machine.asked("spool", "list").stderr


@pytest.mark.skipif(os.geteuid() != 0 or not _SETPRIV, reason="only root can be another user")
def test_who_may_not_look_is_told_who_may(machine: Machine) -> None:
    owner = pwd.getpwnam("daemon")
    machine.state.mkdir(mode=0o700)
    for path in (machine.state, machine.config):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    commands = (["spool", "list"], ["config", "show"], ["config", "check"], ["check"], ["doctor"])
    for words in commands:
        done = machine.asked(*words, other=True)
        assert done.returncode == 2, done
        assert str(machine.config) in done.stderr
        assert "only root and the user daemon may read it; run this with sudo" in done.stderr
    done = machine.asked("status", other=True)
    assert (done.returncode, "only root and the user daemon" in done.stderr) == (5, True)
    machine.config.chmod(0o644)
    done = machine.asked("spool", "list", other=True)
    assert (done.returncode, f"{machine.state}: may not be read" in done.stderr) == (2, True)
    # Whoever has a host of their own means that one, and is told of the other.
    own = machine.own_state()
    done = machine.asked("spool", "list", other=True)
    assert (done.returncode, "note: the service is left out: " in done.stderr) == (0, True)
    assert f"Nothing waits in {own}." in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_the_service_can_read(open_machine: Machine) -> None:
    machine = open_machine
    owner = pwd.getpwnam("daemon")  # in place of the user whom a package makes
    machine.state.mkdir(mode=0o700)
    os.chown(machine.state, owner.pw_uid, owner.pw_gid)
    done = machine.asked("config", "check")
    assert done.returncode == 2
    assert f"error: {machine.config}: the service, which runs as daemon, may not " in done.stdout
    assert "; sudo chgrp daemon " in done.stdout
    machine.config.chmod(0o644)  # as an editor leaves it
    assert machine.asked("config", "check").returncode == 0
    exported = machine.home / "gw_cfg.json"
    exported.write_text('{"use_http": true, "http_url": "http://127.0.0.1:9/"}')
    assert machine.asked("config", "import", str(exported)).returncode == 0
    assert machine.asked("config", "set", "max_sensors=50").returncode == 0
    for path in (machine.config, machine.config.with_name("gw_cfg.json")):
        found = path.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, owner.pw_gid, 0o640)
    assert machine.asked("config", "check").returncode == 0
    # A folder that belongs to the service keeps its files.
    for path in (machine.config.parent, machine.config):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    machine.config.chmod(0o600)
    assert machine.asked("config", "set", "max_sensors=60").returncode == 0
    found = machine.config.stat()
    assert (found.st_uid, found.st_mode & 0o777) == (owner.pw_uid, 0o600)


@pytest.mark.skipif(os.geteuid() != 0 or not _SETPRIV, reason="only root can be another user")
def test_a_member_of_its_group_may_ask_it(machine: Machine) -> None:
    owner = pwd.getpwnam("daemon")
    machine.state.mkdir(mode=0o700)
    machine.runtime.mkdir(parents=True)
    machine.runtime.chmod(0o750)  # of our group, in which this process is
    with machine.running() as host:
        socket = machine.runtime / "status.sock"
        for path in (machine.state, machine.config, machine.runtime, socket):
            os.chown(path, owner.pw_uid, -1)
        done = machine.asked("status", other=True)
        assert f"process {host.pid}" in done.stdout
        told = machine.asked("doctor", "--json", other=True)
        found = {f["topic"]: f for f in map(json.loads, told.stdout.splitlines())}
        assert found["host"]["sentence"].startswith(f"runs as process {host.pid}: ")
        assert "only root and the user daemon may read it" in found["configuration"]["sentence"]
        assert told.returncode == 1
        assert machine.asked("spool", "list", other=True).returncode == 2
        for path in (machine.runtime, socket):
            os.chown(path, -1, owner.pw_gid)
        done = machine.asked("status", other=True)
        assert "only root, the user daemon and members of the group daemon" in done.stderr
        assert done.returncode == 5
        assert host.stop() == 0


def test_a_host_with_simulate(machine: Machine) -> None:
    shutil.rmtree(machine.config.parent)
    done = machine.asked("doctor", "--simulate", "--url", NOBODY, "--no-post", "--json")
    told = {f["topic"]: f for f in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout
    [board] = [topic for topic in told if topic.startswith("coprocessor /dev/pts/")][:1]
    assert "firmware 2.0.0" in told[board]["sentence"]
    with ruuvi_host(
        *("run", "--simulate", "--url", NOBODY, "--interval", "1"), env=machine.environment
    ) as host:
        host.wait_for("not delivered")
        while not (listed := machine.asked("spool", "list", "--simulate")).stdout:
            assert listed.returncode == 0
        done = machine.asked("doctor", "--simulate", "--url", NOBODY, "--no-post", "--json")
        told = {f["topic"]: f for f in map(json.loads, done.stdout.splitlines())}
        assert told["host"]["sentence"].startswith(f"runs as process {host.pid}: ")
        assert host.stop() == 0
    refused = machine.asked("doctor", "--simulate", "--port", "/dev/ttyACM0")
    assert (refused.returncode, "one of them" in refused.stderr) == (2, True)
