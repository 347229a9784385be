"""Pulls a coprocessor's reset line: a modem line of its port, a GPIO, or a command of yours."""

import asyncio
from typing import assert_never

from ruuvi_host.config.coprocessor import GpioLine, ModemLine, Reset, ResetCommand
from ruuvi_host.device.port import Port
from ruuvi_host.errors import ConfigError, ResetError
from ruuvi_host.logs import printable
from ruuvi_host.programs import run

EXTRA = "ruuvi-host[gpio]"

REOPENINGS = 1
"""A coprocessor that does not answer after so many is reset."""


class ResetLine:
    """The way to reset one coprocessor, if there is one, and whether it is time for it.

    Raises ConfigError when there is one that cannot be used.
    """

    def __init__(self, reset: Reset | None) -> None:
        check(reset)
        self.is_due = False
        self._reset = reset
        self._unanswered = 0

    @property
    def needs_port(self) -> bool:
        """It is a modem line: the port must be open."""
        return isinstance(self._reset, ModemLine)

    def not_answered(self) -> None:
        """A link was given up."""
        self._unanswered += 1
        self.is_due = self._unanswered > REOPENINGS and self._reset is not None

    def answered(self) -> None:
        """The coprocessor is ready."""
        self._unanswered = 0

    async def pull(self, port: Port | None) -> None:
        """Reset it now. port: open, for a modem line. Raises ResetError."""
        assert self._reset is not None
        self.is_due = False
        await pull(self._reset, port)


def check(reset: Reset | None) -> None:
    """Can it be done at all, as far as can be told without doing it? Raises ConfigError.

    A line that cannot be pulled must not come out only when it is needed.
    """
    match reset:
        case GpioLine(chip):
            try:
                import gpiod
            except ImportError as error:
                raise ConfigError(
                    "coprocessor.reset", f"a GPIO needs libgpiod's binding: pip install '{EXTRA}'"
                ) from error
            if not gpiod.is_gpiochip_device(chip):
                raise ConfigError("coprocessor.reset", f"{chip} is not a GPIO chip")
        case ResetCommand(argv):
            from shutil import which

            if which(argv[0]) is None:
                raise ConfigError("coprocessor.reset_command", f"there is no program {argv[0]}")
        case ModemLine() | None:
            pass
        case _:
            assert_never(reset)


async def pull(reset: Reset, port: Port | None) -> None:
    """Reset the coprocessor. port: open, for a modem line. Raises ResetError with a sentence."""
    match reset:
        case ModemLine():
            assert port is not None
            await _modem_line(reset, port)
        case GpioLine():
            try:
                await asyncio.get_running_loop().run_in_executor(None, _gpio, reset)
            except (ImportError, OSError, ValueError, RuntimeError) as error:
                why = getattr(error, "strerror", None) or printable(str(error))
                raise ResetError(f"{reset.chip} line {reset.line}: {why}") from error
        case ResetCommand():
            await _command(reset)
        case _:
            assert_never(reset)


async def _modem_line(reset: ModemLine, port: Port) -> None:
    try:
        await port.set_line(reset.line, not reset.inverted)
        try:
            await asyncio.sleep(reset.hold)
        finally:
            await port.set_line(reset.line, reset.inverted)
    except OSError as error:
        raise ResetError(f"{reset.line.upper()} cannot be set: {error.strerror}") from error


def _gpio(reset: GpioLine) -> None:
    from time import sleep

    import gpiod
    from gpiod.line import Direction, Drive, Value

    settings = gpiod.LineSettings(
        direction=Direction.OUTPUT,
        drive=Drive.OPEN_DRAIN,
        active_low=True,
        output_value=Value.ACTIVE,
    )
    config = {reset.line: settings}
    with gpiod.request_lines(reset.chip, consumer="ruuvi-host", config=config) as request:
        sleep(reset.hold)
        request.set_value(reset.line, Value.INACTIVE)


async def _command(reset: ResetCommand) -> None:
    name = reset.argv[0]
    last = ""

    def hear(line: str) -> None:
        nonlocal last
        last = line or last

    try:
        async with asyncio.timeout(reset.timeout):
            code = await run(reset.argv, hear)
    except TimeoutError as error:
        raise ResetError(f"{name} has not ended within {reset.timeout:g} s; stopped") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ResetError(f"{name} cannot be run: {why}") from error
    if code:
        raise ResetError(f"{name} ended with exit code {code}{f': {last}' if last else ''}")
