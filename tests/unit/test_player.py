"""The player, in simulated time: what it plays when, and for what it waits."""

from collections.abc import Iterable
from math import inf

import pytest

from firmware_protocol.commands import Command
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    SetAll,
)
from ruuvi_host.capture.pcapng import Record
from ruuvi_host.capture.player import (
    ANSWER,
    COMMAND_TIMEOUT,
    FIRST_TIMEOUT,
    Answered,
    Finished,
    HostNoise,
    HostSent,
    Missed,
    Player,
)
from ruuvi_host.capture.script import LONGEST_PIECE, STAND_IN, survey

WHO = DeviceId(bytes(range(8)), bytes(range(0xC0, 0xC6)))
ASKED, TOLD = GetDeviceId(), WHO
CONFIGURED = Ack(Command.SET_ALL, False)


def report(number: int) -> AdvRprt2:
    return AdvRprt2(number.to_bytes(6, "big"), b"", -60, 1, 15, 37, False, -64)


def capture(*lines: tuple[float, Message], section: int = 0) -> list[Record]:
    """(seconds, what passes); who says it is known by what it is."""
    return [
        Record(isinstance(message, HostMessage), 0, round(at * 1e9), message.to_frame(), 0, section)
        for at, message in lines
    ]


def in_pieces(size: int, records: Iterable[Record]) -> list[Record]:
    """The same, in records of so many bytes."""
    return [
        record._replace(data=record.data[start : start + size])
        for record in records
        for start in range(0, len(record.data), size)
    ]


HANDSHAKE = capture((0.0, ASKED), (0.25, TOLD), (0.5, SetAll()), (0.75, CONFIGURED))


class Table:
    """A player on the table, and the time that passes for it."""

    def __init__(self, records: Iterable[Record], speed: float = 1.0) -> None:
        records = list(records)
        self.player = Player(records, survey(records), speed)
        self.now = 100.0
        self.played: list[tuple[float, bytes]] = []
        self.events: list[object] = []
        self.turns = 0
        self._advance()

    def _advance(self) -> None:
        self.turns += 1
        data = self.player.advance(self.now)
        if data:
            self.played.append((round(self.now - 100, 6), data))
        self.events += self.player.take_events()

    def until(self, seconds: float) -> None:
        """Let time pass, as PtyLine does it."""
        end = 100 + seconds
        while self.player.deadline <= end:
            self.now = max(self.player.deadline, self.now)
            self._advance()
            assert self.turns < 1000, "it does not rest"
        self.now = end
        self._advance()

    def say(self, *messages: HostMessage) -> None:
        for message in messages:
            self.player.receive(message.to_frame(), self.now)
        self._advance()

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.played)

    def was_played(self, *lines: tuple[float, Message]) -> bool:
        return self.played == [(at, message.to_frame()) for at, message in lines]


def test_it_plays_at_the_recorded_times() -> None:
    table = Table([*HANDSHAKE, *capture((1.0, report(1)), (1.0, report(2)), (4.5, report(3)))])
    table.say(ASKED, SetAll())
    table.until(10)
    assert table.played == [
        (0.25, TOLD.to_frame()),
        (0.75, CONFIGURED.to_frame()),
        (1.0, report(1).to_frame() + report(2).to_frame()),
        (4.5, report(3).to_frame()),
    ]
    assert table.events == [HostSent(ASKED), HostSent(SetAll()), Finished()]
    assert table.player.finished
    assert table.player.deadline == inf


@pytest.mark.parametrize(("speed", "at"), [(10, 0.475), (0.5, 9.5), (inf, 0.0)])
def test_at_another_speed(speed: float, at: float) -> None:
    table = Table([*HANDSHAKE, *capture((4.75, report(1)))], speed)
    table.say(ASKED, SetAll())
    table.until(20)
    assert b"".join(data for _, data in table.played).endswith(report(1).to_frame())
    assert table.played[-1][0] == at


def test_time_stands_still_until_the_host_has_spoken() -> None:
    table = Table([*HANDSHAKE, *capture((1.0, report(1)))])
    table.until(0.5)
    assert not table.played
    table.say(ASKED)
    table.until(1.2)
    assert table.was_played((0.75, TOLD))  # a quarter of a second after it was asked
    table.say(SetAll())  # it was awaited from 1.0 on: the rest comes 0.2 s later
    table.until(9)
    assert table.was_played((0.75, TOLD), (1.45, CONFIGURED), (1.7, report(1)))


def test_a_host_that_only_listens_gets_it_all_the_same() -> None:
    table = Table([*HANDSHAKE, *capture((1.0, report(1)))])
    table.until(20)
    assert [data for _, data in table.played] == [
        TOLD.to_frame(),
        CONFIGURED.to_frame(),
        report(1).to_frame(),
    ]
    assert table.events == [Missed(ASKED.command), Missed(SetAll().command), Finished()]
    assert table.played[-1][0] == FIRST_TIMEOUT + 2 * COMMAND_TIMEOUT + 1.0
    assert table.player.played.missed == 2


def test_each_command_of_a_record_has_its_own_time() -> None:
    both = ASKED.to_frame() + SetAll().to_frame()
    table = Table([Record(True, 0, 0, both), *capture((0.0, TOLD), (0.0, CONFIGURED))])
    table.say(LedCtrl(1))
    table.until(0.75 * COMMAND_TIMEOUT)
    table.say(ASKED)
    table.until(1.5 * COMMAND_TIMEOUT)
    table.say(SetAll())
    table.until(10)
    assert table.player.played.missed == 0


def test_after_a_reboot_it_waits_again() -> None:
    reboot = capture((2.0, GetAll()), (2.0, SetAll()), (2.5, CONFIGURED), (3.0, report(1)))
    table = Table([*HANDSHAKE, *reboot])
    table.say(ASKED, SetAll())
    table.until(2.6)
    assert table.played[-1] == (2.0, GetAll().to_frame())
    table.say(SetAll())
    table.until(9)
    assert table.played[-2:] == [(3.1, CONFIGURED.to_frame()), (3.6, report(1).to_frame())]
    assert table.player.played.missed == 0


def test_what_the_host_asks_at_its_own_time_is_answered() -> None:
    table = Table([*HANDSHAKE, *capture((100.0, report(1)))])
    table.say(ASKED, SetAll())
    table.until(20)
    table.say(GetDeviceId())
    table.until(30)
    table.say(LedCtrl(1500))
    table.until(40)
    assert table.played[2:] == [
        (20 + ANSWER, WHO.to_frame()),
        (30 + ANSWER, Ack(Command.LED_CTRL, False).to_frame()),
    ]
    assert table.events[-3:] == [
        Answered(Command.GET_DEVICE_ID),
        HostSent(LedCtrl(1500)),
        Answered(Command.LED_CTRL),
    ]
    assert table.player.played.answered == 2


def test_what_the_capture_answers_is_not_answered_twice() -> None:
    table = Table([*HANDSHAKE, *capture((20.05, TOLD), (100.0, report(1)))])
    table.say(ASKED, SetAll())
    table.until(20)
    table.say(GetDeviceId())
    table.until(40)
    assert table.played[2:] == [(20.05, TOLD.to_frame())]
    assert table.player.played.answered == 0


def test_old_firmware_leaves_a_long_set_all_without_an_answer() -> None:
    """And echoes LED_CTRL, instead of an ACK: by these two hosts know it."""
    short = SetAll(max_adv_len=0)
    table = Table(
        capture(
            *((0.0, ASKED), (0.1, TOLD), (0.1, SetAll()), (0.35, short), (0.4, CONFIGURED)),
            *((1.0, AdvRprt(bytes(6), b"", -60)), (100.0, AdvRprt(bytes(6), b"", -60))),
        )
    )
    table.say(ASKED, SetAll())
    table.until(1.2)
    assert len(table.played) == 1
    table.say(short)
    table.until(10)
    assert table.played[1] == (1.25, CONFIGURED.to_frame())
    table.say(LedCtrl(7))
    table.until(20)
    assert table.played[-1] == (10 + ANSWER, LedCtrl(7).to_frame())


def test_without_a_handshake_the_player_makes_it() -> None:
    records = capture((50.0, report(1)), (50.5, report(2)))
    assert not survey(records).configured
    table = Table(records)
    table.say(ASKED)
    table.until(1)
    table.say(SetAll())
    table.until(9)
    assert table.was_played(
        (ANSWER, STAND_IN),
        (1 + ANSWER, CONFIGURED),
        (1 + ANSWER, report(1)),
        (1.5 + ANSWER, report(2)),
    )
    assert table.player.played.answered == 2


def test_without_a_handshake_and_a_host_it_plays_in_the_end() -> None:
    table = Table(capture((0.0, report(1)), (0.5, report(2))))
    table.until(20)
    assert [data for _, data in table.played] == [report(1).to_frame(), report(2).to_frame()]


def test_lives_follow_each_other_without_the_pause_between_them() -> None:
    table = Table([*HANDSHAKE, *capture((9000.0, GetAll()), section=1)])
    table.say(ASKED, SetAll())
    table.until(9)
    assert table.played[-1] == (0.75, CONFIGURED.to_frame() + GetAll().to_frame())


def test_a_clock_that_went_back_does_not_hold_it_up() -> None:
    records = [record._replace(monotonic=None) for record in HANDSHAKE]
    wall = [10, 11, 5, 6]
    table = Table(r._replace(wall=at * 10**9) for r, at in zip(records, wall, strict=True))
    table.say(ASKED, SetAll())
    table.until(9)
    assert table.was_played((1.0, TOLD), (2.0, CONFIGURED))


def test_noise_from_the_host_is_told() -> None:
    table = Table(HANDSHAKE)
    table.player.receive(b"hello\xca\x00", table.now)
    table.until(0.1)
    assert table.events == [HostNoise(5), HostNoise(2)]  # it might have gone on
    assert table.player.played.host_bytes == 7


def test_as_fast_as_it_is_read_means_in_pieces() -> None:
    many = capture(*((0.0, report(number)) for number in range(2000)))
    table = Table([*HANDSHAKE, *many], inf)
    table.say(ASKED, SetAll())
    table.until(1)
    frame = len(report(1).to_frame())
    assert all(len(data) < LONGEST_PIECE + frame for _, data in table.played)
    assert sum(len(data) for _, data in table.played) == table.player.played.size
    assert table.player.played.size == table.player.known.size


def test_what_is_incomplete_does_not_hide_an_answer() -> None:
    """A byte of noise that looks like the beginning of a long frame, and silence."""
    noise = [Record(False, 0, 740_000_000, b"\xca\xf0\x12")]
    table = Table([*HANDSHAKE[:3], *noise, HANDSHAKE[3], *capture((100.0, report(1)))])
    table.say(ASKED, SetAll())
    table.until(5)
    table.say(GetDeviceId())
    table.until(6)
    assert table.player.played.answered == 1  # so it knows that the host is configured


def test_an_empty_capture() -> None:
    table = Table([])
    table.until(9)
    assert table.events == [Finished()]


def test_one_of_several_is_played() -> None:
    ours = capture((0.0, report(1)))
    others = [record._replace(interface=1) for record in HANDSHAKE]
    known = survey([*others, *ours])
    assert (known.configured, known.interfaces) == (False, {0, 1})
    assert known.frames == {Command.ADV_RPRT2: 1}
    player = Player([*others, *ours], known, inf)
    player.receive(SetAll().to_frame(), 0.0)
    assert player.advance(0.0) == b""
    assert player.advance(1.0) == CONFIGURED.to_frame()
    assert player.advance(1.0) == report(1).to_frame()


def test_a_host_that_comes_back_is_configured_by_the_player() -> None:
    table = Table([*HANDSHAKE, *capture((1.0, report(1)), (2.0, report(2)), (3.0, report(3)))])
    table.say(ASKED, SetAll())
    table.until(1.5)
    table.player.restart(table.now)
    table.until(2.5)
    assert table.played[-1] == (1.0, report(1).to_frame())  # it waits for its first word
    table.say(ASKED, SetAll())
    table.until(9)
    assert table.played[3:] == [
        (2.5 + ANSWER, TOLD.to_frame() + CONFIGURED.to_frame()),
        (2.5 + ANSWER, report(2).to_frame()),
        (3.5 + ANSWER, report(3).to_frame()),
    ]
    assert table.player.played.answered == 2


def test_a_host_may_write_byte_by_byte() -> None:
    table = Table(HANDSHAKE)
    for message in (GetDeviceId(), SetAll()):
        table.player.receive(b"\xca\xf0\x12", table.now)  # hides what follows, until it is quiet
        for byte in message.to_frame():
            table.player.receive(bytes([byte]), table.now)
    table.until(0.01)
    assert table.events == []
    table.until(0.1)
    # The second false beginning came when the first had not been given up.
    assert table.events == [HostSent(GetDeviceId()), HostSent(SetAll()), HostNoise(6)]


@pytest.mark.parametrize("size", [1, 4, 16])
def test_what_the_host_sent_may_be_cut(size: int) -> None:
    """Somebody else records each byte by itself, or few of them."""
    table = Table(in_pieces(size, [*HANDSHAKE, *capture((0.75, report(1)))]))
    table.say(ASKED)
    table.until(1.4)  # it has a second for that
    assert table.data == TOLD.to_frame()
    table.say(SetAll())
    table.until(9)
    assert table.data == TOLD.to_frame() + CONFIGURED.to_frame() + report(1).to_frame()
    assert table.events.count(HostSent(SetAll())) == 1
    assert not any(isinstance(event, Missed | Answered) for event in table.events)


@pytest.mark.parametrize("size", [1, 16, 1000])
def test_answers_wait_for_questions_that_were_not_recorded(size: int) -> None:
    """A recording of one direction, from the boot on."""
    heard: list[Message] = [GetAll(), TOLD, CONFIGURED, report(1)]
    whole = b"".join(message.to_frame() for message in heard)
    table = Table(in_pieces(size, [Record(False, 0, 0, whole)]), inf)
    table.say(ASKED)
    assert table.data == GetAll().to_frame()
    table.say(ASKED)  # GET_ALL makes hosts ask again
    assert table.data == GetAll().to_frame() + TOLD.to_frame()
    table.until(0.5)
    table.say(SetAll())
    assert table.data == whole
    assert table.player.played.size == len(whole)
    table.until(9)
    assert not any(isinstance(event, Missed | Answered) for event in table.events)


def test_what_ends_in_the_midst_of_an_answer_is_played_to_its_end() -> None:
    cut = [Record(False, 0, 10**9, CONFIGURED.to_frame()[:7])]
    table = Table([*HANDSHAKE[:3], *cut, *HANDSHAKE[3:], *cut, *capture((9.0, report(1)))])
    table.say(ASKED, SetAll())
    table.until(20)
    assert table.player.played.size == table.player.known.size == len(table.data)


def test_what_was_asked_before_the_boot_is_not_asked_again() -> None:
    """The coprocessor booted while the host opened the port, and answers what was there already."""
    boot = capture((0.0, ASKED), (0.1, GetAll()), (0.2, TOLD), (0.3, SetAll()), (0.4, CONFIGURED))
    table = Table(boot)
    table.say(ASKED)
    table.until(0.25)
    assert table.was_played((0.1, GetAll()), (0.2, TOLD))
