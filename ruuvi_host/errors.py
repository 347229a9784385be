"""What can go wrong in the host, and the exit code it ends with.

    RuuviHostError
      ConfigError            exit 2   a key or option, and the problem with it
        ConfigProblemsError                  several at once
      DeviceError            exit 3   the serial side
        PortError                     cannot be opened, or was lost
        HandshakeError                the coprocessor does not answer as it should
        CommandError                  a command was refused, or not answered
        ResetError                    the reset line could not be pulled
      FormatError            exit 1   advertising data that should decode, and does not
      RelayError             exit 4   the network side
        SinkError                     a server refuses, or cannot be reached
        SpoolError                    undelivered data cannot be kept
      HealthError            exit 5   the host does not do its work, and cannot fix it

The message is for people and says what to do next; the attributes are for programs.
"""

from collections.abc import Sequence
from typing import ClassVar


class RuuviHostError(Exception):
    """The root: everything that ruuvi-host raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigError(RuuviHostError):
    """A setting cannot be used. `key` is the option or key as the user wrote it."""

    exit_code = 2

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class ConfigProblemsError(ConfigError):
    """Several at once. `key` and `problem` are those of the first."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(*errors[0])
        self.args = ("\n       ".join(f"{key}: {problem}" for key, problem in errors),)


class DeviceError(RuuviHostError):
    """Something on the serial side."""

    exit_code = 3


class PortError(DeviceError):
    """A serial port cannot be opened, or was lost. `path` is the port as it was named."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class HandshakeError(DeviceError):
    """The coprocessor did not answer in time. `state` is the session state that it was in."""

    def __init__(self, state: str, attempts: int, problem: str) -> None:
        super().__init__(problem)
        self.state = state
        self.attempts = attempts


class CommandError(DeviceError):
    """A command was refused by the coprocessor, or got no ACK. `command` is its name."""

    def __init__(self, command: str, problem: str) -> None:
        super().__init__(f"{command}: {problem}")
        self.command = command


class ResetError(DeviceError):
    """The coprocessor could not be reset by its line, or by the command for it."""


class FormatError(RuuviHostError):
    """Advertising data cannot be decoded. `code` is one of the eight of the specification.

    The codes: malformed_ad, not_ruuvi, bad_length, bad_encoding, unknown_format, key_required,
    decrypt_failed, bad_crc.
    """

    def __init__(self, code: str, problem: str | None = None) -> None:
        super().__init__(problem or code)
        self.code = code


class RelayError(RuuviHostError):
    """Something on the network side."""

    exit_code = 4


class SinkError(RelayError):
    """A server refuses, or cannot be reached. `sink` is its name in the configuration."""

    def __init__(self, sink: str, problem: str) -> None:
        super().__init__(f"{sink}: {problem}")
        self.sink = sink


class SpoolError(RelayError):
    """Undelivered data cannot be written or read. `path` is the file."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class HealthError(RuuviHostError):
    """The host does not do its work, for no reason that would excuse it: start it anew."""

    exit_code = 5
