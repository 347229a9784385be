"""What a request is for: its path and host, as they stand in the request.

Nothing is decoded: paths are compared byte for byte, as a gateway does (http_req.c). The absolute
form (RFC 9112, 3.2.2) is a path behind a scheme and a host, and that host is the one that counts.
"""

import re
from collections.abc import Sequence
from typing import TypeAlias

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

_ABSOLUTE = re.compile(rb"https?://([^/]*)(.*)", re.IGNORECASE)


def path_and_headers(target: bytes, headers: Headers) -> tuple[str, Headers]:
    """target: without query. headers: names in lower case."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return target.decode("latin-1"), headers
    others = [(name, value) for name, value in headers if name != b"host"]
    return (absolute[2] or b"/").decode("latin-1"), [(b"host", absolute[1]), *others]
