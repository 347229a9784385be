"""For tests of what is served by uvicorn: it must have nothing to complain of."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_complaint(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """uvicorn logs what our application should not have done."""
    yield
    assert [
        each.getMessage() for each in caplog.get_records("call") if each.name == "uvicorn.error"
    ] == []
