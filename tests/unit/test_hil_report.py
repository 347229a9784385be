"""What the rig counts and how it tells it: figures, losses, damage, the page."""

import pytest

from firmware_protocol.messages import Ack, AdvRprt2, DeviceId, GetAll
from hil.air import Air, Counters, Pattern, counters, loss
from hil.board import kind_of
from hil.cable import Faults
from hil.figures import Figure, Figures, more_are_needed, percentile
from hil.identity import Identity
from hil.inbox import kind
from hil.page import page
from hil.report import as_json
from hil.results import Result, Run
from hil.rig import Setup
from hil.simulated import Generator
from hil.wire import OURS, without_device_id


def reports(air: Air, count: int) -> list[AdvRprt2]:
    generator = Generator(air.word, 0.0, baud=115200, is_v1=False)
    found = []
    for _ in range(count):
        event = generator.next()
        found.append(AdvRprt2(event.address, event.data, event.rssi, 1, 15, 37, False, -64))
        generator.sent += 1
    return found


def test_percentile() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.0
    assert percentile([5.0], 99) == 5.0


def test_a_figure_out_of_bounds_fails_and_is_kept() -> None:
    figures = Figures()
    figures.measure("good", 1, "ms", high=1)
    with pytest.raises(AssertionError, match=r"too slow 2 ms, but the bound is x ≤ 1 ms"):
        figures.measure("too slow", 2, "ms", high=1)
    assert [figure.holds for figure in figures.figures] == [True, False]
    assert Figure("f", 3, "", 3, 3).bound == "= 3"
    assert Figure("f", 3, "s", 1, 4).bound == "1 ≤ x ≤ 4 s"
    assert Figure("f", 3, "").bound == ""


def test_one_late_answer_of_few_tells_nothing_yet() -> None:
    """A machine that was busy for a moment: 1 of 20 is late, and 1 of 100 may be."""
    good, late = [0.001] * 19, [0.2]
    assert not more_are_needed([*good, 0.001], 0.1, 20)
    assert more_are_needed(good, 0.1, 20)
    assert more_are_needed(good + late, 0.1, 20)
    assert not more_are_needed(late + [0.001] * 99, 0.1, 20)
    assert percentile(late + [0.001] * 99, 99) < 0.1
    assert not more_are_needed(3 * late, 0.1, 20)
    assert not more_are_needed([5.0], 0.1, 20)


def test_a_test_that_was_not_finished_has_not_passed() -> None:
    made = run(is_hardware=False)
    made.results.append(Result("test_c", "", "serial", "2.0.0", "C8:25:2D:8E:9C:2C"))
    assert made.totals() == {"passed": 1, "failed": 1, "skipped": 0, "interrupted": 1}
    assert '<td class="outcome interrupted">' in page(made)


def test_failures_alike_are_told_together() -> None:
    made = run(is_hardware=False)
    for name, reason in (("test_c", "no answer in 3 s"), ("test_d", "no answer in 20 s")):
        made.results.append(Result(name, "", "serial", "", "", "failed", reason))
    assert [[result.test for result in alike] for alike in made.failures()] == [
        ["test_b"],
        ["test_c", "test_d"],
    ]


def test_loss_is_exact_and_has_its_place() -> None:
    all_of_them = reports(Air(10), 10)
    assert loss(list(all_of_them)).on_the_way == 0
    # Two in the middle were handed to the line and did not come.
    found = loss([*all_of_them[:3], *all_of_them[5:]])
    assert (found.received, found.on_the_way, found.before) == (8, 2, 0)
    assert loss(list(reversed(all_of_them))).disordered == 9
    assert loss([]).received == 0


def test_loss_on_the_board() -> None:
    generator = Generator(Air(10).word, 0.0, baud=115200, is_v1=False)
    events = [generator.next() for _ in range(4)]  # none of them is handed to the line
    generator.sent = 1
    events.append(generator.next())
    found = [AdvRprt2(e.address, e.data, e.rssi, 1, 15, 37, False, -64) for e in events]
    assert counters(found[4]) == Counters(4, 1)
    assert loss([found[0], found[4]]).before == 3
    assert loss([found[0], found[4]]).on_the_way == 0


def test_reports_of_others_are_not_counted() -> None:
    tags = reports(Air(10, 31, Pattern.TAGS), 3)
    assert [counters(report) for report in tags] == [None] * 3


@pytest.mark.parametrize("rate", [0, 1, 226, None])
def test_air_is_a_word_that_no_company_has(rate: int | None) -> None:
    settings = Air(rate, 48, Pattern.MIXED).settings()
    assert settings.fltr_id >= 0x8000
    assert not settings.fltr_tags


def test_damage_is_the_same_however_it_is_cut() -> None:
    data = bytes(range(256)) * 20
    faults = Faults(lost=0.1, flipped=0.1, inserted=0.1, seed=7)
    whole, cut = faults.damager(), faults.damager()
    damaged = whole(data)
    assert damaged == b"".join(cut(data[at : at + 7]) for at in range(0, len(data), 7))
    assert damaged != data
    assert Faults().damager()(data) == data


def test_the_device_id_never_gets_into_a_test() -> None:
    device = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
    masked = without_device_id(device)
    assert masked.id != device.id
    assert masked.addr == device.addr
    assert masked == without_device_id(device)
    assert without_device_id(DeviceId(OURS + b"abcd", device.addr)).id == OURS + bytes(4)


def test_what_is_no_board_is_not_called_one() -> None:
    assert kind_of("socket://127.0.0.1:1") == "network"
    assert kind_of("/dev/pts/0") == "pty"
    assert kind_of("/dev/ttyACM0") == "board"


def test_setup_knows_the_watchdog() -> None:
    assert Setup().watchdog_seconds == 42.0
    assert Setup("1.0.0").watchdog_seconds == 20.0
    assert Setup(watchdog=3.0).watchdog_seconds == 3.0


def run(*, is_hardware: bool) -> Run:
    made = Run("serial", "board <b>/dev/ttyACM0", is_hardware=is_hardware)
    result = Result("test_a[x]", "What & why.", "serial", "2.0.0", "C8:25:2D:8E:9C:2C", "passed")
    result.figures.latencies("LED_CTRL", [0.001, 0.002, 0.5], 1.0)
    result.figures.rates("50/s", [n / 50 for n in range(200)], 50.0)
    made.results += [
        result,
        Result("test_b", "", "serial", "2.0.0", "C8:25:2D:8E:9C:2C", "failed", "<x>"),
    ]
    return made


def test_each_line_of_the_page_says_what_it_ran_on() -> None:
    text = page(run(is_hardware=True))
    assert text.count('<td class="where">C8:25:2D:8E:9C:2C</td>') == 2
    assert text.count('<td class="where">serial</td>') == 2
    assert "Hardware: board &lt;b&gt;/dev/ttyACM0" in text
    assert "What &amp; why." in text
    assert "&lt;x&gt;" in text
    assert text.count("<circle") == 3
    assert "<rect" in text
    assert "http" not in text, "the page needs nothing from elsewhere"


def test_without_hardware_the_page_says_so() -> None:
    assert "No hardware was tested" in page(run(is_hardware=False))
    assert "No hardware was tested" not in page(run(is_hardware=True))


def test_the_same_as_json() -> None:
    told = as_json(run(is_hardware=False))
    assert told["totals"] == {"passed": 1, "failed": 1, "skipped": 0}
    tests = told["tests"]
    assert isinstance(tests, list)
    assert tests[0]["figures"][1]["bound"] == "x ≤ 1000 ms"
    assert tests[0]["address"] == "C8:25:2D:8E:9C:2C"


def test_a_board_is_identified_by_address_only() -> None:
    assert set(Identity.__dataclass_fields__) == {"address", "generation", "is_ours"}


def test_what_came_instead_is_named() -> None:
    assert kind(Ack(0x0B, False)) == "ACK of SET_CH_38"
    assert kind(Ack(0xEE, True)) == "ACK of 0xEE"
    assert kind(GetAll()) == "GET_ALL"
