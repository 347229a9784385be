"""What is remembered of addresses that a configuration is fetched from: ETag, Last-Modified, and
that the own file is not there. Pure.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Validators:
    """Of one address, as its server gave them; empty: it did not."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """By address. `Memory()` makes requests unconditional."""

    validators: dict[str, Validators] = field(default_factory=dict)

    def without(self, url: str) -> Self:
        """Without the validators of one address."""
        rest = {key: value for key, value in self.validators.items() if key != url}
        return replace(self, validators=rest)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "validators": {
                url: {"etag": each.etag, "last_modified": each.last_modified}
                for url, each in self.validators.items()
            }
        }

    @classmethod
    def from_document(cls, document: object) -> Self:
        """What is no such document is an empty memory."""
        try:
            return cls(
                {
                    str(url): Validators(str(each["etag"]), str(each["last_modified"]))
                    for url, each in document["validators"].items()  # type: ignore[index]
                }
            )
        except (TypeError, KeyError, AttributeError):
            return cls()
