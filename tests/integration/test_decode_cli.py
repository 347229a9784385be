"""`ruuvi-host decode adv` as people and scripts run it: the real process, output, exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from decode_command import decode, limited
from programs import COMMAND, PATIENCE

from ruuvi_host.formats.gateway import gateway_members

FORMATS = load_vectors("formats.json")
CASES = {case["name"]: case for case in FORMATS["cases"]}
TAG = CASES["df5-official-valid"]
AIR = CASES["df6-captured"]
KEYED = CASES["df8-docs-corrected"]
KEY = KEYED["keys_hex"][0]
MAC = KEYED["fields"]["mac"]


def adv_json(*arguments: str | bytes, stdin: bytes = b"", code: int = 0) -> list[dict[str, Any]]:
    out, err = decode("adv", "--json", *arguments, stdin=stdin, code=code)
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def assert_answer(answer: dict[str, Any], case: dict[str, Any]) -> None:
    expected = case.get("fields") or {"error": case["error"]}
    assert answer.pop("adv") == case["adv_hex"]
    assert answer.keys() == expected.keys()
    for name, value in expected.items():
        tolerance = case.get("tolerance", {}).get(name, FORMATS["default_tolerance"])
        same = pytest.approx(value, abs=tolerance) if isinstance(value, float) else value
        assert answer[name] == same, name


# -- adv ------------------------------------------------------------------------------------------


def test_every_known_advertisement() -> None:
    cases = [case for case in CASES.values() if not case.get("keys_hex")]
    answers = adv_json(stdin="\n".join(case["adv_hex"] for case in cases).encode())
    assert len(answers) == len(cases)
    for answer, case in zip(answers, cases, strict=True):
        assert_answer(answer, case)


def test_hex_on_the_command_line() -> None:
    answers = adv_json(TAG["adv_hex"].lower(), "", "zz", AIR["adv_hex"])
    assert_answer(answers[0], TAG)
    assert answers[1:3] == [{"adv": "", "error": "not_ruuvi"}, {"adv": "zz", "error": "bad_hex"}]
    assert_answer(answers[3], AIR)


def test_arguments_and_lines_in_their_order() -> None:
    answers = adv_json("00", "-", "01", stdin=b"02\n03\n", code=1)
    assert [answer["adv"] for answer in answers] == ["00", "02", "03", "01"]


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "adverts"
    file.write_text("\n".join(case["adv_hex"] for case in (TAG, AIR)))
    answers = adv_json("00", f"@{file}", "01")
    assert [answer["adv"] for answer in answers] == ["00", TAG["adv_hex"], AIR["adv_hex"], "01"]
    for path, problem in (("/nowhere", "No such file or directory"), ("/", "Is a directory")):
        assert decode("adv", f"@{path}", code=2) == ("", f"Error: {path}: {problem}\n")
    assert decode("adv", "@", code=2) == ("", "Error: @: No such file or directory\n")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"", {"adv": "", "error": "not_ruuvi"}),
        (b"  02 0106\t", {"adv": "020106", "error": "not_ruuvi"}),
        (b"020106\r", {"adv": "020106", "error": "not_ruuvi"}),
        (b"05", {"adv": "05", "error": "malformed_ad"}),
        (b"0201061", {"adv": "0201061", "error": "bad_hex"}),
        (b"NaN", {"adv": "NaN", "error": "bad_hex"}),
        (b'"\x1b[2J\x00', {"adv": '"\x1b[2J\x00', "error": "bad_hex"}),
        (b"\xff\xfe02", {"adv": "\ufffd\ufffd02", "error": "bad_hex"}),
        ("٠٢".encode(), {"adv": "٠٢", "error": "bad_hex"}),
        (b"00" * 2048, {"adv": "00" * 2048, "error": "not_ruuvi"}),
        (b"00" * 2048 + b"\r", {"adv": "00" * 2048, "error": "not_ruuvi"}),
        ("ä".encode() * 4096, {"adv": "ä" * 4096, "error": "bad_hex"}),
        (b"0" * 4097, {"adv": "0" * 64, "error": "too_long"}),
        (b" " * 4097, {"adv": " " * 64, "error": "too_long"}),
        (b"00" + b"\r" * 30_000, {"adv": "00" + "\r" * 62, "error": "too_long"}),
        (b"0" * 300_000, {"adv": "0" * 64, "error": "too_long"}),
    ],
)
def test_a_strange_line_stops_nothing(line: bytes, answer: dict[str, str]) -> None:
    tag = TAG["adv_hex"].encode()
    first, *strange, last = adv_json("-", stdin=tag + b"\n" + line + b"\n" + tag)
    assert strange == [answer]
    assert_answer(first, TAG)
    assert_answer(last, TAG)


def test_a_long_line_over_two_reads(tmp_path: Path) -> None:
    """What is kept of an unfinished line is enough for all that a line may have."""
    strange = "ä" * 4096
    for lines in (20_000, 19_500):  # the first read, of a file 65,536 bytes, ends in mid-line
        file = tmp_path / "lines"
        file.write_text("00\n" * lines + strange, "utf-8")
        with file.open("rb") as stdin:
            ran = subprocess.run(
                [COMMAND, "decode", "adv", "--json"],
                stdin=stdin,
                stdout=subprocess.PIPE,
                check=True,
            )
        answers = ran.stdout.splitlines()
        assert len(answers) == lines + 1
        assert json.loads(answers[-1]) == {"adv": strange, "error": "bad_hex"}


def test_no_lines_no_answers() -> None:
    assert adv_json("-") == []
    assert adv_json("-", stdin=b"\n") == [{"adv": "", "error": "not_ruuvi"}]


def test_an_argument_that_is_no_text() -> None:
    assert adv_json(b"\xff", "0" * 5000, code=1) == [
        {"adv": "\ufffd", "error": "bad_hex"},
        {"adv": "0" * 64, "error": "too_long"},
    ]


def test_a_slow_sender_is_answered_at_once() -> None:
    with subprocess.Popen(
        [COMMAND, "decode", "adv", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        for case in (TAG, AIR):
            data = case["adv_hex"].encode()
            process.stdin.write(data[:20])
            process.stdin.flush()
            process.stdin.write(data[20:] + b"\n")
            process.stdin.flush()
            assert_answer(json.loads(process.stdout.readline()), case)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_a_line_without_end_is_not_kept() -> None:
    ran = limited("adv", "--json", "-", size=400_000_000)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {"adv": "\0" * 64, "error": "too_long"}


def test_the_reader_may_leave() -> None:
    with (
        subprocess.Popen(["yes", TAG["adv_hex"]], stdout=subprocess.PIPE) as sender,
        subprocess.Popen(
            [COMMAND, "decode", "adv", "--json", "-"],
            stdin=sender.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert sender.stdout
        assert process.stdout
        assert process.stderr
        sender.stdout.close()
        assert_answer(json.loads(process.stdout.readline()), TAG)
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [COMMAND, "decode", "adv", "00"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines() == [
        "Error: the output cannot be written: No space left on device"
    ]


def test_on_a_terminal_something_has_to_be_given() -> None:
    ours, theirs = os.openpty()
    try:
        ran = subprocess.run(
            [COMMAND, "decode", "adv"], stdin=theirs, capture_output=True, timeout=PATIENCE
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ran.returncode == 2
    assert b"Give HEX" in ran.stderr


def test_derived_values_stand_apart() -> None:
    [answer] = adv_json("--derived", AIR["adv_hex"])
    derived = answer.pop("derived")
    assert_answer(answer, AIR)
    assert derived["iaqs_grade"] == "fair"
    assert derived["dew_point"] == pytest.approx(18.1765, abs=1e-4)
    assert derived["acceleration_total"] is None


def test_for_people() -> None:
    out, err = decode("adv", TAG["adv_hex"], AIR["adv_hex"], "", "\x1b[2J")
    assert err == ""
    tag, air, empty, strange = out.strip("\n").split("\n\n")
    assert tag.startswith(TAG["adv_hex"] + "\n")
    for text in ("5 (RAWv2)", "24.3 °C", "53.49 %RH", "100044 Pa", "-0.004 g", "4 dBm"):
        assert text in tag
    for words in ("sound_average not available", "calibration_in_progress no", "426"):
        assert words in " ".join(air.split())
    assert "rtc_running_on_boot yes the clock was already running" in " ".join(air.split())
    assert "dew_point" not in out
    assert "(empty)\n  not_ruuvi: " in empty
    assert "\\x1b[2J\n  bad_hex: " in strange


def test_for_people_with_derived_values_that_there_are() -> None:
    out, _ = decode("adv", "--derived", AIR["adv_hex"])
    assert "dew_point                   18.1765 °C" in out
    assert "acceleration_total" not in out


def test_a_terminal_without_those_characters() -> None:
    out, _ = decode("adv", AIR["adv_hex"], env={"PYTHONIOENCODING": "ascii"})
    assert "25.89 deg C" in out


@pytest.mark.parametrize("options", [[], ["--derived"]])
def test_json_lines_are_what_the_json_module_gives(options: list[str]) -> None:
    lines = [case["adv_hex"] for case in CASES.values()] + ["\u00e5\U0001f600 \"'\\", "zz\x7f"]
    out, _ = decode("adv", "--json", *options, stdin="\n".join(lines).encode())
    for line in out.splitlines():
        assert line == json.dumps(json.loads(line), separators=(",", ":"))


def test_as_a_gateway_decodes() -> None:
    answers = {}
    lines = [case["adv_hex"] for case in CASES.values()]
    out, err = decode("adv", "--gateway-json", stdin="\n".join(lines).encode())
    assert err == ""
    for case, line in zip(CASES.values(), out.splitlines(), strict=True):
        answer = json.loads(line)
        assert answer.pop("adv") == case["adv_hex"]
        expected = "".join(
            f',"{name}":{value}' for name, value in gateway_members(bytes.fromhex(case["adv_hex"]))
        )
        if expected:
            assert line == f'{{"adv":"{case["adv_hex"]}"{expected}}}'
        else:
            assert answer == {"error": "not_recognised"}
        if "gateway_json" in case:
            assert answer.keys() == case["gateway_json"].keys()
            answers[case["format"]] = answer
    assert set(answers) == {"5", "6", "E0", "E1", "F0"}


def test_digits_are_kept_for_a_gateway() -> None:
    out, _ = decode("adv", "--gateway-json", TAG["adv_hex"], "", "zz", "0" * 5000)
    first, *rest = out.splitlines()
    assert '"dataFormat":5,"temperature":24.300,"humidity":53.4900,"pressure":100044,' in first
    assert [json.loads(line) for line in rest] == [
        {"adv": "", "error": "not_recognised"},
        {"adv": "zz", "error": "bad_hex"},
        {"adv": "0" * 64, "error": "too_long"},
    ]


@pytest.mark.parametrize("option", [["--derived"], ["--key", KEY], ["--without", "5"]])
def test_a_gateway_has_no_such_option(option: list[str]) -> None:
    out, err = decode("adv", "--gateway-json", *option, "00", code=2)
    assert out == ""
    assert "cannot be combined" in err


def test_formats_that_are_somebody_elses() -> None:
    hexes = [CASES[name]["adv_hex"] for name in ("df5-official-valid", "dfc5-official-valid")]
    off = [{"adv": adv, "error": "unknown_format"} for adv in hexes]
    assert adv_json("--without", "c5", "--without", "5", *hexes, code=1) == off
    assert adv_json("--without", "C5", *hexes)[1:] == off[1:]
    for wrong in ("FF", "", "0xF0", "FAFA"):
        _, err = decode("adv", "--without", wrong, "00", code=2)
        assert err.startswith(f"Error: --without: {wrong!r} is none of 2, 3, 4, 5, ")
        assert err.count("\n") == 1


# -- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, KEY.lower(), f"{MAC}={KEY}", f"{MAC.lower()}={KEY}"])
def test_a_key_opens(key: str) -> None:
    [answer] = adv_json("--key", "00" * 16, "--key", key, KEYED["adv_hex"])
    assert_answer(answer, KEYED)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], "key_required"),
        (["--key", f"00:00:00:00:00:01={KEY}"], "key_required"),
        (["--key", "00" * 16], "decrypt_failed"),
    ],
)
def test_without_the_right_key(options: list[str], code: str) -> None:
    [answer] = adv_json(*options, KEYED["adv_hex"], code=1)
    assert answer == {"adv": KEYED["adv_hex"], "error": code}


def test_a_file_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# the cellar\n\n{'00' * 16}\r\n  {MAC}={KEY}  \n")
    file.chmod(0o600)
    [answer] = adv_json("--key", f"@{file}", KEYED["adv_hex"])
    assert_answer(answer, KEYED)

    file.chmod(0o640)
    out, err = decode("adv", "--json", "--key", f"@{file}", KEYED["adv_hex"])
    assert_answer(json.loads(out), KEYED)
    assert err == f"Warning: others can read the keys in {file}; chmod 600 keeps them out.\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"{KEY}\n{KEY}00\n", "line 2: a key has 32 hexadecimal digits, and this one has 34"),
        ("\xff\n", "line 1: a key is written as 32 hexadecimal digits"),
        (f"{KEY}\n" * 40_000, "too large for a file of keys"),
        (f"{MAC}={KEY}\n" * 1001, "more than 1000 keys: leave out what is not in range"),
        (f"{KEY}\n" * 51, "more than 50 keys are for every device: write them as MAC=HEX"),
    ],
)
def test_a_bad_file_of_keys(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content, "latin-1")
    file.chmod(0o600)
    out, err = decode("adv", "--key", f"@{file}", "00", code=2)
    assert (out, err.count("\n")) == ("", 1)
    assert str(file) in err
    assert err.endswith(problem + "\n")
    assert KEY[:8] not in err


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (KEY[2:], "--key: a key has 32 hexadecimal digits, and this one has 30"),
        (f"kitchen={KEY}", "--key: the part before = is no address like AA:BB:CC:DD:EE:FF"),
        ("@/nowhere/keys", "/nowhere/keys: No such file or directory"),
        ("@/", "/: Is a directory"),
        ("@", "--key @: No such file or directory"),
    ],
)
def test_a_bad_key(option: str, sentence: str) -> None:
    assert decode("adv", "--key", option, "00", code=2) == ("", f"Error: {sentence}\n")


# -- cost -----------------------------------------------------------------------------------------


def test_json_lines_load_nothing_heavy() -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-m",
            "ruuvi_host",
            "decode",
            "adv",
            "--json",
            TAG["adv_hex"],
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "ruuvi_host.formats" in loaded
    assert not loaded & {"asyncio", "rich", "httpx", "serial", "crcmod", "cryptography", "logging"}
