"""A batch as bytes, as the spool keeps it: a column for each field, compressed.

Columns, because most of them hold nearly the same value all along, which compresses to nothing: a
batch of 100 sensors takes about 3 KB. Without `received`: monotonic time means nothing to another
process.
"""

import struct
import zlib
from itertools import accumulate, pairwise

from firmware_protocol.messages import DeviceId
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch

_WITH_TIMES, _COUNTED = 1, 2
"""Versions of a record."""
_LEVEL = 1
"""Higher levels gain 3 % and take three times as long."""
_HEAD = struct.Struct(">BIq")
"""Version, number of reports, the least timestamp."""
_NO_POWER = -128
_ADDRESS = 6


def pack(batch: Batch) -> bytes:
    """Raises ValueError for what no coprocessor can have sent."""
    addresses, data, rssi, primary, secondary, channel, power, _, timestamps = zip(
        *batch.advertisements, strict=True
    )
    count, first = len(timestamps), min(timestamps)
    version = _COUNTED if batch.counted else _WITH_TIMES
    try:
        raw = b"".join(
            (
                _HEAD.pack(version, count, first),
                struct.pack(f">{count}I", *(timestamp - first for timestamp in timestamps)),
                struct.pack(f"{count}b", *rssi),
                struct.pack(f"{count}b", *(_NO_POWER if p is None else p for p in power)),
                bytes(primary),
                bytes(secondary),
                bytes(channel),
                bytes(map(len, data)),
                b"".join(addresses),
                b"".join(data),
            )
        )
    except struct.error as error:
        raise ValueError(str(error)) from error
    return zlib.compress(raw, _LEVEL)


def unpack(nonce: int, gateway: bytes, packed: bytes) -> Batch:
    """The batch again. Raises ValueError when the bytes are damaged."""
    try:
        raw = zlib.decompress(packed)
        version, count, first = _HEAD.unpack_from(raw)
    except (zlib.error, struct.error) as error:
        raise ValueError(str(error)) from error
    columns = raw[_HEAD.size :]
    fixed = count * (4 + 6 + _ADDRESS)
    known = version in (_WITH_TIMES, _COUNTED)
    if not known or len(gateway) != 14 or not count or len(columns) < fixed:
        raise ValueError("not a batch")
    timestamps = struct.unpack_from(f">{count}I", columns)
    rssi = struct.unpack_from(f"{count}b", columns, 4 * count)
    power = struct.unpack_from(f"{count}b", columns, 5 * count)
    primary, secondary, channel, sizes = (
        columns[start * count : (start + 1) * count] for start in (6, 7, 8, 9)
    )
    if len(columns) != fixed + sum(sizes):
        raise ValueError("not a batch")
    data = columns[fixed:]
    advertisements = tuple(
        Advertisement(
            columns[10 * count + _ADDRESS * n : 10 * count + _ADDRESS * (n + 1)],
            data[start:end],
            rssi[n],
            primary[n],
            secondary[n],
            channel[n],
            None if power[n] == _NO_POWER else power[n],
            0.0,
            first + timestamps[n],
        )
        for n, (start, end) in enumerate(pairwise(accumulate(sizes, initial=0)))
    )
    sender = DeviceId(gateway[:8], gateway[8:])
    return Batch(nonce, sender, advertisements, counted=version == _COUNTED)
