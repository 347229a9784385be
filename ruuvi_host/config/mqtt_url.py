"""The address of a broker as a URL, with who we are to it. Pure."""

from urllib.parse import unquote, urlsplit

from ruuvi_host.config.mqtt_target import Broker, MqttLogin, MqttTarget, Transport, mqtt_problems
from ruuvi_host.config.target_parts import TlsFiles
from ruuvi_host.errors import ConfigError

SCHEMES = {
    "mqtt": (Transport.TCP, 1883),
    "mqtts": (Transport.SSL, 8883),
    "mqttws": (Transport.WS, 80),
    "mqttwss": (Transport.WSS, 443),
}
"""Scheme → transport, and its usual port."""
_FORM = "mqtt://, mqtts://, mqttws:// or mqttwss://, then [USER[:PASSWORD]@]HOST[:PORT]"


def parse_broker(
    option: str, url: str, *, login: MqttLogin, tls: TlsFiles, version: str
) -> MqttTarget:
    """A target that is this broker. Raises ConfigError naming `option`, which shows no password.

    login: counts where the URL has no user and password.
    """
    if any(c <= " " or c == "\x7f" for c in url):
        raise ConfigError(option, "has white space or control characters in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text may hold the password
        raise ConfigError(option, f"its host or port is malformed; write {_FORM}") from None
    if parts.scheme not in SCHEMES:
        raise ConfigError(option, f"is no address of a broker: write {_FORM}")
    if not parts.hostname:
        raise ConfigError(option, f"names no host: write {_FORM}")
    transport, usual = SCHEMES[parts.scheme]
    if parts.query or parts.fragment:
        raise ConfigError(option, "has a ? or # in it: a password needs %3F or %23 there")
    if parts.path not in ("", "/") and not transport.is_websocket:
        raise ConfigError(option, "has a path, which only WebSockets have; topics go to --topic")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    target = MqttTarget(
        option,
        Broker(
            *(parts.hostname, usual if port is None else port, transport),
            tls=tls if transport.is_tls else TlsFiles(),
            websocket_path=parts.path or "/",
            version=version,
        ),
        MqttLogin(login.client_id, user or login.user, password or login.password),
        retains=False,
    )
    for key, why in mqtt_problems(target):
        raise ConfigError(option, f"{key} {why}")
    return target
