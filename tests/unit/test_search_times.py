"""Texts of others are searched in a time that grows with their length, not with its square."""

import time
from collections.abc import Callable

import pytest

from ruuvi_host.api.access.names import name_of
from ruuvi_host.bundle.masking import Masking
from ruuvi_host.capture.masks import Masks
from ruuvi_host.config import file_checks
from ruuvi_host.monitoring.starts import public

LENGTH = 256 * 1024
PATIENCE = 30.0
"""Seconds. Each took minutes or hours while a search began again at each character."""


def masked(text: str) -> str:
    return Masking(Masks(bytes(16)), ()).text(text)


def header_line(text: str) -> object:
    return file_checks._LINE.fullmatch(text.encode())


@pytest.mark.parametrize(
    ("search", "begin", "again", "end"),
    [
        (name_of, "[", "a", ""),
        (name_of, "[", ":", ""),
        (public, "", "1", ""),
        (public, "", "a.", ""),
        (public, "", "a_", ""),
        (masked, "", "x.", ""),
        (masked, "", "x-", ""),
        (masked, "", "/dev/serial/by-id/", ""),
        (masked, "", "/dev/serial/by-id/x_", ""),
        (header_line, "a:", " \t", "\0"),
    ],
)
def test_time_grows_with_the_length(
    search: Callable[[str], object], begin: str, again: str, end: str
) -> None:
    text = begin + again * (LENGTH // len(again)) + end
    began = time.process_time()
    search(text)
    assert time.process_time() - began < PATIENCE
