"""The archive for the report of a fault: what is in it, and that nothing private is."""

import json
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import ManualClock

from firmware_protocol.messages import AdvRprt2, DeviceId
from ruuvi_host.bundle.archive import Material, check_new, pack, write
from ruuvi_host.bundle.evidence import Evidence
from ruuvi_host.capture.memory import PortTap, Recording
from ruuvi_host.capture.pcapng import Reader
from ruuvi_host.config.load import load
from ruuvi_host.config.show import Line, lines, secrets
from ruuvi_host.config.sources import Inputs
from ruuvi_host.errors import ConfigError

DEVICE = DeviceId(bytes.fromhex("1122334455667788"), bytes.fromhex("C8252D8E9C2C"))
TAG = bytes.fromhex("CBB8334C884F")
PLANTED = {
    "use_http": "true",
    "http_auth": "basic",
    "http_pass": "planted-password",
    "http_user": "planted-user",
    "http_url": "http://user-1:pass-word@planted.example.net/planted-hook-1234/x?q=planted-query",
    "lan_auth_api_key": "planted-key-r",
    "lan_auth_api_key_rw": "planted-key-rw",
    "coordinates": "60.16952,24.93545",
    "sensors.CB:B8:33:4C:88:4F.name": "Sauna",
    "sensors.CB:B8:33:4C:88:4F.key": "00112233445566778899aabbccddee99",
    "mqtt_user": "planted-mqtt-user",
    "scan_filter_list": "CB:B8:33:4C:88:4F",
    "http.proxy": "http://proxy-user:proxy-pass@proxy.example.net:3128",
}
NEVER = [
    *("planted", "60.16952", "24.93545", "user-1", "pass-word", "proxy-user", "proxy-pass"),
    *("CB:B8:33:4C:88:4F", "cb:b8:33:4c:88:4f", "CBB8334C884F", "C8:25:2D:8E:9C:2C"),
    *(
        "Gateway9C2C",
        "Sauna",
        "SAUNA",
        "aabbccddee99",
        "11:22:33:44:55:66:77:88",
        "1122334455667788",
    ),
]


FORMAT_5 = bytes.fromhex("02010611FF990405") + bytes(17) + TAG
REPORT = AdvRprt2(TAG, bytes([2, 1, 6, 27, 255]) + FORMAT_5[5:], -60, 1, 15, 37, False, -64)


def recorded() -> Recording:
    recording = Recording(ManualClock())
    tap = PortTap(recording, 0)
    tap.received(DEVICE.to_frame())
    tap.received(b"noise" + TAG)
    tap.received(REPORT.to_frame()[:20])
    tap.received(REPORT.to_frame()[20:])
    return recording


def planted() -> tuple[list[Line], list[str]]:
    overrides = tuple((key, text, "--set") for key, text in PLANTED.items())
    sources = load(Inputs(overrides=overrides)).sources
    return list(lines(sources)), list(secrets(sources))


def material() -> Material:
    config, hidden = planted()
    log = [
        "2026-11-27 23:00:00 WARNING custom: planted-password was refused by planted.example.net",
        "2026-11-27 23:00:01 INFO    http://a:planted-@planted.example.net/planted-hook-1234/x",
        "2026-11-27 23:00:02 INFO    sensor CB:B8:33:4C:88:4F (Sauna), RuuviGateway9C2C",
        "2026-11-27 23:00:03 INFO    SAUNA is hot; key=00112233445566778899aabbccddee99",
    ]
    return Material(
        "1.2.3",
        1_800_000_000.0,
        config=config,
        secrets=hidden,
        status={
            "coprocessors": [{"address": "C8:25:2D:8E:9C:2C"}],
            "CB:B8:33:4C:88:4F": 3,
            "api": {"user": "planted-user"},
        },
        log=log,
        starts={"told": "planted-key-rw in it", "id": "11:22:33:44:55:66:77:88"},
        machine={"python": "3.11.7"},
        findings=["ok       custom: planted-query"],
        records=recorded().records,
    )


def files(archive: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(archive)) as packed:
        assert packed.testzip() is None
        return {info.filename.split("/")[1]: packed.read(info) for info in packed.infolist()}


def test_nothing_private_is_in_any_file() -> None:
    inside = files(pack(material(), b"key"))
    assert set(inside) == {
        *("README.txt", "configuration.json", "status.json", "doctor.txt", "log.txt"),
        *("starts.json", "machine.json", "capture.pcapng"),
    }
    for name, content in inside.items():
        for private in NEVER:
            assert private.encode() not in content, f"{private} in {name}"
        for raw in (TAG, DEVICE.id, DEVICE.addr):
            assert raw not in content, f"{raw.hex()} in {name}"
            assert raw.hex().encode() not in content.lower()


def test_what_explains_a_fault_is_in_it() -> None:
    inside = files(pack(material(), b"key"))
    told = {line["key"]: line for line in json.loads(inside["configuration.json"])}
    assert told["http_pass"] == {"key": "http_pass", "set": True, "source": "--set"}
    assert told["http_url"]["value"] == "http://host2.example/…"  # the first is the proxy
    assert told["http_period"]["value"] == 10
    assert told["lan_auth_api_key"]["set"] is True
    assert told["http_bearer_token"]["set"] is False
    log = inside["log.txt"].decode().splitlines()
    assert log[0].endswith("WARNING custom: (secret) was refused by host2.example")
    # The same sensor has the same address in all files.
    masked = json.loads(inside["status.json"])
    (sensor,) = (name for name in masked if ":" in name)
    assert f"sensor {sensor} (sensor 1), RuuviGatewayXXXX" in log[2]
    assert log[3].endswith("sensor 1 is hot; key=(secret)")
    assert bytes.fromhex(sensor.replace(":", "")) in inside["capture.pcapng"]
    assert len(list(Reader([inside["capture.pcapng"]]))) == 3
    readme = inside["README.txt"].decode()
    assert "- nothing: all of it is there" in readme
    assert "ruuvi-host 1.2.3, made at 2027-01-15 08:00:00 UTC" in readme


def test_masks_are_others_each_time() -> None:
    assert (
        files(pack(material(), b"1"))["status.json"] != files(pack(material(), b"2"))["status.json"]
    )


def test_what_is_missing_is_told() -> None:
    why = {"log.txt": "no host runs, http://u:p@planted.example.org/x"}
    inside = files(pack(Material("1.2.3", 0.0, missing=why), b"key"))
    assert set(inside) == {"README.txt"}
    readme = inside["README.txt"].decode()
    assert "- log.txt: no host runs, http://host1.example/…\n" in readme
    assert "- status.json: there was nothing of it\n" in readme


def test_bytes_in_no_frame_are_no_capture() -> None:
    recording = Recording(ManualClock())
    PortTap(recording, 0).received(TAG * 10)
    inside = files(pack(Material("1.2.3", 0.0, records=recording.records), b"key"))
    assert set(inside) == {"README.txt"}
    assert "capture.pcapng: 60 bytes came, and no frame" in inside["README.txt"].decode()


def test_a_new_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "report.zip"
    check_new(str(path))
    write(str(path), b"archive")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match=r"report\.zip: exists"):
        check_new(str(path))
    with pytest.raises(ConfigError, match=r"report\.zip: exists"):
        write(str(path), b"another")
    assert path.read_bytes() == b"archive"
    with pytest.raises(ConfigError, match="cannot be written"):
        write(str(tmp_path / "nowhere" / "report.zip"), b"")


def test_a_recording_has_an_end() -> None:
    recording = Recording(ManualClock(), room=10)
    tap = PortTap(recording, 3)
    for part in (b"12345678", b"123", b"456", b"78"):
        tap.sent(part)
    assert [(r.data, r.sent, r.lost, r.interface) for r in recording.records] == [
        (b"12345678", True, 0, 3),
        (b"78", True, 2, 3),
    ]


def test_evidence_passes_through_json() -> None:
    config, _ = planted()
    evidence = Evidence(config, ["a line"], {"told": ""}, recorded().records)
    assert Evidence.of(json.loads(json.dumps(evidence.document()))) == evidence
    with pytest.raises((KeyError, TypeError, ValueError)):
        Evidence.of({"config": [{"of another": "version"}]})
