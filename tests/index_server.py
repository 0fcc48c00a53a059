"""A package index on the loopback, for tests of fetching: its connections are cut on purpose."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Index:
    """What is served, how badly, and what was asked for.

    Attributes:
        files: name to content; a file's project is its name up to the first "-", "_" read as "-".
        cuts: for each download to come, after how many bytes its connection is cut; None for never.
        stall: set by a test; a download that is to be cut waits for it first.
        asked: the path of every request.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.cuts: list[int | None] = []
        self.stall: threading.Event | None = None
        self.asked: list[str] = []
        self.address = ""

    @property
    def downloads(self) -> list[str]:
        """The name of every file that was asked for, in order."""
        return [path.removeprefix("/files/") for path in self.asked if path.startswith("/files/")]


def project_of(name: str) -> str:
    return name.partition("-")[0].replace("_", "-")


class Handler(BaseHTTPRequestHandler):
    index: Index

    def do_GET(self) -> None:
        self.index.asked.append(self.path)
        kind, name = self.path.strip("/").split("/")
        if kind == "files" and name in self.index.files:
            return self._file(self.index.files[name])
        links = [file for file in self.index.files if project_of(file) == name]
        if kind != "simple" or not links:
            return self.send_error(404)
        page = "".join(f'<a href="/files/{file}">{file}</a>\n' for file in links).encode()
        self._headers(200, page, {"Content-Type": "text/html"})
        self.wfile.write(page)

    def _file(self, data: bytes) -> None:
        self._headers(200, data, {})
        cut = self.index.cuts.pop(0) if self.index.cuts else None
        self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.wfile.flush()
            if self.index.stall:
                self.index.stall.wait(20)
            with suppress(OSError):  # whoever asked is gone
                self.connection.shutdown(socket.SHUT_RDWR)

    def _headers(self, code: int, body: bytes, more: dict[str, str]) -> None:
        self.send_response(code)
        for key, value in ({"Content-Length": str(len(body))} | more).items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: tests read `asked`."""


@contextmanager
def serve(index: Index) -> Iterator[Index]:
    """Serves on a free port of the loopback for the length of a `with`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"index": index}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    index.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield index
    finally:
        if index.stall:
            index.stall.set()
        server.shutdown()
        server.server_close()
        thread.join()
