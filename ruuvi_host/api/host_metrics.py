"""The host's own metrics: all counters, health, links and targets. Pure: an Overview in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ruuvi_host.api.exposition import Family, labelled
from ruuvi_host.monitoring.configuration_status import ConfigurationStatus
from ruuvi_host.monitoring.counters import (
    LEVELS,
    Counters,
    IntakeCounters,
    LinkCounters,
    StatisticsCounters,
    TargetCounters,
    flat,
)
from ruuvi_host.monitoring.link_status import LinkState
from ruuvi_host.monitoring.meanings import meanings
from ruuvi_host.monitoring.overview import Overview

PREFIX = "ruuvi_host"

Meanings = Mapping[type[Counters], Mapping[str, str]]

PARTS: Mapping[type[Counters], str] = {
    LinkCounters: "coprocessor",
    IntakeCounters: "intake",
    TargetCounters: "target",
    StatisticsCounters: "statistics",
}


def all_meanings() -> Meanings:
    """What each counter means. Takes some 20 ms: the source is read."""
    return {kind: meanings(kind()) for kind in PARTS}


def host_families(overview: Overview, meant: Meanings, now: float) -> Iterator[Family]:
    """All but the readings. now: monotonic seconds, from which ages are made."""
    yield from _of_host(overview)
    yield from _of_links(overview, now)
    yield from _of_targets(overview)
    yield from _of_known_sensors(overview, now)
    yield from _of_remote_configuration(overview.configuration)
    of_parts: Mapping[type[Counters], Sequence[tuple[str, Counters]]] = {
        LinkCounters: [(_port(link.name), link.counters) for link in overview.links],
        IntakeCounters: [("", overview.intake)],
        TargetCounters: [(labelled({"target": name}), c) for name, c in overview.targets],
        StatisticsCounters: [("", overview.statistics)],
    }
    for kind, counted in of_parts.items():
        yield from _counters(PARTS[kind], counted, meant[kind])


def _counters(
    part: str, counted: Iterable[tuple[str, Counters]], meant: Mapping[str, str]
) -> Iterator[Family]:
    """counted: (labels, counters of one class)."""
    families: dict[str, Family] = {}
    for labels, counters in counted:
        for name, count in flat(counters).items():
            if count is None:  # not known, which is not 0
                continue
            if name not in families:
                is_level = name in LEVELS
                full = f"{PREFIX}_{part}_{name}" + ("" if is_level else "_total")
                meaning = meant.get(name) or name.replace("_", " ")
                families[name] = Family(full, "gauge" if is_level else "counter", meaning)
            families[name].add(count, labels)
    yield from families.values()


def _of_host(overview: Overview) -> Iterator[Family]:
    info = _gauge("info", "The version of ruuvi-host")
    info.add(1, labelled({"version": overview.version}))
    yield info
    yield _one("uptime_seconds", "Since the start of the process", overview.uptime)
    health = _gauge(
        "health", "0: all is well; 1: degraded; 2: a fault. `ruuvi-host status` says why"
    )
    health.add(overview.health.level)
    yield health
    yield _one("sensors", "Sensors in the table", overview.sensors)
    unaccounted = _gauge(
        "unaccounted",
        "Bytes, reports or batches without a counter that says what became of them. Always 0, "
        "or it is a mistake in ruuvi-host",
    )
    for account in overview.accounts():
        unaccounted.add(account.unaccounted, labelled({"account": account.name}))
    yield unaccounted


def _of_links(overview: Overview, now: float) -> Iterator[Family]:
    info = _gauge("coprocessor_info", "Who is at each port")
    state = _gauge("coprocessor_state", "1 for the state that each port is in, 0 for the others")
    damaged = _gauge("coprocessor_line_damaged", "1 while bytes of the line are damaged")
    ages = {
        "report": _gauge("coprocessor_report_age_seconds", "Since the last report"),
        "answer": _gauge("coprocessor_answer_age_seconds", "Since the last answer to a command"),
    }
    for link in overview.links:
        port = {"port": link.name}
        known = {"address": link.address, "firmware": link.firmware}
        info.add(1, labelled(port | {"path": link.path} | known))
        for each in LinkState:
            state.add(each is link.state, labelled(port | {"state": each.value}))
        damaged.add(link.damage is not None and link.damage.is_recent(now), labelled(port))
        for name, at in (("report", link.reported), ("answer", link.answered)):
            if at is not None:
                ages[name].add(round(max(now - at, 0.0), 1), labelled(port))
    yield from (info, state, damaged, *ages.values())


def _of_targets(overview: Overview) -> Iterator[Family]:
    accepting = _gauge("target_accepting", "1 unless the last attempt to deliver a batch failed")
    for name, _ in overview.targets:
        accepting.add(not overview.problems.get(name), labelled({"target": name}))
    yield accepting


def _of_known_sensors(overview: Overview, now: float) -> Iterator[Family]:
    """Those with a table [sensors."AA:BB:CC:DD:EE:FF"]. Also of one that was never heard."""
    silent = _gauge("known_sensor_silent", "1 while it was not heard for its silent_minutes")
    low = _gauge("known_sensor_low_battery", "1 while its battery is below its battery_volts")
    age = _gauge("known_sensor_report_age_seconds", "Since its last report")
    for sensor in overview.known_sensors:
        labels = labelled({"address": sensor.address, "name": sensor.name})
        silent.add(sensor.silent, labels)
        low.add(sensor.low_battery, labels)
        if sensor.heard is not None:
            age.add(round(max(now - sensor.heard, 0.0), 1), labels)
    yield from (family for family in (silent, low, age) if family.samples)


def _of_remote_configuration(status: ConfigurationStatus) -> Iterator[Family]:
    """Nothing where nothing is fetched."""
    if status.fetch is None:
        return
    name = "remote_config_fetch_total"
    fetches = Family(f"{PREFIX}_{name}", "counter", "Fetches of the configuration, by result")
    for result, count in sorted(status.fetches.items()):
        fetches.add(count, labelled({"result": result}))
    if fetches.samples:
        yield fetches
    if status.success is not None:
        meaning = "UTC of the last fetch that brought a configuration, or the same again"
        yield _one("remote_config_last_success_seconds", meaning, int(status.success))
    info = _gauge("remote_config_info", "The hash of the configuration in force")
    info.add(1, labelled({"hash": status.hash}))
    yield info
    on_trial = bool(status.trial and "waiting_for" in status.trial)
    yield _one("remote_config_trial", "1 while a fetched configuration is on trial", on_trial)


def _port(name: str) -> str:
    return labelled({"port": name})


def _gauge(name: str, meaning: str) -> Family:
    return Family(f"{PREFIX}_{name}", "gauge", meaning)


def _one(name: str, meaning: str, value: float) -> Family:
    family = _gauge(name, meaning)
    family.add(value)
    return family
