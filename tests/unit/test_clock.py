"""The wall clock: when it is known to be right, and that asking cannot fail."""

import ctypes
from typing import Any

import pytest
from conftest import ManualClock

from ruuvi_host.clock import EARLIEST, LONG_UP, NOTED, SystemClock, WallClock


def test_the_kernel_can_be_asked() -> None:
    assert SystemClock().synchronised() in (True, False)


class Kernel:
    """A C library whose adjtimex answers as told."""

    def __init__(self, state: int, status: int) -> None:
        self.state = state
        self.status = status

    def adjtimex(self, buffer: Any) -> int:
        assert not any(buffer.raw), "modes 0: nothing may be changed"
        at = 5 * ctypes.sizeof(ctypes.c_long)
        ctypes.c_int.from_buffer(buffer, at).value = self.status
        return self.state


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [
        (0, 0x0001, True),  # STA_PLL
        (5, 0x0041, False),  # TIME_ERROR, STA_UNSYNC
        (1, 0x2001, True),  # a leap second is due; STA_NANO
        (-1, 0, False),  # a container without the permission
    ],
)
def test_synchronised(
    monkeypatch: pytest.MonkeyPatch, state: int, status: int, expected: bool
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Kernel(state, status))
    assert SystemClock().synchronised() is expected


def no_library(name: str | None, use_errno: bool) -> Any:
    raise OSError("cannot be loaded")


@pytest.mark.parametrize("library", [no_library, lambda name, use_errno: object()])
def test_a_system_that_cannot_be_asked_is_not_synchronised(
    monkeypatch: pytest.MonkeyPatch, library: Any
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", library)
    assert SystemClock().synchronised() is False


def test_a_clock_that_is_not_right_has_no_time() -> None:
    wall = WallClock(ManualClock(synchronised=False), trusted=False)
    assert not wall.check()
    assert wall.utc() is None


def test_a_clock_before_2026_is_wrong_whatever_the_kernel_says() -> None:
    clock = ManualClock(wall=EARLIEST - 1.0)
    wall = WallClock(clock, trusted=False)
    assert not wall.check()
    clock.advance(1.5)
    assert wall.check()
    assert wall.utc() == EARLIEST


def test_a_clock_stays_right() -> None:
    class Losing(ManualClock):
        asked = 0

        def synchronised(self) -> bool:
            self.asked += 1
            return self.asked == 1

    wall = WallClock(Losing(wall=1_800_000_000.9), trusted=False)
    assert wall.check()
    assert wall.check()
    assert wall.utc() == 1_800_000_000


def test_a_trusted_clock_is_right_even_if_it_is_not() -> None:
    wall = WallClock(ManualClock(wall=5.0, synchronised=False), trusted=True)
    assert wall.check()
    assert wall.utc() == 5


def test_a_machine_that_has_been_up_for_long_is_trusted_with_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock(synchronised=False, uptime=599.0)
    wall = WallClock(clock, trusted=False)
    assert not wall.check()
    clock.advance(1)
    assert wall.check()
    assert wall.check()
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_not_with_a_time_that_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    wall = WallClock(ManualClock(wall=5.0, synchronised=False, uptime=9999.0), trusted=False)
    assert not wall.check()
    assert not caplog.records


# -- a clock that jumps ---------------------------------------------------------------------------

NOW = 1_800_000_000.0
DAY = 86_400.0
YEAR = 366 * DAY


class Jumping:
    """A clock that was right, and the one that watches it."""

    def __init__(self, *, synchronised: bool = True, trusted: bool = False) -> None:
        self.clock = ManualClock(wall=NOW, synchronised=synchronised, uptime=LONG_UP)
        self.wall = WallClock(self.clock, trusted=trusted)
        assert self.wall.check()

    def jump(self, seconds: float) -> None:
        self.clock.set_wall(self.clock.wall() + seconds)

    def ten_minutes(self) -> bool:
        """Is it right in the end?"""
        for _ in range(601):
            self.clock.advance(1.0)
            right = self.wall.check()
        return right


def test_small_corrections_are_not_told_however_many() -> None:
    it = Jumping()
    for number in range(100):
        it.jump(NOTED - 1 if number % 2 else 1 - NOTED)
        assert it.wall.utc() == int(it.clock.wall())
    assert it.wall.take_news() == ""


@pytest.mark.parametrize("step", [7.0, -7.0, NOTED - 1, 1 - NOTED])
@pytest.mark.parametrize("trusted", [False, True])
def test_small_steps_are_told_when_they_add_up(step: float, trusted: bool) -> None:
    it = Jumping(trusted=trusted)
    told = 0
    for _ in range(100):
        it.jump(step)
        assert it.wall.utc() == int(it.clock.wall())
        told += "it has gone in small steps from 20" in it.wall.take_news()
    assert abs(step) * 100 / (2 * NOTED) <= told <= abs(step) * 100 / NOTED


def test_small_steps_do_not_lead_out_of_the_calendar() -> None:
    it = Jumping()
    it.clock.set_wall(EARLIEST + 10.0)
    it.wall = WallClock(it.clock, trusted=False)
    assert it.wall.check()
    it.jump(-20.0)
    assert it.wall.utc() is None
    assert "gone in small steps" in it.wall.problem
    it.jump(20.0)
    assert it.wall.check()


@pytest.mark.parametrize("seconds", [61.0, -61.0, DAY, -DAY])
def test_a_jump_that_can_be_explained_is_told_and_followed(seconds: float) -> None:
    it = Jumping()
    it.jump(seconds)
    assert it.wall.utc() == int(NOW + seconds)
    assert it.wall.check()
    assert "it has jumped from 2027-01-15 08:00:00 to 2027-01-1" in it.wall.take_news()
    assert it.wall.take_news() == ""


@pytest.mark.parametrize("seconds", [EARLIEST - NOW - DAY, 10 * YEAR, -1e12, 1e15])
@pytest.mark.parametrize("trusted_by", ["kernel", "uptime"])
def test_after_a_jump_that_cannot_be_there_is_no_time(seconds: float, trusted_by: str) -> None:
    """Seen at once, by whoever asks first, and not only by `check`."""
    it = Jumping(synchronised=trusted_by == "kernel")
    it.jump(seconds)
    assert it.wall.utc() is None
    assert it.wall.wall() == NOW
    assert not it.wall.check()
    assert "it has jumped from 2027-01-15 08:00:00 to" in it.wall.problem
    it.clock.advance(5.0)
    assert it.wall.wall() == NOW + 5
    it.jump(-seconds)
    assert it.wall.check()
    assert it.wall.utc() == NOW + 5


@pytest.mark.parametrize(
    ("seconds", "right"),
    [
        (10 * YEAR, False),  # the kernel contradicts itself, and that cannot be
        (EARLIEST - NOW - DAY - LONG_UP, False),  # whatever the kernel says
        (30 * DAY, True),
        (-30 * DAY, True),
    ],
)
@pytest.mark.parametrize("synchronised", [True, False])
def test_a_jump_of_a_clock_that_the_kernel_had_vouched_for(
    seconds: float, right: bool, synchronised: bool
) -> None:
    it = Jumping()
    it.jump(seconds)
    it.clock.set_synchronised(synchronised=synchronised)
    assert not it.wall.check()
    assert it.ten_minutes() is right
    if right:
        assert it.wall.utc() == int(it.clock.wall())
        assert "taken for right" in it.wall.take_news()


def test_a_time_server_is_believed_at_once_when_nothing_vouched_for_the_time_before() -> None:
    """A machine without a battery, started without a network."""
    it = Jumping(synchronised=False)
    it.jump(2 * YEAR)
    assert it.wall.utc() is None
    it.clock.set_synchronised(synchronised=True)
    assert it.wall.check()
    assert it.wall.utc() == NOW + 2 * YEAR


def test_the_kernel_can_vouch_later() -> None:
    it = Jumping(synchronised=False)
    it.clock.set_synchronised(synchronised=True)
    assert it.wall.check()
    it.jump(10 * YEAR)
    assert not it.ten_minutes()


def test_a_clock_that_goes_on_jumping_does_not_settle() -> None:
    it = Jumping(synchronised=False)
    it.jump(10 * YEAR)
    for _ in range(20):
        it.jump(DAY)
        assert not it.wall.check()
        it.clock.advance(100.0)
    assert it.ten_minutes()


@pytest.mark.parametrize("seconds", [EARLIEST - NOW - DAY, 10 * YEAR])
def test_a_trusted_clock_is_followed_but_not_in_silence(seconds: float) -> None:
    it = Jumping(trusted=True)
    it.jump(seconds)
    assert it.wall.utc() == int(NOW + seconds)
    assert "it has jumped" in it.wall.take_news()


def test_trust_ends_the_waiting() -> None:
    it = Jumping()
    it.jump(10 * YEAR)
    assert not it.wall.check()
    it.wall.trust()
    assert it.wall.utc() == int(NOW + 10 * YEAR)


def test_a_suspended_machine_has_not_jumped() -> None:
    """Its monotonic time stands still meanwhile, its uptime does not."""
    it = Jumping()
    before = it.clock.monotonic()
    it.clock.monotonic = lambda: before  # type: ignore[method-assign]
    it.clock.advance(30 * DAY)
    assert it.wall.check()
    assert it.wall.take_news() == ""
