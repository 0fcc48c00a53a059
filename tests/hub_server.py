"""A Hugging Face hub on the loopback: one repository, at one commit, open or gated."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What is served, and what was asked for.

    Attributes:
        name: of the repository.
        files: name to content.
        gated: whether nobody may read it.
        asked: the path of every request.
    """

    def __init__(self, name: str, files: dict[str, bytes], *, gated: bool = False) -> None:
        self.name, self.files, self.gated = name, files, gated
        self.asked: list[str] = []
        self.address = ""


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        hub, path = self.hub, self.path.partition("?")[0]
        hub.asked.append(path)
        if not path.removeprefix("/api/models").startswith(f"/{hub.name}"):
            return self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, body=body)
        if hub.gated:
            return self._send(403, b"", {"X-Error-Code": "GatedRepo"}, body=body)
        revision = path.split("/revision/")[-1].split("/resolve/")[-1].split("/tree/")[-1].split("/")[0]
        if revision not in ("main", COMMIT):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"}, body=body)
        if path.startswith("/api/"):
            listed = [
                {"rfilename": n, "path": n, "type": "file", "size": len(d), "oid": _oid(d)}
                for n, d in hub.files.items()
            ]
            whole = {"id": hub.name, "modelId": hub.name, "sha": COMMIT, "siblings": listed}
            said = json.dumps(listed if "/tree/" in path else whole).encode()
            return self._send(200, said, {"Content-Type": "application/json"}, body=body)
        data = hub.files[path.split(f"/resolve/{revision}/")[-1]]
        self._send(200, data, {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": COMMIT}, body=body)

    def _send(self, code: int, data: bytes, headers: dict[str, str], *, body: bool) -> None:
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub's address while it is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
