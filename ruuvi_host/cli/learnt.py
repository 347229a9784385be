"""Whether anybody would learn the path of a pseudo-terminal that a command is about to make."""

import sys

from ruuvi_host.errors import ConfigError


def somebody_learns_the_path(link: str | None) -> None:
    """link: to be made to it. Raises ConfigError if nobody does."""
    if sys.stdout is None and not link:
        raise ConfigError(
            "--link",
            "standard output is closed, so nobody would learn the path of the pseudo-terminal: "
            "name a link to it",
        )
