"""What a fault test found: printed, and added to the report of a soak (tools/soak.py)."""

import json
import os
import time


def tell(scenario: str, **figures: object) -> None:
    """One line of figures, for people on stdout and as JSON in the file $RUUVI_SOAK_REPORT."""
    print(f"{scenario}:", ", ".join(f"{name} {value}" for name, value in figures.items()))
    if path := os.environ.get("RUUVI_SOAK_REPORT"):
        line = {"scenario": scenario, "at": round(time.time()), **figures}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def times(short: int) -> int:
    """How often something is done: `short` in CI, $RUUVI_SOAK_TIMES in a soak."""
    return int(os.environ.get("RUUVI_SOAK_TIMES", short))
