"""The bridge's radio: what becomes of each setting, by what the controller can do."""

from dataclasses import replace

import pytest

from firmware_protocol.messages import SetAll
from firmware_protocol.scan import AT_BOOT
from ruuvi_host.bridge.radio import BridgeRadio, Wish
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.plan import ScanKind

LONG_RANGE = (ControllerFacts(extended=True, coded=True), ScanKind.EXTENDED)
OLD = (ControllerFacts(), ScanKind.LEGACY)
NO_CHANNEL = SetAll(ch_37=False, ch_38=False, ch_39=False)


def a_radio(what: tuple[ControllerFacts, ScanKind] = LONG_RANGE) -> BridgeRadio:
    radio = BridgeRadio()
    radio.facts, radio.kind = what
    return radio


@pytest.mark.parametrize(
    ("what", "settings", "refused"),
    [
        (LONG_RANGE, SetAll(), False),
        (OLD, SetAll(), False),  # 2M is asked for: a warning, no refusal
        (LONG_RANGE, SetAll(use_coded_phy=True), False),
        (OLD, SetAll(use_coded_phy=True), True),
        ((LONG_RANGE[0], ScanKind.LEGACY), SetAll(use_coded_phy=True), True),
        (LONG_RANGE, SetAll(ch_37=False), False),
        (LONG_RANGE, SetAll(use_1m_phy=False, use_2m_phy=False), False),
    ],
)
def test_set_all(what: tuple[ControllerFacts, ScanKind], settings: SetAll, refused: bool) -> None:
    radio = a_radio(what)
    assert radio.configure(settings, 0.0) is refused
    assert radio.settings == settings, "what can be done is done"
    assert radio.take_wish() == Wish(settings, anew=True)
    assert radio.take_wish() is None


def test_without_channels_those_of_before_stay() -> None:
    radio = a_radio()
    radio.configure(SetAll(ch_38=False), 0.0)
    assert radio.configure(replace(NO_CHANNEL, fltr_id=7), 1.0) is True
    assert radio.settings == SetAll(ch_38=False, fltr_id=7)
    assert radio.take_wish() == Wish(radio.settings, anew=True)


def test_single_settings_are_only_stored_before_set_all() -> None:
    radio = a_radio()
    assert radio.set_flag("use_1m_phy", True) is False
    radio.set_company(7)
    assert radio.take_wish() is None
    assert radio.settings == replace(AT_BOOT, use_1m_phy=True, fltr_id=7)


def test_single_settings_later() -> None:
    radio = a_radio(OLD)
    radio.configure(SetAll(), 0.0)
    assert radio.set_flag("ch_37", False) is False
    assert radio.take_wish() == Wish(SetAll(ch_37=False), anew=True), "the SET_ALL is in it"
    assert radio.set_flag("ch_38", False) is False
    assert radio.set_flag("ch_39", False) is True
    assert radio.take_wish() == Wish(SetAll(ch_37=False, ch_38=False), anew=False)
    assert radio.set_flag("use_coded_phy", True) is True
    assert radio.set_flag("use_coded_phy", False) is False
    assert radio.set_flag("fltr_tags", False) is False


def test_a_boot_forgets() -> None:
    radio = a_radio()
    radio.configure(SetAll(), 0.0)
    radio.reset()
    assert (radio.settings, radio.is_scanning, radio.take_wish()) == (AT_BOOT, False, None)
