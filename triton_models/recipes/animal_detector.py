"""`animal_detector`: MegadetectorLite (YOLOX-tiny), from the weights file in the `zamba` package.

It is version 1 of the model; see `building`. The file is 40 MB and no dependency: `make setup` takes it out of the
package's wheel, and the setting `detector_weights` names it.
"""

import hashlib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np

from uncia.errors import how_to_install
from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.detector_card import DetectorCard, DetectorSelfTest
from uncia.serving.model_versions import GRAPH_FILE
from uncia.serving.self_tests import detector_test_frame
from uncia.triton_models.recipes import building, detector_weights
from uncia.triton_models.recipes.building import VERSION, BuildError, BuiltModel, Progress
from uncia.triton_models.recipes.species_classifier import STEPS
from uncia.triton_models.repository import sha256, write_version
from uncia.triton_models.triton_config import Backend

__all__ = ["FRAME", "NAME", "STEPS", "VERSION", "build", "fingerprint"]

NAME = detector_weights.NAME
FRAME = FrameSpec(width=640, height=480, window=640)

_SOURCE = f"{detector_weights.PACKAGE} {detector_weights.PACKAGE_VERSION}"
_NOTES = (
    "One class, trained on animals; persons and vehicles are boxed as well and called animal. It misses bodies that "
    "fill the frame and animals before rock, and boxes stones and stumps now and then: those come back in every frame."
)
_PACKAGES = ("numpy", "onnx", "onnxruntime", "torch")
_TOLERANCE = 1e-3
"""Largest difference of a score or a coordinate between torch and ONNX Runtime that a build accepts."""


def build(
    repository: Path,
    weights: Path,
    *,
    backend: Backend = "python",
    force: bool = False,
    progress: Progress = lambda step: None,
) -> BuiltModel[DetectorCard]:
    """Build `<repository>/animal_detector` from the file `weights`, unless it is up to date. Raises `BuildError`."""
    content = _read_weights(weights)
    try:
        made_of = fingerprint(backend)
    except PackageNotFoundError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    return building.build_model(
        repository,
        NAME,
        lambda: None if force else building.up_to_date(repository / NAME, made_of, DetectorCard),
        lambda staging: _build_version(staging, content, backend, made_of, progress),
    )


def fingerprint(backend: Backend) -> str:
    """Digest of everything that determines the folder. Raises `PackageNotFoundError`."""
    return building.fingerprint(backend, _PACKAGES, detector_weights.SHA256)


def _read_weights(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"the weights of {NAME} cannot be read from {path} ({error.strerror}): `make setup` fetches them"
        ) from error
    if hashlib.sha256(content).hexdigest() != detector_weights.SHA256:
        raise BuildError(f"{path} is not the published weights file of {NAME}: delete it and run `make setup`")
    return content


def _build_version(staging: Path, weights: bytes, backend: Backend, made_of: str, progress: Progress) -> DetectorCard:
    # Imported here: torch takes seconds, and a build that is up to date does not need it.
    try:
        import onnxruntime

        from uncia.triton_models.recipes import detector_graph, megadetector_lite
    except ImportError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    graph = staging / VERSION / GRAPH_FILE
    graph.parent.mkdir()
    progress(STEPS[0])
    model = megadetector_lite.load(weights, FRAME)
    progress(STEPS[1])
    detector_graph.export(model, FRAME, graph)
    progress(STEPS[2])
    # Two different frames, so that swapped axes are noticed.
    frame = detector_test_frame(FRAME)
    pixels = np.stack([frame, 255 - frame[:, ::-1]])
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    outputs = session.run(list(detector_graph.OUTPUTS), {"FRAME": pixels})
    expected = detector_graph.run_network(model, pixels)
    difference = max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(outputs, expected, strict=True))
    if not difference <= _TOLERANCE:
        raise BuildError(f"ONNX Runtime and torch differ by {difference:.2g}: this pair of versions cannot be used")
    progress(STEPS[3])
    boxes, scores, categories = (output[0] for output in expected)
    shown = int((scores >= 0.01).sum())
    card = DetectorCard(
        model=NAME,
        versions=(VERSION,),
        backend=backend,
        frame=FRAME,
        categories=(DetectionCategory.ANIMAL,),
        self_test=DetectorSelfTest(
            boxes=[tuple(map(float, box)) for box in boxes[:shown].round(4)],
            scores=[float(score) for score in scores[:shown].round(4)],
            categories=[int(category) for category in categories[:shown]],
        ),
        onnx_sha256=sha256(graph),
        weights=f"MegadetectorLite (YOLOX-tiny), from {_SOURCE} (sha256 {detector_weights.SHA256})",
        licence=detector_weights.LICENCE,
        trained_on="camera-trap photographs, distilled from MegaDetector by DrivenData (zamba)",
        notes=_NOTES,
        built_from=made_of,
    )
    write_version(graph.parent, card)
    return card
