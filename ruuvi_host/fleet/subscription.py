"""What is subscribed to: filters of topics, and the group that shares them. Pure."""

from ruuvi_host.errors import ConfigError

_LONGEST = 65_535


def checked_filters(filters: tuple[str, ...], group: str | None) -> tuple[str, ...]:
    """As a broker is told. group: shares the messages among its members. Raises ConfigError."""
    if group is not None and (not group or any(c in group for c in "/+#\0 ")):
        raise ConfigError("--share", "must be a name without /, +, # and spaces")
    for topic in filters:
        if why := problem(topic):
            raise ConfigError("--topic", f"{topic!r} {why}")
        if group is not None and topic.startswith("$"):
            raise ConfigError("--topic", f"{topic!r} cannot be shared")
    shared = "" if group is None else f"$share/{group}/"
    return tuple(dict.fromkeys(shared + topic for topic in filters))


def problem(topic: str) -> str:
    """Why this is no filter of topics; empty: it is one."""
    if not topic:
        return "is empty"
    if "\0" in topic or any("\ud800" <= c <= "\udfff" for c in topic):
        return "has a character that MQTT does not allow"
    if len(topic.encode()) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    levels = topic.split("/")
    if any(level != "+" and "+" in level for level in levels):
        return "has a + that is not a whole level"
    if any("#" in level for level in levels[:-1]) or (levels[-1] != "#" and "#" in levels[-1]):
        return "has a # that is not its last level, as in ruuvi/#; ruuvi/+/gw_status is allowed"
    return ""
