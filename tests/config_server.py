"""A web server with the configuration of hosts, and with what they post, for tests: a real one on
loopback, whose answers a test changes while hosts run."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

MAC = "F5CAF001B0FC"
"""Of the simulated coprocessor."""


class ConfigServer:
    """A context manager. `files`: path → (status, text); what is missing is a 404. POST to a path
    that begins with /record is accepted, all others are a 503."""

    def __init__(self, port: int = 0) -> None:
        self.files: dict[str, tuple[int, str]] = {}
        self.headers: dict[str, str] = {}
        """In every answer to a GET, as Retry-After."""
        self.salt = ""
        """With another one nothing is as before, even if it is."""
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.posted: list[str] = []
        self._news = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, text = outer.files.get(self.path, (404, ""))
                body = text.encode()
                etag = f'"{hash((outer.salt, text))}"'
                if status == 200 and self.headers.get("If-None-Match") == etag:
                    status, body = 304, b""
                with outer._news:  # before the answer: the next request has a thread of its own
                    outer.asked.append((self.path, dict(self.headers.items())))
                    outer._news.notify_all()
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("ETag", etag)
                if status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with outer._news:
                    outer.posted.append(self.path)
                    outer._news.notify_all()
                self.send_response(200 if self.path.startswith("/record") else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
