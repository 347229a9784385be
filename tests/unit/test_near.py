"""How near an address is, in all the ways in which one can be written."""

import pytest

from ruuvi_host.relay.http.near import FARTHER, NEIGHBOUR, THIS_MACHINE, distance, is_near


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", THIS_MACHINE),
        ("127.255.255.254", THIS_MACHINE),
        ("0.0.0.0", THIS_MACHINE),
        ("0.1.2.3", THIS_MACHINE),
        ("::1", THIS_MACHINE),
        ("::", THIS_MACHINE),
        ("::ffff:127.0.0.1", THIS_MACHINE),
        ("::ffff:0.0.0.0", THIS_MACHINE),
        ("::127.0.0.1", THIS_MACHINE),
        ("64:ff9b::127.0.0.1", THIS_MACHINE),
        ("2002:7f00:1::", THIS_MACHINE),
        ("169.254.169.254", NEIGHBOUR),
        ("::ffff:169.254.0.1", NEIGHBOUR),
        ("fe80::1", NEIGHBOUR),
        ("fe80::1%eth0", NEIGHBOUR),
        ("febf::1%2", NEIGHBOUR),
        ("192.168.1.1", FARTHER),
        ("10.0.0.1", FARTHER),
        ("1.127.0.1", FARTHER),
        ("fd00::1", FARTHER),
        ("fec0::1", FARTHER),
        ("::ffff:192.0.2.1", FARTHER),
        ("2001:db8::1", FARTHER),
    ],
)
def test_distance(address: str, expected: int) -> None:
    assert distance(address) == expected
    assert is_near(address) == (expected != FARTHER)
