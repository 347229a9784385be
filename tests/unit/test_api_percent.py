"""Percent-decoding of a value of a query."""

import pytest

from ruuvi_host.api.percent import decoded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", ""),
        ("a+b", "a+b"),
        ("%41%62c", "Abc"),
        ("%C3%a4", "ä"),
        ("%2B%25%26", "+%&"),
        ("%2541", "%41"),
        ("%0A", "\n"),
        ("%ff", "\ufffd"),
        ("%", None),
        ("a%4", None),
        ("%4g", None),
        ("% 1", None),
        ("%%41", None),
        ("%\n1", None),
        ("%00", None),
        ("ok%00", None),
    ],
)
def test_decoded(text: str | None, expected: str | None) -> None:
    assert decoded(text) == expected
