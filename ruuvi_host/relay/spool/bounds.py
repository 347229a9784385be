"""What leaves a spool so that others find room, the oldest first.

All of it runs within a transaction of the caller's. Batches are told as (seq, reports).
"""

from collections.abc import Collection

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool.database import Database
from ruuvi_host.relay.spool.errors import DamagedError
from ruuvi_host.relay.spool.schema import LOG_ROOM

Leaving = list[tuple[int, int]]
_MOST_AT_ONCE = 64


def make_room(database: Database, max_bytes: int, need: int, held: Collection[int]) -> Leaving:
    """The oldest leave until `need` bytes more fit into the bound; held: those that stay."""
    limit = max_bytes - LOG_ROOM - 2 * need
    left: Leaving = []
    number = 1
    while database.used + need > limit:
        leaving = delete_oldest(database, number, held)
        if not leaving:
            raise SpoolError(str(database.path), "one batch alone is larger than the bound")
        left += leaving
        number = min(2 * number, _MOST_AT_ONCE)
    return left


def free_pages(database: Database, need: int, held: Collection[int]) -> Leaving:
    """On a full disk the file must not grow: the oldest leave until `need` bytes are free in it."""
    left: Leaving = []
    while database.free < need and (leaving := delete_oldest(database, 1, held)):
        left += leaving
    return left


def delete_oldest(database: Database, number: int, held: Collection[int]) -> Leaving:
    leaving = [
        (seq, reports)
        for seq, reports in database.rows(
            "SELECT seq, reports FROM batch ORDER BY seq LIMIT ?", number + len(held)
        )
        if seq not in held
    ][:number]
    delete(database, leaving)
    return leaving


def delete(database: Database, leaving: Leaving) -> None:
    """Raises DamagedError when one is not where it was found: it would be found again and again."""
    before = database.changes
    database.each("DELETE FROM batch WHERE seq = ?", ((seq,) for seq, _ in leaving))
    if database.changes - before != len(leaving):
        raise DamagedError(str(database.path), "is damaged (its order)")


def oldest_made(database: Database, held: Collection[int]) -> float:
    """When the oldest was made: UTC, seconds. Without a batch: inf."""
    for seq, made in database.rows(
        "SELECT seq, made FROM batch ORDER BY seq LIMIT ?", 1 + len(held)
    ):
        if seq not in held:
            return float(made)
    return float("inf")
