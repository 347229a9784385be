"""A backlog sent in haste to a real server over HTTPS: what counts as accepted was accepted,
whatever the server says too much, and the server's wishes are heeded.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from certificates import Folder, authority, server_context
from posting import GATEWAY, OK, Server, answer, poster_for, read_request, serving
from standing_clock import TURNS

from ruuvi_host.config.model import Config
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.config.targets import HttpTarget, TlsFiles
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.jobs.drain import Drained, drain
from ruuvi_host.relay.http.credit import Credit
from ruuvi_host.relay.http.near import is_at_home
from ruuvi_host.relay.sink import Settled
from ruuvi_host.relay.spool.file import SpoolFile
from ruuvi_host.relay.spool.values import Entry

BUSY = answer(503)
COUNT = 40
"""The first ten are sent at twenty a second, to see what the server is like."""

Write = Callable[[bytes], Awaitable[None]]
Script = Callable[["Receiver", int, Write], Awaitable[None]]


@dataclass
class Receiver:
    """Answers as its script says, and knows what it has really accepted.

    script: gets itself, the number of the request on its connection, and what writes.
    """

    script: Script
    accepted: list[int] = field(default_factory=list)
    """Nonces, in order."""
    connections: int = 0
    requests: int = 0
    most_at_once: int = 0
    times: list[float] = field(default_factory=list)
    nonce: int = 0
    """Of the request that is answered."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        number = 0
        while not writer.is_closing():
            request = await read_request(reader)
            number += 1
            self.requests += 1
            self.times.append(time.monotonic())
            self.nonce = json.loads(request.body)["data"]["nonce"]
            try:
                await self.script(self, number, write)
            except EOFError:
                return

    async def accept(self, write: Write, data: bytes = OK) -> None:
        self.accepted.append(self.nonce)
        await write(data)


def fill(folder: Path, count: int = COUNT) -> None:
    file = SpoolFile.open(folder / "custom.spool", SpoolSettings(), time.time())
    for n in range(1, count + 1):
        made = time.time() - 3600 + n
        report = Advertisement(bytes(6), b"\1\2", -60, 1, 15, 37, None, 0.0, int(made))
        file.add(Entry(n, made, Batch(n, GATEWAY, (report,))))
    file.close()


def drained(
    tmp_path: Path, receiver: Receiver, count: int = COUNT, times: int = 1
) -> list[Drained]:
    """A spool, emptied into `receiver`; in so many goes at most."""
    files, state = Folder(tmp_path), tmp_path / "state"
    state.mkdir()
    tls = TlsFiles(server_cert=files.authority())
    context = server_context(authority().issue_cert("127.0.0.1"))
    fill(state, count)

    async def main() -> list[Drained]:
        told: list[Drained] = []
        async with serving(receiver, context) as port:
            target = HttpTarget("custom", f"https://127.0.0.1:{port}/record", tls=tls)
            while len(told) < times and (not told or told[-1].left):
                told.append(await drain(state, "custom", target, Config(targets=(target,))))
        return told

    return asyncio.run(main())


def test_it_is_sent_in_order_and_once(tmp_path: Path) -> None:
    async def script(receiver: Receiver, number: int, write: Write) -> None:
        await receiver.accept(write)

    receiver = Receiver(script)
    (told,) = drained(tmp_path, receiver)
    assert str(told) == f"batches accepted {COUNT}, left 0"
    assert receiver.accepted == [*range(1, COUNT + 1)]


def test_a_drain_that_is_stopped_does_not_send_again_what_was_accepted_in_haste(
    tmp_path: Path,
) -> None:
    """But for the batch under way, and the one before it, whose connection has ended with that."""
    files, state = Folder(tmp_path), tmp_path / "state"
    state.mkdir()
    fill(state, 3 * COUNT)
    tls = TlsFiles(server_cert=files.authority())
    context = server_context(authority().issue_cert("127.0.0.1"))
    in_haste = asyncio.Event()

    async def script(receiver: Receiver, number: int, write: Write) -> None:
        await receiver.accept(write)
        if number > COUNT // 2:
            in_haste.set()

    async def main() -> None:
        receiver = Receiver(script)
        async with serving(receiver, context) as port:
            target = HttpTarget("custom", f"https://127.0.0.1:{port}/record", tls=tls)

            async def go() -> Drained:
                return await drain(state, "custom", target, Config(targets=(target,)))

            first, hurry = asyncio.create_task(go()), asyncio.create_task(in_haste.wait())
            # On a machine that has no time for us there is no haste, and the drain ends by itself.
            await asyncio.wait((first, hurry), return_when=asyncio.FIRST_COMPLETED)
            first.cancel()
            hurry.cancel()
            with suppress(asyncio.CancelledError):
                await first
            assert (await go()).left == 0
        assert set(receiver.accepted) == {*range(1, 3 * COUNT + 1)}
        assert len(receiver.accepted) <= 3 * COUNT + 2

    asyncio.run(main())


def test_hurried_posts_share_a_connection_and_its_rest() -> None:
    async def script(receiver: Receiver, number: int, write: Write) -> None:
        await write(OK)

    async def main() -> None:
        receiver = Receiver(script)
        async with serving(receiver) as port, poster_for(Server("http", port)) as poster:
            body = b'{"data": {"nonce": 1}}'
            told = [await poster.post(body, GATEWAY, hurried=True) for _ in range(5)]
            assert [outcome.unsettled for outcome in told] == [False, True, True, True, True]
            assert await poster.burst.goes_on()
            assert await poster.burst.settle() is Settled.ALL
            assert not (await poster.post(body, GATEWAY, hurried=True)).unsettled
        assert receiver.connections == 1

    asyncio.run(main())


async def _late(receiver: Receiver, number: int, write: Write, at: int) -> bool:
    """The request `at` of a connection is answered twice, the second time when the next one is
    under way, which is refused then. True: that was all."""
    if number == at + 1:
        await write(OK)  # to the one before
        await write(BUSY)
        return True
    return False


async def too_much(receiver: Receiver, number: int, write: Write) -> None:
    if not await _late(receiver, number, write, 5):
        await receiver.accept(write)


async def too_much_at_the_end(receiver: Receiver, number: int, write: Write) -> None:
    # Over a connection of its own (nothing is sent in haste to a slow machine) the first answer
    # could not be that to another one.
    is_last = receiver.nonce == COUNT and receiver.requests == COUNT and number > 1
    if is_last:
        await write(OK)
        for _ in range(TURNS):  # the answer is read by now, and nothing else
            await asyncio.sleep(0)
        await write(BUSY)
    else:
        await receiver.accept(write)


async def too_much_and_the_end(receiver: Receiver, number: int, write: Write) -> None:
    """The server dies before it has looked at the last request."""
    if number == 6:
        await write(OK)
        raise EOFError
    await receiver.accept(write)


async def too_much_and_a_refusal(receiver: Receiver, number: int, write: Write) -> None:
    """400 is about one batch, which would be dropped for it: but for which?"""
    if number == 6 and receiver.nonce < COUNT:
        await write(OK)
        await write(answer(400))
    else:
        await receiver.accept(write)


@pytest.mark.parametrize(
    "script", [too_much, too_much_at_the_end, too_much_and_the_end, too_much_and_a_refusal]
)
def test_no_batch_counts_as_accepted_by_the_answer_to_another(
    tmp_path: Path, script: Script
) -> None:
    receiver = Receiver(script)
    told = drained(tmp_path, receiver, times=8)
    assert told[-1].left == 0
    assert sum(each.accepted + each.refused for each in told) == COUNT
    refused = {*range(1, COUNT + 1)} - {*receiver.accepted}
    assert len(refused) == sum(each.refused for each in told) == 0


def test_a_server_that_ends_its_connections_gets_all(tmp_path: Path) -> None:
    async def script(receiver: Receiver, number: int, write: Write) -> None:
        last = number == 7
        await receiver.accept(write, answer(200, "Connection: close") if last else OK)
        if last:
            raise EOFError

    receiver = Receiver(script)
    (told,) = drained(tmp_path, receiver)
    assert str(told) == f"batches accepted {COUNT}, left 0"
    assert sorted({*receiver.accepted}) == [*range(1, COUNT + 1)]
    # The last one of a connection is sent again: perhaps it was not looked at.
    assert len(receiver.accepted) <= COUNT + COUNT // 6


def test_after_a_server_has_hung_up_the_next_posts_share_a_connection_again() -> None:
    async def script(receiver: Receiver, number: int, write: Write) -> None:
        if receiver.connections == 1 and number == 2:
            raise EOFError
        await write(OK)

    async def main() -> None:
        receiver = Receiver(script)
        async with serving(receiver) as port, poster_for(Server("http", port)) as poster:
            body = b'{"data": {"nonce": 1}}'
            for _ in range(6):
                await poster.post(body, GATEWAY, hurried=True)
        assert receiver.connections <= 3  # the second for the one that got no answer

    asyncio.run(main())


def test_the_second_answer_of_a_connection_refuses_no_batch_before_it_is_certain(
    tmp_path: Path,
) -> None:
    """It may be another answer to the first."""

    async def script(receiver: Receiver, number: int, write: Write) -> None:
        if number == 2 and receiver.connections > 10:
            await write(answer(400))  # to the one before
            await write(OK)
            receiver.accepted.append(receiver.nonce)
        elif number < 2:
            await receiver.accept(write)
        else:
            raise EOFError

    told = drained(tmp_path, Receiver(script), times=2)
    assert told[-1].left == 0
    assert sum(each.refused for each in told) == 0


@pytest.mark.parametrize("refusal", [answer(429, "Retry-After: 7"), answer(503), answer(500)])
def test_a_server_that_has_too_much_is_left_alone(tmp_path: Path, refusal: bytes) -> None:
    async def script(receiver: Receiver, number: int, write: Write) -> None:
        if receiver.nonce == 25:
            await write(refusal)
        else:
            await receiver.accept(write)

    receiver = Receiver(script)
    (told,) = drained(tmp_path, receiver)
    assert receiver.accepted == [*range(1, 25)]
    assert str(told) == f"batches accepted 24, left {COUNT - 24}"


LONG = answer(200, body=bytes(70_000))
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\nfine"
MOVED = answer(307, "Location: /other", body=b"it is over there")


@pytest.mark.parametrize("odd", [LONG, MOVED, NO_LENGTH])
def test_an_odd_answer_in_between_costs_nothing_for_good(tmp_path: Path, odd: bytes) -> None:
    """Of what can be read to its end, nothing is sent again."""
    at = 0

    async def script(receiver: Receiver, number: int, write: Write) -> None:
        nonlocal at
        if number != 6 or at:
            return await receiver.accept(write)
        at = receiver.requests
        if odd is MOVED:
            return await write(odd)
        await receiver.accept(write, odd)
        if odd is NO_LENGTH:
            raise EOFError

    receiver = Receiver(script)
    (told,) = drained(tmp_path, receiver)
    assert str(told) == f"batches accepted {COUNT}, left 0"
    assert {*receiver.accepted} == {*range(1, COUNT + 1)}
    again = len(receiver.accepted) - COUNT
    # Within a second it is read, if this machine has time for us.
    in_time = not at or receiver.times[at] - receiver.times[at - 1] < 1
    assert again <= (0 if in_time and odd is not NO_LENGTH else 5)


def test_credit_is_given_again() -> None:
    async def script(receiver: Receiver, number: int, write: Write) -> None:
        await write(NO_LENGTH if receiver.connections == 1 and number == 3 else OK)
        if receiver.connections == 1 and number == 3:
            raise EOFError

    async def main() -> None:
        receiver = Receiver(script)
        async with serving(receiver) as port, poster_for(Server("http", port)) as poster:
            burst, body = poster.burst, b'{"data": {"nonce": 1}}'
            burst.credit = Credit(first=0.2)
            for _ in range(3):
                assert (await poster.post(body, GATEWAY, hurried=True)).code == 200
            assert not await burst.goes_on()
            assert await burst.settle() is Settled.NONE
            assert not burst.trusted
            now = asyncio.get_running_loop().time
            async with asyncio.timeout(30):
                while not burst.credit.is_given(now()):  # noqa: ASYNC110 - a time that passes
                    await asyncio.sleep(0.01)
            for n in range(3):
                outcome = await poster.post(body, GATEWAY, hurried=True)
                assert (outcome.own, outcome.unsettled) == (True, n > 0)
            assert receiver.connections == 2
            assert await burst.settle() is Settled.ALL

    asyncio.run(main())


def test_credit_is_lost_for_longer_each_time_and_never_for_more_than_an_hour() -> None:
    credit, now = Credit(), 1000.0
    assert credit.is_given(now)
    for pause in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        credit.lost(now)
        assert not credit.is_given(now + pause - 1)
        now += pause
        assert credit.is_given(now)
    credit.lost(now + 3601)
    assert credit.is_given(now + 3661), "after an hour without a reason it begins anew"
    credit.forfeited()
    assert not credit.is_given(1e9)


def test_a_server_that_becomes_slow_is_hurried_no_more(tmp_path: Path) -> None:
    """It is slow until what comes has a connection of its own, as what is not in haste."""
    slow, calm = 0, False

    async def script(receiver: Receiver, number: int, write: Write) -> None:
        nonlocal slow, calm
        calm = calm or (slow > 0 and number == 1)
        if (slow or number > 5) and not calm:
            slow += 1
            await asyncio.sleep(0.25)
        await receiver.accept(write)

    receiver = Receiver(script)
    (told,) = drained(tmp_path, receiver)
    assert str(told) == f"batches accepted {COUNT}, left 0"
    assert receiver.accepted == [*range(1, COUNT + 1)]
    assert calm or slow < 15, "so many are needed where the quickest answer took 50 ms"


def test_a_wish_for_another_interval_counts_in_a_burst(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ruuvi_host")
    wishes = 0

    async def script(receiver: Receiver, number: int, write: Write) -> None:
        nonlocal wishes
        wishes += (asks := number > 3)
        header = ("X-Ruuvi-Gateway-Rate: 77",) if asks else ()
        await receiver.accept(write, answer(200, *header))

    receiver = Receiver(script)
    (told,) = drained(tmp_path, receiver)
    assert str(told) == f"batches accepted {COUNT}, left 0"
    assert receiver.accepted == [*range(1, COUNT + 1)]
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("ruuvi_host")]
    expected = ["custom: the server asks for a batch every 77 s"] if wishes else []
    assert [line for line in lines if "asks for" in line] == expected


def test_who_is_at_home() -> None:
    own = ("127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.9", "fd00::1", "fe80::1%eth0")
    for address in (*own, "::ffff:192.168.1.9"):
        assert is_at_home(address), address
    for address in ("172.32.0.1", "100.64.0.1", "8.8.8.8", "2001:db8::1", "192.169.0.1"):
        assert not is_at_home(address), address
