"""TLS 1.2 and 1.3: contexts from a target's files, and what a failure means in a sentence."""

import os
import re
import ssl
import sys
from ipaddress import ip_address
from math import inf
from time import monotonic

from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.config.url import Address
from ruuvi_host.logs import printable
from ruuvi_host.relay.http.files import Fingerprint, fault, fingerprint, read_file
from ruuvi_host.relay.http.outcome import NotDelivered, Step
from ruuvi_host.relay.sink import Verdict

_CERTIFICATE, _KEY = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"

_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
"""X509_V_ERR_…: no issuer, self-signed, self-signed in the chain, no local issuer, a lone leaf."""
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_IP = 9, 10, 62, 64

_ABOUT_OUR_CERTIFICATE = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it got none",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of ours",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept ours",
    "SSLV3_ALERT_NO_CERTIFICATE": "it got none",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it cannot use a certificate like ours",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "ours is revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "ours has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept ours",
    "TLSV1_ALERT_ACCESS_DENIED": "ours gives no access",
    "TLSV1_ALERT_DECRYPT_ERROR": "it could not verify ours",
}
_VERSION = frozenset(
    {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "VERSION_TOO_LOW"}
)
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)


SESSIONS_LEAK = sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
"""Each look at a session leaves six kilobytes behind: CPython's issue 116810."""
LOOK_AGAIN = 600.0
"""Seconds, where it does so."""

_BY_HASH = re.compile(r"[0-9a-f]{8}\.\d+")


class Tls:
    """The client's side for one target, as its files were when it was made.

    Making one reads files and takes 20 ms: in a thread. Raises NotDelivered naming the file.

    files: without a client certificate for others than the target itself.
    resume: remember the session of the last post, as the gateway does. For one server only: a
    resumed session is not asked for its certificate again.
    """

    def __init__(self, files: TlsFiles, *, resume: bool) -> None:
        self.files = files
        self.made_of = made_of(files)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if files.server_cert:
            self._trust_only(files)
        else:
            _trust_the_system(self.context)
        if files.client_cert or files.client_key:
            self._present(files)
        self._session: ssl.SSLSession | None = None
        self._resumes = resume
        self._next_look = -inf
        if resume:
            self.context.sslobject_class = _resuming(self)

    def keep_session(self, tls: ssl.SSLObject | None) -> None:
        """After a good post: TLS 1.3 brings its tickets with, or after, the answer."""
        if not (tls and self._resumes):
            return
        if SESSIONS_LEAK:
            # The one that we have still serves; a new one is worth its price only now and then.
            if tls.session_reused or monotonic() < self._next_look:
                return
            self._next_look = monotonic() + LOOK_AGAIN
        session = tls.session
        self._session = session if session and session.has_ticket else None

    def forget_session(self) -> None:
        self._session = None

    def _trust_only(self, files: TlsFiles) -> None:
        path = files.server_cert
        assert path
        data = read_file(path, "server certificate")
        if _CERTIFICATE not in data:
            raise fault(f"the server certificate {path} holds no certificate in PEM form")
        try:
            self.context.load_verify_locations(cadata=data.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            raise fault(
                f"the server certificate {path} is damaged: OpenSSL cannot read it"
            ) from None
        # So that an intermediate or the server's own certificate is enough.
        self.context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN

    def _present(self, files: TlsFiles) -> None:
        cert, key, password = files.client_cert, files.client_key, files.client_key_password
        if not cert:
            raise fault(f"there is a client key {key}, and no client certificate is named")
        if _CERTIFICATE not in read_file(cert, "client certificate"):
            raise fault(f"the client certificate {cert} holds no certificate in PEM form")
        key = key or cert
        pem = read_file(key, "client key")
        if _KEY not in pem:
            raise fault(f"the client key {key} holds no private key in PEM form")
        # Some servers ask only when they know the path of the request (Apache, for one location).
        self.context.post_handshake_auth = True
        encrypted = b"ENCRYPTED" in pem
        if encrypted and not password:
            raise fault(f"the client key {key} is encrypted, and no password for it is configured")
        try:
            # Without a password here, OpenSSL would ask for one on the terminal.
            self.context.load_cert_chain(cert, key, password=password or "")
        except ssl.SSLError as error:
            if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
                raise fault(f"the client key {key} is not the key of {cert}") from None
            if encrypted:
                raise fault(
                    f"the client key {key} cannot be decrypted: its password is another one, or "
                    "the file is damaged"
                ) from None
            raise fault(f"OpenSSL cannot use {cert} with {key}: {_words(error)}") from None
        except (OSError, ValueError) as error:  # the file has just gone, the password is too long
            raise fault(
                f"the client certificate {cert} with {key} cannot be used: {error}"
            ) from None

    # --- what went wrong

    def failure(self, error: ssl.SSLError, address: Address, *, established: bool) -> NotDelivered:
        """A failed handshake, or what came in the place of an answer, in a sentence.

        established: the handshake was done, as far as we could see: under TLS 1.3 a server
        refuses our certificate only then.
        """
        server = address.server
        step = Step.TLS
        if isinstance(error, ssl.SSLCertVerificationError):
            return NotDelivered(Verdict.FIX, step, self._certificate(error, address))
        reason = error.reason
        if reason in _ABOUT_OUR_CERTIFICATE:
            ours = self.files.client_cert
            tail = (
                f"{_ABOUT_OUR_CERTIFICATE[reason]} ({ours})" if ours else "none is configured here"
            )
            text = f"{server} wants a client certificate that it trusts: {tail}"
            return NotDelivered(Verdict.FIX, step, text)
        if reason in _VERSION:
            text = f"{server} speaks neither TLS 1.2 nor 1.3, and older ones are not safe"
            return NotDelivered(Verdict.FIX, step, text)
        if reason in _NO_TLS and not established:
            plain = "transport TCP (or WS)" if address.scheme == "mqtts" else "http"
            text = f"{server} does not answer in TLS: is it {plain}, or another port?"
            return NotDelivered(Verdict.FIX, step, text)
        if reason in ("TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"):
            return NotDelivered(Verdict.FIX, step, f"{server} does not know itself by this name")
        if reason in ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY"):
            text = f"{server} refuses the handshake: no cipher in common, or {self._or_ours()}"
            return NotDelivered(Verdict.FIX, step, text)
        ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if ended or reason == "UNEXPECTED_EOF_WHILE_READING":
            return self.hung_up(address, established=established)
        return NotDelivered(Verdict.LATER, step, f"TLS with {server} failed: {_words(error)}")

    def hung_up(self, address: Address, *, established: bool) -> NotDelivered:
        when = "before it answered" if established else "during the TLS handshake"
        return NotDelivered(
            Verdict.LATER,
            Step.ANSWER if established else Step.TLS,
            f"{address.server} hung up {when} (perhaps {self._or_ours()})",
            hung_up=established,
        )

    def _or_ours(self) -> str:
        ours = self.files.client_cert
        return (
            f"it does not accept the certificate {ours}"
            if ours
            else "it wants a client certificate"
        )

    def _certificate(self, error: ssl.SSLCertVerificationError, address: Address) -> str:
        server, anchor = address.server, self.files.server_cert
        code = error.verify_code
        if code == _EXPIRED:
            when = "has expired, by the clock of this machine"
            return f"the certificate of {server}, or one of its chain, {when}"
        if code == _NOT_YET_VALID:
            when = "is not valid yet, by the clock of this machine"
            return f"the certificate of {server}, or one of its chain, {when}"
        if code == _OTHER_IP or (code == _OTHER_NAME and _is_ip(address.host)):
            host = address.host
            return (
                f"the certificate of {server} does not have the address {host} as a subject "
                "alternative name, which it needs; openssl req -x509 -nodes -newkey rsa:2048 -days "
                f"3650 -keyout key.pem -out cert.pem -subj /CN={host} -addext "
                f"subjectAltName=IP:{host} makes one that has"
            )
        if code == _OTHER_NAME:
            return f"the certificate of {server} is for other names, not for {address.host}"
        if code in _UNKNOWN_AUTHORITY:
            if anchor:
                return (
                    f"the certificate of {server} is not that in {anchor}, nor is it signed by it"
                )
            if not _system_has_authorities():
                return (
                    f"the certificate of {server} cannot be verified: this system has no file of "
                    "authorities (package ca-certificates)"
                )
            return (
                f"the certificate of {server} is of no authority that this system knows: name it, "
                "or that of its authority, as the server certificate"
            )
        what = printable(error.verify_message.rstrip("."))
        return f"the certificate of {server} is not accepted: {what}"


def made_of(files: TlsFiles) -> tuple[Fingerprint, ...]:
    """Changes when one of the files does; the system's authorities are among them. May block."""
    paths = ssl.get_default_verify_paths()
    system = () if files.server_cert else (paths.cafile, paths.capath)
    return tuple(
        fingerprint(p) for p in (files.client_cert, files.client_key, files.server_cert, *system)
    )


def _trust_the_system(context: ssl.SSLContext) -> None:
    """By the folder in which each authority is a file named by its hash, where there is one: of
    that only what is needed is read. The file of all takes 20 ms and 2 MB."""
    paths = ssl.get_default_verify_paths()
    told = os.environ.keys() & {paths.openssl_cafile_env, paths.openssl_capath_env}
    if paths.capath and not told and _is_hashed(paths.capath):
        context.load_verify_locations(capath=paths.capath)
    else:
        context.load_default_certs()


def _is_hashed(folder: str) -> bool:
    try:
        return any(_BY_HASH.fullmatch(name) for name in os.listdir(folder))
    except OSError:
        return False


def _resuming(tls: Tls) -> type[ssl.SSLObject]:
    """What `tls.context` makes of each connection: one that begins with the last session.

    A class, because neither httpcore nor anyio has a parameter for the session.
    """

    class Resuming(ssl.SSLObject):
        _begun = False

        def do_handshake(self) -> None:
            if not self._begun:
                self._begun = True
                if tls._session:
                    self.session = tls._session
            super().do_handshake()

    return Resuming


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _system_has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or paths.capath)


def _words(error: ssl.SSLError) -> str:
    """What OpenSSL says, without what Python puts around it."""
    text = error.args[1] if len(error.args) > 1 else str(error)
    said = re.sub(r"^\[[^]]*\] *| *\(_ssl\.c:\d+\)$", "", text)
    return printable(said) or "broken off"
