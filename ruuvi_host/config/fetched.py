"""A fetched document on top of what is saved: what will stand in the gateway's file then."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruuvi_host.config.bounds import MAX_TEXT
from ruuvi_host.config.files import gateway_text
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.problems import Problems
from ruuvi_host.config.sources import Sources
from ruuvi_host.config.store import Plan, Write, gateway_paths, saved
from ruuvi_host.errors import ConfigError

REMOTE = "remote"
"""Who has changed it: see config/kept.py."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a document comes to."""

    before: GatewayConfig
    after: GatewayConfig
    text: str = field(repr=False)
    """Of the gateway's file."""
    kept: tuple[str, ...]
    """Pinned keys of which the document has another value."""

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of keys whose saved value becomes another one."""
        before, after = self.before, self.after
        return tuple(name for name in after.values if after[name] != before[name])

    @property
    def is_equal(self) -> bool:
        """Nothing would be written. Keys that nobody knows count for nothing."""
        return not self.changed

    def plan(self, sources: Sources) -> Plan:
        """How it is written."""
        write = Write(gateway_paths(sources), lambda _: self.text)
        return Plan((write,), self.changed, self.changed, saved=self.after)


def merged(
    sources: Sources, document: Mapping[str, Any], pinned: Collection[str], mac: str
) -> Merged:
    """`document` over what is saved, by a gateway's rules; pinned keys stay as they are.

    document: as `remote.text.read` gives it. mac: of the gateway; what follows from it is not
    saved, so that a common file means the same to all. Raises ConfigError: what is saved cannot be
    read, or the result is too long.
    """
    before, after = saved(sources), saved(sources)
    derived = {"mqtt_prefix": f"ruuvi/{mac}/", "mqtt_client_id": mac}
    taken = {
        name: "" if name in derived and value == derived[name] else value
        for name, value in document.items()
        if name not in pinned
    }
    after.update(taken, Problems())
    for name in pinned:
        after.values[name] = before[name]
    kept = tuple(
        name
        for name in pinned
        if name in document and name in BY_NAME and document[name] != before[name]
    )
    text = gateway_text(after.document())
    if len(text.encode()) > MAX_TEXT:
        raise ConfigError("the fetched file", f"makes a file of more than {MAX_TEXT} bytes")
    return Merged(before, after, text, kept)
