"""For tests of TLS: a folder for certificates, and a server that is good."""

import ssl
from pathlib import Path

import pytest
from certificates import Folder, authority, server_context

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def good_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    return server_context(authority().issue_cert("127.0.0.1"), version=version)
