"""The rigs that run the reference firmware: on an emulated chip, or as a program of this machine.

qemu's nRF51 has the programming model of the nRF52's UART, and these limits: octets take no time
(the firmware's timer stands in for the speed of the line), none is ever lost by the UART itself,
and there is no radio, watchdog or RTC.
"""

import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from hil.firmware.build import ARM_GCC, Options, build_chip, build_host, missing
from hil.local import LocalRig
from hil.rig import RigMissingError, Setup

QEMU = "qemu-system-arm"
PATIENCE = 30.0


def _options(setup: Setup) -> Options:
    return Options(setup.firmware, setup.watchdog, setup.baud, setup.transmit == "faithful")


class FirmwareRig(LocalRig):
    """What both share: a program that is built for each setup, once."""

    programs: tuple[str, ...] = ()

    def __init__(self) -> None:
        if absent := missing(self.programs):
            raise RigMissingError(self.name, absent)
        super().__init__()
        self._built: dict[Setup, Path] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def build(self, setup: Setup, output: Path) -> Path:
        """Make the firmware."""
        raise NotImplementedError

    def command(self, program: Path, line: socket.socket) -> list[str]:
        """What runs it."""
        raise NotImplementedError

    def boot(self, setup: Setup) -> socket.socket:
        if setup not in self._built:
            output = self.directory / f"firmware-{len(self._built)}"
            self._built[setup] = self.build(setup, output)
        line, cable = socket.socketpair()
        with line:
            # Nothing of ours may outlive us, not even when we are killed.
            guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
            self._process = self.run([*guard, *self.command(self._built[setup], line)], line)
        return cable

    def run(self, command: list[str], line: socket.socket) -> subprocess.Popen[bytes]:
        """Start it with its serial line."""
        raise NotImplementedError

    def shut_down(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


class QemuRig(FirmwareRig):
    """--rig qemu."""

    name = "qemu"
    what = "reference firmware on an emulated nRF51 (qemu microbit), no hardware"
    programs = (ARM_GCC, QEMU)

    def build(self, setup: Setup, output: Path) -> Path:
        return build_chip("microbit", _options(setup), output, paced=True)

    def command(self, program: Path, line: socket.socket) -> list[str]:
        return [
            *(QEMU, "-M", "microbit", "-kernel", str(program), "-display", "none"),
            *("-monitor", "none", "-qmp", "stdio"),
            *("-chardev", f"socket,id=line,fd={line.fileno()}", "-serial", "chardev:line"),
        ]

    def run(self, command: list[str], line: socket.socket) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[line.fileno()],
        )
        assert process.stdout
        process.stdout.readline()  # it says hello when it is there
        self._ask(process, "qmp_capabilities")
        return process

    def reset(self) -> None:
        assert self._process
        self._ask(self._process, "system_reset")

    def _ask(self, process: subprocess.Popen[bytes], command: str) -> None:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"execute": command}).encode() + b"\n")
        process.stdin.flush()
        while b'"return"' not in (answer := process.stdout.readline()):
            if not answer:
                raise RuntimeError(f"{QEMU} has ended")


class NativeRig(FirmwareRig):
    """--rig native: the same firmware under sanitizers, where there is no emulator."""

    name = "native"
    what = "reference firmware as a program, under sanitizers, no hardware"
    programs = ("gcc",)

    def build(self, setup: Setup, output: Path) -> Path:
        return build_host(_options(setup), output)

    def command(self, program: Path, line: socket.socket) -> list[str]:
        return [str(program)]

    def run(self, command: list[str], line: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdin=line.fileno(), stdout=line.fileno())

    def reset(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGUSR1)
