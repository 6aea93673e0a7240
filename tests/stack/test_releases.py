"""Versions are promoted and rolled back while photographs are uploaded; an invalid version never becomes live."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.packages import write_package, write_user_classifier
from tests.stack.containers import ContainerStack
from tests.stack.dashboard_client import SignIn
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from tests.stack.test_models import stubs
from tests.waiting import SCALE
from uncia.child_processes import Mark, find_marked
from uncia.events import ImagePredicted
from uncia.identities import shadow_identity
from uncia.infra.local.stack import Stack
from uncia.namespaces import shadow_name
from uncia.producers.replay.worker_processes import MARK_VARIABLE
from uncia.serving.model_card import ModelCard, read_installed_card
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings
from uncia.training.datasets.image_decoding import load_frame

LIMIT_S = 60
Models = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def models(stack: Stack | ContainerStack) -> Models:
    """`uncia models …` as an operator types it, on this stack."""
    if not isinstance(stack, Stack):
        pytest.skip("the repository is inside a container")
    environment = {**os.environ, **stack.environment(), "OMP_NUM_THREADS": "1"}

    def run(*arguments: str, succeeds: bool = True) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "uncia", "models", *arguments]
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=SCALE * LIMIT_S, env=environment, check=False
        )
        assert (done.returncode == 0) is succeeds, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    return run


@pytest.fixture
def installed(models: Models, settings: Settings, tmp_path: Path) -> Iterator[ModelCard]:
    """A second version of the live model with another frame and four classes; removed after the test."""
    write_package(tmp_path / "package", seed=3)
    output = json.loads(models("install", str(tmp_path / "package"), "--name", settings.model, "--json").stdout)
    name = f"{settings.model}@{output['version']}"
    try:
        yield read_installed_card(settings.model_repository, settings.model, output["version"])
    finally:
        models("promote", f"{settings.model}@1")
        models("remove", name)


@pytest.fixture
def stream(
    upload: Callable[[str, bytes], str], results: ResultConsumer, station: str
) -> Iterator[Callable[[str], ImagePredicted]]:
    """Upload about ten photographs per second. Yields a function that waits for a prediction by a version."""
    stop, sent = threading.Event(), list[str]()

    def upload_continuously() -> None:
        while not stop.wait(0.1):
            # Hundreds of frames of one instant at one camera would be revised again and again.
            key = f"{station}/cam-{len(sent) // 20}/{len(sent)}.jpg"
            upload(key, photograph(70_000 + len(sent), size=(640, 480)))
            sent.append(key)

    def wait_for_version(version: str) -> ImagePredicted:
        seen = len(sent)

        def find() -> ImagePredicted | None:
            images = (image for key in sent[seen:] for image in results.predictions(key))
            return next(
                (image for image in images if image.prediction and image.prediction.version == version),
                None,
            )

        return results.wait_for(find, LIMIT_S, f"a prediction by version {version}")

    wait_for_version.sent = sent  # type: ignore[attr-defined]
    thread = threading.Thread(target=upload_continuously)
    thread.start()
    try:
        yield wait_for_version
    finally:
        stop.set()
        thread.join(SCALE * 20)


def failed_requests(stack: Stack, model: str, version: str = "") -> int:
    """Triton's count of failed requests, of one version of a model or of all its versions."""
    with ModelControl(stack.settings()) as control:
        return control.count_failures(model, version)


@pytest.mark.thorough
def test_no_request_fails_when_versions_change_under_load(
    stack: Stack,
    models: Models,
    installed: ModelCard,
    stream: Callable[[str], ImagePredicted],
    results: ResultConsumer,
    settings: Settings,
    tmp_path: Path,
) -> None:
    before = failed_requests(stack, settings.model)
    by_first = stream("1")
    models("promote", installed.name)
    by_second = stream(installed.version)
    models("roll-back")
    stream("1")

    sent: list[str] = list(stream.sent)  # type: ignore[attr-defined]
    images = [results.wait_for(lambda k=key: results.predictions(k), LIMIT_S, key)[0] for key in sent]  # type: ignore[misc]
    assert all(image.prediction is not None for image in images)
    labels = {image.prediction.version: image.prediction.label_set for image in images if image.prediction}
    assert labels == {
        "1": read_installed_card(settings.model_repository, settings.model, "1").label_set,
        installed.version: installed.label_set,
    }
    assert failed_requests(stack, settings.model) == before
    for image in (by_first, by_second):
        assert_equals_offline_inference(
            image, photograph(70_000 + sent.index(image.key), size=(640, 480)), settings, tmp_path
        )


def test_an_operator_makes_a_version_live_and_rolls_back_on_the_dashboard(
    sign_in: SignIn,
    installed: ModelCard,
    predicted: Callable[..., ImagePredicted],
    upload: Callable[[str, bytes], str],
    settings: Settings,
    station: str,
) -> None:
    operator, reviewer = sign_in("operator", f"{station}-operator"), sign_in("reviewer", f"{station}-reviewer")

    def make_live(version: str, live: str) -> int:
        operator.open("/operations")
        form = {"model": settings.model, "version": version, "live": live}
        return operator.send("/operations/models", **form).status_code

    def version_of_next_photograph(name: str) -> str:
        upload(f"{station}/cam/{name}.jpg", photograph(len(name)))
        prediction = predicted(f"{station}/cam/{name}.jpg").prediction
        assert prediction is not None
        return prediction.version

    reviewer.open("/account")
    form = {"model": settings.model, "version": installed.version, "live": "1"}
    assert reviewer.send("/operations/models", **form).status_code == 403
    assert make_live(installed.version, live="1") == 303
    assert version_of_next_photograph("second") == installed.version
    # Another operator's page, which still shows the first version as live.
    assert make_live("1", live="1") == 409
    assert make_live("1", live=installed.version) == 303
    assert version_of_next_photograph("back") == "1"


@pytest.mark.thorough
def test_a_previous_version_whose_process_died_is_reloaded_and_no_live_request_fails(
    stack: Stack,
    models: Models,
    installed: ModelCard,
    stream: Callable[[str], ImagePredicted],
    results: ResultConsumer,
    settings: Settings,
) -> None:
    models("promote", installed.name)
    stream(installed.version)
    before = failed_requests(stack, settings.model, installed.version)
    # There are two for a moment: the process that the promotion replaced is still exiting.
    for pid in stubs(stack, "1"):
        os.kill(pid, signal.SIGKILL)

    with ModelControl(settings) as control:
        results.wait_for(
            lambda: control.probe(settings.model, "1").healthy, LIMIT_S, "the watchdog to reload the version"
        )
    stream(installed.version)
    assert failed_requests(stack, settings.model, installed.version) == before


def assert_equals_offline_inference(image: ImagePredicted, data: bytes, settings: Settings, folder: Path) -> None:
    """The stream's scores equal those of offline inference: same frame, same graph, float16."""
    assert image.prediction is not None
    version = image.prediction.version
    card = read_installed_card(settings.model_repository, settings.model, version)
    (folder / "photograph.jpg").write_bytes(data)
    frame = load_frame(folder / "photograph.jpg", card.frame)
    graph = settings.model_repository / settings.model / version / "model.onnx"
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    whole, windows = session.run([card.whole, card.windows], {card.input: frame[np.newaxis]})
    # Half a unit in float16's last place, and as much for another order of sums.
    np.testing.assert_allclose(image.prediction.whole.unpack(), whole[0], atol=1e-6, rtol=2e-3)
    np.testing.assert_allclose(image.prediction.windows.unpack(), windows[0], atol=1e-6, rtol=2e-3)


def test_a_refused_or_killed_installation_does_not_change_the_served_version(
    models: Models,
    upload: Callable[[str, bytes], str],
    predicted: Callable[..., ImagePredicted],
    station: str,
    settings: Settings,
    tmp_path: Path,
) -> None:
    write_package(tmp_path / "package", seed=4)
    killed = (
        "import os, signal, sys, pathlib; from uncia.triton_models.releases import installation\n"
        "installation.shutil.copyfile = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "installation.install(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), name=sys.argv[3])"
    )
    line = [sys.executable, "-c", killed, str(tmp_path / "package"), str(settings.model_repository), settings.model]
    assert subprocess.run(line, check=False, timeout=SCALE * LIMIT_S).returncode == -9
    (tmp_path / "package" / "labels.json").unlink()
    refused = models("install", str(tmp_path / "package"), "--name", settings.model, succeeds=False)

    assert "no labels.json" in refused.stderr
    lines = json.loads(models("list", "--json").stdout)
    served = [line for line in lines if line["model"] == settings.model and line["version"] == "1"]
    assert [(line["standing"], line["state"]) for line in served] == [("live", "READY")]
    upload(f"{station}/cam/x.jpg", photograph(71_000))
    prediction = predicted(f"{station}/cam/x.jpg").prediction
    assert prediction is not None and prediction.version == "1"


@pytest.mark.thorough
def test_a_shadow_predicts_the_same_uploads_and_is_compared(
    stack: Stack,
    models: Models,
    installed: ModelCard,
    stream: Callable[[str], ImagePredicted],
    results: ResultConsumer,
    settings: Settings,
    tmp_path: Path,
) -> None:
    models("shadow", "start", installed.name)
    stream("1")
    shadow = results.wait_for(
        lambda: next((row for row in json.loads(models("shadow", "status", "--json").stdout) if row["answers"]), None),
        LIMIT_S,
        "predictions by the shadow",
    )
    own = shadow_identity(shadow_name(settings.model, installed.version)).name
    mark = Mark(MARK_VARIABLE, (stack.folder / "shadows" / installed.name / "mark").read_text())
    workers = [process for process in find_marked(mark) if "UNCIA_READY_FILE" in process.environment]
    assert {worker.environment["UNCIA_KAFKA_USERNAME"] for worker in workers} == {own}, "not the operator's"
    live = f"{settings.model}@1"
    page = tmp_path / "page.html"

    def compare() -> dict[str, int]:
        return json.loads(models("compare", live, installed.name, "--output", str(page), "--json").stdout)  # type: ignore[no-any-return]

    assert (shadow["shadow"], shadow["running"]) == (installed.name, True)
    own_priority = os.getpriority(os.PRIO_PROCESS, 0)
    relative_priorities = sorted(os.getpriority(os.PRIO_PROCESS, pid) - own_priority for pid in stubs(stack))
    assert relative_priorities == [0, min(10, 19 - own_priority)], "live goes first"
    comparison = compare()
    assert comparison["both"] and comparison["differ"] == comparison["both"], "they have no taxon in common"
    assert "data:image/jpeg" in page.read_text()
    models("shadow", "stop", installed.name, "--drop")
    assert json.loads(models("shadow", "status", "--json").stdout) == []
    assert stack.require_keys().credentials[own].revoked
    sent: list[str] = list(stream.sent)  # type: ignore[attr-defined]
    images = [results.wait_for(lambda k=key: results.predictions(k), LIMIT_S, key)[0] for key in sent]  # type: ignore[misc]
    assert {image.prediction.version for image in images if image.prediction} == {"1"}


@pytest.mark.thorough
def test_an_imported_model_with_2498_labels_predicts_in_the_stream(
    models: Models,
    stream: Callable[[str], ImagePredicted],
    settings: Settings,
    tmp_path: Path,
) -> None:
    write_user_classifier(tmp_path / "user.onnx", classes=2498)
    (tmp_path / "labels.txt").write_text("".join(f"id{i};;;;genus;species{i};animal {i}\n" for i in range(2498)))
    (tmp_path / "user.toml").write_text(
        'name = "user_model"\nlabels = "labels.txt"\nframe = {width = 64, height = 48}\n'
        'input = {layout = "NCHW", scale = 0.00392156862745098}\noutput = {kind = "logits"}\n'
    )
    output = json.loads(
        models(
            "import", str(tmp_path / "user.onnx"), "--description", str(tmp_path / "user.toml"),
            "--name", settings.model, "--json",
        ).stdout
    )  # fmt: skip
    name = f"{settings.model}@{output['version']}"
    try:
        models("promote", name)
        prediction = stream(output["version"]).prediction
        assert prediction is not None
        assert (prediction.label_set, prediction.windows.length) == (output["label_set"], 2498)
        assert prediction.top[0].box == pytest.approx((0, 0.04, 1, 0.89))
    finally:
        models("promote", f"{settings.model}@1")
        models("remove", name)


@pytest.mark.thorough
def test_a_model_of_another_name_is_served_and_the_stream_keeps_its_own(
    models: Models, stream: Callable[[str], ImagePredicted], settings: Settings, tmp_path: Path
) -> None:
    name = f"other_{tmp_path.name[-6:].replace('-', '_')}"
    write_package(tmp_path / "package", seed=5)
    output = models("install", str(tmp_path / "package"), "--name", name).stdout
    assert f"The stream uses {settings.model}@1 (UNCIA_MODEL)" in output
    output = models("promote", f"{name}@1").stdout
    assert "is live" not in output
    assert f"--name {settings.model}" in output
    image = stream("1")
    assert image.prediction is not None
    assert image.prediction.model == settings.model
    rows = json.loads(models("list", "--json").stdout)
    in_stream = {f"{row['model']}@{row['version']}" for row in rows if row["in_stream"]}
    assert in_stream == {f"{settings.model}@1", f"{settings.detector}@1"}
    with ModelControl(settings) as control:
        control.unload(name)
    shutil.rmtree(settings.model_repository / name)
