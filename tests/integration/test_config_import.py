"""`ruuvi-host config import` of another program's config.yml, as a user calls it."""

import os
import subprocess
import sys
from pathlib import Path

from programs import COMMAND

BRIDGE = """
gateway_polling: {enabled: true, bearer_token: SECRET-1}
influxdb_publisher: {url: 'http://db:8086', auth_token: SECRET-2, bucket: home}
tag_names: {001122334455: Fridge}
"""


def run(*command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RUUVI_HOST_")}
    ran = subprocess.run(command, capture_output=True, text=True, env=clean)
    assert ran.returncode == code, ran
    assert "Traceback" not in ran.stderr
    assert "SECRET" not in ran.stdout + ran.stderr
    return ran


def test_what_is_taken_is_told_and_can_be_undone(tmp_path: Path) -> None:
    source, target = tmp_path / "config.yml", tmp_path / "ruuvi-host.toml"
    source.write_text(BRIDGE)
    place = ("--config", str(target), "--state-dir", str(tmp_path / "state"))
    ran = run(COMMAND, "config", "import", str(source), *place)
    assert ran.stdout.startswith("a configuration of RuuviBridge\n")
    assert "\ntaken: influxdb_publisher.auth_token -> target.ruuvibridge.token\n" in ran.stdout
    assert "\nnot taken: gateway_polling: " in ran.stdout
    assert target.stat().st_mode & 0o777 == 0o600
    assert 'token = "SECRET-2"' in target.read_text()
    run(COMMAND, "config", "check", str(target))
    run(COMMAND, "config", "undo", *place)
    assert not target.exists()


def test_without_the_library_it_says_what_to_install(tmp_path: Path) -> None:
    source, target = tmp_path / "config.yml", tmp_path / "ruuvi-host.toml"
    source.write_text(BRIDGE)
    program = (
        "import sys; sys.modules['yaml'] = None\n"
        "from ruuvi_host.cli.main import main; sys.exit(main())"
    )
    options = ("config", "import", str(source), "--config", str(target))
    ran = run(sys.executable, "-c", program, *options, code=2)
    assert "ruuvi-host[import], or Debian's python3-yaml" in ran.stderr
    assert not target.exists()


def test_a_listener_that_takes_nothing_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    keys = 'use_http = true\nhttp_data_format = "ruuvi_decoded"\nntp_use = false\n'
    path.write_text(f'[gateway]\nhttp_url = "http://ruuvibridge:8080/"\n{keys}')
    path.chmod(0o600)
    found = run(COMMAND, "config", "check", str(path)).stdout
    assert "http_data_format: ruuvi_decoded: RuuviBridge takes nothing" in found
    assert "ntp_use: false: RuuviBridge takes nothing" in found
    path.write_text(f'[gateway]\nhttp_url = "http://server:8080/"\n{keys}')
    assert "RuuviBridge" not in run(COMMAND, "config", "check", str(path)).stdout
