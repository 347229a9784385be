"""The rigs that run the reference firmware: on an emulated chip, or as a program of this machine.

qemu's nRF51 has the programming model of the nRF52's UART, and these limits: bytes take no time
(the firmware's timer stands in for the speed of the line), none is ever lost by the UART itself,
and there is no radio, watchdog or RTC.
"""

import json
import select
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from .firmware.build import ARM_GCC, BuildError, Options, build_chip, build_host, missing
from .local import LocalRig
from .rig import Ability, RigError, RigMissingError, Setup

QEMU = "qemu-system-arm"
GPIO_OUT = 0x50000504
PIN_LED = 13
"""See hil/firmware/nrf.c; it is high when the LED is on."""
TIMEOUT = 30.0
"""Seconds that an emulator may take to answer."""


def _options(setup: Setup) -> Options:
    return Options(setup.firmware, setup.watchdog, setup.baud, setup.transmit == "faithful")


class FirmwareRig(LocalRig):
    """What both share: a program that is built for each setup, once."""

    programs: tuple[str, ...] = ()
    program = ""
    """What runs, for people."""

    def __init__(self) -> None:
        if absent := missing(self.programs):
            raise RigMissingError(self.name, absent)
        super().__init__()
        self._said = self.directory / "said"
        self._built: dict[Setup, Path] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def build(self, setup: Setup, output: Path) -> Path:
        """Make the firmware."""
        raise NotImplementedError  # each emulator has its own

    def command(self, program: Path, line: socket.socket) -> list[str]:
        """What runs it."""
        raise NotImplementedError  # each emulator has its own

    def boot(self, setup: Setup) -> socket.socket:
        if setup not in self._built:
            output = self.directory / f"firmware-{len(self._built)}"
            try:
                self._built[setup] = self.build(setup, output)
            except BuildError as error:
                raise RigError(str(error)) from error
        line, cable = socket.socketpair()
        with line:
            # Nothing of ours may outlive us, not even when we are killed.
            guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
            command = [*guard, *self.command(self._built[setup], line)]
            with self._said.open("wb") as said:
                self._process = self.run(command, line, said.fileno())
        try:
            self.greet()
        except BaseException:
            cable.close()
            self.shut_down()
            raise
        return cable

    def run(self, command: list[str], line: socket.socket, said: int) -> subprocess.Popen[bytes]:
        """Start it with its serial line; what it complains of goes to the file `said`."""
        raise NotImplementedError  # each emulator has its own

    def greet(self) -> None:
        """Wait until it is there. Raises RigError."""

    def shut_down(self) -> None:
        if self._process:
            self._process.kill()
            with suppress(BrokenPipeError):  # it had ended before it was told all
                self._process.communicate()
            self._process = None

    def trouble(self) -> str:
        """That it has ended by itself, and what it complained of."""
        code = self._process.poll() if self._process else None
        if code is None:
            return ""
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        said = self._said.read_text("utf-8", "replace").strip()
        return f"{self.program}: has ended, {how}" + f": {said}" * bool(said)


class QemuRig(FirmwareRig):
    """--rig qemu."""

    name = "qemu"
    description = "reference firmware on an emulated nRF51 (qemu microbit), no hardware"
    programs = (ARM_GCC, QEMU)
    program = QEMU
    abilities = FirmwareRig.abilities | {Ability.TRUTH}

    def build(self, setup: Setup, output: Path) -> Path:
        return build_chip("microbit", _options(setup), output, paced=True)

    def command(self, program: Path, line: socket.socket) -> list[str]:
        return [
            *(QEMU, "-M", "microbit", "-kernel", str(program), "-display", "none"),
            *("-monitor", "none", "-qmp", "stdio"),
            *("-chardev", f"socket,id=line,fd={line.fileno()}", "-serial", "chardev:line"),
        ]

    def run(self, command: list[str], line: socket.socket, said: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            pass_fds=[line.fileno()],
        )

    def greet(self) -> None:
        self._next_line()
        self._ask("qmp_capabilities")

    def reset(self) -> None:
        self._ask("system_reset")

    def led_is_on(self) -> bool:
        read = {"command-line": f"xp /1wx {GPIO_OUT:#x}"}
        answer = str(self._ask("human-monitor-command", **read))
        return bool(int(answer.split()[1], 16) >> PIN_LED & 1)

    def _ask(self, command: str, **arguments: str) -> object:
        """Of the emulator itself."""
        assert self._process
        assert self._process.stdin
        question = {"execute": command} | ({"arguments": arguments} if arguments else {})
        with suppress(BrokenPipeError):  # it has ended, which is told below
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
        while "return" not in (answer := json.loads(self._next_line())):
            if "error" in answer:
                raise RigError(f"{QEMU}: {command}: {answer['error'].get('desc')}")
        return answer["return"]

    def _next_line(self) -> bytes:
        """What it says next."""
        assert self._process
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], TIMEOUT)[0]:
            raise RigError(f"{QEMU}: says nothing for {TIMEOUT:g} s")
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(TIMEOUT)
            raise RigError(self.trouble())
        return line


class NativeRig(FirmwareRig):
    """--rig native: the same firmware under sanitizers, where there is no emulator."""

    name = "native"
    description = "reference firmware as a program, under sanitizers, no hardware"
    programs = ("gcc",)
    program = "the firmware"

    def build(self, setup: Setup, output: Path) -> Path:
        return build_host(_options(setup), output)

    def command(self, program: Path, line: socket.socket) -> list[str]:
        return [str(program)]

    def run(self, command: list[str], line: socket.socket, said: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdin=line.fileno(), stdout=line.fileno(), stderr=said)

    def reset(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGUSR1)
