"""Whatever answers in the place of a broker is told in one line that is safe to print."""

from hypothesis import example, given
from hypothesis import strategies as st

from ruuvi_host.config.mqtt_target import Transport
from ruuvi_host.relay.mqtt.refusals import Step
from ruuvi_host.relay.mqtt.strangers import connack_code, stranger

ANSWERS = st.binary(max_size=200)
BEGINNINGS = st.sampled_from(
    [
        b"",
        b"\x20",
        b"\x20\x02",
        b"\x20\x80\x80",
        b"\x15\x03",
        b"HTTP/",
        b"HTTP/1.1 \x1b[2J",
        b"SSH-",
    ]
)


@given(BEGINNINGS, ANSWERS, st.sampled_from(Transport))
@example(b"\x20\xff\xff\xff\xff", b"\xff", Transport.TCP)
def test_any_answer(beginning: bytes, rest: bytes, transport: Transport) -> None:
    first = beginning + rest
    code, found = connack_code(first), stranger("broker:1883", transport, first)
    assert code is None or (first[0] == 0x20 and 1 <= code <= 255)
    assert (found is None) == (not first or code is not None)
    if found:
        assert found.step is Step.NO_MQTT
        assert str(found).startswith("broker:1883 ")
        assert str(found).isprintable()
        assert len(str(found)) < 300


@given(st.integers(1, 255), st.binary(max_size=3))
def test_a_code_is_found_behind_any_length(code: int, properties: bytes) -> None:
    body = bytes([0, code]) + properties
    assert connack_code(b"\x20" + bytes([len(body)]) + body) == code
    long = bytes([len(body) & 127 | 128, 0])  # the same length, in two bytes
    assert connack_code(b"\x20" + long + body) == code
