"""Loading a gateway's gw_cfg.json, for the tests of what its keys mean."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ruuvi_host.config.gateway_keys import RUUVI_CLOUD_URL
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.load import load as load_wishes
from ruuvi_host.config.problems import Problem
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import CUSTOM, RUUVI, HttpTarget

Load = Callable[[Any], Loaded]
CLOUD = HttpTarget(RUUVI, RUUVI_CLOUD_URL)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a document: bytes as they are, all else as JSON."""

    def load(document: Any) -> Loaded:
        path = tmp_path / "gw_cfg.json"
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        path.write_bytes(raw)
        path.chmod(0o600)
        return load_wishes(Inputs(config=path))

    return load


def problems_of(loaded: Loaded) -> list[Problem]:
    """Without the warnings of defaults that send data somewhere: nearly all files here get them."""
    return [problem for problem in loaded.problems if " by default " not in problem.why]


def texts(loaded: Loaded) -> list[str]:
    return [str(problem) for problem in problems_of(loaded)]


def custom(loaded: Loaded) -> HttpTarget:
    (target,) = [target for target in loaded.config.targets if target.name == CUSTOM]
    assert isinstance(target, HttpTarget)
    return target
