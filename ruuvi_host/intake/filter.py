"""Keep or drop by address, as `scan_filter_list` of the gateway says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddressFilter:
    """Addresses (six bytes each) that alone may pass, or that may not.

    An empty list is no filter, whatever `allow` says.
    """

    addresses: frozenset[bytes] = frozenset()
    allow: bool = False

    def passes(self, address: bytes) -> bool:
        return not self.addresses or (address in self.addresses) is self.allow
