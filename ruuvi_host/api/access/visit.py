"""What handlers can ask about the request that they answer."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from ruuvi_host.api.access.admission import Admission, Asked, By, Caller
from ruuvi_host.api.access.exchange import AgreedKeys
from ruuvi_host.api.access.settings import Access


@dataclass(slots=True)
class Visit:
    """One request, and what is remembered of all."""

    admission: Admission
    asked: Asked
    caller: Caller
    agreed: AgreedKeys
    given_session: str = ""
    """The session whose challenge the answer carries."""

    @property
    def access(self) -> Access:
        return self.admission.access


def visit(request: Request) -> Visit:
    """Of a request that has passed the gate."""
    return cast(Visit, request.state.visit)


def caller(request: Request) -> Caller:
    """Who asks, and what let them in."""
    return visit(request).caller


__all__ = ["By", "Caller", "Visit", "caller", "visit"]
