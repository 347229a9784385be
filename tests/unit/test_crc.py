"""The CRC: two implementations that judge each other, and frames that others have made."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import load_vectors
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.crc import Crc, crc16, crc16_crcmod, crc16_stdlib

IMPLEMENTATIONS: list[Crc] = [crc16_crcmod(), crc16_stdlib, crc16]

# (what is covered: LEN, CMD, payload; CRC). The last frame has CRC zero.
KNOWN = [(b"", 0xFFFF), (b"123456789", 0x29B1), (bytes.fromhex("0019"), 0x9E17)] + [
    (frame[1:-3], int.from_bytes(frame[-3:-1], "little"))
    for entry in load_vectors("uart.json")["valid"]
    if entry["source"] == "official docs" or entry["name"] == "crc_zero_device_id"
    for frame in [bytes.fromhex(entry["hex"])]
]


@pytest.mark.parametrize("crc", IMPLEMENTATIONS, ids=["crcmod", "stdlib", "chosen"])
@pytest.mark.parametrize(("data", "expected"), KNOWN, ids=lambda value: str(value)[:24])
def test_known_values(crc: Crc, data: bytes, expected: int) -> None:
    assert crc(data) == expected


@given(st.binary(max_size=600))
def test_the_implementations_agree(data: bytes) -> None:
    assert len({crc(data) for crc in IMPLEMENTATIONS}) == 1


REPORT_CHOICE = """
import json, sys
from firmware_protocol import crc
data = [bytes.fromhex(text) for text in json.load(sys.stdin)]
json.dump({
    "chosen": "stdlib" if crc.crc16 is crc.crc16_stdlib else "crcmod",
    "crc16": [crc.crc16(d) for d in data],
    "crcmod": [crc.crc16_crcmod()(d) for d in data],
}, sys.stdout)
"""


@pytest.mark.parametrize("with_extension", [True, False])
def test_crcmod_is_chosen_only_with_its_extension(tmp_path: Path, with_extension: bool) -> None:
    spec = find_spec("crcmod")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    if with_extension and not list(installed.glob("_crcfunext*")):
        pytest.skip("crcmod was installed without its C extension")
    # A copy of the installed package, first on the path: what pip leaves behind without a compiler.
    hidden = shutil.ignore_patterns() if with_extension else shutil.ignore_patterns("_crcfunext*")
    shutil.copytree(installed, tmp_path / "crcmod", ignore=hidden)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-c", REPORT_CHOICE],
        input=json.dumps([data.hex() for data, _ in KNOWN]),
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [value for _, value in KNOWN]
    assert json.loads(ran.stdout) == {
        "chosen": "crcmod" if with_extension else "stdlib",
        "crc16": expected,
        "crcmod": expected,
    }
