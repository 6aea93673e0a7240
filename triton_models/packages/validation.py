"""Validate a model package before it is installed: files, tensors, labels, and a real inference.

A package is a folder with `model.onnx`, `model.json` (the card), `labels.json` (of a classifier), and usually
`card.html` for readers.
All checks run on this machine's CPU in ONNX Runtime, which also serves the model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from uncia.errors import SettingsError, UnciaError, how_to_install
from uncia.imaging.frames import Pixels
from uncia.serving.cards import Card, has_labels, read_card
from uncia.serving.detector_card import DetectorCard
from uncia.serving.embedder_card import EmbedderCard
from uncia.serving.model_card import ModelCard
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE, LABELS_FILE
from uncia.serving.self_tests import self_test_difference, self_test_frame
from uncia.triton_models.packages.graph_errors import describe_error, size_problem
from uncia.triton_models.packages.resource_limits import bounded_memory, run_in_time
from uncia.triton_models.packages.writing import PAGE_FILE
from uncia.triton_models.repository import sha256

_UNIT_LENGTH = 1e-2
"""How far from 1 a vector of unit length may be: half precision rounds."""

_SAME_VECTOR = 1e-3
"""Distance of vectors of unit length below which they are the same."""

_ONNX_TYPES = {"FP32": "float", "INT32": "int32"}


class ModelRefused(UnciaError):
    """A model that must not be served, and why. Nothing was changed, and the served versions remain."""


CardT = TypeVar("CardT", bound=Card)


@dataclass(frozen=True)
class ValidatedPackage(Generic[CardT]):
    """A package that passed all checks."""

    folder: Path
    card: CardT
    page: Path | None
    """The card for readers; None where the package has none."""


def validate_package(folder: Path) -> ValidatedPackage[Card]:
    """Check a package. Raises `ModelRefused` with the first problem."""
    needed = [GRAPH_FILE, CARD_FILE, *([LABELS_FILE] if has_labels(folder) else [])]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise ModelRefused(f"{folder} is not a model package: it has no {' and no '.join(missing)}")
    try:
        card = read_card(folder)
    except SettingsError as error:
        raise ModelRefused(f"{folder}: card and labels do not match: {error}") from error
    graph = folder / GRAPH_FILE
    _check_size(graph)
    if sha256(graph) != card.onnx_sha256:
        raise ModelRefused(f"{graph} is not the graph that the card was written for: export the package again")
    session = open_graph(graph)
    check_tensors(session, card, graph)
    check_outputs(session, card, graph)
    page = folder / PAGE_FILE
    return ValidatedPackage(folder, card, page if page.is_file() else None)


def open_graph(path: Path) -> Any:
    """Load a graph in ONNX Runtime on the CPU, with limited memory. Raises `ModelRefused` where that fails."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UnciaError(f"checking a model needs the package {error.name}: {how_to_install('models')}") from error
    _check_size(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        with bounded_memory(path.stat().st_size):
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # ONNX Runtime's own errors have no narrower common class.
    except Exception as error:
        raise ModelRefused(f"ONNX Runtime cannot run {path}: {describe_error(error)}") from error


def _check_size(path: Path) -> None:
    if problem := size_problem(path):
        raise ModelRefused(problem)


def check_tensors(session: Any, card: Card, graph: Path) -> None:
    """Raises `ModelRefused` where names, types or shapes of the tensors differ from the contract."""
    inputs, outputs = session.get_inputs(), {tensor.name: tensor for tensor in session.get_outputs()}
    if [tensor.name for tensor in inputs] != [card.input]:
        raise ModelRefused(f"{graph} takes {[tensor.name for tensor in inputs]}, and must take {card.input} only")
    _check_tensor(inputs[0], "tensor(uint8)", (card.frame.height, card.frame.width, 3), graph)
    for expected in card.outputs:
        if expected.name not in outputs:
            raise ModelRefused(f"{graph} has no output {expected.name}; it has {', '.join(sorted(outputs))}")
        tensor = outputs[expected.name]
        if isinstance(card, ModelCard):
            classes = len(card.labels.classes)
            graph_classes = tensor.shape[-1] if len(tensor.shape) == 2 else None
            if isinstance(graph_classes, int) and graph_classes != classes:
                raise ModelRefused(f"{graph} has {graph_classes} classes, and the label set has {classes}")
        _check_tensor(tensor, f"tensor({_ONNX_TYPES[expected.data_type]})", expected.dims, graph)


def _check_tensor(tensor: Any, kind: str, shape: tuple[int, ...], graph: Path) -> None:
    if tensor.type != kind:
        raise ModelRefused(f"{graph}: {tensor.name} is {tensor.type}, and must be {kind}")
    shape_in_graph = list(tensor.shape)
    # Dimensions that the graph leaves open are tested by running it.
    agrees = len(shape_in_graph) == len(shape) + 1 and all(
        size == wanted or not isinstance(size, int) for size, wanted in zip(shape_in_graph[1:], shape, strict=True)
    )
    if not agrees:
        raise ModelRefused(
            f"{graph}: {tensor.name} is {shape_in_graph}, and must be [batch, {', '.join(map(str, shape))}]"
        )
    if isinstance(shape_in_graph[0], int):
        raise ModelRefused(
            f"{graph}: {tensor.name} takes a batch of {shape_in_graph[0]} only; export it with a batch of any size"
        )


def check_outputs(session: Any, card: Card, graph: Path) -> None:
    """Raises `ModelRefused` where the self-test, alone and in a batch, gives other output than the card says."""
    frame = self_test_frame(card)
    alone = _run(session, card, frame[np.newaxis], graph)
    pair = _run(session, card, np.stack([255 - frame[:, ::-1], frame]), graph)
    for outputs, batch in ((alone, 1), (pair, 2)):
        for expected, output in zip(card.outputs, outputs, strict=True):
            if output.shape != (batch, *expected.dims):
                raise ModelRefused(
                    f"{graph}: {expected.name} is {list(output.shape)} for {batch} frames, and must be "
                    f"{[batch, *expected.dims]}"
                )
    if isinstance(card, EmbedderCard):
        _check_vectors(card, alone[0], pair[0], graph)
    else:
        _check_scores(card, alone, pair, graph)
    by_name = {expected.name: output for expected, output in zip(card.outputs, alone, strict=True)}
    difference = self_test_difference(card, by_name)
    if not difference <= card.self_test.tolerance:
        raise ModelRefused(f"{graph} fails the self-test of its card (its output differs by {difference:.3f})")


def _check_scores(card: ModelCard | DetectorCard, alone: Any, pair: Any, graph: Path) -> None:
    # Of a detector's boxes nothing more is known than that they are numbers: those of equal scores may change places.
    bounded = (1,) if isinstance(card, DetectorCard) else (0, 1)
    for index, expected in enumerate(card.outputs[:2]):
        for output in (alone[index], pair[index]):
            # Rounding lets softmax exceed 1 slightly.
            meaning = "probability" if index in bounded else "box"
            outside = index in bounded and (output.min() < -1e-4 or output.max() > 1 + 1e-4)
            if not np.isfinite(output).all() or outside:
                raise ModelRefused(f"{graph}: {expected.name} contains values that are no {meaning}")
        if index in bounded and np.abs(pair[index][1] - alone[index][0]).max() > 1e-3:
            raise ModelRefused(f"{graph}: {expected.name} differs between a batch and a single frame")
    if isinstance(card, DetectorCard):
        _check_boxes(card, alone, pair, graph)
    else:
        _check_windows(card, pair, graph)


def _check_vectors(card: EmbedderCard, alone: Any, pair: Any, graph: Path) -> None:
    """`pair` holds another frame and that of `alone`, whose vectors must be alike; the two frames' must differ."""
    vectors = np.concatenate([alone, pair]).astype(np.float64)
    if not np.isfinite(vectors).all():
        raise ModelRefused(f"{graph}: {card.embedding} contains NaN or infinite values: export it again")
    lengths = np.linalg.norm(vectors, axis=1)
    if not lengths.all():
        raise ModelRefused(
            f"{graph}: {card.embedding} is zero for a picture with content: check scale, mean and std of the "
            "description, and which of its outputs is the vector"
        )
    if card.normalised and np.abs(lengths - 1).max() > _UNIT_LENGTH:
        raise ModelRefused(
            f"{graph}: {card.embedding} has vectors of length {lengths[0]:.3f}, not 1: set output.normalised = false"
        )
    one, other, again = vectors / lengths[:, None]
    if np.linalg.norm(one - again) > _SAME_VECTOR:
        raise ModelRefused(f"{graph}: {card.embedding} differs between a batch and a single frame")
    if np.linalg.norm(one - other) < _SAME_VECTOR:
        raise ModelRefused(
            f"{graph}: {card.embedding} is the same for two different pictures: it distinguishes nothing; check scale, "
            "mean and std of the description, and which of its outputs is the vector"
        )
    if len(card.self_test.vector) != card.dimensions:
        raise ModelRefused(f"{graph}: the card's self-test has {len(card.self_test.vector)} numbers, not a vector's")


def _check_windows(card: ModelCard, pair: Any, graph: Path) -> None:
    classes = len(card.labels.classes)
    rows, columns = card.frame.grid
    if pair[2].min() < 0 or pair[2].max() >= rows * columns:
        raise ModelRefused(f"{graph}: {card.places} has windows outside the grid of {rows} x {columns}")
    stored = card.self_test
    if {stored.whole.length, stored.windows.length} != {classes}:
        raise ModelRefused(f"{graph}: the card's self-test has {stored.whole.length} classes, the label set {classes}")


def _check_boxes(card: DetectorCard, alone: Any, pair: Any, graph: Path) -> None:
    for _, scores, categories in (alone, pair):
        if (np.diff(scores, axis=1) > 0).any():
            raise ModelRefused(f"{graph}: {card.scores} is not in descending order")
        if categories.min() < 0 or categories.max() >= len(card.categories):
            raise ModelRefused(f"{graph}: {card.category_indices} has categories that its card does not list")


def _run(session: Any, card: Card, frames: Pixels, graph: Path) -> Any:
    wanted = [output.name for output in card.outputs]
    try:
        with bounded_memory(graph.stat().st_size):
            return run_in_time(session, wanted, {card.input: frames})
    except Exception as error:
        raise ModelRefused(f"{graph} fails on {len(frames)} frames: {describe_error(error)}") from error
