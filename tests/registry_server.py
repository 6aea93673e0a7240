"""A schema registry in memory: the part of Confluent's REST API that registers JSON Schemas, over HTTP."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import jsonschema

_TYPE = "application/vnd.schemaregistry.v1+json"


class Registry:
    """Its subjects, and the requests that changed something."""

    def __init__(self) -> None:
        self.address = ""
        self.authorization: str | None = None
        """What requests must have in the header of this name; None: nothing."""
        self.subjects: dict[str, list[str]] = {}
        self.levels: dict[str, str] = {}
        self.incompatible: set[str] = set()
        """Subjects that accept no further schema."""
        self.changes: list[str] = []
        self.ids: list[str] = []

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and response."""
        match [method, *(unquote(part) for part in path.strip("/").split("/"))]:
            case ["PUT", "config", subject]:
                self.changes.append(f"level {subject}")
                self.levels[subject] = body["compatibility"]
                return 200, body
            case ["POST", "subjects", subject]:
                if subject not in self.subjects:
                    return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
                if body["schema"] not in self.subjects[subject]:
                    return 404, {"error_code": 40403, "message": "Schema not found"}
                version = self.subjects[subject].index(body["schema"]) + 1
                return 200, {"subject": subject, "version": version, "id": self._id(body["schema"]), **body}
            case ["POST", "subjects", subject, "versions"]:
                assert body["schemaType"] == "JSON"
                jsonschema.Draft7Validator.check_schema(json.loads(body["schema"]))
                if subject in self.incompatible:
                    return 409, {"error_code": 409, "message": "PROPERTY_REMOVED at /properties/camera"}
                self.changes.append(f"schema {subject}")
                self.subjects.setdefault(subject, []).append(body["schema"])
                return 200, {"id": self._id(body["schema"])}
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _id(self, schema: str) -> int:
        if schema not in self.ids:
            self.ids.append(schema)
        return self.ids.index(schema) + 1


@contextlib.contextmanager
def registry_server() -> Iterator[Registry]:
    """A registry that listens on a free port of this machine."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = 401, {"error_code": 401, "message": "Unauthorized"}
            if registry.authorization is None or self.headers["Authorization"] == registry.authorization:
                assert self.headers["Content-Type"] == _TYPE
                status, answer = registry.answer(self.command, self.path, body)
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", _TYPE)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_PUT = _handle

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
