"""Keep or drop by address, as `scan_filter_list` of the gateway says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddressFilter:
    """Addresses (six bytes each) that alone may pass, or that may not.

    An empty list is no filter, whatever `allow` says.
    """

    addresses: frozenset[bytes] = frozenset()
    allow: bool = False
    closed: bool = False
    """Nothing passes: what was listed cannot be read."""

    @property
    def is_open(self) -> bool:
        """Does everything pass?"""
        return not self.addresses and not self.closed

    def passes(self, address: bytes) -> bool:
        if self.closed:
            return False
        return not self.addresses or (address in self.addresses) is self.allow
