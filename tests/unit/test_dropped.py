"""What is dropped because of a setting or a size is told once, with the setting to change."""

from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_keys import HOST_BY_NAME
from ruuvi_host.doctor.judgement import Level, drops
from ruuvi_host.intake.intake import MAX_ADV_LEN
from ruuvi_host.monitoring.counters import IntakeCounters, TargetCounters, flat
from ruuvi_host.monitoring.dropped import RECENT, Watched, dropped


def counted() -> tuple[IntakeCounters, TargetCounters]:
    target = TargetCounters()
    target.relay.overflowed, target.relay.aged_out = 4, 5
    return IntakeCounters(evicted=1, too_long=2, filtered=3), target


def test_each_kind_names_its_setting() -> None:
    intake, target = counted()
    sentences = [str(drop) for drop in dropped(flat(intake), [("custom", flat(target))])]
    assert sentences == [
        "table: sensors that left the full table: 1; raise max_sensors",
        f"table: advertisements dropped, of more than {MAX_ADV_LEN} bytes: 2; no setting changes "
        "this limit, which is the gateway's; no Ruuvi sensor sends more",
        "table: reports dropped by the address filter: 3; scan_filter_list and "
        "scan_filter_allow_listed say which sensors pass",
        "custom: batches dropped, because the spool or the disk was full: 4; raise spool.max_mib, "
        "or make room on the disk",
        "custom: batches dropped, because they waited for too long: 5; raise spool.max_age_days",
    ]
    assert {"max_sensors", "spool.max_mib", "spool.max_age_days"} <= set(HOST_BY_NAME)
    assert {"scan_filter_list", "scan_filter_allow_listed"} <= set(BY_NAME)
    assert list(dropped(flat(IntakeCounters()), [("custom", flat(TargetCounters()))])) == []


def test_a_kind_is_new_once_and_recent_while_it_grows() -> None:
    watched, intake = Watched(), IntakeCounters()

    def look(now: float) -> tuple[int, int]:
        looked = watched.look(dropped(flat(intake), []), now)
        return len(looked.first), len(looked.recent)

    assert look(0.0) == (0, 0)
    intake.evicted = 1
    assert look(5.0) == (1, 1)
    assert look(10.0) == (0, 1)
    assert look(5.0 + RECENT) == (0, 0)
    intake.evicted, intake.filtered = 2, 1
    assert look(10.0 + RECENT) == (1, 2)


def test_doctor_says_it_of_a_running_host() -> None:
    intake, target = counted()
    document = {
        "intake": flat(intake),
        "targets": [{"name": "custom", "counters": flat(target)}],
    }
    found = list(drops(document))
    assert [finding.level for finding in found] == [
        *(Level.WARNING, Level.WARNING, Level.OK, Level.WARNING, Level.WARNING),
    ]
    assert found[0].remedy == "raise max_sensors"
