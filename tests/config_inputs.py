"""Files and other sources of a configuration, and what was said about them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ruuvi_host.cli.configuration import key_and_value
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.problems import Problem, Severity
from ruuvi_host.config.sources import Inputs

Write = Callable[[str, Any], Path]
SERVER = {"use_http": True, "http_url": "http://server/", "use_http_ruuvi": False}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file, for its owner alone: text as it is, all else as JSON."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else None
        text = content if isinstance(content, str) else None
        path.write_bytes(raw or (text if text is not None else json.dumps(content)).encode())
        path.chmod(0o600)
        return path

    return write


def inputs(config: Path | None = None, *pairs: str, **environment: str) -> Inputs:
    overrides = tuple((*key_and_value(pair), "--set") for pair in pairs)
    variables = {f"RUUVI_HOST_{name}": text for name, text in environment.items()}
    return Inputs(config, None, overrides, variables)


def told(loaded: Loaded) -> list[tuple[str, str, Severity]]:
    """(where, key, how bad) of each problem."""
    return [(Path(p.source).name, p.key, p.severity) for p in problems_of(loaded)]


def problems_of(loaded: Loaded) -> list[Problem]:
    """Without the warnings of defaults that send data somewhere: most files here get them."""
    return [problem for problem in loaded.problems if " by default " not in problem.why]
