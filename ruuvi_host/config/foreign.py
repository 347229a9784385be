"""`config import` of another program's config.yml: which program's it is, and our files with it."""

import re
from collections.abc import Mapping
from pathlib import Path

from ruuvi_host.config import from_go_gateway, from_ruuvibridge
from ruuvi_host.config.edit import with_keys
from ruuvi_host.config.files import Unreadable, is_json
from ruuvi_host.config.takeover import Takeover
from ruuvi_host.config.yaml_text import parse_yaml
from ruuvi_host.errors import ConfigError
from ruuvi_host.logs import printable

PROGRAMS = (from_ruuvibridge, from_go_gateway)

_KNOWN = sorted({key for program in PROGRAMS for key in program.OWN})
_BEGINS = re.compile(rf"^(?:{'|'.join(_KNOWN)})[ \t]*:", re.MULTILINE)
_NEVER_BY_DEFAULT = {"use_http_ruuvi": "false", "use_http_stat": "false"}
"""A new gateway's file would have them on, and the other program sent nothing to Ruuvi."""


def is_foreign(path: Path, text: str) -> bool:
    """Is it YAML, and no gateway's file? The name decides, or a line that begins with a key."""
    if is_json(path, text):
        return False
    return path.suffix.lower() in (".yml", ".yaml") or bool(_BEGINS.search(text))


def with_foreign(
    config: Path, source: Path, text: str, kept_gateway: Path | None = None
) -> tuple[dict[Path, str], Takeover]:
    """The files of `config` that change with what `source` says, and what becomes of its keys.

    Without a gateway's file its keys go into the table [gateway], so that nothing is on by default.
    text: of `source`. kept_gateway: as in `with_keys`. Raises ConfigError.
    """
    taken = take_over(source, text)
    pairs = dict(taken.pairs)
    if pairs and config.suffix == ".json" and not config.exists() and kept_gateway is None:
        pairs = _NEVER_BY_DEFAULT | pairs
    texts = with_keys(config, list(pairs.items()), kept_gateway)
    if texts and config not in texts and not config.exists():
        texts[config] = "# Settings of ruuvi-host: see `ruuvi-host config example`.\n"
    return texts, taken


def take_over(source: Path, text: str) -> Takeover:
    """What a config.yml comes down to. Raises ConfigError naming `source`."""
    try:
        document = parse_yaml(text)
    except Unreadable as error:
        raise ConfigError(str(source), str(error)) from error
    if not isinstance(document, dict):
        raise ConfigError(str(source), "holds no table of settings")
    of_bridge, of_gateway = (bool(document.keys() & set(p.OWN)) for p in PROGRAMS)
    if of_bridge and not of_gateway:
        return from_ruuvibridge.take_over(document)
    if of_gateway and not of_bridge:
        return from_go_gateway.take_over(document)
    raise ConfigError(str(source), _why_unknown(document))


def _why_unknown(document: Mapping[str, object]) -> str:
    names = " or ".join(program.PROGRAM for program in PROGRAMS)
    there = ", ".join(printable(key, 40) for key in list(document)[:5]) or "nothing"
    if more := len(document) - 5:
        there += f" and {more} more" if more > 0 else ""
    both = all(document.keys() & set(program.OWN) for program in PROGRAMS)
    if both:
        return f"has keys that only one of {names} has, of both of them: {there}"
    return f"is neither a configuration of {names.replace(' or ', ' nor of ')}: it has {there}"
