"""Cases of tests/vectors/local_api.json against `ruuvi-host run`: a process as a user starts it.

One process for each configuration; each case asks from an address of its own. Left to
test_api_vectors.py are those with given times, tags or counters, and those that check another
server.
"""

import asyncio
import json
import os
import pty
import tty
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from api_cases import (
    CASES,
    DEVICE_ID,
    DOWNLOADS,
    GIVEN,
    MAC,
    NEVER,
    Case,
    Translation,
    play,
)
from api_host import write_files
from programs import Program, read_again, ruuvi_host

from firmware_protocol.messages import DeviceId
from ruuvi_host import __version__
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.relay.status_document import semver

FIT = {
    name: case
    for name, case in CASES.items()
    if name not in NEVER | DOWNLOADS.keys()
    and not case.get("state", {}).keys() & GIVEN
    and "gateway" not in case
    and "/validate_url" not in case["request"]["target"]
    # Each of these fails on purpose more often than a host forgives in a second.
    and not name.startswith("guessing_")
}
OFTEN = Counter(json.dumps(case["config"]) for case in FIT.values())
LIVE = {name: case for name, case in FIT.items() if OFTEN[json.dumps(case["config"])] > 2}
"""Not one process for one case."""
MOST_FAILURES = 8
"""In one process: ten in a second, and it would let nobody in for a while."""


class Process:
    """A host with one configuration, and what it was asked so far."""

    def __init__(self, stack: ExitStack, folder: Path, config: str) -> None:
        self.folder = folder / "config"
        self.failures = self.asked = 0
        self._config = config
        self.folder.mkdir(parents=True)
        master, slave = pty.openpty()
        tty.setraw(slave)
        stack.callback(os.close, master)
        stack.callback(os.close, slave)
        port = folder / "port"
        port.symlink_to(os.ttyname(slave))
        state = StateDirectory.open(folder / "state")
        state.save_gateway(DeviceId(bytes.fromhex(DEVICE_ID), bytes.fromhex(MAC)))
        state.close()
        self.restore({})
        options = {"api.listen": "127.0.0.1:0", "api.names": "gw.local", "nrf_firmware": "1.0.0"}
        # Nobody answers on its port, so it never posts; nor could it.
        options["http.proxy"] = "http://127.0.0.1:9"
        arguments = ["--port", str(port), "--state-dir", str(folder / "state"), "--trust-clock"]
        arguments += ["--config", str(self.folder / "gw_cfg.json")]
        for name, value in options.items():
            arguments += ["--set", f"{name}={value}"]
        self.program: Program = stack.enter_context(ruuvi_host("run", *arguments))
        found = self.program.wait_for(r"local API: http://(.*):(\d+)/")
        self.address = (found[1], int(found[2]))

    def restore(self, files: dict[str, str]) -> None:
        """Configuration and files as in the beginning."""
        for path in self.folder.iterdir():
            if path.is_file():
                path.unlink()
        write_files(self.folder, files)
        (self.folder / "gw_cfg.json").write_text(self._config, "utf-8")
        (self.folder / "gw_cfg.json").chmod(0o600)


class Processes:
    """The present process of each configuration."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._present: dict[str, Process] = {}
        self._count = 0

    def of(self, case: Case) -> Process:
        config = json.dumps(case["config"])
        process = self._present.get(config)
        if process is None or process.failures >= MOST_FAILURES:
            self._count += 1
            process = Process(self._stack, self._folder / str(self._count), config)
            self._present[config] = process
        asked = [case["request"], *case.get("before", ())]
        process.failures += sum(
            "Authorization" in dict(request["headers"]) or request["target"] == "/auth"
            for request in asked
        )
        process.asked += 1
        return process


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with ExitStack() as stack:
        yield Processes(stack, tmp_path_factory.mktemp("live"))


@pytest.mark.parametrize("case", LIVE.values(), ids=LIVE)
def test_case(case: Case, processes: Processes) -> None:
    process = processes.of(case)
    files = case.get("state", {}).get("files", {})
    if files:
        process.restore(files)
    translation = Translation(case, version=semver(__version__))
    network = f"127.2.{process.asked}"
    try:
        asyncio.run(play(case, process.address, process.folder, translation, network))
    finally:
        if files or any(
            request["method"] != "GET" and request["target"] != "/auth"
            for request in [case["request"], *case.get("before", ())]
        ):
            process.restore({})
            read_again(process.program)


def test_most_of_them_are_played_live() -> None:
    assert len(LIVE) > 70
