"""What a spool holds, as the loop knows it: batches in hand, in memory and in the file, counted.

What happens in the file is told by the disk's side (values.py), later, in the order in which it
happened. It is accounted for here, so that each batch is in one place and each counter is right,
whatever the relay has done with a batch meanwhile.
"""

from collections.abc import Container

from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.unwritten import Unwritten, Waiting
from ruuvi_host.relay.spool.values import (
    Entry,
    Event,
    FileLost,
    Found,
    Left,
    Reason,
    Reopened,
    Wrote,
)


class Contents:
    """Batches and reports in a spool, and in the counters what has become of the others."""

    def __init__(self, counters: RelayCounters) -> None:
        self.batches = 0
        self.reports = 0
        self.in_hand: set[Waiting] = set()
        self.unwritten = Unwritten()
        self._counters = counters

    def held(self) -> frozenset[int]:
        """Where the batches in hand may be in the file."""
        return frozenset(place for waiting in self.in_hand for place in waiting.places)

    # --- what the relay does

    def enter(self, waiting: Waiting) -> None:
        waiting.kept = True
        self.batches += 1
        self.reports += waiting.reports
        self._counters.spooled += 1
        self.unwritten.put(waiting)

    def leave(self, waiting: Waiting) -> None:
        """It is counted elsewhere."""
        waiting.kept = False
        self.in_hand.discard(waiting)
        self._left(1, waiting.reports)
        self.unwritten.discard(waiting)

    def shorten(self, waiting: Waiting, reports: int) -> None:
        """So many of its reports are counted elsewhere; the file has yet to be told."""
        self._left(0, reports)
        self.unwritten.put(waiting)

    def bound_memory(self) -> None:
        for waiting in self.unwritten.overflow(self.in_hand):
            self.unwritten.discard(waiting)
            waiting.kept = False
            self._dropped(Reason.FULL, 1, waiting.reports)

    # --- what happened in the file

    def taken(self, entries: tuple[Entry, ...]) -> list[Waiting]:
        """What the file gave is in hand now, as far as it can be merged."""
        group: list[Waiting] = []
        for entry in entries:
            if entry.place in self.unwritten.to_delete or entry.place in self.held():
                break  # since the job was handed over
            if known := self.unwritten.at(entry.place):  # not in the file as it is now
                group = group or [known]
                break
            group.append(Waiting(entry.batch, entry.made, entry.place, kept=True))
        self.in_hand.update(group)
        return group

    def merged(self, first: Waiting, others: list[Waiting], merged: Entry) -> None:
        """The first of them is all of them now."""
        reports = first.reports + sum(waiting.reports for waiting in others)
        first.batch = merged.batch
        for waiting in others:
            waiting.kept = False
            self.unwritten.discard(waiting)  # the file may have been lost since
        self._left(len(others), reports - first.reports)
        self._counters.merged += len(others)
        self._counters.merged_reports += reports - first.reports

    def apply(self, event: Event) -> None:
        match event:
            case Found(batches, reports):
                self._found(batches, reports)
            case Wrote(entry):
                self.unwritten.written(entry)
            case Left(reason, batches_left):
                for place, reports in batches_left:
                    self._left_file(reason, place, reports)
            case FileLost():
                self._keep_in_memory(())
            case Reopened(in_file):
                self._reopened(dict(in_file))
            case _:  # for people only
                pass

    def _left_file(self, reason: Reason, place: int, reports: int) -> None:
        """A batch that left the file. The relay may be done with it, or still have it."""
        if place in self.unwritten.to_delete:
            self.unwritten.to_delete.discard(place)
        elif waiting := next((w for w in self.in_hand if w.kept and place in w.places), None):
            self.unwritten.put(waiting)
        elif place not in self.unwritten:
            self._dropped(reason, 1, reports)

    def _reopened(self, in_file: dict[int, int]) -> None:
        """What is neither in this file nor in memory could not be read."""
        self._keep_in_memory(in_file)
        known = self.unwritten
        others = [n for p, n in in_file.items() if p not in known and p not in known.to_delete]
        batches, reports = self.unwritten.counts
        missing = self.batches - batches - len(others), self.reports - reports - sum(others)
        self._dropped(Reason.UNREADABLE, *(max(0, number) for number in missing))
        # Damage can bring back what was deleted.
        self._found(*(max(0, -number) for number in missing))

    def _keep_in_memory(self, in_file: Container[int]) -> None:
        """What is in hand, and in the file no more."""
        for waiting in self.in_hand:
            if waiting.kept and not any(place in in_file for place in waiting.places):
                self.unwritten.put(waiting)

    # --- counters

    def _left(self, batches: int, reports: int) -> None:
        self.batches -= batches
        self.reports -= reports

    def _found(self, batches: int, reports: int) -> None:
        self._left(-batches, -reports)
        self._counters.from_previous_run += batches
        self._counters.from_previous_run_reports += reports

    def _dropped(self, reason: Reason, batches: int, reports: int) -> None:
        # A damaged number of reports must not be told on for ever.
        reports = self.reports if batches == self.batches else min(reports, self.reports)
        self._left(batches, reports)
        counters = self._counters
        match reason:
            case Reason.FULL:
                counters.overflowed += batches
                counters.overflowed_reports += reports
            case Reason.AGED:
                counters.aged_out += batches
                counters.aged_out_reports += reports
            case Reason.UNREADABLE:
                counters.unreadable += batches
                counters.unreadable_reports += reports
