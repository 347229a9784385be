"""AD structures: the length-type-value elements that advertising data is made of.

Source: Bluetooth Core Specification, vol. 3 part C section 11; its Supplement for the types.
"""

from typing import NamedTuple

SHORT_NAME = 0x08
COMPLETE_NAME = 0x09
SERVICE_DATA_16 = 0x16
MANUFACTURER_SPECIFIC = 0xFF


class AdvertisingData(NamedTuple):
    """Advertising data taken apart."""

    structures: list[tuple[int, bytes]]
    """(type, data) in the order of the air; data may be empty, types may repeat."""
    malformed: bool
    """The last structure was cut short, and is not among the structures."""

    @property
    def local_name(self) -> str | None:
        """The name, the complete one rather than the short one; None where there is none.

        It is text from outside: escape it before it is shown.
        """
        for wanted in (COMPLETE_NAME, SHORT_NAME):
            for type_, data in self.structures:
                if type_ == wanted:
                    return data.decode("utf-8", "replace")
        return None


def parse(advertising_data: bytes) -> AdvertisingData:
    """Take advertising data apart, of any length and content. Never raises.

    A length of 0 ends the data early (what follows is padding). What came before a cut is kept:
    radios and short buffers often lose the tail.
    """
    structures: list[tuple[int, bytes]] = []
    position, end = 0, len(advertising_data)
    while position < end:
        length = advertising_data[position]
        if length == 0:
            break
        data = position + 2
        position += 1 + length
        if position > end:
            return AdvertisingData(structures, True)
        structures.append((advertising_data[data - 1], advertising_data[data:position]))
    return AdvertisingData(structures, False)


def find(advertising_data: bytes, type_: int, beginning: bytes) -> bytes | None:
    """The data of the first structure of this type that begins so; None: there is none."""
    start = position(advertising_data, type_, beginning)
    return advertising_data[start : start + advertising_data[start - 2] - 1] if start > 0 else None


def position(advertising_data: bytes, type_: int, beginning: bytes) -> int:
    """Where the data of the first structure of this type that begins so stands; 0: there is none.

    The same walk as that of `parse`, without collecting what it passes: in a third of the time.
    """
    at, end = 0, len(advertising_data)
    while at < end:
        length = advertising_data[at]
        data = at + 2
        at += 1 + length
        if length == 0 or at > end:
            break
        if advertising_data[data - 1] == type_ and advertising_data.startswith(beginning, data, at):
            return data
    return 0
