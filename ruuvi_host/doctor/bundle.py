"""`ruuvi-host doctor --bundle`: gathers for the archive what the doctor has seen, and the rest."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruuvi_host import __version__
from ruuvi_host.bundle.archive import Material, pack, write
from ruuvi_host.bundle.evidence import NAME, PATIENCE, Evidence
from ruuvi_host.bundle.machine import facts
from ruuvi_host.capture.memory import Recording
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.show import lines, secrets
from ruuvi_host.monitoring import socket
from ruuvi_host.monitoring.starts import story

UNIT = "ruuvi-host"
LINES = 300
"""Of the journal."""
_JOURNAL_TIMEOUT = 10.0
_NO_HOST = "no host runs with this state directory"


def write_bundle(
    path: str, loaded: Loaded, state: Path, findings: Sequence[str], heard: Recording
) -> list[str]:
    """Make the archive. heard: what the doctor has recorded of the port itself.

    Returns what is missing in it, and why, as lines. Raises ConfigError.
    """
    missing: dict[str, str] = {}
    status = _asked(state, socket.NAME, socket.PATIENCE, missing, "status.json")
    evidence = _evidence(state, missing) if status else None
    if evidence:
        config, log, starts = evidence.config, evidence.log, evidence.starts
        records: Sequence[Any] = evidence.records
        if not records:
            missing["capture.pcapng"] = "nothing came over the serial port of the running host"
    else:
        config = [line for line in lines(loaded.sources) if not line.is_kept_only]
        log, starts, records = _journal(missing), story(state), heard.records
        if not records:
            missing.setdefault("capture.pcapng", "nothing came over the serial port")
    material = Material(
        __version__,
        SystemClock.wall(),
        config=config,
        secrets=list(secrets(loaded.sources)),
        status=status,
        log=log,
        starts=starts,
        machine=facts(),
        findings=findings,
        records=records,
        missing=missing,
    )
    write(path, pack(material, os.urandom(32)))
    return [f"{name}: {why}" for name, why in missing.items()]


def _evidence(state: Path, missing: dict[str, str]) -> Evidence | None:
    """Of the running host; None: it cannot be had."""
    document = _asked(state, NAME, PATIENCE, missing, "capture.pcapng")
    try:
        return Evidence.of(document) if document else None
    except (ValueError, TypeError, KeyError):
        missing["capture.pcapng"] = "the running host is of another version"
        return None


def _asked(
    state: Path, name: str, patience: float, missing: dict[str, str], file: str
) -> dict[str, Any] | None:
    """What a running host tells; None, and why in `missing`: it does not."""
    try:
        document = socket.ask(state, name, patience)
    except FileNotFoundError:
        document = None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        missing[file] = f"the running host cannot be asked: {why or 'it does not answer'}"
        return None
    if document is None:
        missing[file] = _NO_HOST
    return document


def _journal(missing: dict[str, str]) -> list[str]:
    """The last lines of the service in systemd's journal, as far as this user may read it."""
    command = ["journalctl", "--unit", UNIT, "--lines", str(LINES), "--output", "short-iso"]
    try:
        ran = subprocess.run(
            [*command, "--no-hostname", "--no-pager", "--quiet"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_JOURNAL_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        missing["log.txt"] = f"{_NO_HOST}, and there is no journalctl to ask"
        return []
    except (OSError, subprocess.TimeoutExpired):
        missing["log.txt"] = f"{_NO_HOST}, and journalctl does not answer"
        return []
    told = ran.stdout.decode("utf-8", "replace").splitlines()
    if not told:
        missing["log.txt"] = (
            f"{_NO_HOST}, and the journal has no line of the unit {UNIT} that this user may read"
        )
    return told
