"""A small local server: accepts a gateway's posts, checks them strictly and prints the result.

For trying things out, and as the server in tests of the relay; it can also simulate an outage.
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
