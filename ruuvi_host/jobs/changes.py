"""Changes of the configuration that the local API asks for: planned, written durably, taken up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ruuvi_host.api.door import Change, SaveError
from ruuvi_host.config import store
from ruuvi_host.config.extra_files import delete_file, write_file
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_keys import HOST_BY_NAME
from ruuvi_host.config.kept import API, UNDO, Kept
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.posted import fixed
from ruuvi_host.config.sources import Sources
from ruuvi_host.config.store import Plan, UnwritableError
from ruuvi_host.config.together import plan_together
from ruuvi_host.errors import ConfigError
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.lifetime import to_its_end

T = TypeVar("T")


class Changes:
    """One after the other, and each to its end, whatever becomes of who has asked for it.

    now: UTC.
    """

    def __init__(self, configuration: Configuration, now: Callable[[], float]) -> None:
        self._configuration = configuration
        self._now = now
        self._one = asyncio.Lock()

    async def change(self, document: Mapping[str, Any], mac: str) -> Change:
        def plan(sources: Sources) -> Plan:
            try:
                return store.plan_post(sources, document, mac)
            except ConfigError as error:  # what is in the file is no fault of who asks
                raise SaveError(str(error)) from error

        return await self.do(plan, API)

    async def change_together(
        self,
        document: Mapping[str, Any],
        pairs: Sequence[tuple[str, str]],
        files: Mapping[str, str | None],
        mac: str,
    ) -> Change:
        return await self.do(lambda s: plan_together(s, document, pairs, files, mac), API)

    async def earlier(self) -> list[Kept]:
        return await asyncio.to_thread(store.undoable, self._configuration.loaded.sources.state)

    async def undo(self) -> Change:
        return await self.do(store.plan_undo, UNDO)

    async def write_file(self, name: str, content: bytes) -> None:
        await self._change_file(name, partial(write_file, name=name, content=content))

    async def delete_file(self, name: str) -> bool:
        return await self._change_file(name, partial(delete_file, name=name))

    async def do(self, plan: Callable[[Sources], Plan], by: str) -> Change:
        """Any other change. plan: is asked, in a thread, when no change is under way; what it
        raises is raised. Raises SaveError, ConfigError."""
        return await self._alone(lambda: self._change(plan, by))

    async def _change(self, make: Callable[[Sources], Plan], by: str) -> Change:
        before = self._configuration.loaded
        state = before.sources.state
        plan = await asyncio.to_thread(make, before.sources)
        if not plan.writes and not _is_behind(before.sources, plan):
            return _told(plan, before, before)
        try:
            written = await asyncio.to_thread(store.carry_out, plan, state, by, self._now())
        except UnwritableError as error:
            raise SaveError(str(error)) from error
        try:
            await self._configuration.renew()
        except ConfigError:
            await asyncio.to_thread(self._take_back, written, state)
            raise
        paths = [str(path) for path in written.replaced if path.exists()]
        return _told(plan, before, self._configuration.loaded, ", ".join(paths))

    def _take_back(self, written: store.Written, state: Path | None) -> None:
        """Raises SaveError when the fault is not in the change: without it, it is the same."""
        try:
            store.take_back(written, state)
            self._configuration.try_to_read()
        except UnwritableError as error:
            raise SaveError(str(error)) from error
        except ConfigError as error:
            raise SaveError(f"the configuration cannot be read again: {error}") from error

    async def _change_file(self, name: str, change: Callable[[Sources], T]) -> T:
        """What uses it looks at it before each post; only another place has to be told, and what a
        connection that is kept was made with."""

        async def changed() -> T:
            sources = self._configuration.loaded.sources
            before = sources.places.where(name)
            try:
                result = await asyncio.to_thread(change, sources)
                if sources.places.where(name) != before or name.startswith("mqtt_"):
                    await self._configuration.renew()
            except OSError as error:
                raise SaveError(f"{error.filename}: {error.strerror}") from error
            except ConfigError as error:
                raise SaveError(f"the configuration cannot be read again: {error}") from error
            return result

        return await self._alone(changed)

    async def _alone(self, part: Callable[[], Awaitable[T]]) -> T:
        """Do `part` when no other change is under way; once begun, to its end."""
        async with self._one:
            result: list[T] = []

            async def kept() -> None:
                result.append(await part())

            await to_its_end(kept())
            return result[0]


def _is_behind(sources: Sources, plan: Plan) -> bool:
    """Was the file changed by hand, and is not in force yet?"""
    present, saved = sources.gateway, plan.saved
    return saved is not None and any(
        name not in present.own and present[name] != saved[name] for name in plan.asked
    )


def _told(plan: Plan, before: Loaded, after: Loaded, written: str = "") -> Change:
    old, new = before.sources, after.sources
    changed = {name for name in BY_NAME if old.gateway[name] != new.gateway[name]}
    changed |= {name for name, value in new.host.values.items() if old.host.values[name] != value}
    if plan.writes:  # of tables
        changed.update(key for key in plan.keys if key not in BY_NAME and key not in HOST_BY_NAME)
    kept = _fixed_host(plan, new)
    if plan.saved:
        kept |= fixed(plan.asked, plan.saved, new.gateway)
    again = before.config.coprocessors != after.config.coprocessors
    again = again or "state_dir" in changed
    return Change(frozenset(changed), kept, plan.problems, again, written)


def _fixed_host(plan: Plan, sources: Sources) -> dict[str, str]:
    """Keys of the host's own that a variable or an option keeps."""
    files = {str(path) for path in (sources.host_path, sources.kept_host_path) if path}
    origins = {key: sources.host.origins.get(key, "default") for key in plan.asked}
    return {key: o for key, o in origins.items() if o not in files and o != "default"}
