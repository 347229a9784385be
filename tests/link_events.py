"""Listeners for tests: what a link, a supervisor or several coprocessors have told."""

from firmware_protocol.events import Event, Ready, Received
from firmware_protocol.messages import Report


class Events:
    """`on_event` is the listener of a link."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.received_at: list[float] = []
        self.others: list[Event] = []
        """All but the reports, in order."""

    def on_event(self, event: Event, now: float) -> None:
        if isinstance(event, Received):
            self.reports += event.reports
            self.received_at.append(now)
        else:
            self.others.append(event)

    @property
    def numbers(self) -> list[int]:
        """Of the reports: their addresses."""
        return [int.from_bytes(report.address, "big") for report in self.reports]

    @property
    def times_ready(self) -> int:
        """How often settings were taken, as a whole."""
        return sum(isinstance(event, Ready) and not event.refused for event in self.others)


class SourceEvents:
    """`on_event` is the listener of several coprocessors."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int | type[Event]]] = []
        """Which one it was; the number of a report, or the kind of event."""

    def on_event(self, source: int, event: Event, now: float) -> None:
        if isinstance(event, Received):
            numbers = [int.from_bytes(report.address, "big") for report in event.reports]
            self.told += [(source, number) for number in numbers]
        else:
            self.told.append((source, type(event)))
