"""The local API as of now: where it can be asked, and who may.

Pure. No key, no password and nothing that is made of one is here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ApiStatus:
    """An API that is on."""

    listening: Sequence[str]
    """Where it can be asked: http://ADDRESS:PORT/ or unix:PATH. Empty: nowhere."""
    fault: str
    """Why it does not listen as configured; empty: it does."""
    access: str
    """Who is in without a key: a lan_auth_type."""
    user: str
    """Who logs in; empty: nobody does."""
    reading_key: bool
    """There is one."""
    writing_key: bool

    def document(self) -> dict[str, Any]:
        """JSON values only."""
        return {
            "listening": list(self.listening),
            "problem": self.fault,
            "access": self.access,
            "user": self.user,
            "reading_key": self.reading_key,
            "writing_key": self.writing_key,
        }


def line(document: dict[str, Any]) -> str:
    """Such a document as text for people."""
    where = ", ".join(document["listening"]) or "nowhere"
    who = document["access"] + (f", user {document['user']}" if document["user"] else "")
    pairs = (("reading", document["reading_key"]), ("writing", document["writing_key"]))
    keys = " and ".join(name for name, there in pairs if there)
    said = f"; {document['problem']}" if document["problem"] else ""
    return f"local API: {where}; {who}; {f'key for {keys}' if keys else 'no key'}{said}"
