"""The cases of tests/vectors/local_api.json: what is asked, and what must be answered.

A case comes from the gateway's own code, with its random numbers in it. A host has others, so what
depends on them (challenges, nonces, keys of encryption) is calculated anew from what the host gives
out.

Source of the file: compiled code of ruuvi.gateway_esp.c 5d0ab90 and esp32-wifi-manager ad9bb5b; see
`source` of each case.
"""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from conftest import load_vectors

from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.problems import Problems

Case: TypeAlias = Mapping[str, Any]

CASES: dict[str, Case] = {case["name"]: case for case in load_vectors("local_api.json")["cases"]}

DOWNLOADS = {name: case for name, case in CASES.items() if name.startswith("download_")}
"""Those that fetch a configuration: see integration/test_remote_vectors.py."""

NEVER = {name for name, case in CASES.items() if "skip" in case.get("host", {})}
"""What does not happen on a host."""

EMPTIED = {"default_session_post"}
"""Only a part of the gateway was compiled, and not what empties the table after a change."""
GIVEN = {"tags", "now", "time_known", "uptime_us", "counters", "storage_ready"}
"""Of `state`: what a process of its own cannot be given."""

GATEWAY_NAME = "RuuviGatewayEEFF"
DEVICE_ID, MAC = "0011223344556677", "AABBCCDDEEFF"
NOW = 1_700_000_000
PATIENCE = 30.0
CLIENT = "192.168.1.10"

EXTRA = ("WWW-Authenticate", "Set-Cookie", "Location", "Ruuvi-prev-url", "Ruuvi-Ecdh-Pub-Key")
"""Header fields that are compared; of the others only that they are there."""
ALWAYS = ("Server", "Date", "Content-Type", "Content-Length", "Cache-Control", "Pragma")

VERSION = "v1.17.3"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each.lower() == name.lower()]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")


async def ask(
    address: tuple[str, int], request: Mapping[str, Any], network: str = "127.1.1"
) -> Answer:
    """Send one request octet for octet, and read the answer.

    Clients are told apart by their loopback addresses: 192.168.1.10 asks from 127.1.1.10.
    """
    source = f"{network}." + request.get("remote_ip", CLIENT).rpartition(".")[2]
    reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    try:
        version = request.get("version", "HTTP/1.1")
        line = f"{request['method']} {request['target']}" + (f" {version}" if version else "")
        lines = [line, *(f"{name}: {value}" for name, value in request["headers"]), "", ""]
        writer.write("\r\n".join(lines).encode("utf-8") + request.get("body", "").encode())
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *rest = head.decode("latin-1").split("\r\n")[:-2]
            headers = [(name, value) for name, _, value in (each.partition(": ") for each in rest)]
            answer = Answer(int(first.split(" ")[1]), headers, b"")
            length = int(answer.first("Content-Length"))
            body = b"" if request["method"] == "HEAD" else await reader.readexactly(length)
            return Answer(answer.status, headers, body)
    finally:
        writer.close()


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Translation:
    """What the host has given out in place of what the gateway had given out in this case."""

    case: Case
    nonce: str = ""
    """Of digest, as the host gave it."""
    version: str = VERSION
    """Of the host."""
    given: list[dict[str, str]] = field(init=False)
    """Challenges of the gateway that are still to come."""
    words: dict[str, str] = field(default_factory=dict)
    """Challenge or session id of the gateway → of the host."""
    secret: bytes | None = None
    """The key of encryption that the host has agreed on."""

    def __post_init__(self) -> None:
        self.given = list(self.case.get("state", {}).get("challenges", []))

    # -- what comes from the host -----------------------------------------------------------------

    def learn(self, answer: Answer) -> None:
        challenge = re.search(
            r'challenge="([0-9a-f]{64})".*session_id="([A-Z]{16})"',
            answer.first("WWW-Authenticate"),
        )
        if challenge and self.given:
            given = self.given.pop(0) if len(self.given) > 1 else self.given[0]
            self.words[given["challenge"]] = challenge[1]
            self.words[given["session_id"]] = challenge[2]
        if public := answer.first("Ruuvi-Ecdh-Pub-Key"):
            self.secret = shared_secret(self._key("client"), base64.b64decode(public))

    def _key(self, whose: str) -> bytes:
        return bytes.fromhex(self.case["state"][f"ecdh_{whose}_private_key"])

    # -- what goes to it --------------------------------------------------------------------------

    def request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        body, target = request.get("body", ""), request["target"]
        body = self._login(self._encrypted_body(body))
        target = self._encrypted_query(target)
        headers = []
        for name, value in request["headers"]:
            if name == "Content-Length" and int(value) == len(request.get("body", "").encode()):
                value = str(len(body.encode()))
            if name == "Cookie":
                value = self.word(value)
            if name == "Authorization" and value.startswith("Digest "):
                value = self._digest(value, request["method"])
            headers.append((name, value))
        return {**request, "target": target, "headers": headers, "body": body}

    def word(self, text: str) -> str:
        """A text of the gateway, with the host's challenges and session ids."""
        for given, actual in self.words.items():
            text = text.replace(given, actual)
        return text

    def _login(self, body: str) -> str:
        """A password that answers a challenge of the gateway answers that of the host."""
        config = self.case["config"]
        user = f"Admin:{GATEWAY_NAME}:{bytes.fromhex(DEVICE_ID).hex(':')}"
        stored = config.get("lan_auth_pass", md5(user))
        for given, actual in self.words.items():
            body = body.replace(sha256(f"{given}:{stored}"), sha256(f"{actual}:{stored}"))
        return body

    def _digest(self, value: str, method: str) -> str:
        parts = dict(re.findall(r'(\w+)="?([^",]*)"?', value.removeprefix("Digest ")))
        first = self.case["config"]["lan_auth_pass"]

        def response(nonce: str, method: str) -> str:
            last = md5(f"{method}:{parts['uri']}")
            return md5(f"{first}:{nonce}:{parts['nc']}:{parts['cnonce']}:{parts['qop']}:{last}")

        for each in (method, "GET"):
            if parts["response"] == response(parts["nonce"], each):
                value = value.replace(parts["response"], response(self.nonce, each))
        return value.replace(parts["nonce"], self.nonce)

    def _encrypted_body(self, body: str) -> str:
        try:
            envelope = json.loads(body)
            iv = base64.b64decode(envelope["iv"])
            content = base64.b64decode(envelope["encrypted"])
        except (ValueError, KeyError, TypeError):
            return body
        return json.dumps(envelope | {"encrypted": self._anew(content, iv)})

    def _encrypted_query(self, target: str) -> str:
        found = re.search(r"encrypted_password=([^&]*)&encrypted_password_iv=([^&]*)", target)
        if not found:
            return target
        content, iv = (base64.b64decode(unquote(part)) for part in found.groups())
        return target.replace(found[1], quote(self._anew(content, iv), safe=""))

    def _anew(self, content: bytes, iv: bytes) -> str:
        """Encrypted with the key that the host has."""
        if self.secret:
            given = shared_secret(self._key("client"), public_of(self._key("server")))
            content = aes(self.secret, iv, aes(given, iv, content, decrypt=True))
        return base64.b64encode(content).decode()


# -- playing a case -------------------------------------------------------------------------------


async def play(
    case: Case,
    address: tuple[str, int],
    folder: Path,
    translation: Translation,
    network: str = "127.1.1",
) -> None:
    """Play a case. folder: of the configuration."""

    async def answer_to(request: Mapping[str, Any]) -> Answer:
        answer = await ask(address, translation.request(request), network)
        translation.learn(answer)
        return answer

    if case.get("state", {}).get("nonces_given_out"):
        first = await answer_to({**case["request"], "headers": [("Host", "gw.local")], "body": ""})
        translation.nonce = first.first("WWW-Authenticate").partition('nonce="')[2][:64]
    for request in case.get("before", []):
        answer = await answer_to(request)
        assert answer.status == request["expect_status"], answer
    check(case, await answer_to(case["request"]), translation)
    if "saved_config_after" in case and "host" not in case:
        saved = (folder / "gw_cfg.json").read_text("utf-8")
        assert values(saved) == values(case["saved_config_after"])
    for after in case.get("after", []):
        answer = await answer_to(after["request"])
        about = {"name": case["name"], "config": case["config"]}
        if case["name"] in EMPTIED:
            about["host"] = {"tags": []}
        check({**after, **about}, answer, translation)


def values(text: str) -> dict[str, Any]:
    """What a saved file means."""
    gateway = GatewayConfig()
    gateway.update(json.loads(text), Problems())
    defaults = {"mqtt_prefix": "ruuvi/AA:BB:CC:DD:EE:FF/", "mqtt_client_id": "AA:BB:CC:DD:EE:FF"}
    return gateway.values | {name: gateway[name] or each for name, each in defaults.items()}


# -- what must come back --------------------------------------------------------------------------


def check(case: Case, answer: Answer, translation: Translation) -> None:
    """Raises AssertionError."""
    host, response = case.get("host", {}), case["response"]
    told = f"{answer.status} {answer.headers} {answer.body!r}"
    wanted = host.get("status", response and response["status"])
    assert answer.status in (wanted if isinstance(wanted, list) else [wanted]), told
    for name in ALWAYS:
        assert answer.first(name), f"{name}: {told}"
    if "status" in host:
        check_body_of_status(case, answer)
        return
    if "json_status" in host:
        document = json.loads(answer.body)
        assert list(document) == ["status", "message"]
        assert document["status"] == host["json_status"], told
        return
    if "tags" in host:
        assert list(json.loads(answer.body)["data"]["tags"]) == host["tags"]
        return
    check_body(case, answer, translation.version)
    check_headers(response["headers"], answer, translation)


def check_body_of_status(case: Case, answer: Answer) -> None:
    """Of an answer that is another one than the gateway's."""
    host, method = case["host"], case["request"]["method"]
    if "body" in host or method == "HEAD":
        assert answer.body.decode() == host.get("body", "")
    elif answer.status == 401:
        assert json.loads(answer.body)["gateway_name"] == GATEWAY_NAME
    elif answer.status >= 400:
        assert answer.body == b"{}"
    elif answer.status == 200 and "/history" in case["request"]["target"]:
        assert list(json.loads(answer.body)["data"])[-1] == "tags"
    if answer.status == 405:
        assert set(answer.first("Allow").split(", ")) == {"GET", "HEAD", "POST", "DELETE"}


def check_body(case: Case, answer: Answer, version: str) -> None:
    expected = case["response"]["body"].replace(VERSION, version)
    text = answer.body.decode()
    if "/metrics" in case["request"]["target"]:
        check_metrics(expected, text)
    elif case["name"] == "validate_net_error":
        begin = "Network error when communicating with the server"
        document = json.loads(text)
        assert document["status"] == 502
        assert document["message"].startswith(begin)
    elif answer.first("Content-Type").startswith("application/json") and expected:
        assert pairs(text) == of_host(pairs(expected)), text
        if "/history" in case["request"]["target"] or "/ruuvi.json" in case["request"]["target"]:
            assert text == expected
    else:
        assert text == expected


def pairs(text: str) -> Any:
    """JSON with its order."""
    return json.loads(text, object_pairs_hook=lambda found: found)


LOGIN_FAILED = "Incorrect username or password"


def of_host(document: Any) -> Any:
    """As this host writes it: versions of which some tests of the gateway have others, and one
    message for all that can be wrong with a login."""

    def member(name: str, value: Any) -> tuple[str, Any]:
        if name.endswith("fw_ver"):
            value = f"v{value.removeprefix('v')}"
        elif name == "message" and document[0][0] == "gateway_name":
            value = LOGIN_FAILED
        return name, value

    is_object = isinstance(document, list) and all(isinstance(each, tuple) for each in document)
    return [member(*each) for each in document] if is_object else document


RISING = ("ruuvigw_uptime_us", "ruuvigw_nrf_lost_ack_cnt")
"""They go on while the case is played."""
NOT_COMPARED = re.compile(r"^(ruuvigw_heap_\w+\{.*\}|ruuvigw_gw_cfg_crc32) \d+$")
"""Memory of this machine, and the check sum of a file that is written otherwise."""
NOT_HERE = re.compile(r"MALLOC_CAP_(?!INTERNAL|DEFAULT)")


def check_metrics(expected: str, text: str) -> None:
    """The gateway's lines that are here, in their order."""
    wanted = [line for line in expected.splitlines() if not NOT_HERE.search(line)]
    lines = text.splitlines()
    for line, other in zip(lines, wanted, strict=False):
        name, value = line.rsplit(" ", 1)
        if name in RISING:
            assert other.rsplit(" ", 1)[0] == name
            assert 0 <= int(value) - int(other.rsplit(" ", 1)[1]) < 1e6 * PATIENCE
        else:
            assert NOT_COMPARED.sub(r"\1 N", line) == NOT_COMPARED.sub(r"\1 N", other)
    assert all(line.startswith(("# ", "ruuvi_host_")) for line in lines[len(wanted) :])


def check_headers(expected: list[list[str]], answer: Answer, translation: Translation) -> None:
    """Those that belong to this answer alone."""
    given = []
    for name, value in expected:
        if name in EXTRA:
            # The gateway's cookie lacks a line end, which would glue the next field to it.
            first, glued, last = value.partition("Ruuvi-Ecdh-Pub-Key: ")
            given.append((name, translation.word(first)))
            given += [("Ruuvi-Ecdh-Pub-Key", last)] if glued else []
    names = [name.lower() for name, _ in answer.headers if name.title() in map(str.title, EXTRA)]
    assert names == [name.lower() for name, _ in given], answer.headers
    for name, value in given:
        actual = answer.first(name)
        if name == "Location":
            assert actual == "/#auth"
        elif name == "Set-Cookie" and "Max-Age" not in value:
            pair, *attributes = actual.split("; ")
            assert unquote(pair) == value
            if value.startswith("RUUVISESSION="):
                assert {"Path=/", "HttpOnly", "SameSite=Strict"} <= set(attributes)
        elif name == "Set-Cookie":
            assert actual.split("; ")[0] == "RUUVI_PREV_URL="
            assert "Max-Age=" in actual
        elif name == "Ruuvi-Ecdh-Pub-Key":
            assert len(base64.b64decode(actual)) == 65
        elif value.startswith("Digest "):
            parts = dict(re.findall(r'(\w+)="?([^",]*)"?', actual.removeprefix("Digest ")))
            wanted = dict(re.findall(r'(\w+)="([^"]*)"', value))
            assert {**wanted, "nonce": parts["nonce"], "algorithm": "MD5"} == parts
            assert actual.count(", ") == len(parts) - 1
        else:
            assert actual == value
    if answer.first("Date"):
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.first("Date"))


# -- encryption -----------------------------------------------------------------------------------


def public_of(private: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def shared_secret(private: bytes, public: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec

    ours = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    return hashlib.sha256(ours.exchange(ec.ECDH(), theirs)).digest()


def aes(key: bytes, iv: bytes, content: bytes, *, decrypt: bool = False) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    cipher = Cipher(AES(key), CBC(iv))
    machine = cipher.decryptor() if decrypt else cipher.encryptor()
    return machine.update(content) + machine.finalize()
