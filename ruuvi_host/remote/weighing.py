"""Weighs a fetched text against what is in force: what it would change, or why it is refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ruuvi_host.config.fetched import Merged, merged
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.load import Loaded
from ruuvi_host.remote.judgement import refuse_if_bad
from ruuvi_host.remote.text import Reading, hash_of, read


@dataclass(frozen=True, slots=True)
class Weighed:
    """A text that can be taken."""

    merged: Merged
    candidate: Loaded = field(repr=False)
    """The configuration with it, as the host would run."""
    hash: str
    """For people, without secrets."""
    remarks: tuple[str, ...] = ()
    """What is not as the text has it, and what nobody knows in it."""


def weigh(present: Loaded, attempt: Callable[[str], Loaded], text: str, mac: str) -> Weighed:
    """attempt: what the configuration would be with a text in the gateway's file. mac: of the
    gateway. May block. Raises Refused, ConfigError."""
    reading = read(text)
    remote = present.config.remote
    result = merged(present.sources, reading.document, remote.pinned if remote else (), mac)
    candidate = attempt(result.text)
    refuse_if_bad(present, candidate)
    remarks = (*reading.warnings, *_kept_here(reading, result, candidate))
    return Weighed(result, candidate, hash_of(reading.document), remarks)


def _kept_here(reading: Reading, result: Merged, candidate: Loaded) -> Iterator[str]:
    for name in result.kept:
        yield f"{name}: is pinned here, and stays as it is"
    gateway = candidate.sources.gateway
    for name in reading.document:
        if name in BY_NAME and name in gateway.own and gateway[name] != result.after[name]:
            yield f"{name}: is set by {gateway.origins[name]}, and stays as it is"
