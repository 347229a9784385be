"""TCP ports of this machine for servers that must be told one, or that come back on the same."""

import socket


def free_port() -> int:
    """A port on which nobody listens, and that the system gives to nobody else while these tests
    run. A server that sets SO_REUSEADDR, as nearly all do, can listen on it, again and again."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port = int(holder.getsockname()[1])
    holder.detach()  # it stays bound, and does not listen, until this process ends
    return port
