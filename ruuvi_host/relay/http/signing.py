"""The signature of a body: HMAC-SHA256 with a key that the server may replace.

Source: ruuvi.gateway_esp.c hmac_sha256.c.
"""

import hmac

from firmware_protocol.messages import DeviceId

MAX_KEY_BYTES = 63
"""The gateway's own limit; a server that sends more finds that it keeps signing as before."""


def default_key(device: DeviceId) -> str:
    """The key until a server sends another: the coprocessor's id, XX:XX:XX:XX:XX:XX:XX:XX."""
    return device.id.hex(":").upper()


class Signer:
    """Signs with the key that the server gave, else with the default key of the gateway.

    The server's key is kept in memory only, as on the gateway: a restart brings back the default.
    """

    def __init__(self) -> None:
        self._key: bytes | None = None

    def sign(self, body: bytes, device: DeviceId) -> str:
        """64 lower-case hex digits."""
        key = self._key or default_key(device).encode()
        return hmac.new(key, body, "sha256").hexdigest()

    def replace_key(self, key: bytes) -> bool:
        """Take the value of `Ruuvi-HMAC-KEY`, as it is. False: too long or empty, the old one
        stays."""
        if not 0 < len(key) <= MAX_KEY_BYTES:
            return False
        self._key = key
        return True
