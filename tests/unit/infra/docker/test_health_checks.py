"""The container health checks: real requests, and the problem in one sentence."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from uncia.infra.docker import triton_health
from uncia.infra.docker.worker_health import problem

FLOATS = 10


class FakeTriton(BaseHTTPRequestHandler):
    """Responds like Triton: the model's metadata, and an inference with its outputs after a JSON header."""

    status = 200
    refused = ""
    missing = 0
    body: bytes = b""
    url = ""
    keys: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        type(self).keys.append(self.headers.get("uncia-inference"))
        body = json.dumps(
            {
                "inputs": [{"name": "FRAME", "datatype": "UINT8", "shape": [-1, 2, 4, 3]}],
                "outputs": [{"name": "WHOLE", "datatype": "FP32", "shape": [-1, FLOATS]}],
            }
        ).encode()
        self._answer(200, body)

    def do_POST(self) -> None:
        type(self).keys.append(self.headers.get("uncia-inference"))
        type(self).body = self.rfile.read(int(self.headers["Content-Length"]))
        header = b'{"outputs": []}'
        body = header + bytes(4 * FLOATS - self.missing)
        refused = self.refused and f"/{self.refused}/" in self.path
        self._answer(400 if refused else self.status, body, {"Inference-Header-Content-Length": str(len(header))})

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def fake() -> Iterator[type[FakeTriton]]:
    class Handler(FakeTriton):
        """A new class, so that tests share no state."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    Handler.url = f"http://127.0.0.1:{server.server_port}"
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


def triton(fake: type[FakeTriton]) -> str | None:
    return triton_health.main([fake.url, "species_classifier", "3"])


def test_triton_is_healthy_when_it_completes_an_inference(fake: type[FakeTriton]) -> None:
    assert triton(fake) is None


def test_every_request_has_the_inference_key(
    fake: type[FakeTriton], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "UNCIA_TRITON_INFERENCE_KEY").write_text("key\n", encoding="ascii")
    monkeypatch.setattr(triton_health, "KEY_FILE", tmp_path / "UNCIA_TRITON_INFERENCE_KEY")
    fake.keys.clear()
    assert triton(fake) is None
    assert fake.keys == ["key", "key"]


def test_every_model_must_complete_an_inference(fake: type[FakeTriton]) -> None:
    fake.refused = "animal_detector"
    problem = triton_health.main([fake.url, "species_classifier,animal_detector", "3"])
    assert (problem or "").startswith("animal_detector refused the request")
    fake.refused = ""
    assert triton_health.main([fake.url, "species_classifier,animal_detector", "3"]) is None


def test_the_request_has_one_complete_frame(fake: type[FakeTriton]) -> None:
    triton(fake)
    assert fake.body.endswith(bytes(2 * 4 * 3))
    assert b'"shape": [1, 2, 4, 3]' in fake.body


def test_triton_is_unhealthy_when_it_refuses_the_request(fake: type[FakeTriton]) -> None:
    fake.status = 500
    assert "refused" in (triton(fake) or "")


def test_triton_is_unhealthy_when_it_returns_no_data_with_status_200(fake: type[FakeTriton]) -> None:
    fake.missing = 4 * FLOATS
    assert "returned 0 bytes instead of 40" in (triton(fake) or "")


def test_triton_is_unhealthy_when_it_is_unreachable() -> None:
    assert "does not answer" in (triton_health.main(["http://127.0.0.1:1", "species_classifier", "1"]) or "")


def test_a_worker_with_partitions_and_metrics_is_healthy(fake: type[FakeTriton], tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    assert problem(tmp_path / "ready", f"{fake.url}/metrics") is None


def test_a_worker_without_partitions_is_unhealthy(fake: type[FakeTriton], tmp_path: Path) -> None:
    assert "partitions" in (problem(tmp_path / "ready", f"{fake.url}/metrics") or "")


def test_a_worker_without_metrics_is_unhealthy(tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    assert "does not answer" in (problem(tmp_path / "ready", "http://127.0.0.1:1/metrics", timeout_s=1) or "")
