"""A host whose configuration is on a server: a real process, asked as people ask it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from config_server import MAC, ConfigServer
from programs import PATIENCE, Program, read_again, ruuvi_host

from ruuvi_host.monitoring.socket import ask

OWN = f"/gw/{MAC}.json"


class Led:
    """A host whose configuration is on a server. folder: of its files."""

    def __init__(self, folder: Path, server: ConfigServer, *, trial: float = 5) -> None:
        self.server, self.state = server, folder / "state"
        self.file = folder / "gw_cfg.json"
        self.file.write_text(json.dumps(self.good()))
        self._write_own(trial)

    def _write_own(self, trial: float) -> None:
        folder = self.file.parent
        (folder / "ruuvi-host.toml").write_text(
            f'[api]\nlisten = "unix:{folder / "api.sock"}"\n'
            f"[remote_configuration]\nsplay_s = 0\ntrial_s = {trial:.0f}\n"
        )

    def try_for(self, seconds: float, host: Program) -> None:
        """Have trials from now on last so long, at most."""
        self._write_own(seconds)
        read_again(host)

    def good(self, **others: Any) -> dict[str, Any]:
        """A configuration that works, and what is different in it."""
        return {
            "remote_cfg_use": True,
            "remote_cfg_url": f"{self.server.url}/gw/",
            "use_http_ruuvi": False,
            "use_http_stat": False,
            "use_http": True,
            "http_url": f"{self.server.url}/record",
            "http_period": 1,
            "lan_auth_type": "lan_auth_allow",
            **others,
        }

    def serve(self, document: dict[str, Any] | str, status: int = 200) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        self.server.files[OWN] = (status, text)

    def serve_good(self, **others: Any) -> None:
        self.serve(self.good(**others))

    @contextmanager
    def running(self) -> Iterator[Program]:
        options = ("--simulate", "--config", str(self.file), "--state-dir", str(self.state))
        with ruuvi_host("run", *options) as host:
            yield host

    def status(self) -> dict[str, Any]:
        return self.until(bool)

    def asked(self) -> dict[str, Any] | None:
        """What `status --json` prints; None: no host runs."""
        try:
            return ask(self.state)
        except (OSError, ValueError):
            return None

    def download(self) -> dict[str, Any]:
        """POST /gw_cfg_download."""
        transport = httpx.HTTPTransport(uds=str(self.file.parent / "api.sock"))
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            answer: dict[str, Any] = client.post("http://localhost/gw_cfg_download").json()
            return answer

    def post(self, **keys: Any) -> None:
        """POST /ruuvi.json."""
        transport = httpx.HTTPTransport(uds=str(self.file.parent / "api.sock"))
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            assert client.post("http://localhost/ruuvi.json", json=keys).status_code == 200

    def metrics(self) -> str:
        transport = httpx.HTTPTransport(uds=str(self.file.parent / "api.sock"))
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            return client.get("http://localhost/metrics").text

    def until(self, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Its configuration's status, when `true` of it."""
        deadline = time.monotonic() + PATIENCE
        last: dict[str, Any] | None = None
        while time.monotonic() < deadline:
            document = self.asked()
            if document:
                found: dict[str, Any] = document["configuration"]
                last = found
                if true(found):
                    return found
            time.sleep(0.02)  # who waits is told nothing: it has to be asked again
        raise AssertionError(f"never so; last: {last}")

    def until_fetched(self, result: str) -> dict[str, Any]:
        return self.until(lambda c: c["fetch"]["result"] == result)

    def saved(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.file.read_text())
        return document
