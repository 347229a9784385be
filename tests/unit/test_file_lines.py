"""A batch as JSON lines."""

import json
from dataclasses import replace

from firmware_protocol.messages import DeviceId
from ruuvi_host import formats
from ruuvi_host.config.derived import DERIVED
from ruuvi_host.config.model import Config
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.targets import Content, DataFormat, HttpTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.file.lines import Recent, encoder
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices

GATEWAY = DeviceId(bytes(8), bytes.fromhex("C8252D8E9C2C"))
TAG = bytes.fromhex("02 01 06 1B FF 99 04 05 12FC 5394 C37C 0004 FFFC 040C AC36 42 00CD") + (
    bytes.fromhex("CBB8334C884F")
)
NOW = 1_777_629_615.9


def heard(data: bytes, timestamp: int = 1_777_629_600) -> Advertisement:
    address = bytes.fromhex("CBB8334C884F")
    return Advertisement(address, data, -61, 1, 15, 37, -8, 5.0, timestamp)


def batch(*advertisements: Advertisement, counted: bool = False) -> Batch:
    return Batch(7, GATEWAY, advertisements, counted)


def written(content: Content, given: Batch, config: Config = Config()) -> list[bytes]:  # noqa: B008
    lines = encoder(content, config)(given, NOW)
    assert all(line.endswith(b"}\n") and line.count(b"\n") == 1 for line in lines)
    return lines


def test_a_reading_has_its_own_names() -> None:
    [line] = written(Content.READINGS, batch(heard(TAG)))
    head = {
        "time": "2026-05-01T10:00:00Z",
        "gateway": "C8:25:2D:8E:9C:2C",
        "address": "CB:B8:33:4C:88:4F",
        "rssi": -61,
    }
    assert json.loads(line) == head | formats.fields(formats.decode(TAG))
    assert line.startswith(b'{"time":"2026-05-01T10:00:00Z","gateway":"C8:25')


def test_what_cannot_be_decoded_is_there_as_it_came() -> None:
    [line] = written(Content.READINGS, batch(heard(TAG[:-1])))
    found = json.loads(line)
    assert found["adv"] == TAG[:-1].hex().upper()
    assert found["error"] in ("bad_length", "malformed_ad")
    assert set(found) == {"time", "gateway", "address", "rssi", "adv", "error"}


def test_a_line_for_each_report_in_order() -> None:
    lines = written(Content.READINGS, batch(*(heard(TAG, n) for n in range(5))))
    assert [json.loads(line)["time"][-3:-1] for line in lines] == ["00", "01", "02", "03", "04"]


def test_without_a_clock_there_is_a_number() -> None:
    [line] = written(Content.READINGS, batch(heard(TAG, 17), counted=True))
    assert json.loads(line)["counter"] == 17
    assert b'"time"' not in line


def test_what_is_no_time_at_all_is_no_reason_to_stop() -> None:
    for damaged in (-1, 1 << 62):
        [line] = written(Content.READINGS, batch(heard(TAG, damaged)))
        assert json.loads(line)["counter"] == damaged


def test_a_gateways_body_is_the_same_in_one_line() -> None:
    # A text that looks like what is taken away.
    config = Config(coordinates='1": 2,\\ "nonce": 3', signed_tx_power=True)
    for counted in (False, True):
        given = batch(heard(TAG), heard(b"")._replace(address=bytes(6)), counted=counted)
        facts = BodyFacts(config.coordinates, not counted, signed_tx_power=True)
        body = b"".join(body_slices(given, facts, int(NOW)))
        [line] = written(Content.GATEWAY, given, config)
        assert json.loads(line) == json.loads(body)
        assert line == json.dumps(json.loads(body), separators=(",", ":")).encode() + b"\n"


def test_an_empty_batch_gives_nothing() -> None:
    for content in Content:
        assert written(content, batch()) == []


def test_a_line_of_another_attempt_is_recognised() -> None:
    known = Recent()
    for content in Content:
        encode = encoder(content, Config())
        given = batch(heard(TAG))
        [line] = encode(given, NOW)
        known.add(line)
        [again] = encode(given, NOW + 99)
        assert (again != line) is (content is Content.GATEWAY)
        assert again in known
        other = replace(given, nonce=8, advertisements=(heard(TAG, 1_777_629_601),))
        assert encode(other, NOW)[0] not in known


def test_not_everything_is_remembered() -> None:
    known = Recent()
    for n in range(Recent.MOST + 1):
        known.add(b"%d\n" % n)
    assert b"0\n" not in known
    assert b"1\n" in known


def test_an_rssi_that_is_not_available_is_null() -> None:
    given = batch(heard(TAG, 1_777_629_600)._replace(rssi=127))
    assert json.loads(written(Content.READINGS, given)[0])["rssi"] is None
    (body,) = written(Content.GATEWAY, given)
    assert [tag["rssi"] for tag in json.loads(body)["data"]["tags"].values()] == [127]


def test_derived_values_stand_behind_the_fields() -> None:
    [line] = encoder(Content.READINGS, Config(), derived=("dew_point", "battery_low", "iaqs"))(
        batch(heard(TAG)), NOW
    )
    found = json.loads(line)
    assert list(found)[-4:] == ["mac", "dew_point", "battery_low", "iaqs"]
    assert (found["dew_point"], found["battery_low"], found["iaqs"]) == (14.2621, False, None)
    [unknown] = encoder(Content.READINGS, Config(), derived=("dew_point",))(
        batch(heard(TAG[:-1])), NOW
    )
    assert "dew_point" not in json.loads(unknown)


def test_derived_values_are_of_the_corrected_reading() -> None:
    warmer = Config(sensors=(SensorSettings(heard(TAG).address, "", temperature_offset=10.0),))
    [line] = encoder(Content.READINGS, warmer, derived=("dew_point",))(batch(heard(TAG)), NOW)
    assert json.loads(line)["dew_point"] > 20


def test_a_gateways_body_never_has_derived_values() -> None:
    given = batch(heard(TAG))
    with_all = encoder(Content.GATEWAY, Config(), derived=DERIVED)(given, NOW)
    assert with_all == written(Content.GATEWAY, given)
    for data_format in DataFormat:
        body = b"".join(body_slices(given, BodyFacts(data_format=data_format), int(NOW)))
        assert not [name for name in DERIVED if f'"{name}"'.encode() in body]
    assert not hasattr(HttpTarget, "derived")
