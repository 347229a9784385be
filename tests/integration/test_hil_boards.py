"""Boards with a defect, plugged in as `--rig serial`: it is found, and named in words for those who
built the board, without waiting for the same thing again and again."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lines import PATIENCE
from peer import (
    ADV_RPRT2,
    DEVICE_ID,
    GET_DEVICE_ID,
    IDENTITY,
    SET_ALL,
    Peer,
    ack,
    frame,
    obliging,
    old_report,
    report,
)
from programs import COMMAND

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
DATA = bytes.fromhex("0201060303aafe")


@pytest.fixture
def anyio_backend() -> str:
    """Older versions of anyio try trio, too, which nobody needs here."""
    return "asyncio"


LED_CTRL = 0x0E


class Board(Peer):
    """A peer that reports, too, from SET_ALL on, 20 times a second."""

    def __init__(
        self,
        answers: Callable[[int, bytes], bytes] = obliging,
        reports: Callable[[int, bytes], bytes] = report,
    ) -> None:
        self._reports = reports
        self._number = 0
        super().__init__(answers=answers)

    async def report(self) -> None:
        while True:
            # As a UART, it does not wait for who does not read.
            if self.count(SET_ALL) and self.unread() < 2000:
                self._number += 1
                self.send(self._reports(self._number % 10, DATA))
            await asyncio.sleep(0.05)

    async def hil(self, directory: Path, chosen: str, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a run on this board."""
        reporting = asyncio.create_task(self.report())
        program = await asyncio.create_subprocess_exec(
            *(COMMAND, "hil", "--rig", "serial", "--port", self.path, "-k", chosen),
            *("--report", str(directory), *arguments),
            stdout=asyncio.subprocess.PIPE,
            cwd=directory,
        )
        try:
            async with asyncio.timeout(4 * PATIENCE):
                output, _ = await program.communicate()
            assert not reporting.done(), reporting.exception()
        finally:
            reporting.cancel()
            if program.returncode is None:
                program.kill()
                await program.communicate()
        assert program.returncode is not None
        return program.returncode, output.decode()


def files_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def failures(directory: Path) -> dict[str, str]:
    """Of a run: test → reason."""
    told = json.loads((directory / "report.json").read_text())
    return {
        line["test"].replace("as-it-is-", "").replace("[as-it-is]", ""): line["reason"]
        for line in told["tests"]
        if line["outcome"] == "failed"
    }


async def test_a_good_one(tmp_path: Path) -> None:
    with Board() as board:
        code, output = await board.hil(tmp_path, "test_generation_of_reports or LED")
    assert code == 0, output


async def test_reports_of_the_other_generation(tmp_path: Path) -> None:
    with Board(reports=old_report) as board:
        code, output = await board.hil(tmp_path, "test_generation_of_reports")
    assert code == 1
    assert "ADV_RPRT (0x10): a board that answers like firmware 2.0.0" in output


async def test_what_cannot_come_from_the_air(tmp_path: Path) -> None:
    """A channel for data, though it was received on a primary one; and a filter that takes the
    company's bytes the other way round, so that nothing passes."""
    filtered = False

    def answers(command: int, payload: bytes) -> bytes:
        nonlocal filtered
        if command == SET_ALL:
            filtered = bool(payload[3] & 1)
        return obliging(command, payload)

    def reports(number: int, _: bytes) -> bytes:
        adv = bytes.fromhex("05ff99040102" if number % 2 else "05ff4c000102")
        told = number.to_bytes(6, "big") + b"," + adv + b",\xc4,\x1f\x00\x40,"
        return b"" if filtered else frame(ADV_RPRT2, told)

    with Board(answers, reports) as board:
        code, _ = await board.hil(tmp_path, "test_fields or test_filter")
    assert code == 1
    found = failures(tmp_path)
    assert "not on a primary channel" in found["test_fields_are_plausible"]
    assert "reports of company 0x" in found["test_filter"]
    assert "but the bound is 1 ≤ x" in found["test_filter"]


async def test_a_frame_with_its_end_within(tmp_path: Path) -> None:
    """SET_CH_37 is not answered, since its CMD is 0x0A, which ends it for this board."""

    def answers(command: int, payload: bytes) -> bytes:
        return b"" if command == 0x0A else obliging(command, payload)

    with Board(answers) as board:
        code, _ = await board.hil(tmp_path, "test_inner_0a")
    assert code == 1
    assert "has a 0x0A within, which is not its end" in failures(tmp_path)["test_inner_0a"]


async def test_an_ack_of_something_else(tmp_path: Path) -> None:
    """It is waited for once, and what cannot be without it is not tried."""

    def answers(command: int, payload: bytes) -> bytes:
        return obliging(command, payload) if command == GET_DEVICE_ID else ack(command + 1)

    with Board(answers) as board:
        code, _ = await board.hil(tmp_path, "test_all_channels or test_gets_ready or test_inner")
    assert code == 1
    found = failures(tmp_path)
    assert "1 ACK of ADV_RPRT" in found["test_all_channels_off"]
    assert "nor did it come earlier in this run" in found["test_inner_0a"]
    assert "has not answered SET_ALL" in found["test_gets_ready"]


async def test_an_ack_that_is_late(tmp_path: Path) -> None:
    """Its answer is not taken for the one to the next command."""

    def answers(command: int, payload: bytes) -> bytes:
        if command != LED_CTRL:
            return obliging(command, payload)
        asyncio.get_running_loop().call_later(3.0, board.send, ack(command))
        return b""

    with Board(answers) as board:
        code, _ = await board.hil(tmp_path, "test_led_does or LED_CTRL")
    assert code == 1
    found = failures(tmp_path)
    said = r"LED_CTRL was not sent: earlier in this run its answer took ([3-9]|\d\d)\."
    assert re.search(said, found["test_led_does_not_disturb"])


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda good: good[:-3] + good[-2:-4:-1] + good[-1:], "CRC are exchanged"),
        (lambda _: frame(DEVICE_ID, IDENTITY[:-1]), "no DEVICE_ID has LEN 15"),
        (lambda _: frame(GET_DEVICE_ID), "what is sent to it comes back"),
    ],
)
async def test_a_device_id_that_nobody_understands(
    tmp_path: Path, broken: Callable[[bytes], bytes], said: str
) -> None:
    with Board(lambda *_: broken(frame(DEVICE_ID, IDENTITY))) as board:
        code, output = await board.hil(tmp_path, "test_tells_who_it_is")
    assert code == 1
    assert said in output.rpartition("hardware in the loop")[2]


async def test_another_device_id_each_time(tmp_path: Path) -> None:
    """That it is another one is said; what it is is not."""
    ids = iter(range(1, 100))

    def answers(command: int, payload: bytes) -> bytes:
        if command != GET_DEVICE_ID:
            return obliging(command, payload)
        return frame(DEVICE_ID, IDENTITY[:7] + bytes((next(ids),)) + IDENTITY[8:])

    with Board(answers) as board:
        code, output = await board.hil(tmp_path, "test_tells_who_it_is")
    assert code == 1
    assert "each DEVICE_ID has another device id" in output.rpartition("hardware in the loop")[2]
    texts = [output, *(path.read_text() for path in files_in(tmp_path))]
    assert not [text for text in texts if IDENTITY[:7].hex() in text.lower()]


async def test_a_reset_command_that_is_not_there(tmp_path: Path) -> None:
    with Board() as board:
        wrong = ("--reset-command", "no-such-program --reset")
        code, output = await board.hil(tmp_path, "test_reset_brings", *wrong)
    assert code == 1
    told = failures(tmp_path)["test_reset_brings_get_all"]
    assert told == "--reset-command: no-such-program: No such file or directory"
    assert told in output
