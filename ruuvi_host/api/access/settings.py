"""Who may ask, as the configuration and the coprocessor say it.

Source: local API of the gateway, http_server_auth*.c; lan_auth_* of its configuration.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from hmac import compare_digest
from typing import Any

from ruuvi_host.api.door import Identity

DEFAULT_USER = "Admin"


class AccessType(Enum):
    """What lets in who brings no key."""

    DEFAULT = "lan_auth_default"
    """The password is the coprocessor's identifier."""
    RUUVI = "lan_auth_ruuvi"
    BASIC = "lan_auth_basic"
    DIGEST = "lan_auth_digest"
    ALLOW = "lan_auth_allow"
    DENY = "lan_auth_deny"

    @property
    def has_sessions(self) -> bool:
        """One logs in, and out."""
        return self in (AccessType.DEFAULT, AccessType.RUUVI)


@dataclass(frozen=True, slots=True)
class Access:
    """The settings in force."""

    type: AccessType
    realm: str
    """The gateway name."""
    user: str = ""
    secret: str = field(default="", repr=False)
    """What the password is compared with, in the form of the type; empty: none is right."""
    key: str = field(default="", repr=False)
    """For reading; empty: none is right."""
    key_rw: str = field(default="", repr=False)
    """For reading and writing."""

    @property
    def credentials(self) -> tuple[AccessType, str, str, str]:
        """What ends all sessions when it changes."""
        return self.type, self.realm, self.user, self.secret


def access(values: Mapping[str, Any], identity: Identity) -> Access:
    """The settings of these keys of a gateway (lan_auth_*), for this gateway."""
    try:
        kind = AccessType(values["lan_auth_type"])
    except ValueError:
        kind = AccessType.DENY
    user, secret, realm = values["lan_auth_user"], values["lan_auth_pass"], identity.name
    device = identity.device.id
    # While it is not known whose gateway this is, anybody knows what would follow from that.
    default = default_secret(realm, device) if any(device) else ""
    if (kind, user) == (AccessType.RUUVI, DEFAULT_USER) and is_secret(secret, default):
        kind = AccessType.DEFAULT
    if kind is AccessType.DEFAULT:
        user, secret = DEFAULT_USER, default
    return Access(
        *(kind, realm, user, secret),
        key=values["lan_auth_api_key"],
        key_rw=values["lan_auth_api_key_rw"],
    )


def password_hash(user: str, realm: str, password: str) -> str:
    """lan_auth_pass of the types ruuvi and digest."""
    text = f"{user}:{realm}:{password}".encode("utf-8", "surrogatepass")
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def default_secret(realm: str, device: bytes) -> str:
    """The same of the default user. device: the coprocessor's identifier, eight bytes."""
    return password_hash(DEFAULT_USER, realm, device.hex(":").upper())


def is_secret(given: str, right: str) -> bool:
    """Compared in constant time. An empty secret is no secret: nothing is equal to it."""
    return bool(right) and compare_digest(
        given.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass")
    )
