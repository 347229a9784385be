"""Passwords and keys as a configuration keeps them."""

from base64 import b64encode

from ruuvi_host.api.access.randomness import Random
from ruuvi_host.api.access.settings import AccessType, password_hash
from ruuvi_host.errors import ConfigError

LONGEST_USER = 50
"""Octets; more are not kept."""
LONGEST_KEPT = 64
"""Characters of what is kept in place of a password."""
SHORT = 8
"""Characters. Shorter ones are guessed by who has seen the hash."""


def kept_password(kind: AccessType, user: str, realm: str, password: str) -> str:
    """lan_auth_pass for a type that has a password of one's own. realm: the gateway name.

    Raises ConfigError.
    """
    if not user or len(user.encode("utf-8", "replace")) > LONGEST_USER:
        raise ConfigError("--user", f"must have 1 to {LONGEST_USER} bytes")
    if ":" in user or not user.isprintable():
        raise ConfigError("--user", "must not hold a colon, nor control characters")
    if not password:
        raise ConfigError(
            "the password", "is empty, so it would let nobody in; nothing was changed"
        )
    if not password.isprintable():
        raise ConfigError("the password", "holds control characters")
    if kind is not AccessType.BASIC:
        return password_hash(user, realm, password)
    kept = b64encode(f"{user}:{password}".encode()).decode()
    if len(kept) > LONGEST_KEPT:
        most = LONGEST_KEPT // 4 * 3 - 1
        problem = f"user and password may have {most} bytes together with basic"
        raise ConfigError("the password", problem)
    return kept


def new_key(random: Random) -> str:
    """A bearer key: 44 characters, as the page makes them."""
    return b64encode(random(32)).decode()
