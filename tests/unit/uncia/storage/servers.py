"""A store of a test: a server of its own in a thread, and the client that reads from it."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from typing import TypeVar

from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

Server = TypeVar("Server", bound=HTTPServer)


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serve requests in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def store_at(server: HTTPServer) -> Iterator[ObjectStore]:
    """A client of this server, with one attempt for each request."""
    store = ObjectStore(
        Settings(s3_endpoint=f"http://127.0.0.1:{server.server_port}", s3_access_key="a", s3_secret_key="b"), attempts=1
    )
    try:
        yield store
    finally:
        store.close()
