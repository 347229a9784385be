"""What is made of reports one by one: duplicates, losses, an Air's two formats, replays."""

import json

from conftest import load_vectors

from firmware_protocol.messages import AdvRprt2
from ruuvi_host.cli.listen import _json_line, _text_line
from ruuvi_host.formats import encode
from ruuvi_host.formats.df8 import Format8
from ruuvi_host.formats.dfe1 import FormatE1
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.sensors import Reading, Sensors
from ruuvi_host.monitoring.accounting import accounts_of, unaccounted

CASES = {case["name"]: case for case in load_vectors("formats.json")["cases"]}
TAG = bytes.fromhex(CASES["df5-captured-1"]["adv_hex"])
AIR_6 = bytes.fromhex(CASES["df6-captured"]["adv_hex"])
AIR_E1 = bytes.fromhex(CASES["dfe1-captured"]["adv_hex"])


def report(data: bytes, address: int = 1, rssi: int = -60) -> AdvRprt2:
    return AdvRprt2(address.to_bytes(6, "big"), data, rssi, 1, 15, 37, False, -64)


def tag(sequence: int) -> bytes:
    """Format 5 with this number; it stands before the six bytes of the address."""
    return TAG[:-8] + sequence.to_bytes(2, "big") + TAG[-6:]


def receive(sensors: Sensors, *reports: tuple[bytes, float]) -> list[Reading]:
    readings = [sensors.receive(report(data), now) for data, now in reports]
    assert unaccounted([*accounts_of(sensors.counters)]) == []
    return readings


def test_duplicates_and_losses_are_told_by_the_sequence() -> None:
    sensors = Sensors()
    numbers = 65533, 65533, 65534, 0, 3
    readings = receive(sensors, *((tag(n), float(now)) for now, n in enumerate(numbers)))
    assert [r.duplicate for r in readings] == [False, True, False, False, False]
    (sensor,) = sensors.by_address.values()
    assert (sensor.reports, sensor.measurements, sensor.missed) == (5, 4, 2)
    c = sensors.counters
    assert (c.reports, c.measurements, c.duplicates, c.missed) == (5, 4, 1, 2)


def test_a_restarted_tag_has_lost_nothing() -> None:
    sensors = Sensors()
    receive(sensors, (tag(30000), 0.0), (tag(1), 1.0), (tag(5000), 2.0))
    assert sensors.counters.missed == 0


def test_what_was_missed_in_a_long_silence() -> None:
    sensors = Sensors()
    receive(sensors, (tag(1), 0.0), (tag(2802), 3600.0))
    assert sensors.counters.missed == 2800


def test_a_sequence_that_is_not_available_says_nothing() -> None:
    sensors = Sensors()
    receive(sensors, (tag(65535), 0.0), (tag(65535), 1.0))
    assert (sensors.counters.measurements, sensors.counters.duplicates) == (2, 0)


def test_e1_supersedes_6_for_a_minute() -> None:
    sensors = Sensors()
    readings = receive(sensors, (AIR_6, 0.0), (AIR_E1, 1.0), (AIR_6, 61.0), (AIR_6, 61.1))
    assert [r.error for r in readings] == [None, None, "superseded", None]
    assert sensors.counters.superseded == 1


def test_the_minute_begins_with_the_last_e1_even_if_it_said_nothing_new() -> None:
    sensors = Sensors()
    readings = receive(sensors, (AIR_E1, 0.0), (AIR_E1, 50.0), (AIR_6, 110.0), (AIR_6, 110.1))
    assert [r.error for r in readings] == [None, None, "superseded", None]
    assert [r.duplicate for r in readings] == [False, True, False, False]


def test_an_air_without_a_number_supersedes_as_well() -> None:
    payload = b"\x2b\xff\x99\x04" + encode(FormatE1())
    assert [r.error for r in receive(Sensors(), (payload, 0.0), (AIR_6, 1.0))] == [
        None,
        "superseded",
    ]


def test_an_air_supersedes_no_other_one() -> None:
    sensors = Sensors()
    sensors.receive(report(AIR_E1, 1), 0.0)
    assert sensors.receive(report(AIR_6, 2), 1.0).error is None


def test_formats_that_are_switched_off() -> None:
    sensors = Sensors(without={5})
    assert receive(sensors, (TAG, 0.0))[0].error == "unknown_format"
    assert receive(sensors, (AIR_6, 1.0))[0].error is None


def test_what_was_counted_for_people() -> None:
    sensors = Sensors()
    assert sensors.summary() == "0 sensors: nothing was received"
    receive(sensors, (TAG, 0.0), (TAG, 1.0), (b"", 1.0))
    assert sensors.summary() == (
        "1 sensors: 3 reports, 1 not decoded, 1 measurements, 1 duplicates"
    )


def test_what_is_no_reading() -> None:
    sensors = Sensors()
    named = b"\x08\x09Ruuvi A\x05\xff\x4c\x00\x02\x15"
    assert receive(sensors, (named, 0.0))[0].error == "not_ruuvi"
    (sensor,) = sensors.by_address.values()
    assert (sensor.name, sensor.error) == ("Ruuvi A", "not_ruuvi")
    receive(sensors, (TAG, 1.0), (named, 2.0))
    assert sensor.error is None, "there was a reading, too"


def test_the_least_recently_received_leaves() -> None:
    sensors = Sensors(max_sensors=2)
    for address, now in ((1, 0.0), (2, 1.0), (1, 2.0), (3, 3.0)):
        sensors.receive(report(TAG, address), now)
    assert [a[-1] for a in sensors.by_address] == [1, 3]


def test_random_addresses_push_out_each_other() -> None:
    sensors = Sensors(max_sensors=3)
    for address, now in ((1, 0.0), (1, 1.0), *((n, float(n)) for n in range(2, 20))):
        sensors.receive(report(TAG, address), now)
    assert [a[-1] for a in sensors.by_address] == [1, 18, 19]


# -- replays of encrypted readings ----------------------------------------------------------------

KEY = bytes(range(16))
MAC = "C0:FF:EE:00:00:01"


def encrypted(sequence: int | None, mac: str = MAC) -> bytes:
    """Format 8, complete advertising data."""
    payload = b"\x99\x04" + encode(Format8(measurement_sequence=sequence, mac=mac), KEY)
    return bytes((len(payload) + 1, 0xFF)) + payload


def test_an_encrypted_reading_must_be_newer() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]))
    numbers = ((500, 0.0), (501, 1.0), (501, 2.0), (499, 3.0), (50, 4.0), (502, 5.0))
    readings = receive(sensors, *((encrypted(n), now) for n, now in numbers))
    assert [r.error for r in readings] == [None, None, None, "replayed", "replayed", None]
    assert readings[2].duplicate
    assert sensors.counters.replayed == 2


def test_a_silent_tag_may_begin_again_with_low_numbers() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]))
    numbers = ((500, 0.0), (100, 60.0), (99, 120.0), (7, 180.0), (500, 181.0))
    readings = receive(sensors, *((encrypted(n), now) for n, now in numbers))
    assert [r.error for r in readings] == [None, "replayed", None, None, None]


def test_replays_do_not_keep_a_tag_from_being_silent() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]))
    receive(sensors, (encrypted(500), 0.0), (encrypted(400), 30.0), (encrypted(500), 50.0))
    assert receive(sensors, (encrypted(3), 60.0))[0].error is None


def test_a_replay_under_another_address() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]))
    assert sensors.receive(report(encrypted(500), 1), 0.0).error is None
    for number in (500, 499):
        assert sensors.receive(report(encrypted(number), 2), 1.0).error == "replayed"
    assert sensors.receive(report(encrypted(500), 1), 2.0).duplicate
    assert sensors.receive(report(encrypted(1, "C0:FF:EE:00:00:02"), 3), 3.0).error is None


def test_another_format_in_between_hides_no_replay() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]))
    readings = receive(sensors, (encrypted(500), 0.0), (TAG, 1.0), (encrypted(499), 2.0))
    assert [r.error for r in readings] == [None, None, "replayed"]


def test_a_wrapped_number_is_newer() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]))
    readings = receive(sensors, *((encrypted(n), 0.0) for n in (65533, 65534, 0, 1, 65534)))
    assert [r.error for r in readings] == [None, None, None, None, "replayed"]


def test_encrypted_readings_without_a_number() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]))
    readings = receive(sensors, (encrypted(None), 0.0), (encrypted(None), 1.0))
    assert [r.error for r in readings] == [None, None]


def test_the_newest_of_so_many_devices_is_remembered() -> None:
    sensors = Sensors(Readings(keys=[(None, KEY)]), max_sensors=2)

    def error(number: int, device: int) -> str | None:
        data = encrypted(number, f"C0:FF:EE:00:00:0{device}")
        return sensors.receive(report(data), 0.0).error

    for number, device in ((10, 1), (10, 2), (11, 1), (10, 3)):
        assert error(number, device) is None
    assert error(10, 1) is None, "it has left"
    assert error(9, 3) == "replayed"


def test_without_the_key() -> None:
    assert receive(Sensors(), (encrypted(1), 0.0))[0].error == "key_required"


def test_an_rssi_that_is_not_available() -> None:
    sensors = Sensors()
    reading = sensors.receive(report(TAG, 1)._replace(rssi=127), 0.0)
    assert json.loads(_json_line(reading))["rssi"] is None
    assert "127" not in _text_line(reading).partition("dBm")[0]
