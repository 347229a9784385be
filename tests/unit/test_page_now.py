"""What the page shows of losses: every counter that is named, with words for it."""

import re

from ruuvi_host.api.page_files import FOLDER
from ruuvi_host.api.page_now import losses
from ruuvi_host.monitoring.counters import (
    IntakeCounters,
    LinkCounters,
    StatisticsCounters,
    TargetCounters,
)
from ruuvi_host.monitoring.health import Finding, Health, Level
from ruuvi_host.monitoring.link_status import LinkState, LinkStatus
from ruuvi_host.monitoring.overview import Overview


def overview(link: LinkCounters, intake: IntakeCounters, target: TargetCounters) -> Overview:
    status = LinkStatus("/dev/tty", "/dev/tty", LinkState.READY, "", "", None, None, "", link)
    return Overview(
        version="1",
        pid=1,
        uptime=1,
        health=Health((Finding(Level.OK, "reports flow"),)),
        links=[status],
        intake=intake,
        sensors=0,
        missed_most=[],
        targets=[("custom", target)],
        problems={},
        growth={},
        statistics=StatisticsCounters(),
    )


def test_losses_are_told_with_their_reason() -> None:
    link, target = LinkCounters(), TargetCounters(0)
    link.uart_overruns = 2
    target.relay.refused_reports = 3
    told = list(losses(overview(link, IntakeCounters(filtered=1), target)))
    assert told == [
        {"where": "/dev/tty", "reason": "uart_overruns", "count": 2},
        {"where": "", "reason": "filtered", "count": 1},
        {"where": "custom", "reason": "refused_reports", "count": 3},
    ]


def test_nothing_lost_is_nothing_told() -> None:
    assert list(losses(overview(LinkCounters(), IntakeCounters(), TargetCounters(0)))) == []


def test_there_are_words_for_each_reason() -> None:
    from ruuvi_host.api import page_now

    words = set(re.findall(r"^  loss_(\w+):", (FOLDER / "texts.en.js").read_text(), re.MULTILINE))
    assert words == {*page_now._INTAKE, *page_now._LINK, *page_now._TARGET}
