"""TCP ports of this machine for servers that must be told one, or that come back on the same."""

import socket


def free_port() -> int:
    """A port that nobody uses at any address, and that the system gives to nobody else while these
    tests run. A server that sets SO_REUSEADDR, as nearly all do, can listen on it, again and again.

    All addresses: libwebsockets listens on :: whatever it is told, and fails beside a connection
    from ::1 or from this machine's own address that has been given the same number.
    """
    if socket.has_dualstack_ipv6():
        holder = socket.socket(socket.AF_INET6)
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    else:
        holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("", 0))
    port = int(holder.getsockname()[1])
    holder.detach()  # it stays bound, and does not listen, until this process ends
    return port
