"""What all lives of a link have shown: which coprocessor it is, how it goes, what was counted."""

from firmware_protocol.dialect import Generation
from firmware_protocol.messages import DeviceId, address_text
from firmware_protocol.transitions import State
from ruuvi_host.device.link import Link
from ruuvi_host.monitoring.counters import LinkCounters, add
from ruuvi_host.monitoring.link_status import LineDamage, LinkState, LinkStatus


class LinkHistory:
    """Of one coprocessor. The present life is asked for its own part."""

    def __init__(self) -> None:
        self.device: DeviceId | None = None
        self.old: DeviceId | None = None
        """Which coprocessor was found to have old firmware."""
        self.problem = ""
        """Why it is not ready."""
        self.received_at: float | None = None
        """Monotonic seconds of the last reports."""
        self.is_quiet = False
        """No reports for a while, though it answers."""
        self.damage: LineDamage | None = None
        """What damaged the bytes of the last life that had any damage."""
        self.past = LinkCounters()
        """Of the lives that have ended, and what only a supervisor counts."""
        self._generation = Generation.UNKNOWN

    def counters(self, link: Link | None) -> LinkCounters:
        """All lives together, the present one included."""
        total = LinkCounters()
        add(total, self.past)
        if link:
            add(total, _of_one_life(link))
        return total

    def status(self, name: str, path: str, link: Link | None) -> LinkStatus:
        """How it goes, now. name: of the port, as the user gave it. path: where it is."""
        session = link.session if link else None
        if session is None:
            state = LinkState.CLOSED
        elif session.state is not State.READY:
            state = LinkState.CONNECTING
        else:
            state = LinkState.QUIET if self.is_quiet else LinkState.READY
        return LinkStatus(
            name=name,
            path=path,
            state=state,
            address=address_text(self.device.addr) if self.device else "",
            firmware=self._known_generation(link).value,
            reported=self.received_at,
            answered=session.answered_at or None if session else None,
            problem="" if session and session.state is State.READY else self.problem,
            counters=self.counters(link),
            damage=(link.damage if link else None) or self.damage,
        )

    def ended(self, link: Link) -> None:
        """A life is over."""
        session = link.session
        self._known_generation(link)
        self.damage = link.damage or self.damage
        add(self.past, _of_one_life(link))
        if session.device:
            self.old = session.device if session.generation is Generation.V1 else None

    def _known_generation(self, link: Link | None) -> Generation:
        """Of the firmware, as far as any life has shown it."""
        if link and link.session.generation is not Generation.UNKNOWN:
            self._generation = link.session.generation
        return self._generation


def _of_one_life(link: Link) -> LinkCounters:
    errors = link.port.line_errors()
    return LinkCounters(
        session=link.session.counters,
        bytes_pending=link.session.pending,
        read_pauses=link.port.buffers.pauses,
        bytes_unsent=link.port.buffers.unsent,
        uart_overruns=errors.overruns if errors else None,
        uart_framing_errors=errors.framing if errors else None,
    )
