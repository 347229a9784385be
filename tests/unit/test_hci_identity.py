"""Who a bridge is: never two alike, never another after a start."""

import hashlib
import hmac

import pytest

from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.messages import DeviceId
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.identity import Origin, identity

MACHINE = b"0123456789abcdef0123456789abcdef"
PUBLIC = bytes.fromhex("DCA632010203")
STATIC = bytes.fromhex("C60504030201")


def derived(message: bytes) -> bytes:
    return hmac.new(MACHINE, b"ruuvi-host bridge" + message, hashlib.sha256).digest()


def test_a_public_address_is_used_and_the_identifier_is_derived_from_it() -> None:
    found = identity(ControllerFacts(public_address=PUBLIC), MACHINE, "hci0")
    assert found.origin is Origin.PUBLIC
    assert found.device == DeviceId(derived(PUBLIC)[:8], PUBLIC)


@pytest.mark.parametrize(
    "address", ["000000000000", "FFFFFFFFFFFF", "4343A0121FAC", "4345C5001FAC"]
)
def test_an_address_that_many_have_is_none(address: str) -> None:
    facts = ControllerFacts(
        public_address=bytes.fromhex(address), static_addresses=(bytes(6), STATIC)
    )
    found = identity(facts, MACHINE, "hci0")
    assert (found.device.addr, found.origin) == (STATIC, Origin.STATIC)


def test_without_any_address_it_is_derived_and_random_static() -> None:
    found = identity(ControllerFacts(), MACHINE, "/dev/ttyACM0")
    expected = bytearray(derived(b"/dev/ttyACM0")[:6])
    expected[0] |= 0xC0
    assert (found.device.addr, found.origin) == (bytes(expected), Origin.DERIVED)
    assert found == identity(ControllerFacts(), MACHINE, "/dev/ttyACM0")
    others = [
        identity(ControllerFacts(), MACHINE, "/dev/ttyACM1"),
        identity(ControllerFacts(), b"another machine", "/dev/ttyACM0"),
    ]
    assert len({found.device, *(other.device for other in others)}) == 3
    assert len({found.device.addr, *(other.device.addr for other in others)}) == 3


def test_who_knows_the_address_cannot_tell_the_identifier() -> None:
    facts = ControllerFacts(public_address=PUBLIC)
    one, other = identity(facts, MACHINE, "hci0"), identity(facts, b"other", "hci0")
    assert one.device.addr == other.device.addr
    assert one.device.id != other.device.id


def test_what_is_given_is_used() -> None:
    given = bytes.fromhex("F5CAF001B0FC")
    facts = ControllerFacts(public_address=PUBLIC)
    found = identity(facts, MACHINE, "hci0", address=given)
    assert (found.device, found.origin) == (DeviceId(derived(given)[:8], given), Origin.GIVEN)
    found = identity(facts, b"", "hci0", device_id=bytes(8))
    assert found.device == DeviceId(bytes(8), PUBLIC)


@pytest.mark.parametrize("facts", [ControllerFacts(), ControllerFacts(public_address=PUBLIC)])
def test_without_a_machine_id_nothing_is_derived(facts: ControllerFacts) -> None:
    with pytest.raises(LocalProtocolError, match=r"/etc/machine-id.*--device-id"):
        identity(facts, b"", "hci0")
