"""Addresses of configurations, what is remembered of them, and when they are fetched."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ruuvi_host.config.url import parse_address
from ruuvi_host.remote.addresses import places, problem_of
from ruuvi_host.remote.memory import Absence, Memory, Validators
from ruuvi_host.remote.schedule import Schedule, offset_of

MAC = st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":").upper())
DRAW = st.floats(0, 1, exclude_max=True)


@given(st.text(), MAC)
@example("https://x.example/a.json?b=c.json", "00:00:00:00:00:00")
@example("https://x.example/a?b=c.json", "00:00:00:00:00:00")
@example("https://[::1]:8/", "00:00:00:00:00:00")
@example("https://x/%", "00:00:00:00:00:00")
def test_any_text_is_an_address_or_told_to_be_none(text: str, mac: str) -> None:
    problem = problem_of(text)
    if problem:
        assert problem.startswith("remote_cfg_url")
        return
    found = places(text, mac)
    for place in filter(None, (found.own, found.common)):
        assert parse_address(place.whole) == place.address
        assert place.url.startswith(("http://", "https://"))


SEGMENT = st.text("abcXYZ019-_.~%20;=+", min_size=1, max_size=8).filter(
    lambda text: not text.endswith(".json")
)


@given(
    st.sampled_from(["http", "https", "HTTP", "Https"]),
    st.sampled_from(["localhost:8000", "cfg.example.com", "[::1]", "10.0.0.1:8"]),
    st.lists(SEGMENT, max_size=3),
    MAC,
    st.booleans(),
)
def test_a_folder_has_two_files(
    scheme: str, host: str, path: list[str], mac: str, slash: bool
) -> None:
    folder = "/".join([host, *path])
    found = places(f"{scheme}://{folder}" + "/" * slash, mac)
    assert found.own.whole == f"{scheme.lower()}://{folder}/{mac.replace(':', '')}.json"
    assert found.common
    assert found.common.whole == f"{scheme.lower()}://{folder}/gw_cfg.json"
    named = places(f"{scheme}://{folder}/one.json?a=/b.JSON", mac)
    assert (named.common, named.own.query) == (None, "a=/b.JSON")


TEXT = st.text(max_size=20)
ABSENCE = st.builds(Absence, st.integers(0, 10), st.none() | st.floats(0, 2e9, allow_nan=False))
MEMORY = st.builds(
    Memory,
    st.dictionaries(TEXT, st.builds(Validators, TEXT, TEXT, TEXT, TEXT), max_size=2),
    st.dictionaries(TEXT, ABSENCE, max_size=2),
)


@given(MEMORY)
def test_a_memory_survives_a_restart(memory: Memory) -> None:
    assert Memory.from_document(json.loads(json.dumps(memory.document()))) == memory


@given(st.recursive(st.none() | st.integers() | TEXT, lambda e: st.dictionaries(TEXT, e)))
def test_anything_can_be_taken_for_a_memory(document: object) -> None:
    assert isinstance(Memory.from_document(document), Memory)
    inside = {"validators": document, "absent": {"x": document}}
    assert isinstance(Memory.from_document(inside), Memory)


@given(MAC, st.integers(1, 65535), DRAW)
def test_a_period_is_the_interval_and_a_tenth_more_or_less(
    mac: str, minutes: int, draw: float
) -> None:
    assert offset_of(mac) == offset_of(mac.lower())
    schedule = Schedule(offset_of(mac), minutes)
    period = schedule.pause(draw)
    assert period == schedule.pause(0.0), "it is not drawn anew"
    assert period == pytest.approx(minutes * 60, rel=0.1)


@given(
    MAC,
    st.integers(0, 65535),
    st.lists(st.tuples(st.booleans(), st.none() | st.floats(0, 1e12)), max_size=40),
    DRAW,
)
def test_there_is_always_a_next_time_after_a_failure(
    mac: str, minutes: int, course: list[tuple[bool, float | None]], draw: float
) -> None:
    schedule = Schedule(offset_of(mac), minutes)
    for good, retry_after in course:
        schedule = schedule.succeeded() if good else schedule.failed()
        pause = schedule.pause(draw, None if good else retry_after)
        if good:
            assert (pause is None) == (minutes == 0)
        elif retry_after is None:
            assert pause is not None
            assert 48 <= pause <= min(4320, 72 * minutes or 4320)
        else:
            assert pause is not None
            assert min(retry_after, 86400) <= pause <= 86460


@given(st.floats(0, 3600), DRAW, st.booleans())
def test_the_first_time(splay: float, draw: float, has_saved: bool) -> None:
    first = Schedule(0.0, 30).first(splay, draw, has_saved=has_saved)
    assert 0 <= first <= splay
    assert has_saved or first == 0
