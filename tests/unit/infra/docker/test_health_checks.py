"""The health checks say what is wrong, and ask for real."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from uncia.infra.docker import triton_health
from uncia.infra.docker.worker_health import problem

FLOATS = 10


class Fake(BaseHTTPRequestHandler):
    """Answers as Triton does: a model's description, and an inference with its outputs after a JSON head."""

    status = 200
    missing = 0
    asked: bytes = b""

    def do_GET(self) -> None:
        body = json.dumps(
            {
                "inputs": [{"name": "FRAME", "datatype": "UINT8", "shape": [-1, 2, 4, 3]}],
                "outputs": [{"name": "WHOLE", "datatype": "FP32", "shape": [-1, FLOATS]}],
            }
        ).encode()
        self._answer(200, body)

    def do_POST(self) -> None:
        type(self).asked = self.rfile.read(int(self.headers["Content-Length"]))
        head = b'{"outputs": []}'
        body = head + bytes(4 * FLOATS - self.missing)
        self._answer(self.status, body, {"Inference-Header-Content-Length": str(len(head))})

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def fake() -> Iterator[type[Fake]]:
    class Mine(Fake):
        url = ""

    server = HTTPServer(("127.0.0.1", 0), Mine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    Mine.url = f"http://127.0.0.1:{server.server_port}"
    yield Mine
    server.shutdown()
    server.server_close()
    thread.join()


def triton(fake: type[Fake]) -> str | None:
    return triton_health.main([fake.url, "species_classifier", "3"])  # type: ignore[attr-defined]


def test_triton_is_healthy_when_it_answers_a_whole_inference(fake: type[Fake]) -> None:
    assert triton(fake) is None


def test_triton_is_asked_with_one_whole_frame(fake: type[Fake]) -> None:
    triton(fake)
    assert fake.asked.endswith(bytes(2 * 4 * 3))
    assert b'"shape": [1, 2, 4, 3]' in fake.asked


def test_triton_that_refuses_is_not_healthy(fake: type[Fake]) -> None:
    fake.status = 500
    assert "refuses" in (triton(fake) or "")


def test_triton_that_answers_nothing_but_says_ok_is_not_healthy(fake: type[Fake]) -> None:
    fake.missing = 4 * FLOATS
    assert "answered 0 bytes instead of 40" in (triton(fake) or "")


def test_triton_that_is_not_there_is_not_healthy() -> None:
    assert "does not answer" in (triton_health.main(["http://127.0.0.1:1", "species_classifier", "1"]) or "")


def test_a_worker_is_healthy_with_its_partitions_and_an_answer(fake: type[Fake], tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    assert problem(tmp_path / "ready", f"{fake.url}/metrics") is None  # type: ignore[attr-defined]


def test_a_worker_without_partitions_is_not_healthy(fake: type[Fake], tmp_path: Path) -> None:
    assert "partitions" in (problem(tmp_path / "ready", f"{fake.url}/metrics") or "")  # type: ignore[attr-defined]


def test_a_worker_that_does_not_answer_is_not_healthy(tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    assert "does not answer" in (problem(tmp_path / "ready", "http://127.0.0.1:1/metrics", timeout_s=1) or "")
