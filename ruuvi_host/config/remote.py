"""The settings of a remote configuration: where it is fetched, with what, and what is kept local.

The keys `remote_cfg_…` are a gateway's; the table [remote_configuration] is the host's own.
"""

from dataclasses import dataclass, field

from ruuvi_host.config.keys import HostKey, flag, text, texts, whole
from ruuvi_host.config.target_parts import TlsFiles

DEFAULT_TRIAL = 300
DEFAULT_SPLAY = 30
_DAY = 86_400
_TABLE = "remote_configuration"
PINNED, PUBLIC_KEY = f"{_TABLE}.pinned", f"{_TABLE}.public_key"

REMOTE_KEYS: tuple[HostKey, ...] = (
    flag(
        f"{_TABLE}.allow_no_target",
        False,
        "Take a fetched configuration that switches off every server that is on now, too.",
    ),
    whole(
        f"{_TABLE}.trial_s",
        DEFAULT_TRIAL,
        "Seconds in which a fetched configuration that could cut this host off has to prove that "
        "it does not. Else the one before comes back.",
        1,
        _DAY,
    ),
    texts(
        PINNED,
        'Keys of gw_cfg.json that a fetched configuration cannot change, as `["mqtt_server"]`.',
    ),
    text(
        PUBLIC_KEY,
        "",
        "Ed25519, base64 of its 32 bytes: only texts are taken that have been signed with its "
        "private key (see the page on remote configuration).",
    ),
    whole(
        f"{_TABLE}.splay_s",
        DEFAULT_SPLAY,
        "Seconds over which the first fetch after a start is spread by chance.",
        0,
        _DAY,
    ),
)


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """What `remote_cfg_use` true means. Source: a gateway's keys, and [remote_configuration]."""

    url: str = field(repr=False)
    """A file ending in .json, or a folder. As it was given: `remote.addresses` judges it. Its query
    may hold a secret: never logged."""
    auth: str = "none"
    """none, basic or bearer; of a check, also token or api_key, both with `token`."""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    tls: TlsFiles = field(default_factory=TlsFiles)
    proxy: str | None = field(default=None, repr=False)
    """URL of an HTTP proxy; may hold user information."""
    interval: int = 0
    """Minutes, 0..65535; 0: once after the start."""
    splay: int = DEFAULT_SPLAY
    """Seconds over which the first fetch is spread by chance."""
    trial: int = DEFAULT_TRIAL
    """Seconds."""
    pinned: tuple[str, ...] = ()
    """Keys of a gateway that the server cannot change."""
    allow_no_target: bool = False
    public_key: str = ""
    """Ed25519, base64 of 32 bytes; empty: texts need no signature."""
