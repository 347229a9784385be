"""Who a bridge says it is: an address and an identifier that never make two gateways one."""

from enum import Enum
from typing import NamedTuple

from firmware_protocol.messages import DeviceId
from ruuvi_host.hci.facts import ControllerFacts


class Origin(Enum):
    """Where an address comes from."""

    GIVEN = "given"
    PUBLIC = "public address"
    STATIC = "the chip's static address"
    DERIVED = "derived from this machine and the transport"


class Identity(NamedTuple):
    """For DEVICE_ID, and for the log."""

    device: DeviceId
    origin: Origin


def identity(
    facts: ControllerFacts,
    machine_id: bytes,
    transport: str,
    *,
    address: bytes | None = None,
    device_id: bytes | None = None,
) -> Identity:
    """The identity of a bridge.

    machine_id: what /etc/machine-id holds, without white space. transport: --hci as given.
    address: six bytes, most significant first, instead of the controller's.
    device_id: eight bytes, instead of the derived ones.
    """
    raise NotImplementedError
