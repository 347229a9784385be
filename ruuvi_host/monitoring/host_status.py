"""What a host tells of itself to whoever looks after many of them: one short document. Pure.

Its keys are an interface: docs/pages/mqtt.md lists them.
"""

from typing import Any

from firmware_protocol.messages import address_text
from ruuvi_host.monitoring.overview import Overview

_LOST = ("overflowed", "aged_out", "refused", "unreadable", "lost")
"""The reasons for which reports are gone."""


def host_status(
    overview: Overview,
    gateway: bytes | None,
    utc: float,
    now: float,
) -> dict[str, Any]:
    """JSON values only. gateway: its address; None: not known. utc: seconds. now: monotonic
    seconds, from which ages are made."""
    return {
        "version": overview.version,
        "gateway": address_text(gateway) if gateway else None,
        "started": int(utc - overview.uptime),
        "uptime": int(overview.uptime),
        "health": {
            "level": overview.health.level.name.lower(),
            "sentence": overview.health.sentence,
        },
        "radio": [
            {
                "state": link.state.value,
                "seconds_since_report": None
                if link.reported is None
                else round(max(now - link.reported, 0.0), 1),
            }
            for link in overview.links
        ],
        "targets": {
            name: {
                "problem": overview.problems.get(name, ""),
                "waiting_batches": counters.waiting_batches,
                "waiting_reports": counters.waiting_reports,
                "lost_reports": {
                    reason: getattr(counters.relay, f"{reason}_reports") for reason in _LOST
                },
            }
            for name, counters in overview.targets
        },
        "configuration": overview.configuration.document()
        | {"last_error": overview.configuration.error or None},
    }


def what_matters(document: dict[str, Any]) -> object:
    """Of such a document: what is to be told at once when it is another one. It changes seldom;
    the sentence of health does not, as it tells for how long something lasts."""
    return (
        document["health"]["level"],
        [link["state"] for link in document["radio"]],
        {
            name: (target["problem"], target["waiting_batches"] > 0, target["lost_reports"])
            for name, target in document["targets"].items()
        },
        document["configuration"],
    )
