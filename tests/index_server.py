"""A package index on the loopback, for tests of fetching: ranges, and connections that are cut on purpose."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Index:
    """What is served, how badly, and what was asked for.

    Attributes:
        files: name to content; a file's project is its name up to the first "-", "_" read as "-".
        cuts: for each download to come, after how many bytes its connection is cut; None for never.
        ranges: whether the server honours ranges.
        stall: set by a test; a download that is to be cut waits for it first.
        asked: the path of every request, and the range it asked for.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.cuts: list[int | None] = []
        self.ranges = True
        self.stall: threading.Event | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.address = ""

    @property
    def downloads(self) -> list[str | None]:
        """The range of every download, in order; None for the whole file."""
        return [asked for path, asked in self.asked if path.startswith("/files/")]


def project_of(name: str) -> str:
    return name.partition("-")[0].replace("_", "-")


class Handler(BaseHTTPRequestHandler):
    index: Index

    def do_GET(self) -> None:
        self.index.asked.append((self.path, self.headers["Range"]))
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
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(asked.group(1)) if asked and self.index.ranges else 0
        if start >= len(data):
            return self.send_error(416)
        span = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self._headers(206 if start else 200, data[start:], span)
        cut = self.index.cuts.pop(0) if self.index.cuts else None
        self.wfile.write(data[start:] if cut is None else data[start : start + cut])
        if cut is not None:
            self.wfile.flush()
            if self.index.stall:
                self.index.stall.wait(20)
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
