"""A session against a model of a controller: silence, faults, and the ladder of remedies."""

import pytest
from hci_events import (
    event,
    extended_event,
    extended_report,
    h4,
)
from hci_model import ControllerModel
from hci_sessions import EXTENDED, EXTENDED_REPORT, LEGACY, pi, rungs
from hci_world import REPORT, World

from firmware_protocol.messages import SetAll
from ruuvi_host.hci.happenings import (
    Asserted,
    Climbed,
    Recovered,
    Scanning,
    Started,
)
from ruuvi_host.hci.ladder import Rung
from ruuvi_host.hci.plan import ScanChoice, ScanPlan


def test_a_cellar() -> None:
    """Nothing to hear, and a controller that answers: little is done, and ever less."""
    world = World(host=SetAll())
    world.hears(EXTENDED_REPORT)
    world.run(41.0)
    assert world.model.names().count(0x1001) == 1 + 4, "a probe every ten seconds"
    assert rungs(world) == []
    world.run(209.0)
    assert rungs(world) == [1, 2]
    assert len(world.told(Started)) == 2
    assert len(world.told(Scanning)) == 2, "the same once more is no news"
    world.run(211.0)
    assert rungs(world) == [1, 2, 3]
    assert world.session.is_spent
    world.open()
    world.run(800.0)
    assert set(rungs(world)[3:]) == {1}
    world.run(900.0)
    assert rungs(world)[-1] == 3


def test_quiet_until_the_scan_begins_anew() -> None:
    world = World(host=SetAll())
    world.run(43.0)
    world.hears(EXTENDED_REPORT)
    [climbed] = world.told(Climbed)
    [recovered] = world.told(Recovered)
    assert isinstance(climbed, Climbed)
    assert (climbed.rung, climbed.first) == (Rung.SCAN_ANEW, True)
    assert isinstance(recovered, Recovered)
    assert recovered.rung is Rung.SCAN_ANEW
    assert recovered.silence == pytest.approx(43.0, abs=0.1)
    world.run(84.0)
    assert rungs(world) == [1], "it begins from the bottom"


def test_reports_that_are_dropped_are_signs_of_life_too() -> None:
    world = World(host=SetAll(fltr_id=1))
    for second in range(0, 300, 5):
        world.run(float(second))
        world.hears(EXTENDED_REPORT)
    assert rungs(world) == []
    assert world.model.names().count(0x1001) == 1


def test_empty_reports_are_no_sign_that_it_hears() -> None:
    world = World(host=SetAll())
    for second in range(0, 100, 5):
        world.run(float(second))
        world.hears(extended_event(extended_report(b"")))
    assert rungs(world) == [1, 2]
    assert world.model.names().count(0x1001) == 2, "but that it answers"


def test_with_auto_a_radio_that_never_heard_anything_tries_the_other_kind_once() -> None:
    world = World(host=SetAll())
    world.run(85.0)
    assert world.kind is LEGACY
    assert rungs(world) == [1, 2]
    assert isinstance(world.log[-1], Scanning)
    world.run(209.0)
    assert world.counters.other_kind == 1


@pytest.mark.parametrize("choice", [ScanChoice.EXTENDED, ScanChoice.AUTO])
def test_what_has_heard_something_keeps_its_kind(choice: ScanChoice) -> None:
    world = World(choice=choice, host=SetAll())
    if choice is ScanChoice.AUTO:
        world.hears(EXTENDED_REPORT)
    world.run(85.0)
    assert (rungs(world), world.kind) == ([1, 2], EXTENDED)


def test_without_a_host_silence_means_nothing_but_the_controller_is_asked() -> None:
    world = World()
    world.run(600.0)
    assert rungs(world) == []
    assert world.model.names().count(0x1001) > 50
    world.model.deaf = True
    world.run(615.0)
    assert rungs(world) == [2]


def test_a_dead_controller_is_noticed_within_seconds() -> None:
    world = World(host=SetAll())
    world.hears(EXTENDED_REPORT)
    world.model.deaf = True
    world.run(12.5)
    assert rungs(world) == [2], "a probe after ten seconds, two for the answer"
    world.run(100.0)
    assert rungs(world) == [2, 3]
    assert world.now - 1000.0 == pytest.approx(12 + 15, abs=0.5), "three tries of five seconds"
    world.open()
    world.run(200.0)
    assert rungs(world) == [2, 3, 4]
    world.open()
    world.run(300.0)
    assert rungs(world) == [2, 3, 4, 4]
    world.model.deaf = False
    world.open()
    world.hears(EXTENDED_REPORT)
    assert isinstance(world.log[-1], Recovered) or isinstance(world.log[-2], Recovered)


@pytest.mark.parametrize("opcode", [0x2041, 0x2042])
def test_a_scan_command_that_hangs_the_firmware(opcode: int) -> None:
    """With auto, what hung it is not said again in this session."""
    world = World(ControllerModel(deaf_to={opcode}), host=SetAll())
    world.run(3.0)
    assert rungs(world) == [2]
    assert world.log[-1] == Scanning(ScanPlan(LEGACY, True, False))


def test_a_hardware_error_is_a_reset_at_once() -> None:
    world = World(host=SetAll())
    for expected in ([2], [2, 3]):
        world.says(h4(event(0x10, b"\x42")))
        assert rungs(world) == expected
    assert world.session.is_spent
    [climbed, _] = world.told(Climbed)
    assert isinstance(climbed, Climbed)
    assert "0x42" in climbed.reason


def test_zephyrs_last_words_lead_to_its_power() -> None:
    world = World(host=SetAll())
    world.says(h4(event(0xFF, b"\xaaull_scan.c\x00\x39\x30\x00\x00"), EXTENDED_REPORT))
    asserted, climbed = world.log[-2:]
    assert asserted == Asserted("ull_scan.c", 12345)
    assert isinstance(climbed, Climbed)
    assert climbed.rung is Rung.POWER
    assert world.session.is_spent


def test_what_other_vendors_tell_is_no_assertion() -> None:
    vendors = h4(event(0xFF, b"\xaa\x01\x02"))
    world = World(pi(), host=SetAll())
    world.says(vendors)
    world.says(h4(event(0xFF, b"\xaaull_scan.c\x00\x39\x30\x00\x00")))
    assert rungs(world) == []
    model = pi()
    model.deaf = True
    world = World(model)  # it has not said yet who it is
    world.says(vendors)
    assert rungs(world) == []
    assert not world.session.is_spent


def test_noise_is_no_h4() -> None:
    world = World(host=SetAll())
    world.says(bytes(299))
    assert rungs(world) == []
    world.says(bytes(1))
    assert rungs(world) == [3]
    world.open()
    world.says(bytes(400))
    assert rungs(world) == [3, 4]


def test_a_packet_that_never_ends_does_not_swallow_the_answers_for_ever() -> None:
    world = World(host=SetAll())
    world.says(bytes.fromhex("02 40 20 FF FF"))
    world.run(13.0)
    assert rungs(world) == [2]
    assert isinstance(world.log[-1], Scanning)


def test_reports_that_were_on_their_way_do_not_end_a_reset() -> None:
    world = World(host=SetAll())
    world.took(world.session.receive(h4(event(0x10, b"\x42"), EXTENDED_REPORT), world.now))
    assert world.counters.not_configured == 1, "nothing passes until the host has configured it"
    assert not world.told(Recovered)
    world.settle()
    world.hears(EXTENDED_REPORT)
    assert len(world.told(Recovered)) == 1


def test_a_read_without_data_is_not_taken_for_the_one_before() -> None:
    world = World(host=SetAll())
    world.hears(EXTENDED_REPORT)
    world.run(30.0)
    world.hears(extended_event(extended_report(b"")))
    world.run(43.0)
    assert rungs(world) == [1]


def test_no_fragment_outlives_a_reset() -> None:
    world = World(host=SetAll())
    world.hears(extended_event(extended_report(status=1)))
    world.says(h4(event(0x10, b"\x42")))
    assert (world.counters.waiting, world.counters.orphaned) == (0, 1)


def test_when_no_host_comes_back_after_a_reset_silence_stands_still() -> None:
    world = World(host=SetAll())
    world.host = None
    world.run(500.0)
    assert rungs(world) == [1, 2]
    assert world.counters.rungs == [1, 1, 0, 0]
    assert not world.model.scanning
    world.host = SetAll()
    world.took(world.session.set_scan(SetAll(), world.now))
    world.settle()
    world.run(580.0)
    assert rungs(world) == [1, 2]


def test_odd_events_are_counted_and_no_more() -> None:
    world = World(host=SetAll())
    world.says(h4(event(0x0E, b"\x01"), event(0x13, b""), event(0xFF, b"\x01\x02")))
    assert world.counters.malformed_events == 1
    assert rungs(world) == []


def test_what_is_incomplete_at_the_end_is_skipped() -> None:
    world = World(host=SetAll())
    world.says(h4(REPORT)[:10])
    world.session.end(world.now)
    assert world.session.is_spent
    assert world.counters.bytes_skipped == 10


def test_fragments_in_the_air_at_the_end_are_accounted_for() -> None:
    world = World(host=SetAll())
    world.hears(extended_event(extended_report(status=1)))
    assert world.counters.waiting == 1
    world.session.end(world.now)
    assert (world.counters.waiting, world.counters.orphaned) == (0, 1)


def test_the_ladder_goes_on_in_the_next_life() -> None:
    world = World(host=SetAll())
    world.run(60.0)
    world.session.end(world.now)
    world.open()
    world.run(90.0)
    assert rungs(world) == [1, 2], "84 s of silence are those of both lives"


def test_a_lost_transport_is_no_silence() -> None:
    world = World(host=SetAll())
    world.run(30.0)
    world.session.end(world.now)
    world.now += 3600.0
    world.open()
    assert world.ladder.silence(world.now) == pytest.approx(30.0, abs=0.5)
