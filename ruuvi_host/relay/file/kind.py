"""The kind "file": a folder on this machine."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.targets import FileTarget
from ruuvi_host.relay.file.lines import encoder
from ruuvi_host.relay.file.sink import FileSink, sentence
from ruuvi_host.relay.kinds import CheckResult, Kind, SinkContext
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.sink import Sink


class FileKind:
    """See Kind."""

    is_network = False
    needs_gateway = False
    begins_at_once = True
    is_always_kept = False

    def public_name(self, target: FileTarget) -> str:
        return str(target.folder)

    def pacing(self, target: FileTarget) -> Pacing:
        return Pacing(gap=0.0, in_order=True)  # no load on a server

    def faults(self, target: FileTarget) -> Iterator[tuple[str, str]]:
        """As long as the folder does not exist, what counts is where it would be made."""
        folder = target.folder
        while not os.path.lexists(folder) and folder != folder.parent:
            folder = folder.parent
        key = f"target.{target.name}.folder"
        if not folder.is_dir():
            yield key, f"{folder} is not a folder: name another one"
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield key, f"{folder} cannot be written: let this user write there"

    async def probe(
        self, target: FileTarget, gateway: DeviceId, context: SinkContext, utc: float
    ) -> CheckResult:
        try:
            await asyncio.to_thread(_try, target.folder)
        except OSError as error:
            reason = sentence(target, error)
            return CheckResult(target.name, reason, "folder", "nothing was written")
        return CheckResult(target.name, f"{target.folder} can be written")

    def make_sink(self, target: FileTarget, context: SinkContext) -> Sink:
        encode = encoder(target.content, context.config, context.readings, target.derived)
        return FileSink(target, encode)


def _try(folder: Path) -> None:
    """Write a file without a name there: nobody who reads the folder meets it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())


KIND: Kind[FileTarget] = FileKind()
