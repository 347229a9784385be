"""What is made of reports one by one: duplicates, losses, an Air's two formats, replays."""

import pytest
from conftest import load_vectors

from firmware_protocol.messages import AdvRprt2
from ruuvi_host.formats import Keys
from ruuvi_host.listening import Air, Reading

CASES = {case["name"]: case for case in load_vectors("formats.json")["cases"]}
TAG = bytes.fromhex(CASES["df5-captured-1"]["adv_hex"])
AIR_6 = bytes.fromhex(CASES["df6-captured"]["adv_hex"])
AIR_E1 = bytes.fromhex(CASES["dfe1-captured"]["adv_hex"])


def report(data: bytes, address: int = 1, rssi: int = -60) -> AdvRprt2:
    return AdvRprt2(address.to_bytes(6, "big"), data, rssi, 1, 15, 37, False, -64)


def tag(sequence: int) -> bytes:
    """Format 5 with this number; it stands before the six octets of the address."""
    return TAG[:-8] + sequence.to_bytes(2, "big") + TAG[-6:]


def hear(air: Air, *heard: tuple[bytes, float]) -> list[Reading]:
    return [air.take(report(data), now) for data, now in heard]


def test_duplicates_and_losses_are_told_by_the_sequence() -> None:
    air = Air()
    readings = hear(air, *((tag(n), 0.0) for n in (65533, 65533, 65534, 0, 3)))
    assert [r.duplicate for r in readings] == [False, True, False, False, False]
    (sensor,) = air.sensors.values()
    assert (sensor.reports, sensor.measurements, sensor.lost) == (5, 4, 2)
    assert air.counters.nonzero() == {"reports": 5, "measurements": 4, "duplicates": 1, "lost": 2}


def test_a_restarted_tag_has_lost_nothing() -> None:
    air = Air()
    hear(air, (tag(30000), 0.0), (tag(1), 1.0), (tag(5000), 2.0))
    assert air.counters.lost == 0


def test_a_sequence_that_is_not_available_says_nothing() -> None:
    air = Air()
    hear(air, (tag(65535), 0.0), (tag(65535), 1.0))
    assert (air.counters.measurements, air.counters.duplicates) == (2, 0)


def test_e1_supersedes_6_for_a_minute() -> None:
    air = Air()
    readings = hear(air, (AIR_6, 0.0), (AIR_E1, 1.0), (AIR_6, 61.0), (AIR_6, 61.1))
    assert [r.error for r in readings] == [None, None, "superseded", None]
    assert air.counters.superseded == 1


def test_what_is_no_reading() -> None:
    air = Air()
    named = b"\x08\x09Ruuvi A\x05\xff\x4c\x00\x02\x15"
    assert hear(air, (named, 0.0))[0].error == "not_ruuvi"
    (sensor,) = air.sensors.values()
    assert (sensor.name, sensor.error) == ("Ruuvi A", "not_ruuvi")
    hear(air, (TAG, 1.0), (named, 2.0))
    assert sensor.error is None, "it has been heard with a reading, too"


def test_the_least_recently_heard_leaves() -> None:
    air = Air(max_sensors=2)
    for address, now in ((1, 0.0), (2, 1.0), (1, 2.0), (3, 3.0)):
        air.take(report(TAG, address), now)
    assert [a[-1] for a in air.sensors] == [1, 3]


# -- replays of encrypted readings ----------------------------------------------------------------

KEY = bytes(range(16))


def encrypted(sequence: int) -> bytes:
    """Format 8; the number stands at 10 and 11 of the block."""
    algorithms = pytest.importorskip("cryptography.hazmat.primitives.ciphers.algorithms")
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    block = bytes(10) + sequence.to_bytes(2, "big") + bytes(4)
    crc = 0
    for octet in block:
        crc ^= octet
        for _ in range(8):
            crc = (crc << 1 ^ 7) & 0xFF if crc & 0x80 else crc << 1
    ciphertext = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor().update(block)
    payload = b"\x99\x04\x08" + ciphertext + bytes([crc]) + bytes(6)
    return bytes((len(payload) + 1, 0xFF)) + payload


def test_an_encrypted_reading_must_be_newer() -> None:
    air = Air(Keys([(None, KEY)]))
    numbers = ((500, 0.0), (501, 1.0), (501, 2.0), (499, 3.0), (50, 4.0), (502, 5.0))
    readings = hear(air, *((encrypted(n), now) for n, now in numbers))
    assert [r.error for r in readings] == [None, None, None, "replayed", "replayed", None]
    assert readings[2].duplicate
    assert air.counters.replayed == 2


def test_a_silent_tag_may_begin_again_with_low_numbers() -> None:
    air = Air(Keys([(None, KEY)]))
    numbers = ((500, 0.0), (100, 60.0), (99, 120.0), (7, 180.0), (500, 181.0))
    readings = hear(air, *((encrypted(n), now) for n, now in numbers))
    assert [r.error for r in readings] == [None, "replayed", None, None, None]


def test_replays_do_not_keep_a_tag_from_being_silent() -> None:
    air = Air(Keys([(None, KEY)]))
    hear(air, (encrypted(500), 0.0), (encrypted(400), 30.0), (encrypted(500), 50.0))
    assert hear(air, (encrypted(3), 60.0))[0].error is None


def test_without_the_key() -> None:
    assert hear(Air(), (encrypted(1), 0.0))[0].error == "key_required"
