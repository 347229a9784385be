"""Delivery into files: a batch is accepted when its lines are on disk."""

import asyncio
import errno
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ruuvi_host.config.targets import FileTarget
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.file.compress import compress
from ruuvi_host.relay.file.folder import Folder, InUseError, finished_files
from ruuvi_host.relay.file.lines import Encoder
from ruuvi_host.relay.sink import Outcome, Verdict
from ruuvi_host.relay.spool.disk import DiskThread

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSING = 1.0
"""Seconds for the disk at the end; it may hang, and the stop of the host must not."""
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EINTR})
"""Faults that may go away by themselves."""


class FileSink:
    """Writes batches into the folder of a target, in a thread: the event loop waits for no disk."""

    def __init__(self, target: FileTarget, encode: Encoder) -> None:
        self._target = target
        self._encode = encode
        self._folder = Folder(target)
        self._disk: DiskThread | None = None
        self._rotated = asyncio.Event()

    async def run(self) -> None:
        """Compress what was finished, if that is wanted; also what an earlier run has left."""
        if not self._target.compress:
            return
        thread, stopped = DiskThread(f"{self._target.name} gzip"), False
        try:
            while True:
                await _done_by(thread, lambda: self._compress_all(lambda: stopped))
                self._rotated.clear()
                await self._rotated.wait()
        finally:
            stopped = True
            thread.stop()

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        folder = self._folder
        if self._disk is None:
            self._disk = DiskThread(f"{self._target.name} file")
        before = folder.finished
        try:
            await _done_by(self._disk, lambda: folder.append(self._encode(batch, utc), utc))
        except InUseError:
            reason = (
                f"another ruuvi-host writes {folder.current}: give each its own folder, or its "
                "target another name"
            )
            return Outcome(Verdict.FIX, reason, begun=False)
        except OSError as error:
            return self._failed(error)
        if folder.finished != before:
            self._rotated.set()
        return Outcome(Verdict.ACCEPTED)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """A write that is under way is done then, unless the disk hangs."""
        disk, self._disk = self._disk, None
        if disk is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(_done_by(disk, self._folder.close), CLOSING)
            disk.stop()

    def _failed(self, error: OSError) -> Outcome:
        is_passing = error.errno in _PASSING
        verdict = Verdict.LATER if is_passing else Verdict.FIX
        return Outcome(verdict, sentence(self._target, error), begun=is_passing)

    def _compress_all(self, stopped: Callable[[], bool]) -> None:
        try:
            for path in finished_files(self._target):
                if not stopped():
                    compress(path, stopped)
        except OSError as error:  # the file stays as it is, and is tried again with the next one
            reason = sentence(self._target, error)
            log.warning("%s: cannot compress: %s", self._target.name, reason)


def sentence(target: FileTarget, error: OSError) -> str:
    """What is wrong with a folder, and what to do."""
    where = error.filename or target.folder
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk is full: make room for {target.folder}"
        case errno.EROFS:
            return f"{where} is on a disk that is mounted read-only: mount it for writing"
        case errno.EACCES | errno.EPERM:
            return f"{where}: permission denied; let this user write there"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{target.folder} is not a folder: name another one"
    return f"{where} cannot be written: {error.strerror}"


async def _done_by(thread: DiskThread, work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in that thread. Cancelled, the work goes on there."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(set_it: Callable[[], None]) -> None:
        def in_loop() -> None:
            if not done.done():
                set_it()

        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(in_loop)

    def job() -> None:
        try:
            result = work()
        except BaseException as error:
            tell(lambda caught=error: done.set_exception(caught))  # type: ignore[misc]
        else:
            tell(lambda: done.set_result(result))

    thread.submit(job)
    return await done
