"""A server without a cloud: takes a gateway's posts, checks them strictly, says what it found.

For trying things out, and the other end of the relay in tests; it can also play an outage.
"""

from ruuvi_host.receiver.body import Batch, GatewayStatus
from ruuvi_host.receiver.examine import Result, Signature, Verdict, sign
from ruuvi_host.receiver.receipt import Receipt
from ruuvi_host.receiver.server import Receiver
from ruuvi_host.receiver.settings import Settings

__all__ = [
    "Receiver",
    "Settings",
    "Receipt",
    "Verdict",
    "Result",
    "Signature",
    "Batch",
    "GatewayStatus",
    "sign",
]
