"""A small S3 store over HTTP, in which single objects misbehave."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

BUCKET = "camera-uploads"

Misbehaviour = Callable[["Connection", bytes], None]


class S3Double(ThreadingHTTPServer):
    """One bucket. `faults` maps a key to how a GET of it misbehaves; `down` refuses everything; `written` lists the
    keys of all PUTs. The next `hold` PUTs seem to fail, and are carried out by `carry_out_held`; the next
    `unanswered` are carried out and seem to fail."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.objects: dict[str, bytes] = {}
        self.written: list[str] = []
        self.metadata: dict[str, dict[str, str]] = {}
        self.etags: dict[str, str] = {}
        """Of what was stored by PUT."""
        self.hold = self.unanswered = 0
        self._held: list[Callable[[], bool]] = []
        self.faults: dict[str, Misbehaviour] = {}
        self.down: Misbehaviour | None = None
        self.refuses_versions = False
        """The key may not list versions."""

    def handle_error(self, *_: object) -> None:
        """A client that gave up is part of the play."""

    def store(self, key: str, body: bytes, headers: "Message[str, str]") -> bool:
        """Carry out a PUT; False where its condition does not hold."""
        etag = self.etags.get(key, "") if key in self.objects else None
        if headers.get("If-None-Match") == "*" and etag is not None:
            return False
        if "If-Match" in headers and headers["If-Match"] != etag:
            return False
        prefix = "x-amz-meta-"
        self.metadata[key] = {
            name.lower().removeprefix(prefix): value
            for name, value in headers.items()
            if name.lower().startswith(prefix)
        }
        self.objects[key] = body
        self.etags[key] = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        self.written.append(key)
        return True

    def carry_out_held(self) -> list[bool]:
        """Carry out the PUTs that seemed to fail; for each, whether it changed anything."""
        return [put() for put in self._held]

    def keep(self, key: str, body: bytes, headers: "Message[str, str]") -> None:
        """Hold a PUT."""
        self.hold -= 1
        self._held.append(lambda: self.store(key, body, headers))

    def settings(self) -> Settings:
        """Settings that lead here."""
        return Settings(
            s3_endpoint=f"http://127.0.0.1:{self.server_port}",
            s3_access_key="a",
            s3_secret_key="b",
            bucket=BUCKET,
            missing_grace_s=0,
        )


class Connection(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: S3Double

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        query = parse_qs(url.query)
        if self.server.down is not None:
            self.server.down(self, b"")
        elif bucket != BUCKET:
            self.refuse(404, "NoSuchBucket")
        elif not key and self.server.refuses_versions and url.query.startswith("versions"):
            self.refuse(403, "AccessDenied")
        elif not key:
            self._list(query.get("start-after", [""])[0], query.get("prefix", [""])[0])
        elif key in self.server.faults:
            self.server.faults[key](self, self.server.objects.get(key, b""))
        elif key not in self.server.objects:
            self.refuse(404, "NoSuchKey")
        elif self.headers.get("If-None-Match") is not None and self.headers["If-None-Match"] == self.server.etags.get(
            key
        ):
            self.answer(304, b"")
        else:
            stored = self.server.metadata.get(key, {})
            etag = {"ETag": self.server.etags[key]} if key in self.server.etags else {}
            self.answer(
                200, self.server.objects[key], **etag, **{f"x-amz-meta-{name}": stored[name] for name in stored}
            )

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True  # the connection broke; what arrived is no object
            return
        key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]
        if self.server.down is not None:
            self.server.down(self, body)
            return
        if self.server.hold:
            self.server.keep(key, body, self.headers)
            self.refuse(503, "SlowDown")
        elif self.server.unanswered:
            self.server.unanswered -= 1
            self.server.store(key, body, self.headers)
            self.refuse(503, "SlowDown")
        elif self.server.store(key, body, self.headers):
            self.answer(200, b"", ETag=self.server.etags[key])
        else:
            self.refuse(412, "PreconditionFailed")

    def do_DELETE(self) -> None:
        self.server.objects.pop(unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2], None)
        self.answer(204, b"")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, **headers: str) -> None:
        """An error as S3 words it."""
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.answer(status, body, **headers)

    def break_off(self, body: bytes) -> None:
        """Promise all of it, and send half."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def _list(self, after: str, prefix: str = "") -> None:
        rows = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(data)}</Size></Contents>"
            for key, data in sorted(self.server.objects.items())
            if key > after and key.startswith(prefix)
        )
        self.answer(200, f"<?xml version='1.0'?><ListBucketResult>{rows}</ListBucketResult>".encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def s3_double() -> Iterator[tuple[S3Double, ObjectStore]]:
    """The running store, and a client of it."""
    server = S3Double()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    store = ObjectStore(server.settings(), timeout_s=1, attempts=1)
    try:
        yield server, store
    finally:
        store.close()
        server.shutdown()
        thread.join()
        server.server_close()
