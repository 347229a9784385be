"""A batch as bytes, as the spool keeps it: a column for each field, compressed.

Columns, because most of them hold nearly the same value all along, which compresses to nothing: a
batch of 100 sensors takes about 3 KB. Without `received`: monotonic time means nothing to another
process.

A row is sealed: a checksum in front of the compressed bytes is that of all its columns. What the
first versions wrote has none; compressed bytes begin with 0x78, the mark of a seal is another one
by several bits.
"""

import struct
import zlib
from itertools import accumulate, pairwise
from typing import NamedTuple

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
_SEAL = struct.Struct(">BI")
"""Mark, CRC-32."""
_MARK = 2
_UNSEALED = 0x78
_SEALED = struct.Struct(">qdqq")
"""Of a row: seq, made, nonce, number of reports."""


class Row(NamedTuple):
    """A batch as it is in the file."""

    seq: int
    made: float
    nonce: int
    reports: int
    gateway: bytes
    packed: bytes


def row_of(seq: int, made: float, batch: Batch) -> Row:
    """Raises ValueError for what no coprocessor can have sent."""
    gateway = batch.gateway.id + batch.gateway.addr
    return _sealed(Row(seq, made, batch.nonce, len(batch.advertisements), gateway, pack(batch)))


def changed(row: Row, *, seq: int | None = None, made: float | None = None) -> Row:
    """The same batch at another place, or of another time. Raises ValueError when `row` is
    damaged."""
    open_ = row._replace(packed=_opened(row))
    return _sealed(
        open_._replace(seq=row.seq if seq is None else seq, made=row.made if made is None else made)
    )


def batch_of(row: Row) -> Batch:
    """Raises ValueError when any column of it is damaged."""
    batch = unpack(row.nonce, row.gateway, _opened(row))
    if len(batch.advertisements) != row.reports:
        raise ValueError("the number of reports is another one")
    return batch


def _sealed(row: Row) -> Row:
    return row._replace(packed=_SEAL.pack(_MARK, _checksum(row, row.packed)) + row.packed)


def _opened(row: Row) -> bytes:
    """The compressed bytes. Raises ValueError when the seal is broken."""
    try:
        if row.packed[0] == _UNSEALED:
            return row.packed
        mark, checksum = _SEAL.unpack_from(row.packed)
        packed = row.packed[_SEAL.size :]
        if mark != _MARK or checksum != _checksum(row, packed):
            raise ValueError("the checksum is wrong")
    except (struct.error, TypeError, IndexError) as error:
        raise ValueError(f"not a row of a spool: {error}") from error
    return packed


def _checksum(row: Row, packed: bytes) -> int:
    known = _SEALED.pack(row.seq, row.made, row.nonce, row.reports)
    return zlib.crc32(packed, zlib.crc32(row.gateway, zlib.crc32(known)))


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
