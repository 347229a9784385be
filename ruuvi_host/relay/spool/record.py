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
from functools import lru_cache
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
_ONE = struct.Struct(">Ibb4B")
"""The columns of a batch of one report, up to its address."""
_ONE_ADDRESS = _HEAD.size + _ONE.size
_NO_POWER = -128
_ADDRESS = 6
_SEAL = struct.Struct(">BI")
"""Mark, CRC-32."""
_MARK = 2
_UNSEALED = 0x78
_SEALED = struct.Struct(">qdqq")
"""Of a row: seq, made, nonce, number of reports."""
_new = tuple.__new__
"""Of a NamedTuple: a third of the time that its constructor takes."""


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
            if (type(row.nonce), type(row.gateway)) != (int, bytes):
                raise ValueError("not the types of a batch")
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
    fixed = _HEAD.size + count * (4 + 6 + _ADDRESS)
    known = version in (_WITH_TIMES, _COUNTED)
    if not known or len(gateway) != 14 or not count or len(raw) < fixed:
        raise ValueError("not a batch")
    if count == 1:  # many are, where few sensors are heard: half the time
        later, rssi, power, primary, secondary, channel, size = _ONE.unpack_from(raw, _HEAD.size)
        if len(raw) != fixed + size:
            raise ValueError("not a batch")
        tx_power = None if power == _NO_POWER else power
        fields = (raw[_ONE_ADDRESS:fixed], raw[fixed:], rssi, primary, secondary, channel)
        one = _new(Advertisement, (*fields, tx_power, 0.0, first + later))
        return Batch(nonce, _sender(gateway), (one,), counted=version == _COUNTED)
    numbers = struct.unpack_from(f">{count}I{2 * count}b", raw, _HEAD.size)
    at = _HEAD.size + 6 * count
    primary, secondary, channel, sizes = (
        raw[start : start + count] for start in range(at, at + 4 * count, count)
    )
    if len(raw) != fixed + sum(sizes):
        raise ValueError("not a batch")
    bounds = accumulate(sizes, initial=fixed)
    at += 4 * count
    advertisements = tuple(
        [
            _new(
                Advertisement,
                (
                    *(raw[a : a + _ADDRESS], raw[start:end], rssi, p, s, channel),
                    *(None if power == _NO_POWER else power, 0.0, first + later),
                ),
            )
            for a, (start, end), later, rssi, power, p, s, channel in zip(
                range(at, fixed, _ADDRESS),
                pairwise(bounds),
                numbers[:count],
                numbers[count : 2 * count],
                numbers[2 * count :],
                *(primary, secondary, channel),
                strict=True,
            )
        ]
    )
    return Batch(nonce, _sender(gateway), advertisements, counted=version == _COUNTED)


@lru_cache(64)
def _sender(gateway: bytes) -> DeviceId:
    return DeviceId(gateway[:8], gateway[8:])
