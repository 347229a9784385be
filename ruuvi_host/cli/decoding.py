"""Options of all commands that decode: --key and --without."""

from __future__ import annotations

import os
from stat import S_ISREG
from typing import TYPE_CHECKING

import click

from ruuvi_host.errors import ConfigError

if TYPE_CHECKING:
    from ruuvi_host.formats import Keys

MAX_KEY_FILE = 1 << 20
"""Bytes."""
MAX_KEYS = 1000
"""In all; ten times the sensors that a gateway tells of."""
MAX_KEYS_FOR_ALL = 50
"""Of those for every device: each of them is tried on each encrypted reading."""

key_option = click.option(
    "--key",
    "key_options",
    metavar="[MAC=]HEX|@FILE",
    multiple=True,
    help="A key for the encrypted formats 8 and FA: 32 hexadecimal digits, for one device or for "
    "all. Or a file with one key a line, which keeps them out of the list of processes. "
    "Repeatable.",
)

without_option = click.option(
    "--without",
    metavar="FORMAT",
    multiple=True,
    help="A data format to treat as unknown, such as f0 or fa, which other devices use, too. "
    "Repeatable.",
)


def read_keys(options: tuple[str, ...]) -> Keys:
    """The keys of the options, in their order.

    Warns on stderr of a file that others can read. Raises ConfigError, which shows no key.
    """
    from ruuvi_host.formats import Keys

    return Keys(read_entries(options))


def read_entries(options: tuple[str, ...]) -> list[tuple[bytes | None, bytes]]:
    """The same, as entries of Keys."""
    from ruuvi_host.formats.encryption import parse_key

    def entry(where: str, text: str) -> tuple[bytes | None, bytes]:
        try:
            return parse_key(text)
        except ValueError as error:
            raise ConfigError(where, str(error)) from error

    entries = []
    for option in options:
        if not option.startswith("@"):
            entries.append(entry("--key", option))
            continue
        path = option[1:]
        for number, line in enumerate(_key_file(path).splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                entries.append(entry(f"{path}, line {number}", line))
            if len(entries) > MAX_KEYS:
                break
    where = next((option[1:] for option in options if option.startswith("@")), "--key")
    if len(entries) > MAX_KEYS:
        raise ConfigError(where, f"more than {MAX_KEYS} keys: leave out what is not in range")
    if sum(device is None for device, _ in entries) > MAX_KEYS_FOR_ALL:
        why = f"more than {MAX_KEYS_FOR_ALL} keys are for every device: write them as MAC=HEX"
        raise ConfigError(where, why)
    return entries


def _key_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise ConfigError(path or "--key @", str(error.strerror)) from error
    if len(text) > MAX_KEY_FILE:
        raise ConfigError(path, "too large for a file of keys")
    if S_ISREG(mode) and mode & 0o077:
        click.echo(
            f"Warning: others can read the keys in {path}; chmod 600 keeps them out.", err=True
        )
    return text.decode("utf-8-sig", "replace")


def read_without(options: tuple[str, ...]) -> frozenset[int]:
    """The numbers of the data formats that the options name. Raises ConfigError."""
    from ruuvi_host.formats import FORMATS

    names = {f"{number:X}": number for number in sorted(FORMATS)}
    for option in options:
        if option.upper() not in names:
            raise ConfigError("--without", f"{option!r} is none of {', '.join(names)}")
    return frozenset(names[option.upper()] for option in options)
