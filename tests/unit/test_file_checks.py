"""Files that the local API takes, and those that could never be used."""

from time import process_time

import pytest

from ruuvi_host.config.file_checks import unusable

PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
OLD_ENCRYPTED = PEM.replace(b"CERTIFICATE", b"RSA PRIVATE KEY").replace(
    b"MIIB", b"Proc-Type: 4,ENCRYPTED\n\nMIIB"
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("http_cli_cert", PEM),
        ("http_srv_cert", b"# chain\r\n" + PEM.replace(b"\n", b"\r\n") + PEM),
        ("stat_cli_key", PEM.replace(b"CERTIFICATE", b"PRIVATE KEY")),
        ("http_path", b""),
        ("http_query", b"a=b&c"),
        ("http_headers", b"A: b\r\nX-Key:\r\nC:\td e\r\n"),
    ],
)
def test_what_can_be_used(name: str, content: bytes) -> None:
    assert unusable(name, content) == ""


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("http_cli_cert", b"", "no PEM block"),
        ("http_cli_cert", b"hello", "no PEM block"),
        ("http_cli_cert", PEM[:40], "no PEM block"),
        ("http_cli_cert", PEM.replace(b"END CERT", b"END OTHER CERT"), "no PEM block"),
        ("http_cli_cert", PEM[PEM.index(b"-----END") :] + PEM[:40], "no PEM block"),
        ("http_cli_key", ENCRYPTED, "encrypted"),
        ("http_cli_key", OLD_ENCRYPTED, "encrypted"),
        ("http_path", b"a\0b", "zero bytes"),
        ("http_headers", b"", "CR LF"),
        ("http_headers", b"A: b\n", "CR LF"),
        ("http_headers", b"A: b\r\n\r\n", "line 2 is not"),
        ("http_headers", b"A b: c\r\n", "line 1 is not"),
        ("http_headers", b"A: b\nC: d\r\n", "line 1 is not"),
        ("http_headers", b"A: b\r\nhost: x\r\n", "line 2 sets host"),
        ("http_headers", b"Content-Length: 1\r\n", "line 1 sets Content-Length"),
        ("http_headers", b"TRANSFER-ENCODING: chunked\r\n", "line 1 sets TRANSFER"),
        ("http_headers", b"Connection: close\r\n", "line 1 sets Connection"),
    ],
)
def test_what_can_not(name: str, content: bytes, why: str) -> None:
    assert why in unusable(name, content)


def test_a_file_made_to_take_long_does_not() -> None:
    """The longest request, full of beginnings: some milliseconds; searching each took a second."""
    many = b"-----BEGIN A-----\n" * 3600
    took = min(_time(many) for _ in range(3))
    assert took < 50 * max(_time(b"x" * len(many)), 1e-3)


def _time(content: bytes) -> float:
    began = process_time()
    assert unusable("http_cli_cert", content)
    return process_time() - began
