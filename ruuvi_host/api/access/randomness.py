"""What must not be guessed: challenges and the names of sessions."""

from collections.abc import Callable
from hashlib import sha256
from typing import TypeAlias

Random: TypeAlias = Callable[[int], bytes]
"""So many random bytes; `secrets.token_bytes`."""

SESSION_LENGTH = 16
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_EVEN = 256 - 256 % len(_LETTERS)
"""Bytes from here on would make the first letters more likely than the others."""


def challenge(random: Random) -> str:
    """64 hexadecimal digits."""
    return sha256(random(32)).hexdigest()


def session_id(random: Random) -> str:
    """16 letters A to Z."""
    letters = ""
    while len(letters) < SESSION_LENGTH:
        fitting = [byte for byte in random(SESSION_LENGTH) if byte < _EVEN]
        letters += "".join(_LETTERS[byte % len(_LETTERS)] for byte in fitting)
    return letters[:SESSION_LENGTH]
