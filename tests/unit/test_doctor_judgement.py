"""What the doctor makes of facts."""

from typing import Any

import pytest

from firmware_protocol.messages import SetAll
from ruuvi_host.config.problems import Problem, Severity
from ruuvi_host.device.trouble import TAKERS
from ruuvi_host.doctor.judgement import (
    Finding,
    Level,
    accounting,
    clock,
    configuration,
    disk,
    exit_status,
    link,
    port_taker,
    running,
    scan,
    spool,
)
from ruuvi_host.monitoring.counters import LinkCounters, flat
from ruuvi_host.monitoring.link_status import LinkState, LinkStatus
from ruuvi_host.monitoring.overview import link_document

OK, WARNING, FAULT = Level.OK, Level.WARNING, Level.FAULT
PORT = "/dev/ttyACM0"
GOOD = link_document(
    LinkStatus(
        *(PORT, PORT, LinkState.READY, "C8:25:2D:8E:9C:2C", "2.0.0 or newer", None, None, ""),
        LinkCounters(),
    ),
    0.0,
)


def counted(**counters: int) -> dict[str, int | None]:
    return flat(LinkCounters()) | counters


def told(findings: Any) -> list[tuple[Level, str]]:
    return [(finding.level, finding.sentence) for finding in findings]


def test_the_exit_status_is_that_of_the_worst() -> None:
    fine, odd, bad = (Finding("x", level, "y") for level in Level)
    assert exit_status([]) == exit_status([fine]) == 0
    assert exit_status([fine, odd, fine]) == 1
    assert exit_status([bad, odd, fine]) == 3


def test_a_line() -> None:
    assert str(Finding("disk", OK, "has room")) == "ok       disk: has room"
    assert str(Finding("disk", FAULT, "is full", "make room")) == (
        "fault    disk: is full; make room"
    )


def test_configuration() -> None:
    assert told(configuration([])) == [(OK, "no problem found")]
    problems = [
        Problem("http_perod", "is no key", "is ignored"),
        Problem("http_url", "names no server", severity=Severity.FAULT),
        Problem("scan", "cannot be", severity=Severity.ERROR),
    ]
    assert [level for level, _ in told(configuration(problems))] == [WARNING, FAULT, FAULT]


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        (SetAll(), OK, "Ruuvi's sensors are received"),
        (SetAll(ch_37=False, ch_38=False), OK, "Ruuvi's sensors are received"),
        (SetAll(ch_37=False, ch_38=False, ch_39=False), FAULT, "all three channels are off"),
        (SetAll(use_1m_phy=False), FAULT, "1M and coded PHY are off"),
        (SetAll(use_1m_phy=False, use_coded_phy=True), WARNING, "only the coded PHY"),
        (SetAll(fltr_id=0x004C), WARNING, "only company 0x004C passes"),
        (SetAll(fltr_id=0x004C, fltr_tags=False), OK, "Ruuvi's sensors are received"),
    ],
)
def test_scan_settings(settings: SetAll, level: Level, words: str) -> None:
    (finding,) = scan(settings)
    assert finding.level is level
    assert words in finding.sentence
    assert bool(finding.remedy) is (level is not OK)


@pytest.mark.parametrize(
    ("utc", "facts", "level"),
    [
        (1.8e9, {"synchronised": True}, OK),
        (1.8e9, {}, FAULT),
        (1.8e9, {"taken_as_right": True}, WARNING),
        (1.8e9, {"trusted": True}, OK),
        (1.0e9, {"synchronised": True, "trusted": True}, FAULT),
        (1.0e9, {"used": False}, OK),
    ],
)
def test_the_clock(utc: float, facts: dict[str, bool], level: Level) -> None:
    usual = {"synchronised": False, "used": True, "trusted": False, "taken_as_right": False}
    assert clock(utc, **usual | facts).level is level


def test_a_coprocessor_that_works() -> None:
    works = GOOD | {"counters": counted(reports=1000, report_frames=1000)}
    assert told(link(works)) == [
        (OK, "C8:25:2D:8E:9C:2C answers; firmware 2.0.0 or newer"),
        (OK, "reports 1000"),
        (OK, "damaged frames 0 of 1000"),
    ]


def test_one_that_does_not() -> None:
    problem = "no permission to open it. Join dialout"
    closed = GOOD | {"state": LinkState.CLOSED.value, "problem": problem}
    assert told(link(closed)) == [(FAULT, "no permission to open it. Join dialout")]
    silent = GOOD | {"state": LinkState.CONNECTING.value}
    (finding,) = link(silent)
    assert (finding.level, finding.sentence) == (FAULT, "does not answer")
    assert finding.remedy


def test_one_that_hears_nothing() -> None:
    deaf = GOOD | {"state": LinkState.QUIET.value}
    assert told(link(deaf, 8.0))[1] == (WARNING, "it answers, and has reported nothing within 8 s")
    assert told(link(deaf))[1] == (WARNING, "it answers, and has reported nothing")
    only = "only company 0x0499 passes, see company_use_filtering"
    assert list(link(deaf, 8.0, SetAll()))[1].remedy.endswith(only)
    assert only not in list(link(deaf, 8.0, SetAll(fltr_tags=False)))[1].remedy
    heard = GOOD | {"counters": GOOD["counters"] | {"reports": 5}, "seconds_since_report": 300.0}
    radio = list(link(heard, None, SetAll()))[1]
    assert (radio.level, radio.remedy.endswith(only)) == (WARNING, True)
    assert list(link(heard | {"seconds_since_report": 299.0}, None, SetAll()))[1].level is OK


@pytest.mark.parametrize(
    ("counters", "level"),
    [
        (counted(report_frames=10_000, crc_errors=10), OK),
        (counted(report_frames=10_000, crc_errors=11), WARNING),
        (counted(report_frames=1, etx_errors=2), OK),  # it was opened amidst a frame
        (counted(report_frames=1, crc_errors=1, etx_errors=1, delimiter_errors=1), WARNING),
        (counted(report_frames=100, uart_overruns=1), WARNING),
        (counted(report_frames=100, uart_overruns=0), OK),
    ],
)
def test_the_line(counters: dict[str, int | None], level: Level) -> None:
    assert list(link(GOOD | {"counters": counters}))[-1].level is level


@pytest.mark.parametrize("taker", TAKERS)
def test_programs_that_take_ports(taker: str) -> None:
    now, then = (port_taker(PORT, taker, has_it_open=has_it) for has_it in (True, False))
    assert (now.level, then.level) == (FAULT, WARNING)
    assert f"has {PORT} open right now" in now.sentence
    assert now.remedy == then.remedy != ""


def damage(**facts: Any) -> dict[str, Any]:
    usual = {
        "cause": "unknown",
        "is_guess": True,
        "sentence": "damaged",
        "remedy": "mend it",
        "bytes_skipped": 500,
        "bytes_received": 1000,
        "reads": 5,
        "seconds": 4.0,
        "lasts": False,
    }
    return usual | facts


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({}, WARNING),
        ({"reads": 1}, OK),  # noise
        ({"reads": 1, "cause": "jlink", "is_guess": False}, WARNING),
        ({"bytes_received": 1_000_000}, OK),
        ({"bytes_received": 1_000_000, "lasts": True}, WARNING),
        (
            {"bytes_skipped": 0, "cause": "telnet", "is_guess": False},
            WARNING,
        ),
    ],
)
def test_damage_is_judged_before_the_radio(facts: dict[str, Any], level: Level) -> None:
    line, radio = list(link(GOOD | {"damage": damage(**facts)}, 8.0))[1:]
    assert line.topic == f"coprocessor {PORT}, line"
    assert (line.level, line.sentence) == (level, "damaged")
    assert line.remedy == ("mend it" if level is WARNING else "")
    assert radio.remedy == "fix its line first"


def test_one_that_does_not_answer_because_of_damage() -> None:
    silent = GOOD | {"state": LinkState.CONNECTING.value, "damage": damage()}
    (finding,) = link(silent)
    assert (finding.sentence, finding.remedy) == ("does not answer. damaged", "mend it")


def test_bytes_that_were_skipped_count_though_no_frame_was_seen_in_them() -> None:
    counters = counted(opened=1, report_frames=20, bytes_received=2000, bytes_skipped=900)
    assert list(link(GOOD | {"counters": counters}))[-1].level is WARNING
    counters = counted(opened=1, report_frames=20, bytes_received=2000, bytes_skipped=200)
    assert list(link(GOOD | {"counters": counters}))[-1].level is OK


def test_the_disk() -> None:
    assert told([disk("/var/lib/ruuvi-host", 1 << 30, writable=True)]) == [
        (OK, "/var/lib/ruuvi-host has 1024 MiB free")
    ]
    assert disk("/x", 99 << 20, writable=True).level is WARNING
    assert disk("/x", 1 << 20, writable=True).level is FAULT
    assert disk("/x", 1 << 30, writable=False).level is FAULT


def test_the_spool() -> None:
    assert told([spool("custom", 0, None)]) == [(OK, "nothing is waiting")]
    assert told([spool("custom", 3, 600.0)]) == [(OK, "waiting: batches 3, the oldest for 10 min")]
    assert spool("custom", 3, 3600.0).level is WARNING


def test_a_running_host() -> None:
    assert running(None).level is OK
    assert running(None, "denied").sentence == "runs and cannot be asked: denied"
    assert running(None, "denied", is_there=False).sentence == "may run and cannot be asked: denied"
    for name, level in (("ok", OK), ("degraded", WARNING), ("fault", FAULT)):
        document = {"pid": 7, "health": {"level": name, "sentence": "so it is"}}
        finding = running(document)
        assert (finding.level, finding.sentence) == (level, "runs as process 7: so it is")


def test_an_account_that_does_not_add_up() -> None:
    accounts = [{"name": "reports", "unaccounted": n} for n in (0, 2)]
    assert told(accounting({"accounting": accounts})) == [(WARNING, "reports: 2 are in no counter")]
