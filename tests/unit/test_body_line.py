"""A batch as a line says what its body says."""

import json

from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.messages import DeviceId
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.body_line import BodyLines
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices

ADDRESS = st.one_of(st.binary(min_size=6, max_size=6), st.just(bytes(6)))
BYTE = st.integers(0, 255)
ADVERTISEMENT = st.builds(
    Advertisement,
    *(ADDRESS, st.binary(max_size=255), st.integers(-128, 127), BYTE),
    *(st.sampled_from([1, 2, 4, 15, 7]), BYTE, st.none() | st.integers(-127, 127)),
    *(st.just(0.0), st.integers(0, 2**40)),
)


@given(
    st.text(max_size=8),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=6, max_size=6),
    st.lists(ADVERTISEMENT, min_size=1, max_size=4),
    st.booleans(),
)
def test_it_is_what_json_would_write(
    target: str, nonce: int, gateway: bytes, tags: list[Advertisement], counted: bool
) -> None:
    batch = Batch(nonce, DeviceId(bytes(8), gateway), tuple(tags), counted=counted)
    facts = BodyFacts(use_timestamps=not counted)
    body = json.loads(b"".join(body_slices(batch, facts, 1_800_000_000)))
    expected = json.dumps({"target": target, **body}) + "\n"
    assert BodyLines(target).line(batch, 1_800_000_000) == expected
