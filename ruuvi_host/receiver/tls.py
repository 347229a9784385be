"""The TLS context of a receiver that serves HTTPS.

Each failure is a ConfigError with the option of the command line.
"""

import os
import ssl
import stat
from pathlib import Path
from typing import NoReturn

from ruuvi_host.errors import ConfigError
from ruuvi_host.receiver.settings import Settings

LARGEST = 1 << 20
"""Bytes of a file. A chain of certificates has some thousand."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The server's side of TLS 1.2 and 1.3, or None for plain HTTP."""
    cert = settings.tls_cert
    if cert is None:
        if settings.tls_key is not None:
            raise ConfigError("--tls-key", "needs --tls-cert, too")
        return None
    key, key_option = settings.tls_key or cert, "--tls-key" if settings.tls_key else "--tls-cert"
    # OpenSSL does not report which of the two files it could not read.
    _expect("--tls-cert", cert, b"-----BEGIN CERTIFICATE-----", "certificate")
    _expect(key_option, key, b"PRIVATE KEY-----", "private key")

    def refuse_password() -> NoReturn:
        raise ConfigError(key_option, f"{key} is encrypted; save it without a password")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a function here, OpenSSL would ask for the password on the terminal.
        context.load_cert_chain(cert, key, password=refuse_password)
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            problem = f"{key} is not the key of the certificate {cert}"
        else:
            problem = f"OpenSSL cannot use {cert} and {key}; one of them is damaged"
        raise ConfigError(key_option, problem) from error
    return context


def _expect(option: str, path: Path, mark: bytes, what: str) -> None:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(option, f"{path} is no file")
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(option, f"cannot read {path}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise ConfigError(option, f"{path} is larger than {LARGEST} bytes")
    if mark not in content:
        raise ConfigError(option, f"{path} holds no {what} in PEM form")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would wait for its writer
