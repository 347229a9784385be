"""Bodies that a client has encrypted with a key that both have agreed on.

It hides secrets from who listens, not from who stands in between. It needs the package
`cryptography`, an extra, which is imported when the first client asks for it.

Source: local API of the gateway, http_server_ecdh.c.
"""

import binascii
import hashlib
import json
from collections.abc import Mapping
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.access.randomness import Random
from ruuvi_host.api.access.visit import visit
from ruuvi_host.api.answer import error
from ruuvi_host.api.door import Door
from ruuvi_host.config.bounds import too_much_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

PUBLIC_KEY = "Ruuvi-Ecdh-Pub-Key"
ENCRYPTED = "Ruuvi-Ecdh-Encrypted"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256: private keys are smaller."""
_POINT = 65
"""Bytes of an uncompressed point, which begins with 4."""


def public_key(text: str) -> "EllipticCurvePublicKey | None":
    """A client's public key. None: the extra is not installed. Raises ValueError: it is no key."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        return None
    point = _bytes(text)
    if len(point) != _POINT or point[0] != 4:
        raise ValueError("not an uncompressed point of P-256")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def agree(theirs: "EllipticCurvePublicKey", random: Random) -> tuple[str, bytes]:
    """A fresh public key of ours as text, and the key (32 bytes) that both sides have then."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    number = 0
    while not 0 < number < _ORDER:
        number = int.from_bytes(random(32), "big")
    private = ec.derive_private_key(number, ec.SECP256R1())
    ours = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    common = private.exchange(ec.ECDH(), theirs)
    return binascii.b2a_base64(ours, newline=False).decode(), hashlib.sha256(common).digest()


async def plain_body(request: Request, door: Door) -> bytes | Response:
    """The body of a request in clear, or the refusal of one that cannot be read."""
    body = await request.body()
    mark = request.headers.get(ENCRYPTED)
    if mark in (None, "false"):
        return body
    try:
        if mark != "true":
            raise ValueError("neither encrypted nor not")
        text = body.decode()
        envelope = None if too_much_json(text) else json.loads(text)
        if not isinstance(envelope, dict):
            raise ValueError("no envelope")
        return decrypted(request, envelope, door)
    except ValueError:
        return error(400)


def decrypted(request: Request, envelope: Mapping[str, Any], door: Door) -> bytes:
    """What is in an envelope: `encrypted`, `iv` and `hash`, in base64. Raises ValueError."""
    visited = visit(request)
    asked = visited.asked
    key = visited.agreed.find(asked.address, frozenset(asked.sessions), door.clock.monotonic())
    if key is None:
        raise ValueError("no key was agreed on")
    parts = [envelope.get(name) for name in ("encrypted", "iv", "hash")]
    data, start, digest = (_bytes(part) if isinstance(part, str) else b"" for part in parts)
    plain = _without_padding(_decrypted(key, start, data))
    if not compare_digest(hashlib.sha256(plain).digest(), digest):
        raise ValueError("not what was encrypted")
    return plain


def _decrypted(key: bytes, start: bytes, data: bytes) -> bytes:
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CBC
    except ImportError as error_:
        raise ValueError("the extra is not installed") from error_
    decryptor = Cipher(AES(key), CBC(start)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _without_padding(data: bytes) -> bytes:
    """As of PKCS #7."""
    count = data[-1] if data else 0
    if not 1 <= count <= 16 or data[-count:] != bytes([count]) * count:
        raise ValueError("not padded")
    return data[:-count]


def _bytes(text: str) -> bytes:
    return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
