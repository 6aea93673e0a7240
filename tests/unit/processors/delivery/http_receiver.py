"""An HTTP server of a test, over a real socket: it records requests and answers as configured."""

import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    """When it arrived, by the clock of `time.monotonic`."""


@dataclass(frozen=True)
class Answer:
    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False
    """Answer nothing until the server ends."""
    drip: bool = False
    """Send the head of the answer byte by byte, without end."""
    cut: bool = False
    """Close the connection within the body."""
    drop: bool = False
    """Close the connection without an answer."""


class Receiver:
    """Answers each request by the next of `answers`, and all further ones by the last."""

    def __init__(self, respond: Callable[[Request], Answer], address: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.respond = respond
        self.ended = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
                receiver.requests.append(request)
                receiver._answer(self, receiver.respond(request))

            do_GET = do_POST = do_PATCH = _handle

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://{address}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.close_connection = True
        if answer.hang:
            self.ended.wait()
        elif answer.drip:
            while not self.ended.wait(0.05):
                handler.wfile.write(b"H")
        elif answer.drop:
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(answer.body) + (100 if answer.cut else 0)))
            handler.end_headers()
            handler.wfile.write(answer.body)


@contextmanager
def receiving(
    *answers: Answer, respond: Callable[[Request], Answer] | None = None, address: str = "127.0.0.1"
) -> Iterator[Receiver]:
    """A server that answers with these, in turn, or as `respond` says; 204 without any."""
    waiting = list(answers or (Answer(),))

    def in_turn(_: Request) -> Answer:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    receiver = Receiver(respond or in_turn, address)
    try:
        yield receiver
    finally:
        receiver.close()
