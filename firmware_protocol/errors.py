"""Who is to blame when the wire protocol is broken.

    ProtocolError
      LocalProtocolError    we asked for something that cannot be
      RemoteProtocolError   the other end sent something that cannot be

Noise on the line is neither: the scanner skips and counts it.
"""


class ProtocolError(Exception):
    """The root; only its two children are raised."""


class LocalProtocolError(ProtocolError):
    """The caller broke the protocol: a value out of range, a second command in flight."""


class RemoteProtocolError(ProtocolError):
    """Received bytes are no frame, or a frame is no message.

    `reason` is the first check that failed, in the order of the C decoder: bad_stx, truncated,
    bad_etx, bad_crc, unknown_cmd, bad_len, adv_too_long, bad_delimiter.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
