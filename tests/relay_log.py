"""All lines of the log, for tests of what the relay tells."""

import logging

import pytest


@pytest.fixture(autouse=True)
def all_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
