"""A publisher's web server for tests: it serves parts of files, and breaks off on request."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from uncia.triton_models.fetching.catalogue import PublishedModel


@dataclass
class Publisher:
    """What the server serves and how it misbehaves; changed by tests between requests."""

    files: dict[str, bytes] = field(default_factory=dict)
    breaks_after: list[int] = field(default_factory=list)
    """For each of the next responses: the bytes after which the connection is closed."""
    statuses: list[int] = field(default_factory=list)
    """For each of the next responses: this status instead of the file."""
    ranges: bool = True
    """Whether parts of files are served."""
    requests: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


def entry(publisher: Publisher, **fields: Any) -> PublishedModel:
    """An entry of the table of published models, with other fields where given."""
    content = {
        "name": "finder",
        "variant": "small",
        "default": True,
        "publisher": "A laboratory",
        "page": "https://example.org/finder",
        "address": publisher.address("finder.bin"),
        "file": "finder.onnx",
        "licence": "MIT",
        "architecture": "a test",
        "format": "onnx",
        "megabytes": 1,
    }
    return PublishedModel.model_validate({**content, **fields})


def write_table(folder: Path, *entries: PublishedModel) -> Path:
    """A table of published models as a file."""
    path = folder / "table.toml"
    lines = []
    for one in entries:
        lines.append("[[model]]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in one.model_dump(mode="json").items()]
    path.write_text("\n".join(lines))
    return path


@contextmanager
def running_publisher() -> Iterator[Publisher]:
    """A server on a free port."""
    publisher = Publisher()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(publisher))
    server.daemon_threads = True
    publisher.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(publisher: Publisher) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            publisher.requests.append(dict(self.headers.items()))
            name = self.path.lstrip("/").partition("?")[0]
            if publisher.statuses:
                self._status(publisher.statuses.pop(0))
            elif name.startswith("moved/"):
                self.send_response(302)
                self.send_header("Location", publisher.address(name.removeprefix("moved/")))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif name not in publisher.files:
                self._status(404)
            else:
                self._file(publisher.files[name])

        def _status(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _file(self, content: bytes) -> None:
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            wanted = self.headers.get("Range", "")
            start = 0
            if publisher.ranges and wanted and self.headers.get("If-Range", etag) == etag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            sent = content[start:]
            if publisher.breaks_after:
                sent = sent[: publisher.breaks_after.pop(0)]
                self.close_connection = True
            self.wfile.write(sent)

    return Handler
