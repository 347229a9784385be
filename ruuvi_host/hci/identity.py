"""Who a bridge says it is: an address and an identifier that never make two gateways one.

The gateway's address, and by default the key of its signature, follow from them. So neither may be
the same on two machines, nor change from start to start, nor be guessed from what is public.
"""

import hmac
from enum import Enum
from typing import NamedTuple

from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.messages import DeviceId
from ruuvi_host.hci.facts import ControllerFacts, is_address

_NAME = b"ruuvi-host bridge"


class Origin(Enum):
    """Where an address comes from."""

    GIVEN = "given"
    PUBLIC = "its public address"
    STATIC = "its chip's static address"
    DERIVED = "derived from this machine and --hci"


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

    Raises LocalProtocolError if something has to be derived and there is no machine_id.
    """
    chosen, origin = _address(facts, machine_id, transport, address)
    if device_id is None:
        device_id = _derive(machine_id, chosen)[:8]
    return Identity(DeviceId(device_id, chosen), origin)


def _address(
    facts: ControllerFacts, machine_id: bytes, transport: str, given: bytes | None
) -> tuple[bytes, Origin]:
    """The first that is usable."""
    if given is not None:
        return given, Origin.GIVEN
    if is_address(facts.public_address):
        return facts.public_address, Origin.PUBLIC
    for address in facts.static_addresses:
        if is_address(address):
            return address, Origin.STATIC
    derived = _derive(machine_id, transport.encode())
    # The two top bits of a random static address are set.
    return bytes((derived[0] | 0xC0,)) + derived[1:6], Origin.DERIVED


def _derive(machine_id: bytes, what: bytes) -> bytes:
    if not machine_id:
        raise LocalProtocolError(
            "/etc/machine-id is missing or empty, so no identity can be derived from it: "
            "give --address and --device-id"
        )
    return hmac.digest(machine_id, _NAME + what, "sha256")
