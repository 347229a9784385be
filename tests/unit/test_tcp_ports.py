"""A port that a test holds for a server is nobody else's, at no address."""

import socket

import pytest
from tcp_ports import free_port


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"])
def test_only_a_server_that_shares_gets_it(address: str) -> None:
    """Connections, whose ports the system chooses, do not share."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6")
    port = free_port()
    with socket.socket(family) as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind((address, port))
    for _ in range(2):
        with (
            socket.create_server((address, port), family=family) as server,
            socket.create_connection(server.getsockname()[:2]) as client,
        ):
            server.accept()[0].close()  # the side that closes first leaves TIME_WAIT
            assert client.recv(1) == b""
