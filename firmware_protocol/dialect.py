"""What the coprocessor's firmware understands, as far as its behaviour shows.

There is no command that asks for the version. Firmware 1.0.0 knows only the short form of SET_ALL,
without the limit on the length of advertising data.
"""

from dataclasses import replace
from enum import Enum

from firmware_protocol.messages import AdvRprt2, DeviceId, HostMessage, LedCtrl, Report, SetAll


class Generation(Enum):
    """What the coprocessor's behaviour shows of its firmware; there is no command to ask it."""

    UNKNOWN = "unknown"
    V1 = "1.0.0 or older"
    V2 = "2.0.0 or newer"


class Dialect:
    """Which generation it is, and so which form of SET_ALL it gets.

    old: a coprocessor that was found to have old firmware before: it is not tried in the long form.
    """

    def __init__(self, old: DeviceId | None = None) -> None:
        self.generation = Generation.UNKNOWN
        self._old = old
        self._try_short_form = False

    def set_all(self, settings: SetAll) -> SetAll:
        """The settings in the form to be sent."""
        if self.generation is Generation.V2:
            return settings
        is_old = self.generation is Generation.V1 or self._try_short_form
        return replace(settings, max_adv_len=0) if is_old else settings

    def identified(self, device: DeviceId) -> None:
        """It sent its identity."""
        self._try_short_form |= device == self._old

    def reported(self, report: Report) -> None:
        """It sent a report: each generation has a message of its own."""
        self.generation = Generation.V2 if isinstance(report, AdvRprt2) else Generation.V1

    def acknowledged(self, command: HostMessage) -> None:
        """It sent an ACK for this command."""
        # LED_CTRL is echoed by 1.0.0, which does not understand the long SET_ALL either.
        if isinstance(command, LedCtrl) or (isinstance(command, SetAll) and command.max_adv_len):
            self.generation = Generation.V2

    def echoed(self) -> None:
        """It answered LED_CTRL by sending it back."""
        self.generation = Generation.V1

    def set_all_unanswered(self) -> None:
        """It receives commands, and did not answer SET_ALL: the other form is next."""
        if self.generation is not Generation.V2:
            self._try_short_form = not self._try_short_form
