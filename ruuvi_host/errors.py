"""The errors of the host, each with the exit code of the process.

    RuuviHostError
      ConfigError            exit 2   a key or option, and the problem with it
        ConfigProblemsError                  several at once
      DeviceError            exit 3   the serial side
        PortError                     cannot be opened, or was lost
        HandshakeError                the coprocessor does not answer as it should
        ResetError                    the reset line could not be pulled
      FormatError            exit 1   advertising data that should decode, and does not
      RelayError             exit 4   the network side
        SinkError                     a server refuses, or cannot be reached
        SpoolError                    undelivered data cannot be kept
      HealthError            exit 5   the host does not work, and a restart is the only remedy left

The message is for people and says what to do next; the attributes are for programs.
"""

from collections.abc import Sequence
from typing import ClassVar


class RuuviHostError(Exception):
    """The base of all errors that ruuvi-host raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigError(RuuviHostError):
    """A setting cannot be used. `key` is the option or key as the user wrote it."""

    exit_code = 2

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class ConfigProblemsError(ConfigError):
    """Several errors at once. `key` and `problem` are those of the first."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(*errors[0])
        self.args = ("\n       ".join(f"{key}: {problem}" for key, problem in errors),)


class DeviceError(RuuviHostError):
    """An error of the serial side."""

    exit_code = 3


class PortError(DeviceError):
    """A serial port cannot be opened, or was lost. `path` is the port as configured."""

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


class ResetError(DeviceError):
    """The coprocessor could not be reset, by its reset line or by the reset command."""


class FormatError(RuuviHostError):
    """Advertising data cannot be decoded. `code` is one of the eight of the specification.

    The codes: malformed_ad, not_ruuvi, bad_length, bad_encoding, unknown_format, key_required,
    decrypt_failed, bad_crc.
    """

    def __init__(self, code: str, problem: str | None = None) -> None:
        super().__init__(problem or code)
        self.code = code


class RelayError(RuuviHostError):
    """An error of the network side."""

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
        self.problem = problem


class HealthError(RuuviHostError):
    """The host does not work, and there is no outside reason for it: it has to be restarted."""

    exit_code = 5
