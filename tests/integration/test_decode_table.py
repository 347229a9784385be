"""`decode adv` with several processes, and into tables: the real program, real files."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import load_vectors
from programs import COMMAND, PATIENCE
from terminal import terminal

from ruuvi_host.formats.columns import COLUMNS, kinds

CASES = [c["adv_hex"] for c in load_vectors("formats.json")["cases"]]
LINES = 15_000
PARQUET = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import pyarrow"], stderr=subprocess.DEVNULL).returncode
    != 0,
    reason="no Debian package has pyarrow",
)


def decode(*arguments: str, code: int = 0, stdin: bytes = b"") -> tuple[str, str]:
    ran = subprocess.run(
        [COMMAND, "decode", "adv", *arguments],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert b"Traceback" not in ran.stderr
    return ran.stdout.decode(), ran.stderr.decode()


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several blocks for each of several processes; the last line has no end."""
    file = tmp_path_factory.mktemp("lines") / "adverts"
    every = [*CASES, "zz", "", " ", "0" * 5000, "02 01 06"]
    texts = [
        every[n // 7 % len(every)] if n % 7 == 0 else f"0201061BFF990405{n:046X}"
        for n in range(LINES)
    ]
    file.write_text("\n".join(texts))
    return file


@pytest.fixture(scope="module")
def alone(lines: Path) -> str:
    return decode("--json", f"@{lines}")[0]


@pytest.mark.parametrize("jobs", ["0", "2", "5"])
def test_many_give_what_one_gives(lines: Path, alone: str, jobs: str) -> None:
    assert alone.count("\n") == LINES
    assert decode("--json", "--jobs", jobs, f"@{lines}") == (alone, "")
    assert decode("--json", "--jobs", jobs, stdin=lines.read_bytes()) == (alone, "")


def test_arguments_and_files_of_many_in_their_order(lines: Path, alone: str) -> None:
    out, _ = decode("--json", "--jobs", "3", "00", f"@{lines}", "-", "01", stdin=b"02\n03")
    assert out.startswith('{"adv":"00",')
    assert alone in out
    assert [json.loads(line)["adv"] for line in out.splitlines()[-3:]] == ["02", "03", "01"]
    assert decode("--json", "--jobs", "3", "-") == ("", "")
    decode("--json", "--jobs", "2", "00", "-", stdin=b"00\n\n00", code=1)
    decode("--json", "--jobs", "2", "00", "-", stdin=f"00\n{CASES[0]}\n".encode())


def test_many_answer_a_slow_sender_at_once() -> None:
    with subprocess.Popen(
        [COMMAND, "decode", "adv", "--json", "--jobs", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        for number in range(7):
            process.stdin.write(b"%02x" % number)
            process.stdin.flush()
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["adv"] == f"{number:02}"
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_a_problem_of_many_is_one_sentence() -> None:
    for path, why in (("/nowhere", "No such file or directory"), ("/", "Is a directory")):
        assert decode("--jobs", "3", f"@{path}", code=2) == ("", f"Error: {path}: {why}\n")
    for jobs in ("-1", "65", "two"):
        assert "--jobs" in decode("--jobs", jobs, "00", code=2)[1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_of_many_is_one_sentence(lines: Path) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [COMMAND, "decode", "adv", "--json", "--jobs", "3", f"@{lines}"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
        )
    assert ran.returncode == 1
    assert ran.stderr == b"Error: the output cannot be written: No space left on device\n"


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """It is, also when a test fails."""
    with process:
        try:
            yield
        finally:
            process.kill()


def endless(*arguments: str) -> tuple["subprocess.Popen[bytes]", "subprocess.Popen[bytes]"]:
    """A sender without end, and the program, which has answered."""
    sender = subprocess.Popen(["yes", CASES[0]], stdout=subprocess.PIPE)
    process = subprocess.Popen(
        [COMMAND, "decode", "adv", "--json", "--jobs", "3", *arguments],
        stdin=sender.stdout,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert sender.stdout
    assert process.stdout
    sender.stdout.close()
    assert process.stdout.readline()
    return sender, process


def children_of(process: "subprocess.Popen[bytes]") -> list[int]:
    return [
        int(n) for n in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]


@pytest.mark.parametrize("what", ["leave", "interrupt", "all", "kill"])
def test_an_end_that_comes_early(what: str) -> None:
    sender, process = endless()
    assert process.stdout
    assert process.stderr
    with ended(process), ended(sender):
        others = children_of(process)
        assert len(others) == 2
        if what == "leave":
            process.stdout.close()
        elif what == "interrupt":
            process.send_signal(signal.SIGINT)
        elif what == "all":  # as Ctrl-C does
            os.killpg(process.pid, signal.SIGINT)
        else:
            os.kill(others[0], signal.SIGKILL)
        if what != "leave":
            process.stdout.read()
        code, said = process.wait(PATIENCE), process.stderr.read()
    if what == "leave":
        assert (code, said) == (0, b"")
    elif what == "kill":
        assert code == 1
        assert said.startswith(b"Error: a process of --jobs was ended from outside")
    else:
        assert code == 1
        assert said == b"\nAborted!\n"
    for other in others:  # waited for, so they are gone
        assert not os.path.exists(f"/proc/{other}")


def test_a_table(lines: Path, alone: str, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    out.write_text("an older one")
    assert decode("--csv", str(out), f"@{lines}") == ("", "")
    with out.open(newline="") as file:
        table = list(csv.DictReader(file, strict=True))
    assert tuple(table[0]) == COLUMNS
    for number, (row, answer) in enumerate(zip(table, alone.splitlines(), strict=True), 1):
        expected = json.loads(answer) | {"line": number}
        del expected["adv"]
        texts = {
            k: str(v).lower() if isinstance(v, bool) else str(v)
            for k, v in expected.items()
            if v is not None
        }
        assert {k: v for k, v in row.items() if v} == texts
    for jobs in ("1", "3"):
        assert decode("--csv", "-", "--jobs", jobs, f"@{lines}")[0] == out.read_text()
    decode("--csv", str(out), "--jobs", "3", "00", "-", stdin=b"01\n02", code=1)
    assert [row.split(",")[:2] for row in out.read_text().splitlines()[1:]] == [
        ["1", "not_ruuvi"],
        ["2", "malformed_ad"],
        ["3", "malformed_ad"],
    ]
    assert sorted(os.listdir(tmp_path)) == ["table.csv"]


@pytest.mark.parametrize("kind", ["--csv", pytest.param("--parquet", marks=PARQUET)])
@pytest.mark.parametrize(
    ("jobs", "number", "code", "said"),
    [
        ("1", signal.SIGINT, 1, b"\nAborted!\n"),
        ("2", signal.SIGINT, 1, b"\nAborted!\n"),
        ("2", signal.SIGTERM, 143, b""),
    ],
)
def test_a_table_that_is_not_complete_is_not_there(
    kind: str, jobs: str, number: signal.Signals, code: int, said: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "table"
    out.write_text("an older one")
    options = (kind, str(out), "--jobs", jobs)
    decode(*options, "-", "@/nowhere", code=2, stdin=b"00")
    sender = subprocess.Popen(["yes", CASES[0]], stdout=subprocess.PIPE)
    process = subprocess.Popen(
        [COMMAND, "decode", "adv", *options], stdin=sender.stdout, stderr=subprocess.PIPE
    )
    assert sender.stdout
    assert process.stderr
    sender.stdout.close()
    with ended(process), ended(sender):
        while len(os.listdir(tmp_path)) == 1:
            assert process.poll() is None
        process.send_signal(number)
        assert (process.wait(PATIENCE), process.stderr.read()) == (code, said)
    assert os.listdir(tmp_path) == ["table"]
    assert out.read_text() == "an older one"


@pytest.mark.parametrize("kind", ["--csv", pytest.param("--parquet", marks=PARQUET)])
def test_where_no_table_can_be(kind: str, tmp_path: Path) -> None:
    for path, why in (
        ("/dev/null", "is not a file"),
        (str(tmp_path), "is not a file"),
        ("", "is not a file"),
        ("/nowhere/table", "No such file or directory"),
    ):
        _, err = decode(kind, path, "00", code=2)
        assert err == f"Error: {path or 'OUT'}: {why}\n"
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    decode(kind, str(link), CASES[0])
    assert link.is_symlink()
    assert target.stat().st_size > 100


def test_one_kind_of_output() -> None:
    for other in (["--json"], ["--gateway-json"], ["--derived"], ["--parquet", "x"]):
        assert "One kind of output" in decode("--csv", "x", *other, "00", code=2)[1]


def test_without_pyarrow_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "no.py").write_text(
        "import sys; sys.modules['pyarrow'] = None\n"
        "from ruuvi_host.cli.main import main\n"
        f"sys.argv[1:] = ['decode', 'adv', '--parquet', {str(tmp_path / 'x')!r}, '00']\nmain()"
    )
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "no.py")], capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("Error: --parquet: needs pyarrow, which is not installed: it is ")
    assert not (tmp_path / "x").exists()


@PARQUET
@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_parquet_file_has_what_the_csv_file_has(
    lines: Path, alone: str, jobs: str, tmp_path: Path
) -> None:
    out = tmp_path / "table.parquet"
    assert decode("--parquet", str(out), "--jobs", jobs, f"@{lines}") == ("", "")
    told = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import json, sys, pyarrow.parquet as parquet\n"
            "table = parquet.read_table(sys.argv[1])\n"
            "print(json.dumps({f.name: [str(f.type), (f.metadata or {}).get(b'unit', b'').decode()]"
            " for f in table.schema}))\n"
            "for row in table.to_pylist(): print(json.dumps(row))",
            str(out),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    schema, *rows = map(json.loads, told.stdout.splitlines())
    names = {int: "int64", float: "double", bool: "bool", str: "string"}
    assert {k: v[0] for k, v in schema.items()} == {k: names[v] for k, v in kinds().items()}
    assert schema["temperature"][1] == "°C"
    for number, (row, answer) in enumerate(zip(rows, alone.splitlines(), strict=True), 1):
        expected = json.loads(answer) | {"line": number}
        del expected["adv"]
        assert row == {**dict.fromkeys(COLUMNS), **expected}


@PARQUET
def test_a_parquet_file_without_rows(tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    assert decode("--parquet", str(out), "-") == ("", "")
    assert out.read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_bar_on_a_terminal(lines: Path, jobs: str, tmp_path: Path) -> None:
    out = str(tmp_path / "table.csv")
    with terminal("decode", "adv", "--csv", out, "--jobs", jobs, f"@{lines}") as screen:
        assert screen.wait() == 0
        assert "reading /" in screen.text
        assert "━" in screen.text
