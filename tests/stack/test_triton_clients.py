"""What a client of Triton may do over gRPC and HTTP with which key, and the documented examples."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton
from pydantic import SecretStr

from tests.paths import ROOT
from tests.stack.conftest import KIND
from tests.stack.photographs import photograph
from tests.stack.test_clients_s3 import connect
from tests.toolchains import system_programs
from tests.waiting import SCALE
from uncia.errors import DependencyDown
from uncia.events import ImagePredicted
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.serving.triton_access import http_headers, key_headers
from uncia.serving.triton_client import ModelControl, ModelHealth
from uncia.settings import Settings

pytestmark = [
    pytest.mark.skipif(KIND != "embedded", reason="about the keys of the embedded Triton"),
    # A gRPC client of a server that refuses it leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LIMIT_S = 60


def test_the_inference_key_loads_no_model_and_no_key_infers_nothing(stack: Stack, settings: Settings) -> None:
    with ModelControl(settings.model_copy(update={"triton_control_key": None})) as control:
        assert control.probe(settings.model).healthy
        with pytest.raises(DependencyDown, match="UNCIA_TRITON_CONTROL_KEY"):
            control.load(settings.model)
        with pytest.raises(DependencyDown, match="UNCIA_TRITON_CONTROL_KEY"):
            control.list_served()
    with ModelControl(settings.model_copy(update={"triton_inference_key": None})) as control:
        assert control.probe(settings.model).health is ModelHealth.FAILING


NO_MODEL = "no_such_model"
"""So that a request which is wrongly permitted harms no other test."""

CONTROL_CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "load": ("load_model", (NO_MODEL,)),
    "unload": ("unload_model", (NO_MODEL,)),
    "index": ("get_model_repository_index", ()),
    "statistics": ("get_inference_statistics", ()),
    "shared memory status": ("get_system_shared_memory_status", ()),
    "shared memory register": ("register_system_shared_memory", (NO_MODEL, f"/{NO_MODEL}", 16)),
    "shared memory unregister": ("unregister_system_shared_memory", (NO_MODEL,)),
    "device memory status": ("get_cuda_shared_memory_status", ()),
    "device memory register": ("register_cuda_shared_memory", (NO_MODEL, b"aGFuZGxl", 0, 16)),
    "device memory unregister": ("unregister_cuda_shared_memory", (NO_MODEL,)),
    "trace settings": ("get_trace_settings", ()),
    "trace": ("update_trace_settings", (NO_MODEL, {"trace_level": ["TENSORS"]})),
    "log settings": ("get_log_settings", ()),
    "log": ("update_log_settings", ({},)),
}
"""By what they do: methods of Triton's client, and their arguments."""

INFERENCE_CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "metadata": ("get_model_metadata", (NO_MODEL,)),
    "configuration": ("get_model_config", (NO_MODEL,)),
    "server": ("get_server_metadata", ()),
    "infer": ("infer", (NO_MODEL, [])),
}
KEYS: dict[str, dict[str, Any]] = {
    "no key": {"triton_inference_key": None, "triton_control_key": None},
    "inference key": {"triton_control_key": None},
    "control key": {"triton_inference_key": None},
    "guessed keys": {"triton_inference_key": SecretStr("guess"), "triton_control_key": SecretStr("guess")},
}


def is_restricted(settings: Settings, keys: dict[str, Any], method: str, arguments: tuple[Any, ...]) -> bool:
    """Whether Triton refuses the call for want of its key; any other answer comes from what is behind that."""
    with triton.InferenceServerClient(settings.triton) as client:
        try:
            headers = key_headers(settings.model_copy(update=keys))
            getattr(client, method)(*arguments, headers=headers, client_timeout=SCALE * 20)
        except triton.InferenceServerException as error:
            return "restricted" in str(error)
    return False


@pytest.mark.parametrize("call", [*CONTROL_CALLS, *INFERENCE_CALLS])
def test_triton_refuses_a_call_without_the_key_of_its_protocol(settings: Settings, call: str) -> None:
    controls = call in CONTROL_CALLS
    method, arguments = {**CONTROL_CALLS, **INFERENCE_CALLS}[call]
    sufficient = {"control key"} if controls else {"inference key"}
    refused = {name for name, keys in KEYS.items() if is_restricted(settings, keys, method, arguments)}
    assert refused == KEYS.keys() - sufficient
    assert not is_restricted(settings, {}, method, arguments)


@pytest.fixture(scope="module")
def http_stack() -> Iterator[Stack]:
    """A second Triton with the same models, which serves HTTP too."""
    with tempfile.TemporaryDirectory(prefix="uncia http ") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNCIA_TRITON_SERVE_HTTP", "true")
        stack = Stack(Path(folder) / "stack")
        with stop_on_exit(stack):
            stack.up(("triton",), timeout_s=SCALE * 120)
            yield stack


HTTP_CONTROL_CALLS = {
    "index": ("POST", "/v2/repository/index"),
    "load": ("POST", f"/v2/repository/models/{NO_MODEL}/load"),
    "unload": ("POST", f"/v2/repository/models/{NO_MODEL}/unload"),
    "statistics": ("GET", "/v2/models/stats"),
    "statistics of a model": ("GET", f"/v2/models/{NO_MODEL}/stats"),
    "shared memory status": ("GET", "/v2/systemsharedmemory/status"),
    "shared memory register": ("POST", f"/v2/systemsharedmemory/region/{NO_MODEL}/register"),
    "shared memory unregister": ("POST", f"/v2/systemsharedmemory/region/{NO_MODEL}/unregister"),
    "device memory status": ("GET", "/v2/cudasharedmemory/status"),
    "trace settings": ("GET", "/v2/trace/setting"),
    "trace": ("POST", "/v2/trace/setting"),
    "log settings": ("GET", "/v2/logging"),
    "log": ("POST", "/v2/logging"),
}
HTTP_INFERENCE_CALLS = {
    "metadata": ("GET", f"/v2/models/{NO_MODEL}"),
    "configuration": ("GET", f"/v2/models/{NO_MODEL}/config"),
    "server": ("GET", "/v2"),
    "infer": ("POST", f"/v2/models/{NO_MODEL}/infer"),
}


def status_over_http(settings: Settings, method: str, target: str, body: str = "{}") -> int:
    connection = http.client.HTTPConnection(settings.triton_http, timeout=SCALE * 20)
    try:
        headers = http_headers(key_headers(settings))
        connection.request(method, target, body=body if method == "POST" else None, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("call", [*HTTP_CONTROL_CALLS, *HTTP_INFERENCE_CALLS])
def test_over_http_triton_answers_403_without_the_key_of_the_call(http_stack: Stack, call: str) -> None:
    settings = http_stack.settings()
    method, target = {**HTTP_CONTROL_CALLS, **HTTP_INFERENCE_CALLS}[call]
    sufficient = {"control key"} if call in HTTP_CONTROL_CALLS else {"inference key"}
    refused = {
        name
        for name, keys in KEYS.items()
        if status_over_http(settings.model_copy(update=keys), method, target) == http.client.FORBIDDEN
    }
    assert refused == KEYS.keys() - sufficient


def test_over_http_the_keys_open_what_they_protect(http_stack: Stack) -> None:
    settings = http_stack.settings()
    for method, target in (
        ("POST", "/v2/repository/index"),
        ("GET", f"/v2/models/{settings.model}/stats"),
        ("GET", "/v2/systemsharedmemory/status"),
        ("GET", f"/v2/models/{settings.model}"),
        ("GET", "/v2/logging"),
    ):
        assert status_over_http(settings, method, target) == http.client.OK, target


def test_the_page_of_another_site_unloads_no_model_and_reads_nothing(http_stack: Stack) -> None:
    from tests.browser.other_site import FETCH, foreign_page

    settings = http_stack.settings()
    with foreign_page() as page:
        for method, target in (
            ("POST", f"/v2/repository/models/{settings.model}/unload"),
            ("POST", "/v2/repository/index"),
            ("POST", f"/v2/models/{settings.model}/infer"),
            ("GET", f"/v2/models/{settings.model}"),
        ):
            for mode in ("cors", "no-cors"):
                body = "{}" if method == "POST" else None
                address = f"http://{settings.triton_http}{target}"
                status, answer = page.evaluate(FETCH, [address, method, body, "text/plain", mode])
                assert status in (0, http.client.FORBIDDEN), (target, answer)
                assert settings.model not in answer
    with ModelControl(settings) as control:
        assert control.probe(settings.model).healthy


@pytest.fixture
def example(stack: Stack, http_stack: Stack, tmp_path: Path) -> Callable[..., str]:
    """Run an example of docs/predict-service.md unchanged, next to `photograph.jpg`; returns its output."""
    page = (ROOT / "docs" / "predict-service.md").read_text(encoding="utf-8")
    (tmp_path / "photograph.jpg").write_bytes(photograph(72_000))
    front = tmp_path / "bin" / "uncia"
    front.parent.mkdir()
    commands = {"uncia": "-m uncia"}
    if shutil.which("curl") is None:
        commands["curl"] = f'"{Path(__file__).with_name("curl.py")}"'
    for name, module in commands.items():
        (front.parent / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (front.parent / name).chmod(0o755)

    def run(name: str, *command: str, with_http: bool = False) -> str:
        serving = http_stack if with_http else stack
        text = page.partition(f"<!-- example: {name} -->\n```")[2].partition("\n")[2].partition("```")[0]
        environment = {
            **os.environ,
            **serving.environment(),
            "PATH": f"{front.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        line = [*command, text]
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SCALE * LIMIT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_documented_examples_give_the_scores_of_the_stream(
    example: Callable[..., str],
    upload: Callable[[str, bytes], str],
    predicted: Callable[..., ImagePredicted],
    station: str,
) -> None:
    upload(f"{station}/cam/x.jpg", photograph(72_000))
    by_curl = json.loads(example("curl", "sh", "-euc", with_http=True))["outputs"][0]["data"]
    by_python = [line.split(" ")[0] for line in example("python", sys.executable, "-c").splitlines()]
    prediction = predicted(f"{station}/cam/x.jpg").prediction
    assert prediction is not None
    streamed = [(entry.index, entry.score) for entry in prediction.top[:3]]

    for lines in (by_curl, by_python):
        parsed = [(int(line.split(":")[1]), float(line.split(":")[0])) for line in lines]
        assert [index for index, _ in parsed] == [index for index, _ in streamed]
        assert [score for _, score in parsed] == pytest.approx([score for _, score in streamed], abs=1e-4)


@pytest.mark.parametrize("client", ["triton-http", "triton-grpc"])
def test_the_printed_command_of_a_client_describes_the_model_with_the_key_of_the_operator(
    http_stack: Stack, settings: Settings, tmp_path: Path, client: str
) -> None:
    if client == "triton-http":
        system_programs("curl")
    printed = connect(http_stack, client, "--output", str(tmp_path / "a client's"), "--json")
    assert printed.returncode == 0, printed.stderr
    (configuration,) = json.loads(printed.stdout)
    others = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), others["PATH"]])
    done = subprocess.run(
        ["bash", "-c", configuration["commands"][0]],
        cwd=tmp_path,
        env={**others, "PATH": path},
        capture_output=True,
        text=True,
        timeout=SCALE * LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert settings.model in done.stdout
