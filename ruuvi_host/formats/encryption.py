"""Keys of the encrypted data formats, and the AES block in their payloads.

AES comes from the package `cryptography`, an extra; it is imported when a key is first used.
Source: docs.ruuvi.com "Data format 8"; ruuvi.endpoints.c ruuvi_endpoint_8.c, ruuvi_endpoint_fa.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Literal

from ruuvi_host.errors import FormatError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

KEY_LENGTH = 16
BLOCK = slice(1, 17)
"""Of the payload: the one AES block in it."""
EXTRA = "ruuvi-host[encrypted]"


class Keys:
    """Which keys decrypt the readings of which device, in the order in which they are tried.

    The keys are in no repr and no error.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[tuple[bytes | None, bytes]] = ()) -> None:
        """entries: (address of the device, six bytes, or None for every device; key, 16 bytes).

        Raises ValueError for a key or an address of another length.
        """
        self._entries = tuple(entries)
        for address, key in self._entries:
            if len(key) != KEY_LENGTH:
                raise ValueError(f"a key has {KEY_LENGTH} bytes, and this one has {len(key)}")
            if address is not None and len(address) != 6:
                raise ValueError(f"an address has 6 bytes, and this one has {len(address)}")

    def __repr__(self) -> str:
        return f"<Keys: {len(self._entries)}>"

    def of(self, address: bytes) -> list[bytes]:
        """The keys to try for the device with this address (six bytes)."""
        return [key for owner, key in self._entries if owner is None or owner == address]


NO_KEYS = Keys()


def parse_key(text: str) -> tuple[bytes | None, bytes]:
    """An entry for Keys from text: `[MAC=]HEX`, a final key of 32 hexadecimal digits.

    Raises ValueError; its message does not repeat the text, which holds a secret.
    """
    mac, equals, digits = text.strip().rpartition("=")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise ValueError("a key is written as 32 hexadecimal digits") from None
    if len(key) != KEY_LENGTH:
        raise ValueError(f"a key has 32 hexadecimal digits, and this one has {2 * len(key)}")
    if not equals:
        return None, key
    try:
        address = bytes.fromhex(mac.replace(":", ""))
    except ValueError:
        address = b""
    if len(address) != 6:
        raise ValueError("the part before = is no address like AA:BB:CC:DD:EE:FF")
    return address, key


def derive_key(
    password: bytes, device_id: bytes, order: Literal["msb_first", "lsb_first"]
) -> bytes:
    """The key of format 8: the first half of the password mixed with the device's identifier.

    password: 16 bytes. device_id: 8 bytes as printed, most significant first.
    order: how the identifier is mixed in. The documentation says msb_first; the tag's firmware
    does lsb_first.
    """
    if len(password) != KEY_LENGTH or len(device_id) != 8:
        raise ValueError("a password has 16 bytes, and a device identifier has 8")
    mixed_in = device_id if order == "msb_first" else device_id[::-1]
    return bytes(p ^ i for p, i in zip(password, mixed_in, strict=False)) + password[8:]


@cache
def _aes() -> Callable[[bytes], Cipher[ECB]] | None:
    """AES-128 with a key, block by block; None where the extra is not installed."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import ECB
    except ImportError:
        return None
    return lambda key: Cipher(AES(key), ECB())


@cache
def _warn_once() -> None:
    import logging

    logging.getLogger(__name__).warning(
        "encrypted readings cannot be decrypted: install the extra %s", EXTRA
    )


def decrypt_block(payload: bytes, keys: Keys, is_right: Callable[[bytes], bool]) -> bytes:
    """The payload in clear: bytes 1 to 16 are decrypted, the last six are the device's address.

    is_right: tells by the block in clear (16 bytes) whether the key fits.
    Raises FormatError: key_required, when the device has no key or the extra is not installed;
    decrypt_failed.
    """
    candidates = keys.of(payload[-6:])
    if not candidates:
        raise FormatError("key_required", "encrypted, and there is no key for this device")
    aes = _aes()
    if aes is None:
        _warn_once()
        raise FormatError("key_required", f"encrypted; decrypting needs the extra {EXTRA}")
    for key in candidates:
        block = aes(key).decryptor().update(payload[BLOCK])
        if is_right(block):
            return payload[: BLOCK.start] + block + payload[BLOCK.stop :]
    raise FormatError("decrypt_failed", "encrypted, and no key of this device fits")


def encrypt_block(payload: bytes, key: bytes) -> bytes:
    """The payload with bytes 1 to 16 encrypted.

    Raises FormatError: key_required, when the extra is not installed.
    """
    aes = _aes()
    if aes is None:
        raise FormatError("key_required", f"encrypting needs the extra {EXTRA}")
    ciphertext = aes(key).encryptor().update(payload[BLOCK])
    return payload[: BLOCK.start] + ciphertext + payload[BLOCK.stop :]
