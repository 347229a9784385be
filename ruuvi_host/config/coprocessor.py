"""What is set for one coprocessor: its port, how to reset it, how closely it is watched.

`CoprocessorSettings.KEYS` are those of a `[[coprocessor]]` table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Literal

from ruuvi_host.config.keys import HostKey, choice, flag, number, text, texts, whole
from ruuvi_host.config.port_form import why_no_port
from ruuvi_host.errors import ConfigError

BAUD = 115200
"""8 data bits, no parity, 1 stop bit, no flow control: what every board of the firmware uses."""

GATHER_MS = 50

RESET_HOLD = 0.1
"""Seconds that the reset line is held. As on the ESP32."""
COMMAND_TIMEOUT = 15.0
"""Seconds for a command that resets it: switching a USB port off and on takes a few."""


@dataclass(frozen=True, slots=True)
class ModemLine:
    """A modem line of the port, wired to nRESET.

    inverted: False: asserted is reset, which is what an adapter's DTR or RTS pin does when it is
    wired to nRESET directly (asserted is low there). True: there is an inverter in between.
    """

    line: Literal["dtr", "rts"]
    inverted: bool = False
    hold: float = RESET_HOLD


@dataclass(frozen=True, slots=True)
class GpioLine:
    """A GPIO of this machine, wired to nRESET: pulled low, and let go of, never driven high."""

    chip: str
    """Its device, as /dev/gpiochip0."""
    line: int | str
    """Offset, or name as the device tree has it."""
    hold: float = RESET_HOLD


@dataclass(frozen=True, slots=True)
class ResetCommand:
    """A program that resets the coprocessor, or takes its power away for a while. No shell."""

    argv: tuple[str, ...]
    timeout: float = COMMAND_TIMEOUT


Reset = ModemLine | GpioLine | ResetCommand


@dataclass(frozen=True, slots=True)
class CoprocessorSettings:
    """One coprocessor. The defaults, and why."""

    KEYS: ClassVar[tuple[HostKey, ...]] = (
        text(
            "port",
            "",
            "Serial port: a device such as /dev/serial/by-id/…, usb:VID:PID[:SERIAL], a "
            "pseudo-terminal, socket://host:port or rfc2217://host:port.",
            required="/dev/ttyACM0",
        ),
        whole("baud", 115200, "Every board of the firmware uses 115200.", 1200, 4_000_000),
        text(
            "reset",
            "",
            "What its reset line is wired to: dtr, rts (!dtr, !rts behind an inverter), or "
            "gpio:CHIP:LINE, as gpio:/dev/gpiochip0:17.",
        ),
        texts(
            "reset_command",
            "Program and arguments that reset it, or switch its power off and on, in place of a "
            "line. Run without a shell. It is done when the program has ended: what that leaves "
            "running goes on.",
        ),
        number(
            "heartbeat",
            10.0,
            "Seconds without any answer until it is asked for a sign of life; 0: never.",
            0,
            3600,
        ),
        choice(
            "probe", ("device_id", "led"), "What it is asked then; led lights its LED meanwhile."
        ),
        number(
            "ack_timeout",
            0.0,
            "Seconds to wait for an answer; 0: 0.25 on a local port, 1 over a network.",
            0,
            60,
        ),
        whole(
            "gather_ms",
            GATHER_MS,
            "Milliseconds for which reports may be gathered before they are read, at most: fewer "
            "reads take less power. 0: each is read at once. Answers are, always.",
            0,
            1000,
        ),
        flag("dtr", True, "Level of DTR while the port is open."),
        flag("rts", True, "Level of RTS while the port is open."),
    )

    port: str
    """A device, /dev/serial/by-id/… or by-path/…, usb:VID:PID[:SERIAL], a pseudo-terminal,
    socket://host:port or rfc2217://host:port."""
    baud: int = BAUD
    reset: Reset | None = None
    """None: there is no reset line, and the ladder ends with opening the port again."""
    dtr: bool = True
    """Level of DTR while the port is open. Asserted: a USB CDC device may send nothing else."""
    rts: bool = True
    heartbeat: float = 10.0
    """Seconds without any answer until the coprocessor is asked for a sign of life, 1..3600; inf:
    never. Ten: a deaf one is found within 18 s, and it costs 28 bytes each time."""
    probe: Literal["device_id", "led"] = "device_id"
    """What it is asked: who it is; or to keep its LED on, which goes out when we are gone."""
    ack_timeout: float | None = None
    """Seconds. None: 0.25 on a local port (the ESP32 takes 0.1; USB adapters delay each way), 1.0
    over a network."""
    gather_ms: int = GATHER_MS
    """Longest pause between two reads, while nothing but reports is expected. Over a network there
    is none: what comes there is gathered already."""
    timeouts_to_fail: int = 10
    """Commands in a row without an answer: the link is down. As on the ESP32. While reports come in
    three times as many."""
    quiet: float = 50.0
    """Seconds without a report until that is logged, once. As on the ESP32. inf: never."""

    @property
    def led_time_ms(self) -> int:
        """How long a probe of kind "led" lights the LED: until after the next one."""
        return round(min(1500 * self.heartbeat, 0xFFFF)) if self.heartbeat < inf else 0

    @classmethod
    def from_table(cls, values: Mapping[str, Any]) -> "CoprocessorSettings":
        """What a table of those keys comes down to. Raises ConfigError naming the key."""
        values = dict(values)
        if "port" in values and (why := why_no_port(values["port"])):
            raise ConfigError("port", why)
        command = values.pop("reset_command", [])
        reset: Reset | None = read_reset("reset", values.pop("reset", ""))
        if command and reset:
            raise ConfigError("reset_command", "give this or reset, not both")
        for name, meant in (("heartbeat", inf), ("ack_timeout", None)):
            if values.get(name) == 0:
                values[name] = meant
        if command:
            reset = ResetCommand(tuple(command))
        return cls(**values, reset=reset)


def read_reset(key: str, text: str) -> ModemLine | GpioLine | None:
    """Read "dtr", "rts", "!dtr", "!rts" (inverted), "gpio:/dev/gpiochip0:17" or "gpio:CHIP:NAME";
    empty: none. Raises ConfigError naming `key`.
    """
    match text:
        case "":
            return None
        case "dtr" | "rts":
            return ModemLine(text)
        case "!dtr":
            return ModemLine("dtr", inverted=True)
        case "!rts":
            return ModemLine("rts", inverted=True)
        case _ if found := re.fullmatch(r"gpio:([^:]+):([^:]+)", text):
            chip, line = found.groups()
            return GpioLine(chip, int(line) if line.isdecimal() else line)
    raise ConfigError(
        key, "must be dtr, rts, !dtr, !rts, or gpio:CHIP:LINE as in gpio:/dev/gpiochip0:17"
    )
