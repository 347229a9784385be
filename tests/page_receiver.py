"""A server that keeps what is posted to it, in a thread, for tests whose own thread belongs to a
browser."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from programs import PATIENCE


@dataclass(frozen=True)
class Posted:
    """One request."""

    target: str
    """As it stood in the first line."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    certificate: Any
    """Of the client; None: it showed none."""

    def __getitem__(self, name: str) -> str:
        """KeyError: it is not there."""
        return dict((key.lower(), value) for key, value in self.headers)[name.lower()]

    def __contains__(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.headers)


@dataclass
class Receiver:
    """Where it is, and what came. status: of all answers."""

    url: str
    status: int = 200
    posts: list[Posted] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, is_it: Callable[[Posted], bool], since: int = 0) -> Posted:
        """The first one that is it, of those after the first `since`."""

        def found() -> Posted | None:
            return next((post for post in self.posts[since:] if is_it(post)), None)

        with self.news:
            post = self.news.wait_for(found, PATIENCE)
        assert post, [(each.target, each.headers) for each in self.posts[since:]]
        return post


@contextmanager
def page_receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Runs one on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            line = self.connection
            shown = line.getpeercert() if isinstance(line, ssl.SSLSocket) else None
            with receiver.news:
                headers = tuple(self.headers.items())
                receiver.posts.append(Posted(self.path, headers, body, shown or None))
                receiver.news.notify_all()
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test tells what it needs."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away, or does not trust us, is no fault here."""

    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "https" if context else "http"
    receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
