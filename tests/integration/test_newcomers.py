"""What people get wrong on their first day: each time one sentence that says what to do."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from programs import COMMAND, PATIENCE, ruuvi_host

SETPRIV = shutil.which("setpriv")
NOBODY = "http://127.0.0.1:9/"
PAYLOAD = "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
FILES = {
    "comment.json": '{"use_http": true, // my server\n"http_url": "http://x/"}',
    "comma.json": '{"use_http": true,}',
    "missing.json": '{"use_http": true "http_url": "http://x/"}',
    "single.json": "{'use_http': true}",
    "empty.json": "",
    "colon.toml": 'port: "/dev/ttyACM0"\n',
    "bare.toml": "[[coprocessor]]\nport = /dev/ttyACM0\n",
    "python.toml": "[gateway]\nuse_http = True\n",
    "null.toml": "[gateway]\nhttp_user = null\n",
    "quoted.toml": '[gateway]\nuse_http = "true"\n',
    "number.toml": '[[coprocessor]]\nport = "/dev/x"\nbaud = "115200"\n',
    "backslash.toml": 'state_dir = "C:\\data"\n',
    "address.toml": "[sensors.AA:BB:CC:DD:EE:FF]\nname = 'x'\n",
    "single_bracket.toml": "[coprocessor]\nport = '/dev/x'\n",
    "top.toml": 'port = "/dev/ttyACM0"\n',
    "forgotten.toml": f'[gateway]\nhttp_url = "{NOBODY}"\n',
}


@pytest.fixture(autouse=True)
def _first_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUUVI_HOST_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def assert_told(typed: list[str], code: int, sentence: str) -> None:
    """It ends by itself with this exit code, and says this, to whichever stream."""
    ran = subprocess.run(
        typed, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == code, ran
    assert sentence in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        # Words in a wrong place.
        ("run", 2, "--port: name the port of the coprocessor, or use --simulate"),
        ("run /dev/ttyACM0", 2, "Did you mean '--port /dev/ttyACM0'?"),
        ("listen /dev/ttyACM0", 2, "Did you mean '--port /dev/ttyACM0'?"),
        ("run -p /dev/ttyACM0", 2, "Did you mean '--port'?"),
        (f"run --simulate {NOBODY}", 2, f"Did you mean '--url {NOBODY}'?"),
        (f"check {NOBODY}", 2, f"is an address, and no name of a target: --url {NOBODY}"),
        ("run ruuvi-host.toml", 2, "Did you mean '--config ruuvi-host.toml'?"),
        (
            "config set --config x.toml use_http true",
            2,
            "config set: must be KEY=VALUE without spaces, and use_http is not",
        ),
        (f"run --simulate --url {NOBODY} --interval 10s", 2, "'10s' is not a valid whole number"),
        ("--port /dev/ttyACM0 run", 2, "options of a command stand behind its name"),
        # The port.
        (f"run --port ttyACM0 --url {NOBODY}", 2, "must be a path, as /dev/ttyACM0"),
        (f"run --port COM3 --url {NOBODY}", 2, "is a port of Windows"),
        (f"run --port /dev/ttyACM9 --url {NOBODY}", 3, "there is no such port"),
        # The server.
        ("run --simulate --url my.server:8000", 2, "must begin with http:// or https://"),
        (f"check --simulate --url {NOBODY}", 4, "Connection refused"),
        ("config check --set use_mqtt=true --set mqtt_server=mqtt://x:1883", 2, "without mqtt://"),
        ("run --simulate --config forgotten.toml", 2, "because use_http is not set"),
        # Files.
        ("run --simulate --config .", 2, ".: cannot be read: Is a directory"),
        ("run --simulate --config nothing.toml", 2, "nothing.toml: cannot be read: No such file"),
        ("config check comment.json", 2, "(JSON has no comments)"),
        ("config check comma.json", 2, "one too many)"),
        ("config check missing.json", 2, "(a comma is missing before it)"),
        ("config check single.json", 2, "(texts stand in double quotes)"),
        ("config check empty.json", 2, "(the file is empty)"),
        ("config check colon.toml", 2, '(it is KEY = VALUE, as port = "/dev/ttyACM0")'),
        ("config check bare.toml", 2, "(texts stand in quotes)"),
        ("config check python.toml", 2, "(it is true or false, in lower case)"),
        ("config check null.toml", 2, "(there is no such value: leave the key out)"),
        ("config check quoted.toml", 2, "must be true or false, without quotes"),
        ("config check number.toml", 2, "must be a whole number, without quotes"),
        ("config check backslash.toml", 2, "(a backslash in double quotes is written twice"),
        ("config check address.toml", 2, '(an address stands in quotes there: [sensors."AA:'),
        ("config check single_bracket.toml", 2, "must be a table in double brackets"),
        ("config check top.toml", 2, "port belongs to [[coprocessor]]"),
        ("config set api.listen=127.0.0.1:8080", 2, "name the ruuvi-host.toml or gw_cfg.json"),
        # Looking at it.
        ("status", 5, "no host runs with the state directory"),
        ("spool list", 2, "no host has run here as this user"),
        (f"decode adv {PAYLOAD}", 1, "(this looks like a payload alone: put 1BFF9904 in front)"),
        (f"decode adv 9904{PAYLOAD}", 1, "manufacturer data alone: put 1BFF in front)"),
        (f"decode adv 0x0201061BFF9904{PAYLOAD}", 1, "(without 0x and :)"),
        (f"decode {PAYLOAD}", 2, f"Did you mean 'adv {PAYLOAD[:20]}'?"),
    ],
)
def test_one_sentence_says_what_to_do(typed: str, code: int, sentence: str) -> None:
    for name, text in FILES.items():
        if name in typed:
            Path(name).write_text(text)
    assert_told([COMMAND, *shlex.split(typed)], code, sentence)


@pytest.mark.skipif(os.geteuid() != 0 or not SETPRIV, reason="needs root and setpriv")
@pytest.mark.parametrize("command", ["run --simulate", "config check", "config show"])
def test_a_file_of_somebody_else(tmp_path: Path, command: str) -> None:
    assert SETPRIV
    path = tmp_path / "private.toml"
    path.write_text("")
    path.chmod(0o600)
    os.chown(path, 1, 1)
    # Root, to whom modes of files apply.
    as_others = (SETPRIV, "--bounding-set=-dac_override,-dac_read_search")
    typed = [*as_others, COMMAND, *command.split(), "--config", str(path)]
    assert_told(typed, 2, f"{path}: may not be read: only root and the user")


@pytest.mark.skipif(os.geteuid() != 0 or not SETPRIV, reason="needs root and setpriv")
@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        ("run --simulate --url http://127.0.0.1:9/", 2, "state folder: cannot keep state in"),
        ("spool list", 2, "may not be read: only root and the user"),
        ("status", 5, "cannot be asked:"),
        ("config undo --config mine.toml", 2, "undo: "),
        ("doctor --simulate --url http://127.0.0.1:9/", 3, "may run and cannot be asked"),
    ],
)
def test_a_state_folder_of_somebody_else(
    tmp_path: Path, command: str, code: int, sentence: str
) -> None:
    assert SETPRIV
    Path("mine.toml").touch()
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 1, 1)
    as_others = (SETPRIV, "--bounding-set=-dac_override,-dac_read_search")
    typed = [*as_others, COMMAND, *command.split(), "--state-dir", str(folder)]
    assert_told(typed, code, sentence)


def test_a_variable_without_its_prefix() -> None:
    environment = os.environ | {"RUUVI_HOST_URL": NOBODY}
    ran = subprocess.run(
        [COMMAND, "config", "check"], capture_output=True, text=True, env=environment
    )
    assert "RUUVI_HOST_URL: unknown key; is RUUVI_HOST_HTTP_URL meant?" in ran.stdout


def test_a_second_host(tmp_path: Path) -> None:
    options = ("run", "--simulate", "--url", NOBODY)
    with ruuvi_host(*options) as first:
        first.wait_for("not delivered")
        with ruuvi_host(*options) as second:
            assert second.wait() == 2
        assert f"(process {first.pid})" in second.err[-1]
        assert first.stop() == 0
