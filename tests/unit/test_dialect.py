"""Dialect: which generation of firmware it is, and which form of SET_ALL it gets."""

import pytest

from firmware_protocol.dialect import Dialect, Generation
from firmware_protocol.messages import AdvRprt, AdvRprt2, DeviceId, LedCtrl, SetAll, SetFltrTags

DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
OTHER = DeviceId(bytes(8), bytes(6))
NEW_REPORT = AdvRprt2(bytes(6), b"\x02\x01\x06", -60, 1, 15, 37, False, -64)
OLD_REPORT = AdvRprt(bytes(6), b"\x02\x01\x06", -60)
LONG = SetAll(max_adv_len=48)
SHORT = SetAll(max_adv_len=0)


def test_the_long_form_comes_first_and_the_other_one_after_each_failure() -> None:
    dialect = Dialect()
    forms = []
    for _ in range(4):
        forms.append(dialect.set_all(LONG))
        dialect.set_all_unanswered()
    assert forms == [LONG, SHORT, LONG, SHORT]
    assert dialect.generation is Generation.UNKNOWN


def test_who_was_old_before_gets_the_short_form_and_nobody_else() -> None:
    dialect = Dialect(old=DEVICE)
    dialect.identified(OTHER)
    assert dialect.set_all(LONG) == LONG
    dialect.identified(DEVICE)
    assert dialect.set_all(LONG) == SHORT


def test_reports_tell_the_generation() -> None:
    dialect = Dialect()
    dialect.reported(OLD_REPORT)
    assert (dialect.generation, dialect.set_all(LONG)) == (Generation.V1, SHORT)
    dialect.reported(NEW_REPORT)
    assert (dialect.generation, dialect.set_all(LONG)) == (Generation.V2, LONG)


def test_new_firmware_keeps_the_long_form_whatever_gets_lost() -> None:
    dialect = Dialect(old=DEVICE)
    dialect.identified(DEVICE)
    dialect.acknowledged(LONG)
    dialect.set_all_unanswered()
    assert dialect.set_all(LONG) == LONG


@pytest.mark.parametrize("command", [SHORT, SetFltrTags(True)])
def test_an_ack_that_both_generations_send_tells_nothing(command: SetAll | SetFltrTags) -> None:
    dialect = Dialect()
    dialect.acknowledged(command)
    assert dialect.generation is Generation.UNKNOWN


def test_led_ctrl_is_acknowledged_by_one_and_echoed_by_the_other() -> None:
    echoes, acknowledges = Dialect(), Dialect()
    echoes.echoed()
    acknowledges.acknowledged(LedCtrl(1500))
    assert (echoes.generation, acknowledges.generation) == (Generation.V1, Generation.V2)
