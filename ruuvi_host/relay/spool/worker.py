"""The disk's side of a spool: it owns the file.

All of it runs in one thread, the disk's. It is given frozen values and answers with frozen values;
it shares nothing with the loop.
"""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool.errors import DamagedError, ReadOnlyError
from ruuvi_host.relay.spool.jobs import Job
from ruuvi_host.relay.spool.values import (
    Answer,
    DiskFull,
    Event,
    FileLost,
    Found,
    JobContext,
    Left,
    Notice,
    Reason,
    Reopened,
    Wrote,
)

if TYPE_CHECKING:  # imported when a file is first needed: sqlite takes 2 MB
    from ruuvi_host.relay.spool.file import SpoolFile

T = TypeVar("T")


class Worker:
    """Works off the jobs of one spool."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: SpoolFile | None = None
        self._base: int | None = None
        """The number in the file of place 0; None: it was never open. See Entry."""
        self._events: list[Event] = []
        self._unreadable: list[tuple[int, int]] = []
        """Of a file that was set aside, and is not accounted for yet."""

    def do(self, job: Job[T], context: JobContext) -> Answer[T]:
        """A file that turns out to be damaged is set aside, and the job done with a new one."""
        result, failure = None, None
        try:
            try:
                result = job.run(self._opened(context))
            except DamagedError as damage:
                result = job.run(self._replaced(damage, context))
        except SpoolError as error:
            failure = error
        self._collect()
        if isinstance(failure, ReadOnlyError) and self._file:
            # Opened while the file system was read-only it would be so for ever.
            self._file.abandon()
            self._file = None
        events, self._events = tuple(self._events), []
        return Answer(events, result, failure)

    def close(self) -> None:
        """The next job opens the file again."""
        file, self._file = self._file, None
        if file:
            file.close()

    def _collect(self) -> None:
        if self._file:
            self._events += self._file.take_events()

    def _opened(self, context: JobContext) -> "SpoolFile":
        if self._file:
            self._file.adjust(context.settings)  # they may have changed
            return self._file
        from ruuvi_host.relay.spool.file import SpoolFile

        try:
            file = SpoolFile.open(self._path, context.settings, context.now)
        except SpoolError as error:
            in_the_way = self._path.exists() and not self._path.is_file()
            if not isinstance(error, DamagedError) and not in_the_way:
                raise
            file = self._new(error, context)
        return self._use(file, context)

    def _replaced(self, damage: DamagedError, context: JobContext) -> "SpoolFile":
        """A new file in the place of one that turned out to be damaged, with what can be saved."""
        self._collect()
        if self._file:
            self._file.abandon()
            self._file = None
            # What this job wrote is written again with the new file.
            self._events = [e for e in self._events if not isinstance(e, Wrote)]
            self._events.append(FileLost())
        return self._use(self._new(damage, context), context)

    def _new(self, error: SpoolError, context: JobContext) -> "SpoolFile":
        from ruuvi_host.relay.spool.file import SpoolFile
        from ruuvi_host.relay.spool.recovery import recover, set_aside

        aside, sentence = set_aside(self._path)
        self._events.append(Notice(f"{error}; {sentence}"))
        file = SpoolFile.open(self._path, context.settings, context.now)
        file.base = self._base or 0
        if aside and aside.is_file():
            try:
                recovered = recover(file, aside, context.to_delete)
                self._notice(recovered.sentence)
                self._unreadable = recovered.unreadable
            except BaseException:
                file.abandon()
                raise
        return file

    def _use(self, file: "SpoolFile", context: JobContext) -> "SpoolFile":
        """From now on. Tells what is in it."""
        from ruuvi_host.relay.spool.recovery import take_over

        try:
            if self._base is None:
                self._notice(take_over(file, self._path.with_suffix(".jsonl"), context.now))
                file.base = self._base = file.last_place()
                opened = self._found(*file.counts())
            else:
                file.base = self._base
                opened = [Reopened(file.contents())]
            self._unreadable = []
        except BaseException:
            file.abandon()
            raise
        # What was written on the way is in what is told now.
        self._events += [e for e in file.take_events() if isinstance(e, DiskFull)]
        self._events += opened
        self._file = file
        return file

    def _found(self, batches: int, reports: int) -> list[Event]:
        """What the previous run left, with what cannot be read of it."""
        lost = tuple((place - (self._base or 0), reports) for place, reports in self._unreadable)
        whole = Found(batches + len(lost), reports + sum(reports for _, reports in lost))
        return [whole, *([Left(Reason.UNREADABLE, lost)] if lost else [])]

    def _notice(self, sentence: str | None) -> None:
        if sentence:
            self._events.append(Notice(sentence))
