"""The announcement by mDNS, with a real avahi-daemon in a network of its own."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from avahi import avahi, bus, heard, needs_avahi
from programs import PATIENCE, Program, ruuvi_host

from ruuvi_host.api import announce
from ruuvi_host.lifetime import ended

STAND_IN = """#!/bin/sh
echo "$@" >> "{folder}/arguments"
trap 'echo ended >> "{folder}/arguments"; kill $!; exit 0' TERM
echo "Established under name '$3'" >&2
sleep 60 & wait
"""


def until_heard(environment: dict[str, str]) -> list[list[str]]:
    """What is announced, as soon as that is something: who asks is told after a second that this
    was all, however long the answer takes."""
    give_up = time.monotonic() + PATIENCE
    while not (found := heard(environment)):
        assert time.monotonic() < give_up, "nothing is heard"
    return found


class Said(logging.Handler):
    """Lets a test wait for a line of the log, which is written in its own loop."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._news.set()

    async def wait_for(self, text: str) -> str:
        async with asyncio.timeout(30):
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def said() -> Iterator[Said]:
    handler, log = Said(), logging.getLogger(announce.__name__)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


@needs_avahi
def test_avahi_announces_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    with bus(tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        async def with_daemon() -> None:
            announcing = asyncio.create_task(announce.announce("RuuviGatewayEEFF", 8123))
            await said.wait_for("as soon as avahi-daemon runs")
            with avahi(tmp_path, environment):
                await said.wait_for("announced by mDNS as RuuviGatewayEEFF, _http._tcp")
                found = await asyncio.to_thread(until_heard, environment)
                assert found == [["RuuviGatewayEEFF", "machine.local", "8123", ""]]
                await ended(announcing)
                while await asyncio.to_thread(heard, environment):
                    pass  # what was taken back is forgotten within a second

        asyncio.run(with_daemon())


def host(tmp_path: Path, listen: str, environment: dict[str, str]) -> Program:
    options = ["--simulate", "--url", "http://127.0.0.1:9/", "--state-dir", str(tmp_path / "state")]
    keys = [f"api.listen={listen}", "lan_auth_api_key=a-key-of-ones-own"]
    settings = [part for key in keys for part in ("--set", key)]
    return ruuvi_host("run", *options, *settings, env=environment)


@needs_avahi
def test_a_host_announces_its_name_and_port(tmp_path: Path) -> None:
    with (
        bus(tmp_path) as environment,
        avahi(tmp_path, environment),
        host(tmp_path, "0.0.0.0:0", environment) as running,
    ):
        port = running.wait_for(r"local API: http://0\.0\.0\.0:(\d+)/")[1]
        end = running.wait_for("coprocessor (..:..:..:..:..:..)")[1].replace(":", "")[-4:]
        name = running.wait_for("announced by mDNS as (.*),")[1]
        assert name == f"RuuviGateway{end}"
        assert until_heard(environment) == [[name, "machine.local", port, ""]]
        assert running.stop() == 0
        while heard(environment):
            pass


@pytest.mark.parametrize(("listen", "times"), [("127.0.0.1:0", 0), ("0.0.0.0:0", 1)])
def test_only_what_others_can_reach_is_announced(
    tmp_path: Path, stand_in: str, listen: str, times: int
) -> None:
    with host(tmp_path, listen, {"PATH": stand_in}) as running:
        running.wait_for("local API: ")
        running.wait_for("coprocessor configured")
        if times:
            running.wait_for("announced by mDNS")
        assert running.stop() == 0
    assert len([line for line in running.err if "mDNS" in line]) == times
    assert (tmp_path / "arguments").exists() is bool(times)


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """A PATH with a program that tells what it was asked for, and when it was ended."""
    program = tmp_path / announce.PROGRAM
    program.write_text(STAND_IN.format(folder=tmp_path))
    program.chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


def test_it_ends_with_us(
    tmp_path: Path, stand_in: str, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.setenv("PATH", stand_in)
    told = tmp_path / "arguments"

    async def scenario() -> None:
        announcing = asyncio.create_task(announce.announce("RuuviGatewayEEFF", 80))
        await said.wait_for("announced by mDNS as RuuviGatewayEEFF")
        await ended(announcing)

    asyncio.run(scenario())
    assert told.read_text().splitlines() == [
        "--verbose --no-fail RuuviGatewayEEFF _http._tcp 80",
        "ended",
    ]


@pytest.mark.parametrize("script", ["#!/bin/sh\necho 'Failed: no such bus' >&2\nexit 1\n", "junk"])
def test_what_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said, script: str
) -> None:
    program = tmp_path / announce.PROGRAM
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    lines: list[str] = []

    async def scenario() -> None:
        announcing = asyncio.create_task(announce.announce("RuuviGatewayEEFF", 80))
        lines.append(await said.wait_for("not announced"))
        await ended(announcing)

    asyncio.run(scenario())
    if "Failed" in script:
        assert lines[0].endswith("avahi-publish-service: Failed: no such bus")


def test_nobody_who_could(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    asyncio.run(announce.announce("RuuviGatewayEEFF", 80))
    assert "apt install avahi-utils" in said.lines[0]
