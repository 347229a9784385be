"""What a controller has told about itself."""

from dataclasses import dataclass

COMPANY_NORDIC = 0x0059
COMPANY_ZEPHYR = 0x05F1
"""The Linux Foundation's, which Zephyr's own link layer gives."""

_HCI_VERSIONS = (
    *("1.0b", "1.1", "1.2", "2.0", "2.1", "3.0", "4.0", "4.1", "4.2"),
    *("5.0", "5.1", "5.2", "5.3", "5.4", "6.0", "6.1", "6.2"),
)
"""Assigned Numbers, "HCI Version": a number each, from 0 on."""


@dataclass(frozen=True, slots=True)
class ControllerFacts:
    """Facts of one start. A controller that did not answer a question has the defaults."""

    hci_version: int | None = None
    """The number of the Core version, 9 = 5.0; it says nothing about features. None: not told."""
    company: int | None = None
    """Bluetooth company identifier of who made the link layer; None: not told."""
    legacy: bool = True
    """Has the commands of legacy scanning; who does not tell is taken to have them."""
    extended: bool = False
    """Has extended scanning: the feature, and both of its commands."""
    coded: bool = False
    """Receives LE Coded, which takes extended scanning."""
    public_address: bytes = bytes(6)
    """BD_ADDR, most significant byte first; zeros: it has none, as an nRF52."""
    static_addresses: tuple[bytes, ...] = ()
    """Random static addresses from the chip, most significant byte first; asked of Zephyr and
    Nordic controllers without a public address."""

    @property
    def version(self) -> str:
        """The Bluetooth version in words, like "5.3"."""
        if self.hci_version is None:
            return "of unknown version"
        if self.hci_version < len(_HCI_VERSIONS):
            return _HCI_VERSIONS[self.hci_version]
        return f"of HCI version {self.hci_version}"


_SHARED = frozenset(
    bytes.fromhex(address)
    for address in (
        *("000000000000", "FFFFFFFFFFFF"),
        # What Broadcom's chips answer until somebody gives them an address (Linux, btbcm.c).
        *("00207002A000", "207002A00000", "2076A0005679", "4324B3000000"),
        *("4330B1000000", "4334B0000000", "4343A0121FAC", "4343A1121FAC", "4345C5001FAC"),
        "43341B001FAC",
    )
)


def is_address(address: bytes) -> bool:
    """Can it tell one radio from another? No: those that all chips of a kind answer with."""
    return address not in _SHARED
