"""The readings in a batch: decoded here from the raw data, or by the sender."""

from ruuvi_host import formats
from ruuvi_host.errors import FormatError
from ruuvi_host.receiver.body import Batch, Tag

_RADIO = {"rssi", "timestamp", "counter", "ble_phy", "ble_chan", "ble_tx_power"}


def readings(batch: Batch) -> dict[str, Tag]:
    """Name → value for each tag of a batch, by address.

    From raw data: our fields, or only "error" with the code of FormatError. From a sender that has
    decoded the data: its own fields, or none if it could not.
    """
    return {address: _reading(tag) for address, tag in batch.tags.items()}


def _reading(tag: Tag) -> Tag:
    data = tag.get("data")
    if not isinstance(data, str):
        return {name: value for name, value in tag.items() if name not in _RADIO}
    try:
        return dict(formats.fields(formats.decode(bytes.fromhex(data))))
    except FormatError as error:
        return {"error": error.code}
