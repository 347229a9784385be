"""The settings of a remote configuration: where it is fetched, with what, and what is kept local.

The keys `remote_cfg_…` are a gateway's; the table [remote_configuration] is the host's own.
"""

from dataclasses import dataclass, field

from ruuvi_host.config.target_parts import TlsFiles

DEFAULT_TRIAL = 300


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """What `remote_cfg_use` true means. Source: a gateway's keys, and [remote_configuration]."""

    url: str = field(repr=False)
    """A file ending in .json, or a folder. As it was given: `remote.addresses` judges it. Its query
    may hold a secret: never logged."""
    auth: str = "none"
    """none, basic or bearer."""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    tls: TlsFiles = field(default_factory=TlsFiles)
    proxy: str | None = field(default=None, repr=False)
    """URL of an HTTP proxy; may hold user information."""
    interval: int = 0
    """Minutes, 0..65535; 0: once after the start."""
    splay: int = 30
    """Seconds over which the first fetch is spread by chance."""
    trial: int = DEFAULT_TRIAL
    """Seconds."""
    pinned: tuple[str, ...] = ()
    """Keys of a gateway that the server cannot change."""
    allow_no_target: bool = False
    public_key: str = ""
    """Ed25519, base64 of 32 bytes; empty: texts need no signature."""
