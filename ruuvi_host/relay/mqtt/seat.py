"""Whose connection to a broker it is while the configuration changes.

A new configuration makes new sinks before the old ones are closed. The new one of a target whose
settings and certificates are as before takes over the connection that stands; otherwise the old one
leaves, and knows for whom.
"""

import os
from collections.abc import Callable

from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.relay.mqtt.publishing import SentAt
from ruuvi_host.relay.mqtt.standing import Standing

Print = tuple[tuple[int, int, int] | None, ...]
"""Of files: what is another one when they are."""


class Seat:
    """Of one target, by its name; outlives configurations."""

    def __init__(self) -> None:
        self.sent_at: SentAt = {}
        """See Publisher."""
        self._standing: Standing | None = None
        self._files: Print = ()
        self._holder: object = None

    def take(self, holder: object, target: MqttTarget, make: Callable[[], Standing]) -> Standing:
        """The connection of a new sink. holder: the sink."""
        files = _print(target)
        if self._standing is None or (self._standing.target, self._files) != (target, files):
            self._standing = make()
        self._files = files
        self._holder = holder
        return self._standing

    def has_other_files(self, standing: Standing) -> bool:
        """Are the certificates others than those that the connection was made with? Asked once."""
        files = _print(standing.target)
        before, self._files = self._files, files
        return files != before

    def is_left_by(self, holder: object, standing: Standing) -> bool:
        """Does nobody go on with the connection of this sink?"""
        return self._standing is not standing or self._holder is holder

    async def leave(self, holder: object, standing: Standing) -> None:
        """The sink is closed. What nobody goes on with is left."""
        if not self.is_left_by(holder, standing):
            return
        successor = self._standing
        if successor is standing:
            self._standing = successor = None
        await standing.leave(successor.target if successor else None)


def _print(target: MqttTarget) -> Print:
    tls = target.broker.tls
    return tuple(_of_file(path) for path in (tls.client_cert, tls.client_key, tls.server_cert))


def _of_file(path: os.PathLike[str] | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
