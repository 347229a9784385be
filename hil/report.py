"""The files of a run: JSON for programs and one HTML page. The JUnit XML is pytest's own.

No file holds a device id: it is the key that a gateway signs with.
"""

import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path

from ruuvi_host import __version__

from .page import page
from .results import Result, Run

FORMAT = "ruuvi-host-hil/1"
JSON_NAME, HTML_NAME, XML_NAME = "report.json", "report.html", "junit.xml"


def write(run: Run, directory: Path) -> None:
    """Write both into `directory`, which is made if it is missing. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_json(run), indent=1)
    (directory / JSON_NAME).write_text(f"{text}\n", "utf-8")
    (directory / HTML_NAME).write_text(page(run), "utf-8")


def as_json(run: Run) -> dict[str, object]:
    """The run as report.json has it."""
    return {
        "format": FORMAT,
        "ruuvi_host": __version__,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(run.started)),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "rig": run.rig,
        "description": run.description,
        "is_hardware": run.is_hardware,
        "totals": run.totals(),
        "tests": [_test(result) for result in run.results],
    }


def _test(result: Result) -> dict[str, object]:
    members = asdict(result)
    del members["figures"]
    measured = result.figures
    return members | {
        "seconds": round(result.seconds, 3),
        "figures": [asdict(figure) | {"bound": figure.bound} for figure in measured.figures],
        "series": [asdict(series) for series in measured.series],
    }
