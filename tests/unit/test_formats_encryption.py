"""Keys: whose they are, which fits, and that nobody sees them."""

import subprocess
import sys
from typing import Any

import pytest
from conftest import load_vectors
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from ruuvi_host.formats import FormatError, Keys, decode, decode_payload, derive_key
from ruuvi_host.formats.coding import crc8
from ruuvi_host.formats.df8 import Format8
from ruuvi_host.formats.encryption import parse_key

VECTORS = load_vectors("formats.json")
CASES = {case["name"]: case for case in VECTORS["cases"]}
PASSWORD = b"RuuviComRuuviTag"
MAC = bytes.fromhex("AABBCCDDEEFF")
OTHER_MAC = bytes.fromhex("AABBCCDDEE00")
KEY = bytes(range(16))
WRONG = bytes(16)


def encrypt(plaintext: bytes, key: bytes) -> bytes:
    return Cipher(AES(key), ECB()).encryptor().update(plaintext)


def format_8(sequence: int, key: bytes, mac: bytes = MAC) -> bytes:
    """A payload whose only reading is its sequence number."""
    plaintext = bytes.fromhex("8000FFFFFFFFFFFFFFFF") + sequence.to_bytes(2) + b"\xa5" * 4
    return b"\x08" + encrypt(plaintext, key) + bytes([crc8(plaintext)]) + mac


@pytest.mark.parametrize("case", VECTORS["key_cases"], ids=lambda case: str(case["name"]))
def test_derived_keys(case: dict[str, Any]) -> None:
    password, device_id = (bytes.fromhex(case[n]) for n in ("password_hex", "device_id_hex"))
    assert derive_key(password, device_id, case["order"]).hex().upper() == case["key_hex"]


@pytest.mark.parametrize(
    ("password", "device_id"), [(PASSWORD[1:], bytes(8)), (PASSWORD, bytes(7)), (b"", b"")]
)
def test_derived_keys_need_their_lengths(password: bytes, device_id: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        derive_key(password, device_id, "msb_first")


def test_the_key_of_the_device_is_taken() -> None:
    keys = Keys([(OTHER_MAC, WRONG), (MAC, KEY)])
    reading = decode_payload(format_8(7, KEY), keys)
    assert reading == Format8(8, None, None, None, None, None, None, 7, "AA:BB:CC:DD:EE:FF")
    with pytest.raises(FormatError) as caught:
        decode_payload(format_8(7, KEY, OTHER_MAC), keys)
    assert caught.value.code == "decrypt_failed"


def test_without_a_key_of_this_device_one_is_required() -> None:
    with pytest.raises(FormatError) as caught:
        decode_payload(format_8(7, KEY, OTHER_MAC), Keys([(MAC, KEY)]))
    assert caught.value.code == "key_required"


def sequence(payload: bytes, *keys: bytes) -> int | None:
    """What the first key that fits makes of the sequence number; -1 when none fits."""
    try:
        reading = decode_payload(payload, Keys([(None, key) for key in keys]))
    except FormatError:
        return -1
    assert isinstance(reading, Format8)
    return reading.measurement_sequence


def test_the_first_key_that_fits_wins() -> None:
    """A wrong key slips through the checksum of format 8 once in 256 times."""
    payload = format_8(7, KEY)
    candidates = (number.to_bytes(16) for number in range(1, 100_000))
    lucky = next(key for key in candidates if sequence(payload, key) != -1)
    assert sequence(payload, lucky) != 7
    assert sequence(payload, WRONG, KEY, lucky) == 7
    assert sequence(payload, WRONG, lucky, KEY) == sequence(payload, lucky)


def test_a_wrong_key_before_the_right_one() -> None:
    case = CASES["dffa-valid"]
    keys = Keys([(None, WRONG), (None, bytes.fromhex(case["keys_hex"][0]))])
    assert decode(bytes.fromhex(case["adv_hex"]), keys).data_format == 0xFA


def test_the_length_comes_before_the_key() -> None:
    for payload in (b"\x08" + bytes(22), b"\xfa" + bytes(23)):
        with pytest.raises(FormatError) as caught:
            decode_payload(payload)
        assert caught.value.code == "bad_length"


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (KEY.hex(), (None, KEY)),
        (f"  {KEY.hex().upper()}\n", (None, KEY)),
        (f"aa:bb:CC:DD:EE:FF={KEY.hex()}", (MAC, KEY)),
        (f"AABBCCDDEEFF={KEY.hex()}", (MAC, KEY)),
    ],
)
def test_keys_as_text(text: str, entry: tuple[bytes | None, bytes]) -> None:
    assert parse_key(text) == entry


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "32 hexadecimal digits"),
        (KEY.hex()[2:], "32 hexadecimal digits, and this one has 30"),
        (KEY.hex() + "00", "32 hexadecimal digits, and this one has 34"),
        (KEY.hex()[1:] + "g", "32 hexadecimal digits"),
        (f"={KEY.hex()}", "AA:BB:CC:DD:EE:FF"),
        (f"AA:BB={KEY.hex()}", "AA:BB:CC:DD:EE:FF"),
        (f"kitchen={KEY.hex()}", "AA:BB:CC:DD:EE:FF"),
        (f"AA:BB:CC:DD:EE:FF={KEY.hex()}={KEY.hex()}", "AA:BB:CC:DD:EE:FF"),
    ],
)
def test_what_is_no_key_is_not_repeated(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_key(text)
    assert KEY.hex()[:8] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "entry", [(None, KEY[1:]), (None, b""), (MAC[1:], KEY), (b"AA:BB:CC:DD:EE:FF", KEY)]
)
def test_keys_need_their_lengths(entry: tuple[bytes | None, bytes]) -> None:
    with pytest.raises(ValueError, match=r"bytes, and this one has \d"):
        Keys([entry])


def test_nobody_sees_a_key() -> None:
    keys = Keys([(MAC, KEY), (None, KEY)])
    shown = f"{keys} {keys!r} {[keys]!r}"
    with pytest.raises(FormatError) as caught:
        decode_payload(format_8(7, WRONG), keys)
    shown += f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert "2" in repr(keys)
    for spelling in (KEY.hex(), KEY.hex().upper(), repr(KEY)[2:-1], str(list(KEY))[1:-1]):
        assert spelling not in shown
    with pytest.raises(TypeError):
        vars(keys)


WITHOUT_THE_EXTRA = """
import sys
sys.modules["cryptography"] = None  # what an import finds where it is not installed
from ruuvi_host.formats import FormatError, Keys, decode
for _ in range(2):
    try:
        decode(bytes.fromhex(sys.argv[1]), Keys([(None, bytes(16))]))
    except FormatError as error:
        print(error.code, error)
"""


@pytest.mark.parametrize("name", ["df8-docs-corrected", "dffa-valid"])
def test_without_the_extra(name: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, CASES[name]["adv_hex"]],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = ran.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("key_required ")
        assert "ruuvi-host[encrypted]" in line
    assert ran.stderr.count("ruuvi-host[encrypted]") == 1, "one warning, however many readings"


def test_decoding_other_formats_does_not_load_aes() -> None:
    program = (
        "import sys; from ruuvi_host.formats import decode, Keys;"
        "decode(bytes.fromhex(sys.argv[1]), Keys([(None, bytes(16))]));"
        "sys.exit('cryptography' in sys.modules)"
    )
    adv = CASES["df5-official-valid"]["adv_hex"]
    subprocess.run([sys.executable, "-c", program, adv], check=True)
