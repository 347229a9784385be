"""The machines of a session that have a deadline: heartbeat, reboot limit, report watch."""

from math import inf

import pytest

from firmware_protocol.messages import GetDeviceId, LedCtrl
from firmware_protocol.timers import WATCHDOG, Heartbeat, RebootLimit, ReportWatch


def test_a_sign_of_life_is_due_some_time_after_the_last_answer() -> None:
    heartbeat = Heartbeat(10.0, GetDeviceId())
    heartbeat.answered(100.0)
    assert (heartbeat.deadline, heartbeat.answered_at) == (110.0, 100.0)
    assert Heartbeat(inf, GetDeviceId()).deadline == inf


def test_a_light_that_is_not_answered_is_given_up() -> None:
    heartbeat = Heartbeat(10.0, LedCtrl(1500))
    heartbeat.led_unanswered()
    assert heartbeat.command == GetDeviceId()


def test_a_light_that_was_answered_once_stays() -> None:
    heartbeat = Heartbeat(10.0, LedCtrl(1500))
    heartbeat.led_answered()
    heartbeat.led_unanswered()
    assert heartbeat.command == LedCtrl(1500)


def test_reboots_are_answered_at_once_up_to_a_limit() -> None:
    limit = RebootLimit(at_once=3, window=3.0)
    assert limit.deadline == inf
    assert not limit.may_answer(100.0), "nobody has asked"
    for now in (100.0, 100.5, 101.0):
        limit.asked(now)
        assert limit.may_answer(now)
        assert not limit.may_answer(now), "it is answered once"
    limit.asked(101.5)
    assert not limit.may_answer(101.5)
    assert limit.deadline == 103.0, "the first of the three has left the window"
    assert limit.may_answer(103.0)
    limit.asked(103.1)
    assert limit.deadline == 103.5, "and now the second"


def test_a_reboot_after_a_long_time_is_answered_at_once() -> None:
    limit = RebootLimit(at_once=1, window=3.0)
    for now in (100.0, 200.0):
        limit.asked(now)
        assert limit.may_answer(now)


def test_after_a_stop_no_reboot_is_answered() -> None:
    limit = RebootLimit(at_once=1, window=3.0)
    limit.asked(100.0)
    limit.stop()
    assert not limit.may_answer(200.0)


def test_quiet_is_told_once_until_reports_come_again() -> None:
    watch = ReportWatch(quiet=50.0)
    assert not watch.is_quiet(1000.0), "nothing is expected before it is configured"
    watch.configured(1000.0)
    assert watch.deadline == 1050.0
    assert not watch.is_quiet(1049.9)
    assert watch.is_quiet(1050.0)
    assert not watch.is_quiet(1051.0)
    watch.received(1060.0, configured=True)
    assert watch.deadline == 1110.0


def test_a_new_configuration_does_not_end_a_quiet_time() -> None:
    watch = ReportWatch(quiet=50.0)
    watch.configured(1000.0)
    watch.configured(1042.0)  # its watchdog has rebooted it
    assert watch.is_quiet(1050.0)


def test_reports_before_it_is_configured_do_not_count() -> None:
    watch = ReportWatch(quiet=50.0)
    watch.received(1000.0, configured=False)
    assert watch.deadline == inf
    assert watch.is_reporting(1002.0, within=2.5)
    assert not watch.is_reporting(1002.5, within=2.5)


@pytest.mark.parametrize(("silence", "explained"), [(WATCHDOG - 0.1, False), (WATCHDOG, True)])
def test_a_reboot_is_explained_by_silence_since_the_last_report_or_configuration(
    silence: float, explained: bool
) -> None:
    watch = ReportWatch(quiet=50.0)
    watch.configured(1000.0)
    assert watch.explains_reboot(1000.0 + silence) is explained
    watch.received(1010.0, configured=True)
    assert watch.explains_reboot(1010.0 + silence) is explained
    watch.configured(1030.0)
    assert watch.explains_reboot(1030.0 + silence) is explained


def test_after_a_stop_nothing_is_told() -> None:
    watch = ReportWatch(quiet=50.0)
    watch.configured(1000.0)
    watch.stop()
    assert not watch.is_quiet(2000.0)
