"""Validate a model package before it is installed: files, tensors, labels, and a real inference.

A package is a folder with `model.onnx`, `model.json` (the card), `labels.json`, and usually `card.html` for readers.
All checks run on this machine's CPU in ONNX Runtime, which also serves the model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uncia.errors import SettingsError, UnciaError, how_to_install
from uncia.imaging.frames import self_test_pattern
from uncia.serving.model_card import ModelCard, read_model_card
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE, LABELS_FILE
from uncia.triton_models.packages.graph_errors import describe_error, size_problem
from uncia.triton_models.packages.resource_limits import bounded_memory, run_in_time
from uncia.triton_models.packages.writing import PAGE_FILE
from uncia.triton_models.repository import sha256


class ModelRefused(UnciaError):
    """A model that must not be served, and why. Nothing was changed, and the served versions remain."""


@dataclass(frozen=True)
class ValidatedPackage:
    """A package that passed all checks."""

    folder: Path
    card: ModelCard
    page: Path | None
    """The card for readers; None where the package has none."""


def validate_package(folder: Path) -> ValidatedPackage:
    """Check a package. Raises `ModelRefused` with the first problem."""
    missing = [name for name in (GRAPH_FILE, CARD_FILE, LABELS_FILE) if not (folder / name).is_file()]
    if missing:
        raise ModelRefused(f"{folder} is not a model package: it has no {' and no '.join(missing)}")
    try:
        card = read_model_card(folder)
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


def check_tensors(session: Any, card: ModelCard, graph: Path) -> None:
    """Raises `ModelRefused` where names, types or shapes of the tensors differ from the contract."""
    classes, height, width = len(card.labels.classes), card.frame.height, card.frame.width
    inputs, outputs = session.get_inputs(), {tensor.name: tensor for tensor in session.get_outputs()}
    if [tensor.name for tensor in inputs] != [card.input]:
        raise ModelRefused(f"{graph} takes {[tensor.name for tensor in inputs]}, and must take {card.input} only")
    _check_tensor(inputs[0], "tensor(uint8)", (height, width, 3), graph)
    for name, kind in ((card.whole, "float"), (card.windows, "float"), (card.places, "int32")):
        if name not in outputs:
            raise ModelRefused(f"{graph} has no output {name}; it has {', '.join(sorted(outputs))}")
        tensor = outputs[name]
        graph_classes = tensor.shape[-1] if len(tensor.shape) == 2 else None
        if isinstance(graph_classes, int) and graph_classes != classes:
            raise ModelRefused(f"{graph} has {graph_classes} classes, and the label set has {classes}")
        _check_tensor(tensor, f"tensor({kind})", (classes,), graph)


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


def check_outputs(session: Any, card: ModelCard, graph: Path) -> None:
    """Raises `ModelRefused` where the self-test, alone and in a batch, gives other scores than the card says."""
    pattern = self_test_pattern(card.frame)
    wanted = (card.whole, card.windows, card.places)
    alone = _run(session, wanted, card.input, pattern[np.newaxis], graph)
    pair = _run(session, wanted, card.input, np.stack([255 - pattern[:, ::-1], pattern]), graph)
    classes = len(card.labels.classes)
    for outputs, batch in ((alone, 1), (pair, 2)):
        for name, output in zip(wanted, outputs, strict=True):
            if output.shape != (batch, classes):
                raise ModelRefused(f"{graph}: {name} is {list(output.shape)} for {batch} frames and {classes} labels")
    for index, name in enumerate((card.whole, card.windows)):
        for output in (alone[index], pair[index]):
            # Rounding lets softmax exceed 1 slightly.
            if not np.isfinite(output).all() or output.min() < -1e-4 or output.max() > 1 + 1e-4:
                raise ModelRefused(f"{graph}: {name} contains values that are no probability")
        if np.abs(pair[index][1] - alone[index][0]).max() > 1e-3:
            raise ModelRefused(f"{graph}: {name} differs between a batch and a single frame")
    rows, columns = card.frame.grid
    if pair[2].min() < 0 or pair[2].max() >= rows * columns:
        raise ModelRefused(f"{graph}: {card.places} has windows outside the grid of {rows} x {columns}")
    stored = card.self_test
    if {stored.whole.length, stored.windows.length} != {classes}:
        raise ModelRefused(f"{graph}: the card's self-test has {stored.whole.length} classes, the label set {classes}")
    difference = max(
        float(np.abs(alone[0][0] - stored.whole.unpack()).max()),
        float(np.abs(alone[1][0] - stored.windows.unpack()).max()),
    )
    if not difference <= stored.tolerance:
        raise ModelRefused(f"{graph} fails the self-test of its card (scores differ by {difference:.3f})")


def _run(session: Any, wanted: tuple[str, ...], name: str, frames: Any, graph: Path) -> Any:
    try:
        with bounded_memory(graph.stat().st_size):
            return run_in_time(session, list(wanted), {name: frames})
    except Exception as error:
        raise ModelRefused(f"{graph} fails on {len(frames)} frames: {describe_error(error)}") from error
