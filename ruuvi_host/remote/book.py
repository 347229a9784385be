"""What is remembered of the remote configuration, kept on disk with each change, and told of."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruuvi_host.logs import printable
from ruuvi_host.remote.record import FetchFacts, Record, RecordFile, Refusal

log = logging.getLogger(__name__)

CLOSING = 1.0
"""Seconds for what is still being written at the end: a disk that hangs must not hold it up."""
GOOD = ("applied", "equal", "not_modified")
"""Results after which the server has what it wants."""
NOT_TAKEN = ("refused", "rolled_back")
"""Results of a text that the server has, and this host does not want."""


class Book:
    """Holds the record. folder: of the state."""

    def __init__(self, folder: Path) -> None:
        self._file = RecordFile(folder)
        self.record = self._file.read()
        self.fetches: dict[str, int] = {}
        """Since the start, by result."""
        self._told = ""

    def write(self, record: Record) -> None:
        """Durably, and only then count. May block. Raises OSError: the old one stays."""
        self._file.write(record)
        self.record = record

    async def keep(self, **changes: Any) -> None:
        """The same for what may be lost: a disk that cannot be written is told once. When we are
        cancelled, what is begun gets CLOSING: the end of the host does not wait for threads."""
        record = replace(self.record, **changes)
        if record == self.record:
            return
        self.record = record
        writing = asyncio.ensure_future(self._write_or_tell(record))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing}, timeout=CLOSING)
            raise

    async def _write_or_tell(self, record: Record) -> None:
        try:
            await asyncio.to_thread(self._file.write, record)
        except OSError as error:
            self._tell_once(f"{self._file.path}: cannot be written: {error.strerror}")

    def _tell_once(self, sentence: str) -> None:
        if sentence != self._told:
            log.warning("%s", sentence)
        self._told = sentence

    def counted(
        self,
        result: str,
        status: int,
        url: str,
        now: float,
        reason: str = "",
        *,
        until_good: bool = False,
    ) -> FetchFacts:
        """A fetch that has ended. now: UTC. until_good: the next one after a good one is that of
        the next start."""
        before = self.record.fetch
        self.fetches[result] = self.fetches.get(result, 0) + 1
        good = result in GOOD
        # A text that is refused is no fault of the way to it: it is looked at again in its time,
        # if there is one.
        reached = good or (result in NOT_TAKEN and not until_good)
        return FetchFacts(
            last=now,
            success=now if good else before.success,
            result=result,
            status=status,
            url=url or before.url,
            failures=0 if reached else before.failures + 1,
            reason=reason,
        )

    async def refuse(
        self, at: float, shown: str | None, digest: str, reason: str, url: str
    ) -> None:
        """A text was not taken, or could not be read: told once, and remembered.

        at: UTC. shown: its hash, for people. digest: of the text; empty: there is none.
        """
        known, reason = self.record.refused, printable(reason, 500)
        if known and (known.digest, known.reason) == (digest, reason):
            return
        log.error("configuration of %s is refused: %s", url or "remote_cfg_url", reason)
        await self.keep(refused=Refusal(at, shown, digest, reason))
