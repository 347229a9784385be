"""The signature of a configuration: Ed25519, by `cryptography`, an extra. Pure.

A file of its own beside the text holds the 64 bytes as base64.
"""

from base64 import b64decode
from binascii import Error as Base64Error

KEY_BYTES, SIGNATURE_BYTES = 32, 64
_EXTRA = "ruuvi-host[encrypted]"


def problem_of_key(public_key: str) -> str | None:
    """Why `public_key` of [remote_configuration] cannot be used, or None."""
    if len(_bytes(public_key)) != KEY_BYTES:
        return (
            f"must be {KEY_BYTES} bytes as base64; openssl pkey -in key.pem -pubout -outform DER | "
            f"tail -c {KEY_BYTES} | base64 prints them"
        )
    try:
        import cryptography  # noqa: F401
    except ImportError:
        return f"needs the package cryptography, which is not installed: pip install {_EXTRA}"
    return None


def problem_of(public_key: str, text: bytes, signature: bytes) -> str | None:
    """Why `text` does not count, or None. signature: the content of its file."""
    if problem := problem_of_key(public_key):
        return f"public_key {problem}"
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    given = _bytes(signature.decode("ascii", "replace"))
    if len(given) != SIGNATURE_BYTES:
        return f"its signature is not {SIGNATURE_BYTES} bytes as base64"
    try:
        Ed25519PublicKey.from_public_bytes(_bytes(public_key)).verify(given, text)
    except (InvalidSignature, ValueError):
        return "its signature is not that of this text by the key public_key"
    return None


def _bytes(base64: str) -> bytes:
    """Empty for what is no base64. White space does not count: `base64` breaks its lines."""
    try:
        return b64decode("".join(base64.split()), validate=True)
    except (Base64Error, ValueError):
        return b""
