"""What Ruuvi has published, beside this checkout: it is data of others, and not part of it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "vectors" / "schemas"


def published(name: str) -> dict[str, Any]:
    """The JSON document `name`. Where the folder is missing the test is skipped, loudly; with
    CI=true that is a failure."""
    path = FOLDER / name
    if not path.is_file():
        reason = f"NOT CHECKED against what Ruuvi has published: {FOLDER} is missing"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document
