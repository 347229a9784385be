"""The suite as a user runs it: `ruuvi-host hil`, its report, and what it says when it cannot."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lines import Pty
from programs import COMMAND, simulated

from firmware_protocol.messages import DeviceId, GetDeviceId
from hil.emulated import NativeRig, QemuRig
from hil.firmware.build import missing
from hil.rig import RigError, Setup
from hil.simulated import DEVICE
from hil.wire import Wire


def hil(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it, in an empty directory: nothing of the source tree may be needed."""
    return subprocess.run(
        [COMMAND, "hil", "--report", str(directory / "report"), *arguments],
        capture_output=True,
        text=True,
        cwd=directory,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a short run on the simulator."""
    directory = tmp_path_factory.mktemp("hil")
    chosen = "test_tells_who_it_is or test_handshake or (test_rate and 50) or test_coded"
    done = hil(directory, "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no hardware was tested" in done.stdout
    assert [path.name for path in directory.iterdir()] == ["report"]
    return directory / "report"


def test_every_line_names_rig_firmware_and_board(ran: Path) -> None:
    told = json.loads((ran / "report.json").read_text())
    assert told["rig"] == "sim"
    assert told["is_hardware"] is False
    assert {line["address"] for line in told["tests"]} == {"C0:48:49:4C:01:00"}
    assert {line["firmware"] for line in told["tests"]} == {"1.0.0", "2.0.0"}
    assert {line["outcome"] for line in told["tests"]} == {"passed"}
    rates = [s for line in told["tests"] for s in line["series"] if s["kind"] == "rate"]
    assert len(rates) == 2
    for case in ElementTree.parse(ran / "junit.xml").iter("testcase"):
        properties = {p.get("name"): p.get("value") for p in case.iter("property")}
        assert properties["rig"] == "sim"
        assert properties["address"] == "C0:48:49:4C:01:00"
        assert properties["firmware"] in ("1.0.0", "2.0.0")


def test_the_bridge_on_a_scripted_controller(tmp_path: Path) -> None:
    """What a bridge cannot do is skipped, and why."""
    done = hil(tmp_path, "--rig", "hci", "-k", "test_tells_who_it_is or test_coded or test_channel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rig hci (no hardware was tested)" in done.stdout
    assert "needs channels, which rig hci has not" in done.stdout
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [line["outcome"] for line in told["tests"]].count("passed") == 2


def test_no_report_has_a_device_id(ran: Path) -> None:
    secret = DEVICE.id
    forms = {
        secret.hex(),
        secret.hex().upper(),
        secret.hex(":"),
        secret.hex(":").upper(),
        repr(secret),
    }
    for path in ran.iterdir():
        text = path.read_text()
        assert not [form for form in forms if form in text], path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rig", "serial"], "--port"),
        (["--rig", "sim", "--hci", "hci0"], "--hci is for --rig hci"),
        (["--rig", "replay"], "--capture"),
        (["--port", "/dev/ttyACM0"], "--rig serial"),
        (
            ["--rig", "replay", "--capture", "/nowhere.pcapng"],
            "ERROR: --rig replay: /nowhere.pcapng",
        ),
        (["--rig", "replay", "--capture", __file__], "holds no frame that a coprocessor sent"),
        (["--rig", "replay", "--capture", "-"], "cannot come from a pipe"),
        (["--rig", "serial", "--port", "/nowhere"], "/nowhere"),
        (["--duration", "0"], "--duration"),
        (["--rig", "toaster"], "toaster"),
        (["--rig", "serial", "--port", "/nowhere", "--firmware", "1.0.0"], "is asked"),
        (["--official"], "--official is for --rig serial"),
        (["--report", "/dev/null"], "--report /dev/null"),
        (["--ofical"], "did you mean --official?"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = hil(tmp_path, "-k", "test_tells_who_it_is or test_no_errors", *arguments)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert said in text
    assert "Traceback" not in text


def test_a_simulated_coprocessor_as_somebody_elses_board(tmp_path: Path) -> None:
    """What answers on a pty is tested, and not taken for a board."""
    with simulated("--tags", "5") as board:
        port = board.port
        done = hil(
            tmp_path,
            *("--rig", "serial", "--port", port),
            *("-k", "test_tells_who_it_is or test_notices_a_reboot or (test_is_answered and LED)"),
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "needs reset, which rig serial (pty) has not" in done.stdout
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert told["is_hardware"] is False
    assert told["totals"] == {"passed": 2, "failed": 0, "skipped": 1}


def test_two_tests_of_the_same_name_are_two_lines(tmp_path: Path) -> None:
    """test_air.py and test_reports.py have one; on a port that is not there one fails, and the
    other is skipped."""
    hil(tmp_path, "--rig", "serial", "--port", "/nowhere", "-k", "test_generation_of_reports")
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [line["outcome"] for line in told["tests"]] == ["failed", "skipped"]


def test_a_rig_that_is_not_installed(tmp_path: Path) -> None:
    """Skipped with the names of the packages; in continuous integration it fails."""
    for ci, code in (("", 0), ("true", 1)):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ruuvi_host", "hil", "--rig", "qemu"),
                *("--report", str(tmp_path / "report"), "-k", "test_tells_who_it_is"),
            ],
            capture_output=True,
            text=True,
            env={"PATH": str(tmp_path), "CI": ci},
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout
        assert "gcc-arm-none-eabi, qemu-system-arm" in done.stdout


def test_a_port_that_never_answers_is_not_waited_for_again_and_again(tmp_path: Path) -> None:
    """Twice, and the rest fails at once, with the same reason."""
    with Pty() as silent:
        done = hil(tmp_path, "--rig", "serial", "--port", silent.path, "-k", "test_commands")
    assert done.returncode == 1
    assert "nothing at all has been received" in done.stdout
    assert "not tried, as before: rig serial (pty)" in done.stdout


@pytest.mark.parametrize(
    ("program", "does", "said"),
    [
        ("qemu-system-arm", "echo no such machine >&2; exit 1", "exit status 1: no such machine"),
        ("qemu-system-arm", "exec true", "exit status 0"),
        ("arm-none-eabi-gcc", "echo cannot >&2; exit 1", "arm-none-eabi-gcc has failed"),
    ],
)
def test_an_emulator_that_does_not_start(
    tmp_path: Path, program: str, does: str, said: str
) -> None:
    """What it complains of is told, and nothing of ours with it."""
    needed = [p for p in QemuRig.programs if p != program]
    if missing(needed):
        pytest.skip(f"not installed: {', '.join(missing(needed))}")
    stub = tmp_path / program
    stub.write_text(f"#!/bin/sh\n{does}\n")
    stub.chmod(0o755)
    done = subprocess.run(
        [COMMAND, "hil", "--rig", "qemu", "--report", str(tmp_path / "report"), "-k", "test_tells"],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "During handling" not in done.stdout


def test_a_firmware_that_ends_takes_its_port_with_it() -> None:
    """Nobody waits for a dead board, and the next one starts."""
    if missing(NativeRig.programs):
        pytest.skip(f"not installed: {', '.join(missing(NativeRig.programs))}")
    rig = NativeRig()
    try:
        rig.start(Setup())
        assert rig.trouble() == ""
        assert rig._process
        with Wire(rig.path) as wire:
            wire.send(
                GetDeviceId().to_frame()
            )  # its GET_ALL may have come before the port was open
            wire.wait(lambda m: isinstance(m, DeviceId), "DEVICE_ID")
            rig._process.kill()
            wire.lost()
        rig._process.wait()
        assert rig.trouble() == "the firmware: has ended, killed by signal 9"
        rig.start(Setup())
        with Wire(rig.path) as wire:
            wire.send(
                GetDeviceId().to_frame()
            )  # its GET_ALL may have come before the port was open
            wire.wait(lambda m: isinstance(m, DeviceId), "DEVICE_ID")
    finally:
        rig.stop()


def test_an_emulator_that_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing(QemuRig.programs):
        pytest.skip(f"not installed: {', '.join(missing(QemuRig.programs))}")
    stub = tmp_path / "qemu-system-arm"
    stub.write_text("#!/bin/sh\nexec sleep 300\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("hil.emulated.TIMEOUT", 0.2)
    rig = QemuRig()
    try:
        with pytest.raises(RigError, match="says nothing"):
            rig.start(Setup())
    finally:
        rig.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_from_outside_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, and a build server that gives up: no folder of the rig's is left."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    with subprocess.Popen(
        [
            *(COMMAND, "hil", "--report", str(tmp_path / "report"), "-v"),
            *("-k", "test_endurance", "--duration", "200"),
            # Two sockets may be left to the collector, if it comes while they are being connected.
            *(
                "-W",
                "ignore::ResourceWarning",
                "-W",
                "ignore::pytest.PytestUnraisableExceptionWarning",
            ),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        # A shell's background jobs ignore it, and so would theirs.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as run:
        assert run.stdout
        while not list(folder.glob("ruuvi-host-hil-*/port")):
            assert run.poll() is None
        run.send_signal(number)
        run.stdout.read()
        assert run.wait(60) == 2
    assert list(folder.iterdir()) == []
