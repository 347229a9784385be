"""One fetch of the remote configuration by hand: is it there, and would it be read?"""

from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.relay.kinds import CheckResult
from ruuvi_host.remote.answer import Failed, Fetched
from ruuvi_host.remote.download import fetch
from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.text import Refused, read

REMOTE = "remote"
"""What is checked, as people name it."""
_FAILED = "not fetched"
_SEE = "ruuvi-host config fetch --dry-run shows what would change"

_REMEDIES = {
    "files": "fix the file; nothing was sent",
    "name": "see whether the name in remote_cfg_url is right, and whether this machine can look up "
    "names (getent hosts NAME)",
    "answer": "see whether the server runs, its port is right, and no firewall is between",
    "TLS": "fix what the sentence names, here or on the server",
    "auth": "see whether remote_cfg_auth_type and its secret are those that the server wants",
    "path": "put a file there: the one of this host, or gw_cfg.json for all",
    "server": "try again later; if it stays, look into the server's log",
    "configuration": "fix remote_cfg_url, or what is named",
    "file": "fix the file on the server; what this host has stays in force",
}
_STEPS = {
    "auth": "auth",
    "not_found": "path",
    "unreachable": "answer",
    "tls": "TLS",
    "too_long": "file",
}


async def check_remote(settings: RemoteSettings, mac: str) -> CheckResult:
    """Nothing is changed or remembered. mac: of the gateway, "AA:CC:EE:00:11:22"."""
    answer = (await fetch(settings, mac, Memory())).answer
    if isinstance(answer, Failed):
        where = f" ({answer.url})" if answer.url else ""
        return _failed(_step(answer), f"{answer.reason}{where}", answer.status)
    assert isinstance(answer, Fetched)  # nothing was remembered, so there is no 304
    try:
        reading = read(answer.text)
    except Refused as error:
        return _failed("file", f"{error} ({answer.url})", answer.status)
    told = f"fetched {answer.url} (status {answer.status}): {len(reading.document)} keys"
    if reading.warnings:
        told += f"; {'; '.join(reading.warnings)}"
    return CheckResult(REMOTE, f"{told}; {_SEE}", code=answer.status)


def _step(answer: Failed) -> str:
    if answer.cause in ("name", "file"):
        return "name" if answer.cause == "name" else "files"
    if answer.result == "refused":
        return "file" if answer.url else "configuration"
    return _STEPS.get(answer.result, "server")


def _failed(step: str, reason: str, status: int) -> CheckResult:
    return CheckResult(REMOTE, reason, step, _REMEDIES[step], status, _FAILED)
