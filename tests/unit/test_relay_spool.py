"""The spool: order, bound, and what is written to disk when the host stops."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.messages import DeviceId
from ruuvi_host.advertisement import Advertisement
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.spool import Spool
from ruuvi_host.status import RelayCounters

GATEWAY = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))

octets6 = st.binary(min_size=6, max_size=6)
advertisements = st.builds(
    Advertisement,
    address=octets6,
    data=st.binary(min_size=1, max_size=48),
    rssi=st.integers(-128, 127),
    primary_phy=st.integers(0, 15),
    secondary_phy=st.integers(0, 15),
    channel=st.integers(0, 255),
    tx_power=st.none() | st.integers(-63, 63),
    heard=st.just(0.0),
    stamp=st.integers(0, 2**32),
)
batches = st.builds(
    Batch,
    nonce=st.integers(0, 2**32 - 1),
    gateway=st.builds(DeviceId, id=st.binary(min_size=8, max_size=8), addr=octets6),
    advertisements=st.lists(advertisements, min_size=1, max_size=4).map(tuple),
)


def batch(nonce: int, size: int = 1) -> Batch:
    heard = Advertisement(bytes(6), b"\x02\x01\x06", -60, 1, 15, 37, None, 0.0, 1_800_000_000)
    return Batch(nonce, GATEWAY, (heard,) * size)


def filled(*batches: Batch, max_reports: int = 1000) -> Spool:
    spool = Spool(RelayCounters(), max_reports)
    for each in batches:
        spool.append(each)
    return spool


def taken_out(spool: Spool) -> list[Batch]:
    batches = []
    while spool:
        batches.append(spool.oldest())
        assert spool.remove(spool.oldest())
    assert spool.reports == 0
    return batches


# -- the queue ------------------------------------------------------------------------------------


def test_batches_leave_from_anywhere_and_only_once() -> None:
    first, second, third = batch(1), batch(2, 2), batch(3, 3)
    spool = filled(first, second, third)
    assert spool.remove(second)
    assert not spool.remove(second)
    assert spool.reports == 4
    assert taken_out(spool) == [first, third]


def test_the_bound_counts_reports_and_drops_whole_batches() -> None:
    counters = RelayCounters()
    spool = Spool(counters, max_reports=5)
    for nonce in range(4):
        spool.append(batch(nonce, 2))
    assert [each.nonce for each in taken_out(spool)] == [2, 3]
    assert (counters.overflowed, counters.overflowed_reports) == (2, 4)


def test_a_batch_larger_than_the_bound_is_kept_alone() -> None:
    spool = filled(batch(1), batch(2, 9), max_reports=5)
    assert [each.nonce for each in taken_out(spool)] == [2]


# -- on disk --------------------------------------------------------------------------------------


@given(st.lists(batches, min_size=1, max_size=4))
def test_what_is_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, b: list[Batch]) -> None:
    path = tmp_path_factory.mktemp("state") / "custom.jsonl"
    filled(*b).save(path)
    spool = filled()
    spool.load(path)
    assert taken_out(spool) == b


def test_the_file_is_private_and_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "custom.jsonl"
    old_mask = os.umask(0)
    try:
        filled(batch(1)).save(path)
    finally:
        os.umask(old_mask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_spool_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "custom.jsonl"
    filled(batch(1)).save(path)
    filled().save(path)
    assert list(tmp_path.iterdir()) == []
    filled().save(path)  # nor does it need one
    filled().load(path)


def test_a_loaded_backlog_is_bounded_too(tmp_path: Path) -> None:
    path = tmp_path / "custom.jsonl"
    filled(batch(1), batch(2), batch(3)).save(path)
    spool = filled(max_reports=2)
    spool.load(path)
    assert [each.nonce for each in taken_out(spool)] == [2, 3]


def test_when_it_cannot_be_written_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "custom.jsonl"
    filled(batch(1)).save(path)
    before = path.read_bytes()
    (tmp_path / "custom.new").mkdir()  # in the way of the temporary file, for root too
    with pytest.raises(SpoolError, match=r"custom\.jsonl: cannot keep undelivered data"):
        filled(batch(2)).save(path)
    assert path.read_bytes() == before


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda line: line[: len(line) // 2],
    "empty": lambda line: b"",
    "no JSON": lambda line: b"\x00\xff\xfe",
    "another shape": lambda line: b"[1, 2]",
    "nested": lambda line: b"[" * 100_000,
    "a key is missing": lambda line: line.replace(b'"nonce"', b'"nonse"'),
    "a number is a text": lambda line: line.replace(b"-60", b'"-6"'),
    "a number is no whole one": lambda line: line.replace(b"-60", b"-6.5"),
    "an address is short": lambda line: line.replace(b'"000000000000"', b'"0000000000"'),
    "an id is short": lambda line: line.replace(b"4098a7", b"4098"),
    "too few members": lambda line: line.replace(b"-60, 1,", b"-60,"),
    "hex": lambda line: line.replace(b"020106", b"02010g"),
    "no reports": lambda line: json.dumps(json.loads(line) | {"advertisements": []}).encode(),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_line_costs_only_itself_and_is_set_aside(tmp_path: Path, how: str) -> None:
    path = tmp_path / "custom.jsonl"
    filled(batch(1), batch(2), batch(3)).save(path)
    lines = path.read_bytes().splitlines()
    damaged = DAMAGE[how](lines[1])
    assert damaged != lines[1]
    content = b"\n".join([lines[0], damaged, lines[2]]) + b"\n"
    path.write_bytes(content)
    spool = filled()
    with pytest.raises(SpoolError) as caught:
        spool.load(path)
    assert str(caught.value) == f"{path}: line 2 is damaged; it was set aside as custom.damaged1"
    assert [each.nonce for each in taken_out(spool)] == [1, 3]
    assert [each.name for each in tmp_path.iterdir()] == ["custom.damaged1"]
    assert (tmp_path / "custom.damaged1").read_bytes() == content


def test_an_older_damaged_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "custom.jsonl"
    for n in (1, 2):
        path.write_text(f"damaged {n}\ntwice\n")
        with pytest.raises(SpoolError, match=f"2 lines are damaged; .* custom.damaged{n}$"):
            filled().load(path)
    assert (tmp_path / "custom.damaged1").read_text() == "damaged 1\ntwice\n"


def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "custom.jsonl"
    path.mkdir()
    with pytest.raises(SpoolError, match="Is a directory; it was set aside as custom"):
        filled().load(path)
    filled(batch(1)).save(path)
    assert path.is_file()
