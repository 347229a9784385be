"""The hosts that run on this machine, asked over their sockets: the one that is examined, and the
installed service, which may have the port that is examined."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruuvi_host.config.addresses import refuse_ruuvi
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.service import Service
from ruuvi_host.lifetime import ended
from ruuvi_host.monitoring.socket import ask
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.pty import PtyServer


@dataclass(frozen=True, slots=True)
class Asked:
    """What was answered."""

    document: dict[str, Any] | None = None
    """None: no host runs there, or it cannot be asked."""
    problem: str = ""
    """Why it cannot be asked."""
    is_there: bool = True
    """With a problem: it runs. Else it is not known whether one does."""

    def of_port(self, port: str) -> dict[str, Any] | None:
        """What it tells of the coprocessor on that port; None: it has another one."""
        real = os.path.realpath(port)
        for told in self.document["coprocessors"] if self.document else ():
            if port == told["port"] or real in map(os.path.realpath, (told["port"], told["path"])):
                found: dict[str, Any] = told
                return found
        return None


def ask_host(state: Path) -> Asked:
    """The host with this state folder."""
    try:
        return Asked(ask(state))
    except FileNotFoundError:
        return Asked()
    except PermissionError as error:  # of its socket, or of a folder above it
        return Asked(problem=error.strerror or "not allowed", is_there=False)
    except OSError as error:
        return Asked(problem=error.strerror or "it does not answer")
    except ValueError:
        return Asked(problem="its answer is not a status")


def ask_service() -> Asked:
    """Over the socket for members of its group; else over its own."""
    service = Service.of()
    asked = ask_host(service.runtime)
    return asked if asked.document else ask_host(service.state)


@asynccontextmanager
async def simulated(loaded: Loaded, state: Path) -> AsyncIterator[Loaded]:
    """The configuration as a host with --simulate has it, and the coprocessor of the one that runs;
    when none runs, a board that is served meanwhile. Raises ConfigError for a server of Ruuvi's."""
    config = replace(loaded.config.without_ruuvi(), trust_clock=True)
    for target in config.targets:
        refuse_ruuvi(target.address)
    asked = await asyncio.to_thread(ask_host, state)
    if asked.document:
        ports = [told["port"] for told in asked.document["coprocessors"]]
        yield replace(loaded, config=replace(config, coprocessors=_on(ports)))
        return
    with PtyServer(Board()) as server:
        serving = asyncio.create_task(server.run(), name="board")
        try:
            yield replace(loaded, config=replace(config, coprocessors=_on([server.path])))
        finally:
            await ended(serving)


def _on(ports: Sequence[str]) -> tuple[CoprocessorSettings, ...]:
    return tuple(CoprocessorSettings(port) for port in ports)
