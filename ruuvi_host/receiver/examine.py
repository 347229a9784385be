"""Is this post what a gateway sends? The checks of the receiver: head, signature, nonce.

Pure: headers and bytes in, a Verdict out. Headers are those of ASGI, names in lower case.
Sources: the request and its signature, ruuvi.gateway_esp.c http.c and hmac_sha256.c; 403 for a
wrong signature and 400 for a bad body, ruuvi-network-serverless; the other codes, RFC 9110.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias, TypeVar

from ruuvi_host.receiver.body import BadBody, Batch, GatewayStatus, read

_K = TypeVar("_K")
_V = TypeVar("_V")

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

BODY_LIMIT = 1 << 20
"""Bytes. A hundred tags with all decoded values take less than 100 kB."""

KEY_LIMIT = 63
"""Bytes; a gateway keeps its old key when it is offered a longer one."""

NONCES_KEPT = 10_000
"""A day of posts every ten seconds is 8,640."""

GATEWAYS_KEPT = 1_000

_CONTENT_TYPE = re.compile(rb"application/json\s*(;.*)?", re.IGNORECASE)
_SIGNATURE_NAME = b"ruuvi-hmac-sha256"
_SIGNATURE = re.compile(rb"[0-9a-f]{64}")


class Result(StrEnum):
    """The result for a post."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """A batch that was accepted before: the answer to the first post was lost."""
    FAILED = "failed"
    """A good batch that was rejected to simulate an outage."""
    REFUSED = "refused"


class Signature(StrEnum):
    """The result for a signature."""

    OK = "ok"
    UNKNOWN = "unknown"
    """Well formed, and not verified because there is no key."""
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one post, with the answer to it."""

    result: Result
    status: int
    """The HTTP status to answer."""
    reason: str = ""
    """Why not ACCEPTED; may contain text from the network."""
    signature: Signature | None = None
    """None when it was not checked."""
    batch: Batch | None = None
    gateway_status: GatewayStatus | None = None
    """In place of a batch."""
    offer_key: bool = False
    """The sender has proved (without keys it need not) that it may have a new key."""

    @property
    def post(self) -> Batch | GatewayStatus | None:
        """The post, when it could be read."""
        return self.batch or self.gateway_status


def refused(status: int, reason: str) -> Verdict:
    """The verdict on a request that is neither a batch nor a status."""
    return Verdict(Result.REFUSED, status, reason)


def refuse_head(method: str, headers: Headers) -> Verdict | None:
    """Check a request before its body is read; None when nothing is wrong."""
    if method != "POST":
        return refused(405, f"{method}: a batch is sent by POST")
    names = [name for name, _ in headers]
    for name in (b"content-type", b"content-encoding", _SIGNATURE_NAME):
        if names.count(name) > 1:
            return refused(400, f"{name.decode()}: occurs twice")
    fields = dict(headers)
    length = fields.get(b"content-length", b"")
    if b"transfer-encoding" in fields or not length.isdigit():
        return refused(411, "no Content-Length: a gateway sends it, and no chunks")
    if len(length) > 19 or int(length) > BODY_LIMIT:
        return refused(413, f"a body of {length.decode()} bytes: at most {BODY_LIMIT} are accepted")
    if b"content-encoding" in fields:
        coding = fields[b"content-encoding"].decode("latin-1")
        return refused(415, f"Content-Encoding {coding}: a body must not be encoded")
    content_type = fields.get(b"content-type", b"")
    if not _CONTENT_TYPE.fullmatch(content_type):
        said = content_type.decode("latin-1") or "missing"
        return refused(415, f"Content-Type {said}: must be application/json")
    if _SIGNATURE_NAME not in fields:
        return refused(400, "Ruuvi-HMAC-SHA256 missing: the body is not signed")
    if not _SIGNATURE.fullmatch(fields[_SIGNATURE_NAME]):
        return refused(400, "Ruuvi-HMAC-SHA256: must be 64 hex digits in lower case")
    return None


def sign(key: bytes, body: bytes) -> bytes:
    """The signature of a body: HMAC-SHA256 over its exact bytes, as 64 lower-case hex digits."""
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()


class Examiner:
    """Checks bodies, and remembers what the next checks need: nonces, and new keys.

    Memory is limited: the oldest nonce and the oldest gateway are forgotten first.
    """

    def __init__(self, keys: Sequence[bytes] = (), new_key: bytes | None = None) -> None:
        """keys: any of them may sign; none: not verified. new_key: sent with answers."""
        self._keys = tuple(keys)
        self._new_key = new_key
        # Batches and statuses of a gateway have separate keys and nonces.
        self._handed_out: dict[tuple[type, str], bytes] = {}
        self._accepted: dict[tuple[type, str, int], bytes] = {}

    def examine(self, headers: Headers, body: bytes) -> Verdict:
        """Check a body whose head refuse_head() has accepted. Remembers nothing."""
        try:
            post = read(body)
        except BadBody as error:
            return refused(400, str(error))
        claimed = dict(headers)[_SIGNATURE_NAME]
        sender = type(post), post.gateway
        keys = self._keys
        if sender in self._handed_out:
            keys = (self._handed_out[sender],)
        signature = _verify(keys, body, claimed)
        batch = post if isinstance(post, Batch) else None
        status = post if isinstance(post, GatewayStatus) else None
        good = Verdict(
            Result.ACCEPTED, 200, "", signature, batch, status, self._new_key is not None
        )
        if signature is not Signature.WRONG:
            return good
        reason = "not signed with the key"
        if sender in self._handed_out:
            reason = "not signed with the new key"
        # After a restart a gateway has its first key, and must get the new one again.
        restarted = _verify(self._keys, body, claimed) is not Signature.WRONG
        return replace(good, result=Result.REFUSED, status=403, reason=reason, offer_key=restarted)

    def hand_out_key(self, post: Batch | GatewayStatus) -> None:
        """The answer to `post` has the new key: the gateway's next post is signed with it.

        A key that is too long for a gateway changes nothing: it keeps its old one.
        """
        if self._new_key is not None and len(self._new_key) <= KEY_LIMIT:
            self._handed_out[type(post), post.gateway] = self._new_key
            _forget(self._handed_out, GATEWAYS_KEPT)

    def accept(self, verdict: Verdict, post: Batch | GatewayStatus) -> Verdict:
        """Remember the nonce of a good post, unless it was accepted before.

        The same nonce with the same tags is the same batch, of which the first answer was lost:
        DUPLICATE, with a success status, so that the sender does not retry it. Only `tags` is
        compared: the timestamp of a retry is that of the attempt.
        """
        is_batch = isinstance(post, Batch)
        content = post.tags if isinstance(post, Batch) else post.members
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
        name = type(post), post.gateway, post.nonce
        known = self._accepted.get(name)
        if known is None:
            self._accepted[name] = digest
            _forget(self._accepted, NONCES_KEPT)
            return verdict
        if known == digest:
            what = "batch" if is_batch else "status"
            return replace(verdict, result=Result.DUPLICATE, reason=f"the same {what} as before")
        return replace(
            verdict,
            result=Result.REFUSED,
            status=409,
            reason=f"the nonce was used before, with other {'tags' if is_batch else 'members'}",
        )


def _verify(keys: Sequence[bytes], body: bytes, claimed: bytes) -> Signature:
    if not keys:
        return Signature.UNKNOWN
    right = any([hmac.compare_digest(sign(key, body), claimed) for key in keys])
    return Signature.OK if right else Signature.WRONG


def _forget(memory: dict[_K, _V], limit: int) -> None:
    """Drop the oldest entry of a dict that has grown beyond its limit."""
    if len(memory) > limit:
        del memory[next(iter(memory))]
