"""[[target]] and [[coprocessor]]: from a file, and key by key from --set and `config set`."""

from pathlib import Path

import pytest
from editing import set_keys

from ruuvi_host.cli.configuration import key_and_value
from ruuvi_host.config.arrays import ARRAYS
from ruuvi_host.config.coprocessor import CoprocessorSettings, ResetCommand
from ruuvi_host.config.keys import HostKind
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.show import lines
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import TABLE_KINDS, Content, FileTarget
from ruuvi_host.errors import ConfigError
from ruuvi_host.relay.kinds import MODULES

GOOD = '[[target]]\nname = "log"\nkind = "file"\nfolder = "data"\n'


def loaded(text: str | None, folder: Path, *pairs: str) -> Loaded:
    path = folder / "ruuvi-host.toml"
    if text is not None:
        path.write_text(text)
    overrides = tuple((*key_and_value(pair), "--set") for pair in pairs)
    return load(Inputs(path if text is not None else None, overrides=overrides))


def told(loaded: Loaded) -> list[str]:
    assert all(p.severity is Severity.ERROR for p in loaded.problems)
    return [str(problem) for problem in loaded.problems]


# -- what a class says of its keys ----------------------------------------------------------------


def test_each_kind_of_table_is_served() -> None:
    assert {kind.KIND for kind in TABLE_KINDS} <= set(MODULES)


@pytest.mark.parametrize("settings", [s for array in ARRAYS for s in array.kinds.values()])
def test_keys_are_whole(settings: type[CoprocessorSettings | FileTarget]) -> None:
    names = [key.name for key in settings.KEYS]
    assert len(set(names)) == len(names)
    for key in settings.KEYS:
        assert key.meaning
        assert key.meaning[-1] in ".:", "choices and bounds follow it"
        if key.kind is HostKind.FLAG:
            assert key.name not in ("true", "false")


def test_the_defaults_of_keys_and_settings_are_the_same() -> None:
    given = {"name": "log", "kind": "file", "folder": Path("x")}
    defaults = {key.name: key.default for key in FileTarget.KEYS}
    assert FileTarget.from_table(defaults | given) == FileTarget("log", Path("x"))
    assert FileTarget.from_table(given) == FileTarget("log", Path("x"))


# -- from a file ----------------------------------------------------------------------------------


def test_a_target_of_a_file(tmp_path: Path) -> None:
    more = (
        'content = "gateway"\ninterval = 60\nmax_mib = 2\nmax_age_hours = 3\ncompress = true\n'
        '[[target]]\nname = "a-B_9"\nkind = "file"\nfolder = "/var/log"'
    )
    found = loaded(GOOD + more, tmp_path)
    assert told(found) == []
    assert found.config.targets == (
        FileTarget("log", tmp_path / "data", 60, Content.GATEWAY, 2 << 20, 10800.0, True),
        FileTarget("a-B_9", Path("/var/log")),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GOOD * 101, "target: there are 101 of them, and may be 100"),
        ("target = 5", "target: must be a table in double brackets: [[target]]"),
        ("[target]\nname = 'x'", "target: must be a table in double brackets: [[target]]"),
        (GOOD + "foldr = 'x'", "target[0].foldr: unknown key; is folder meant?"),
        (GOOD.replace("file", "fil"), "; is file meant?"),
        (GOOD.replace('"file"', "7"), "target[0].kind = 7: must be one of "),
        (GOOD.replace('kind = "file"\n', ""), "target[0].kind: is missing: one of "),
        (GOOD.replace('name = "log"\n', ""), "target[0].name: is missing"),
        (GOOD.replace('folder = "data"\n', ""), "target[0].folder: is missing"),
        (GOOD.replace('"data"', "5"), "target[0].folder = 5: must be a path"),
        (GOOD + "max_mib = 0", "target[0].max_mib = 0: must be at least 1"),
        (GOOD + "interval = 3601", "target[0].interval = 3601: must be at most 3600"),
        (GOOD + "content = 'reading'", "must be one of readings, gateway; is readings meant?"),
        (GOOD.replace("log", "custom"), "target[0].name: custom is a name of a gateway's own"),
        (GOOD.replace("log", "a/b"), "target[0].name: must be 1 to 40 letters, digits, - and _"),
        (GOOD.replace("log", ".."), "target[0].name: must be 1 to 40 letters, digits, - and _"),
        (GOOD.replace("log", "a.b"), "target[0].name: must be 1 to 40 letters, digits, - and _"),
        (GOOD + GOOD, "target[1].name: log is the name of another target"),
    ],
)
def test_what_cannot_be_used_is_told_once(tmp_path: Path, text: str, sentence: str) -> None:
    problems = told(loaded(text, tmp_path))
    assert problems
    assert sentence in problems[0]
    missing = [p for p in problems if "is missing" in p]
    assert len(problems) == 1 or missing == problems[1:], "a value that is refused is missing"


def test_a_gateways_targets_keep_their_names(tmp_path: Path) -> None:
    text = f"{GOOD}[gateway]\nuse_http = true\nhttp_url = 'http://s/'"
    assert [target.name for target in loaded(text, tmp_path).config.targets] == ["custom", "log"]


# -- key by key -----------------------------------------------------------------------------------


def test_set_makes_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = ("target.log.folder=./x", "target.log.compress=yes", "target.log.kind=file")
    found = loaded(None, tmp_path, *pairs)
    assert told(found) == []
    assert found.config.targets == (FileTarget("log", tmp_path / "x", compress=True),)


def test_set_reaches_a_table_by_its_name(tmp_path: Path) -> None:
    text = GOOD + GOOD.replace("log", "other")
    found = loaded(text, tmp_path, "target.other.max_mib=7", "target.log.interval=3")
    first, second = found.config.targets
    assert told(found) == []
    assert (first.period, second) == (
        3,
        FileTarget("other", tmp_path / "data", max_bytes=7 << 20),
    )
    shown = {line.key: (line.value, line.source) for line in lines(found.sources)}
    assert shown["target.other.max_mib"] == (7, "--set")
    assert shown["target.other.folder"] == ("data", str(tmp_path / "ruuvi-host.toml"))
    assert shown["target.log.compress"] == (False, "default")


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (["target.log.folder=/x"], "target.log.kind: is missing: one of "),
        (["target.log.kind=file"], "target.log.folder: is missing"),
        (
            ["target.log.kind=nosuch", "target.log.folder=/x"],
            "target.log.kind = nosuch: must be one",
        ),
        (
            ["target.log.kind=file", "target.log.folder=/x", "target.log.max_mib=many"],
            "target.log.max_mib = many: must be a whole number",
        ),
        (
            ["target.log.kind=file", "target.log.folder=/x", "target.log.foldr=many"],
            "target.log.foldr: unknown key; is folder meant?",
        ),
        (["target.log=x"], "target.log: must be target.NAME.KEY"),
        (["target.=x"], "target.: must be target.NAME.KEY"),
        (["targets.log.kind=file"], "targets.log.kind: unknown key"),
        (["coprocessor.prot=/dev/x"], "coprocessor.prot: unknown key; is port meant?"),
        (["coprocessor.=/dev/x"], "coprocessor.: must be coprocessor.KEY"),
        (["coprocessor.port=/dev/x", "coprocessor.reset=7"], "coprocessor.reset: must be dtr, rts"),
    ],
)
def test_what_cannot_be_set(tmp_path: Path, pairs: list[str], sentence: str) -> None:
    [problem] = told(loaded(None, tmp_path, *pairs))
    assert sentence in problem


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("a b", ("a", "b")),
        ('["a b", "c"]', ("a b", "c")),
        (" ['a b', \"c\",]", ("a b", "c")),
        ('["\\/a"]', ("/a",)),  # as JSON has it, and TOML has not
    ],
)
def test_a_list_is_words_or_an_array(tmp_path: Path, text: str, argv: tuple[str, ...]) -> None:
    pairs = ("coprocessor.port=/dev/x", f"coprocessor.reset_command={text}")
    found = loaded(None, tmp_path, *pairs)
    assert told(found) == []
    assert found.config.coprocessors[0].reset == ResetCommand(argv)


@pytest.mark.parametrize("text", ["[a, b]", '["a"', '["a"]\nb = 1', "[1]", "[" * 10_000])
def test_what_is_no_array_is_told_with_its_key(tmp_path: Path, text: str) -> None:
    pairs = ("coprocessor.port=/dev/x", f"coprocessor.reset_command={text}")
    [problem] = told(loaded(None, tmp_path, *pairs))
    assert problem.startswith("coprocessor.reset_command = ")
    assert problem.endswith(": must be a list of texts")
    problem = str(loaded(None, tmp_path, f"scan_filter_list={text}").problems[0])
    assert problem.startswith("scan_filter_list")


def test_a_list_of_a_gateways_key_is_words_or_an_array(tmp_path: Path) -> None:
    for text in ("AA:BB:CC:DD:EE:FF", '["AA:BB:CC:DD:EE:FF"]', "['AA:BB:CC:DD:EE:FF',]"):
        found = loaded(None, tmp_path, f"scan_filter_list={text}")
        assert found.config.filter.addresses == {bytes.fromhex("AABBCCDDEEFF")}


# -- `config set` ---------------------------------------------------------------------------------


def changed(path: Path, *pairs: str) -> str:
    set_keys(path, [key_and_value(pair) for pair in pairs])
    return path.read_text()


def test_config_set_adds_and_changes_tables(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text("# mine\n")
    changed(path, "target.log.folder=data", "target.log.kind=file", "coprocessor.port=/dev/x")
    text = changed(path, "target.log.max_mib=5", "target.b.kind=file", "target.b.folder=/b")
    assert text.startswith("# mine\n")
    assert loaded(text, tmp_path).config.targets == (
        FileTarget("log", tmp_path / "data", max_bytes=5 << 20),
        FileTarget("b", Path("/b")),
    )
    assert "coprocessor" in text


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (["target.log.max_mib=0"], "target[0].max_mib = 0: must be at least 1"),
        (["target.b.kind=file"], "target.b.folder: is missing"),
        (["target.b.folder=x"], "target.b.kind: is missing: one of "),
        (["target.a/b.kind=file", "target.a/b.folder=x"], "target.a/b.name: must be 1 to 40"),
        (["target.b=x"], "target.b: must be target.NAME.KEY"),
    ],
)
def test_config_set_refuses(tmp_path: Path, pairs: list[str], sentence: str) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(GOOD)
    with pytest.raises(ConfigError) as refused:
        changed(path, *pairs)
    assert sentence in str(refused.value)
    assert path.read_text() == GOOD
