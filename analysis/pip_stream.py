"""Run as a program by `analysis.download`, never imported: the user's own pip as a stream of bytes.

`pip download` cannot serve here: it runs the `setup.py` of a source archive to learn its metadata, and what
it had of a file is lost when it is stopped. So pip is only asked what it alone knows, how this user reaches
packages (index, find-links, proxy, certificates, credentials), and the bytes are handed on from any offset.
pip has no documented interface for that; what is used below is the same from pip 22.3 to 26.0, and
`analysis.download` says what to do by hand where it is not.

    python -P pip_stream.py PROJECT FILENAME SHA256 OFFSET

writes one JSON line, {"offset": where the bytes begin, "total": size of the file or null}, then the bytes.
Exits with 1 and the reason as the last line of the error stream.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from typing import Any, BinaryIO

from pip._internal.commands import create_command


class _Reasons(logging.Handler):
    """Keeps why an index could not be read: pip tells its debug log only, and reports an empty list."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("Could not fetch URL"):
            self.lines.append(" ".join(message.split()))


def _find(command: Any, session: Any, options: Any, project: str, filename: str, sha256: str) -> str:
    """Address of the one file with this name; a file whose published hash differs is not it."""
    reasons = _Reasons()
    collector = logging.getLogger("pip._internal.index.collector")
    collector.setLevel(logging.DEBUG)
    collector.addHandler(reasons)
    finder = command._build_package_finder(options=options, session=session)
    links = [candidate.link for candidate in finder.find_all_candidates(project)]
    for link in links:
        if link.filename == filename and (link.hash_name != "sha256" or link.hash == sha256):
            return link.url_without_fragment
    versions = f"{len(links)} files of {project}, none of them this one" if links else f"no file of {project}"
    sys.exit("; ".join([f"the package index lists {versions}", *reasons.lines]))


def _content(response: Any) -> tuple[int, int | None]:
    """Where the response's bytes begin, and the whole file's size if the server says it."""
    if response.status_code == 206:
        span, _, total = response.headers["Content-Range"].removeprefix("bytes ").partition("/")
        return int(span.partition("-")[0]), int(total) if total.isdigit() else None
    if response.status_code != 200:
        sys.exit(f"the server answered {response.status_code} {response.reason}")
    length = response.headers.get("Content-Length")
    return 0, int(length) if length is not None else None


def _get(session: Any, address: str, offset: int) -> Any:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    response = session.get(address, headers=headers, stream=True)
    # 416: what is there already is as long as the file or longer, so it is not the file
    return _get(session, address, 0) if response.status_code == 416 and offset else response


def main(arguments: list[str], out: BinaryIO) -> None:
    project, filename, sha256 = arguments[:3]
    kind = "--only-binary" if filename.endswith(".whl") else "--no-binary"
    command: Any = create_command("download")
    options, _ = command.parse_args(["--no-cache-dir", "--no-input", f"{kind}={project}", project])
    with command.main_context():
        session = command._build_session(options)
        response = _get(
            session, _find(command, session, options, project, filename, sha256), int(arguments[3])
        )
        start, total = _content(response)
        out.write(json.dumps({"offset": start, "total": total}).encode() + b"\n")
        shutil.copyfileobj(response.raw, out, 1 << 18)
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout.buffer)
