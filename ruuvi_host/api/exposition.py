"""Prometheus' text format: families of samples, with what they mean. Pure.

Source: prometheus.io, exposition formats, text-based format 0.0.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


def escaped(text: str) -> str:
    """A label's value. Whatever a sensor's name or a port's path holds, it is one line."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labelled(labels: Mapping[str, str]) -> str:
    """{name="value",…}; nothing without labels."""
    pairs = ",".join([f'{name}="{escaped(value)}"' for name, value in labels.items()])
    return f"{{{pairs}}}" if pairs else ""


@dataclass(slots=True)
class Family:
    """One metric: its samples stand together, behind the two lines that describe it."""

    name: str
    """With its prefix; of a counter with _total."""
    kind: str
    """counter or gauge."""
    meaning: str
    samples: list[tuple[str, float]] = field(default_factory=list)
    """(labels as text, value)"""

    def add(self, value: float, labels: str = "") -> None:
        """labels: as from `labelled`."""
        self.samples.append((labels, value))

    def __str__(self) -> str:
        meaning = self.meaning.replace("\\", "\\\\").replace("\n", "\\n")
        lines = [f"# HELP {self.name} {meaning}\n# TYPE {self.name} {self.kind}\n"]
        lines += [f"{self.name}{labels} {value:.16g}\n" for labels, value in self.samples]
        return "".join(lines)
