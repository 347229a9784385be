"""The disk's side of a spool: it owns the file.

All of it runs in one thread, the disk's. It is given frozen values and answers with frozen values;
it shares nothing with the loop.
"""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool.errors import DamagedError
from ruuvi_host.relay.spool.jobs import Job
from ruuvi_host.relay.spool.values import (
    Answer,
    DiskFull,
    Event,
    Found,
    GivenUp,
    Reopened,
    Said,
    Situation,
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
        self._happened: list[Event] = []

    def do(self, job: Job[T], situation: Situation) -> Answer[T]:
        """A file that turns out to be damaged is set aside, and the job done with a new one."""
        result, failure = None, None
        try:
            try:
                result = job.run(self._opened(situation))
            except DamagedError as damage:
                result = job.run(self._replaced(damage, situation))
        except SpoolError as error:
            failure = error
        self._note()
        happened, self._happened = tuple(self._happened), []
        return Answer(happened, result, failure)

    def close(self) -> None:
        """The next job opens the file again."""
        file, self._file = self._file, None
        if file:
            file.close()

    def _note(self) -> None:
        if self._file:
            self._happened += self._file.take_happened()

    def _opened(self, situation: Situation) -> "SpoolFile":
        if self._file:
            self._file.adjust(situation.settings)  # they may have changed
            return self._file
        from ruuvi_host.relay.spool.file import SpoolFile

        try:
            file = SpoolFile.open(self._path, situation.settings, situation.now)
        except SpoolError as error:
            in_the_way = self._path.exists() and not self._path.is_file()
            if not isinstance(error, DamagedError) and not in_the_way:
                raise
            file = self._new(error, situation)
        return self._use(file, situation)

    def _replaced(self, damage: DamagedError, situation: Situation) -> "SpoolFile":
        """A new file in the place of one that turned out to be damaged, with what can be saved."""
        self._note()
        if self._file:
            self._file.abandon()
            self._file = None
            # What this job wrote is written again with the new file.
            self._happened = [e for e in self._happened if not isinstance(e, Wrote)]
            self._happened.append(GivenUp())
        return self._use(self._new(damage, situation), situation)

    def _new(self, error: SpoolError, situation: Situation) -> "SpoolFile":
        from ruuvi_host.relay.spool.file import SpoolFile
        from ruuvi_host.relay.spool.recovery import save, set_aside

        aside, sentence = set_aside(self._path)
        self._happened.append(Said(f"{error}; {sentence}"))
        file = SpoolFile.open(self._path, situation.settings, situation.now)
        file.base = self._base or 0
        if aside and aside.is_file():
            try:
                self._say(save(file, aside, situation.gone))
            except BaseException:
                file.abandon()
                raise
        return file

    def _use(self, file: "SpoolFile", situation: Situation) -> "SpoolFile":
        """From now on. Tells what is in it."""
        from ruuvi_host.relay.spool.recovery import take_over

        try:
            if self._base is None:
                self._say(take_over(file, self._path.with_suffix(".jsonl"), situation.now))
                file.base = self._base = file.last_place()
                opened: Event = Found(*file.counts())
            else:
                file.base = self._base
                opened = Reopened(file.contents())
        except BaseException:
            file.abandon()
            raise
        # What was written on the way is in what is told now.
        self._happened += [e for e in file.take_happened() if isinstance(e, DiskFull)]
        self._happened.append(opened)
        self._file = file
        return file

    def _say(self, sentence: str | None) -> None:
        if sentence:
            self._happened.append(Said(sentence))
