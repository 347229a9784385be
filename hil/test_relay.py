"""From the board to a server: the real program, and a receiver that checks every signature."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from firmware_protocol.commands import Command
from firmware_protocol.messages import DeviceId, GetDeviceId
from ruuvi_host.receiver import Receiver, Settings, Signature
from ruuvi_host.relay.http.signing import default_key

from .air import TAGS, Air, Pattern
from .figures import Figures
from .marks import needs
from .plugin import Board, open_wire
from .rig import Ability

pytestmark = needs("answer")
TIMEOUT = 60.0
BATCHES = 3


def key_of(board: Board) -> bytes:
    """What the gateway signs with: the board's id. It goes nowhere but into the receiver."""
    with open_wire(board.rig, tell_device_id=True) as wire:
        if Ability.GENERATE in board.rig.abilities:
            wire.command(Air(50, pattern=Pattern.TAGS).settings())
        device = wire.command(GetDeviceId()).message
    assert isinstance(device, DeviceId)
    return default_key(device).encode()


def test_batches_arrive_signed(board: Board, tmp_path: Path, figures: Figures) -> None:
    """`ruuvi-host run` on this board: batches arrive, each rightly signed with the board's id,
    with the tags that are in the air."""
    board.must_answer(Command.GET_DEVICE_ID, Command.SET_ALL)
    key = key_of(board)
    results: list[tuple[Signature | None, str, set[str]]] = []
    url = threading.Event()
    found: list[str] = []
    done = threading.Event()

    async def receive(settings: Settings) -> None:
        async with Receiver(settings) as receiver:
            found.append(receiver.url)
            url.set()
            async with asyncio.timeout(TIMEOUT):
                await receiver.accepted(BATCHES)
            for receipt in receiver.receipts:
                batch = receipt.verdict.batch
                if batch:
                    results.append((receipt.verdict.signature, batch.gateway, set(batch.tags)))

    def serve() -> None:
        try:
            asyncio.run(receive(Settings(keys=(key,))))
        except TimeoutError:
            pass
        finally:
            url.set()
            done.set()

    server = threading.Thread(target=serve)
    server.start()
    url.wait(TIMEOUT)
    if not found:
        server.join()
        pytest.fail("the receiver has not started")
    log = tmp_path / "log"
    with log.open("w") as output:
        program = subprocess.Popen(
            [
                *(sys.executable, "-m", "ruuvi_host", "run", "--port", board.rig.path),
                *("--url", found[0], "--interval", "1", "--trust-clock"),
                *("--state-dir", str(tmp_path / "state")),
            ],
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
        done.wait(TIMEOUT)
        program.terminate()
        code = program.wait(TIMEOUT)
    server.join()
    told = f"; ruuvi-host run said:\n{log.read_text()}"
    assert code == 0, f"ruuvi-host run ended with {code}{told}"
    enough = len(results) >= BATCHES
    assert enough, f"{len(results)} of {BATCHES} batches were accepted in {TIMEOUT:g} s{told}"
    signatures = {signature for signature, _, _ in results}
    assert signatures == {Signature.OK}, f"signatures: {signatures}"
    gateways = {gateway for _, gateway, _ in results}
    assert gateways == {board.identity.address}, f"batches are from {', '.join(gateways)}"
    tags = set().union(*(tags for _, _, tags in results))
    figures.measure("batches", len(results), low=BATCHES)
    figures.measure("tags", len(tags))
    if Ability.GENERATE in board.rig.abilities:
        known = {address.hex(":").upper() for address in TAGS}
        assert tags
        assert tags <= known
