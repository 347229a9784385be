"""Several processes that answer lines in their order.

They take turns, in a ring, with reading and with writing: who has the turn reads a block, hands on
the turn with what is left of the last line, and makes the answers while the next one reads; they
are written when those before them are. So the order is that of the lines, none waits for a
distributor, and memory is one block for each process, however long the input is.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ruuvi_host.cli.lines import BLOCK, Source, Turn, Work
from ruuvi_host.errors import ConfigError, RuuviHostError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

MANY = 4 * BLOCK
"""Bytes that are read in a turn: to take turns costs little beside answering them."""

_CLOSED = "closed"
"""What ends it when nobody reads what is written."""
_GONE = "a process of --jobs was ended from outside: what is written so far is not all"

ENDS = (signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")


class Verdict(NamedTuple):
    """What the next one to write must know."""

    problem: str | None = None
    """What ends it: _CLOSED, or a sentence."""
    is_input: bool = False
    """The problem is with what is read."""
    decoded: int = 0
    """Lines so far that could be decoded."""


class _Seat(NamedTuple):
    """The four ends of pipes that one process of a ring has."""

    reads: Connection[Turn, Turn]
    writes: Connection[Verdict, Verdict]
    next_reads: Connection[Turn, Turn]
    next_writes: Connection[Verdict, Verdict]

    def close(self) -> None:
        for end in self:
            end.close()


class Ring:
    """Several processes that answer the lines of one source; this one is the first of them.

    To be used as a context: the others are started before anything else is, such as the thread of a
    bar, and they are gone behind it.
    """

    def __init__(self, path: str, first: int, work: Work, jobs: int) -> None:
        from multiprocessing import get_context

        self._source = Source(path, MANY)
        self._work = work
        context = get_context("fork")  # what was imported and prepared is there at once
        pipes = [(context.Pipe(False), context.Pipe(False)) for _ in range(jobs)]
        # Number i reads from pipe i, and writes to the next one.
        seats = [
            _Seat(
                pipes[i][0][0], pipes[i][1][0], pipes[i - jobs + 1][0][1], pipes[i - jobs + 1][1][1]
            )
            for i in range(jobs)
        ]
        seats[-1].next_reads.send(Turn(first))
        seats[-1].next_writes.send(Verdict())
        self._seat, *others = seats
        self._others: list[ForkProcess] = []
        # Ctrl-C is for the first of them, which ends the others; one that comes now waits.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *ENDS})
        try:
            for seat in others:
                process = context.Process(target=self._serve, args=(seat, seats), daemon=True)
                process.start()
                self._others.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for seat in others:
            seat.close()

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, *exception: object) -> None:
        self._seat.close()
        self._source.close()
        for process in self._others:
            if any(exception):
                process.terminate()
            process.join()

    def answer_all(self, passed: Callable[[int], None]) -> tuple[int, int]:
        """How many lines could be decoded, and the number of the first one behind them.

        The rest is as with `lines.answer_all`.
        """
        verdict, number = self._take_turns(self._seat, passed)
        if verdict.problem is None:
            return verdict.decoded, number
        if verdict.problem == _CLOSED:
            raise BrokenPipeError
        if verdict.is_input:
            raise ConfigError(self._source.name, verdict.problem)
        raise RuuviHostError(verdict.problem)

    def _serve(self, seat: _Seat, seats: list[_Seat]) -> None:
        """One of the others."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        for other in seats:
            if other is not seat:
                other.close()  # or nobody would see that one of them is gone
        self._take_turns(seat, lambda count: None)

    def _take_turns(self, seat: _Seat, passed: Callable[[int], None]) -> tuple[Verdict, int]:
        done = 0
        while True:
            turn, lines, wrong = _received(seat.reads, Turn(ended=True)), None, ""
            number = turn.number
            last = turn.ended
            if not last:
                try:
                    lines, turn = self._source.take(turn)
                except ConfigError as error:
                    wrong, turn = error.problem, turn._replace(ended=True)
            _hand_on(seat.next_reads, turn)
            before = self._work.decoded()
            answers = b"" if lines is None else self._work.answer(lines, number)
            verdict = _received(seat.writes, Verdict(_GONE))
            if not verdict.problem:
                decoded = verdict.decoded + self._work.decoded() - before
                verdict = self._written(answers, wrong, decoded)
            passed(turn.passed - done)
            done = turn.passed
            _hand_on(seat.next_writes, verdict)
            if last or verdict.problem:
                return verdict, turn.number

    def _written(self, answers: bytes, wrong: str, decoded: int) -> Verdict:
        if wrong:
            return Verdict(wrong, True, decoded)
        try:
            self._work.write(answers)
        except BrokenPipeError:
            return Verdict(_CLOSED, False, decoded)
        except RuuviHostError as error:
            return Verdict(str(error), False, decoded)
        return Verdict(None, False, decoded)


def _received(end: Connection[T, T], otherwise: T) -> T:
    """What comes next; `otherwise`, when the process at the other end is gone."""
    try:
        return end.recv()
    except (EOFError, OSError):
        return otherwise


def _hand_on(end: Connection[T, T], what: T) -> None:
    with suppress(OSError):  # it has ended already
        end.send(what)
