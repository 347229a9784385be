"""Which kind of scan a session uses, what is to be scanned, and what came of it."""

from ruuvi_host.hci.commands import RANDOM
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.plan import ScanChoice, ScanKind, ScanPlan, kind_of


class ScanControl:
    """See the top of this file. AUTO changes to legacy scanning at most once in a session."""

    def __init__(self, choice: ScanChoice) -> None:
        self.choice = choice
        self.kind = ScanKind.LEGACY
        """Until the facts are known."""
        self.own_address = RANDOM
        self.wanted: ScanPlan | None = None
        """None: nothing is to be scanned."""
        self.is_due = False
        """To be told to the controller, as soon as nothing else is."""
        self.was_reset = False
        """A reset was the remedy for a refusal, and no scan has begun since."""
        self.has_heard = False
        """Has any report with data come with this kind?"""
        self._switched = False

    def begin(self, facts: ControllerFacts, own_address: int) -> None:
        """The controller was reset."""
        if not self._switched:
            self.kind = kind_of(self.choice, facts)
        self.own_address = own_address
        self.forget()

    def forget(self) -> None:
        """The host has to say anew what it wants."""
        self.wanted = None
        self.is_due = False

    def switch(self) -> bool:
        """From here on the other kind; False: that is not for us to choose, or was done before."""
        if self.choice is not ScanChoice.AUTO or self._switched or self.kind is ScanKind.LEGACY:
            return False
        self._switched = True
        self.has_heard = False
        self.kind = ScanKind.LEGACY
        return True
