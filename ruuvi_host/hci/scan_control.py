"""Which kind of scan a session uses, what is to be scanned, and what came of it."""

from ruuvi_host.hci.commands import (
    COMMAND_DISALLOWED,
    INVALID_PARAMETERS,
    RANDOM,
    UNKNOWN_COMMAND,
)
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.plan import ScanChoice, ScanKind, ScanPlan, kind_of

_OTHER_KIND_MAY_HELP = (UNKNOWN_COMMAND, COMMAND_DISALLOWED, INVALID_PARAMETERS)


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
        self._has_begun = False  # with this kind
        self._is_told = False
        self._told: ScanPlan | None = None
        self._switched = False

    def begin(self, facts: ControllerFacts, own_address: int) -> None:
        """The controller was reset."""
        if not self._switched:
            self.kind = kind_of(self.choice, facts)
        self.own_address = own_address
        self.wanted = None  # the host has to say it anew
        self.is_due = False
        self._is_told = False

    def began(self, scanned: ScanPlan | None) -> bool:
        """The controller does as it was told. Is that news?"""
        self.was_reset = False
        self._has_begun = self._has_begun or scanned is not None
        is_news = not self._is_told or scanned != self._told
        self._is_told, self._told = True, scanned
        return is_news

    def other_kind_may_help(self, status: int) -> bool:
        """A scan was refused. What has worked before is refused for another reason: a controller
        that restarted by itself has no random address any more, and a reset mends that."""
        return self.was_reset or (not self._has_begun and status in _OTHER_KIND_MAY_HELP)

    def switch(self) -> bool:
        """From here on the other kind; False: that is not for us to choose, or was done before."""
        if self.choice is not ScanChoice.AUTO or self._switched or self.kind is ScanKind.LEGACY:
            return False
        self._switched = True
        self.has_heard = self._has_begun = self.was_reset = False
        self.kind = ScanKind.LEGACY
        return True
