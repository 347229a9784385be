"""The rig with a real board, or with whatever else speaks CA-UART on a port."""

import os
import shlex
import subprocess

from .experience import Experience
from .rig import Ability, BareRig, RigError, Setup


def kind_of(port: str) -> str:
    """What is behind a port, as far as its name tells: a program behind a pseudo-terminal or a
    network must not be taken for a board."""
    if "://" in port:
        return "network"
    return "pty" if os.path.realpath(port).startswith("/dev/pts/") else "board"


class SerialRig(BareRig):
    """--rig serial --port PORT.

    reset_command: a program that resets the board, as it would be typed; None: it cannot be reset.
    official: it runs the official firmware, or says so.
    """

    name = "serial"
    reply_bound = 0.1
    """As long as the ESP32 of the official gateway waits."""

    def __init__(
        self, port: str, baud: int, reset_command: str | None, *, official: bool = False
    ) -> None:
        self.path = port
        self.baud = baud
        self.experience = Experience()
        kind = kind_of(port)
        self.is_hardware = kind == "board"
        self.description = f"{kind} {port}"
        if not self.is_hardware:
            self.name = f"serial ({kind})"
        self._reset_command = reset_command
        self.abilities = frozenset(
            {
                *(Ability.ANSWER, Ability.RADIO),
                *(Ability.CHANNELS, Ability.PATIENCE, Ability.STATIC),
            }
        )
        if official:
            self.abilities |= {Ability.RECEIVER}
        if reset_command:
            self.abilities |= {Ability.RESET}

    def start(self, setup: Setup) -> None:
        """It is what it is."""

    def reset(self) -> None:
        if not self._reset_command:
            raise RigError("rig serial: give --reset-command")
        try:
            done = subprocess.run(
                shlex.split(self._reset_command),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except OSError as error:
            told = f"{error.filename or self._reset_command}: {error.strerror}"
            raise RigError(f"--reset-command: {told}") from None
        except (ValueError, subprocess.TimeoutExpired) as error:
            raise RigError(f"--reset-command: {error}") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip() or "it has said nothing"
            raise RigError(f"--reset-command ended with {done.returncode}: {said}")

    def is_reference_firmware(self) -> None:
        """It says that it is ours: no radio, but whatever we want in the air."""
        self.abilities = self.abilities - {Ability.RADIO} | {Ability.GENERATE, Ability.RECEIVER}
        self.description += ", with the reference firmware, which has no radio"
