"""A model package, looked at before it may stand in the repository: files, tensors, labels, and a real answer.

A package is a folder with `model.onnx`, `model.json` (the card), `labels.json`, and mostly `card.html` for people.
Every check is made on this machine's CPU by ONNX Runtime, which is what serves it.
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
from uncia.triton_models.repository import sha256

PAGE_FILE = "card.html"


class ModelRefused(UnciaError):
    """A model that may not be served, and why. Nothing was changed: what is served stays."""


@dataclass(frozen=True)
class ValidatedPackage:
    """A package that answers as it says."""

    folder: Path
    card: ModelCard
    page: Path | None
    """For people; None where it has none."""


def validate_package(folder: Path) -> ValidatedPackage:
    """Read and try a package. Raises `ModelRefused` with the first thing that does not fit."""
    missing = [name for name in (GRAPH_FILE, CARD_FILE, LABELS_FILE) if not (folder / name).is_file()]
    if missing:
        raise ModelRefused(f"{folder} is no model package: it has no {' and no '.join(missing)}")
    try:
        card = read_model_card(folder)
    except SettingsError as error:
        raise ModelRefused(f"{folder}: card and labels do not fit: {error}") from error
    graph = folder / GRAPH_FILE
    _check_size(graph)
    if sha256(graph) != card.onnx_sha256:
        raise ModelRefused(f"{graph} is not the graph that the card was written for: export the package anew")
    session = open_graph(graph)
    check_tensors(session, card, graph)
    check_answers(session, card, graph)
    page = folder / PAGE_FILE
    return ValidatedPackage(folder, card, page if page.is_file() else None)


def open_graph(path: Path) -> Any:
    """The graph in ONNX Runtime, on the CPU. Raises `ModelRefused` for one that it cannot run."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UnciaError(f"looking at a model needs the package {error.name}: {how_to_install('models')}") from error
    _check_size(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        with bounded_memory(path.stat().st_size):
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # ONNX Runtime's own errors have no common class but this.
    except Exception as error:
        raise ModelRefused(f"ONNX Runtime cannot run {path}: {describe_error(error)}") from error


def _check_size(path: Path) -> None:
    if sentence := size_problem(path):
        raise ModelRefused(sentence)


def check_tensors(session: Any, card: ModelCard, graph: Path) -> None:
    """Names, kinds and shapes are those of the contract. Raises `ModelRefused`."""
    classes, height, width = len(card.labels.classes), card.frame.height, card.frame.width
    inputs, outputs = session.get_inputs(), {tensor.name: tensor for tensor in session.get_outputs()}
    if [tensor.name for tensor in inputs] != [card.input]:
        raise ModelRefused(f"{graph} takes {[tensor.name for tensor in inputs]}, and must take {card.input} alone")
    _fits(inputs[0], "tensor(uint8)", (height, width, 3), graph)
    for name, kind in ((card.whole, "float"), (card.windows, "float"), (card.places, "int32")):
        if name not in outputs:
            raise ModelRefused(f"{graph} has no output {name}; it has {', '.join(sorted(outputs))}")
        tensor = outputs[name]
        told_classes = tensor.shape[-1] if len(tensor.shape) == 2 else None
        if isinstance(told_classes, int) and told_classes != classes:
            raise ModelRefused(f"{graph} answers {told_classes} classes, and the label set names {classes}")
        _fits(tensor, f"tensor({kind})", (classes,), graph)


def _fits(tensor: Any, kind: str, shape: tuple[int, ...], graph: Path) -> None:
    if tensor.type != kind:
        raise ModelRefused(f"{graph}: {tensor.name} is {tensor.type}, and must be {kind}")
    told_shape = list(tensor.shape)
    # What the graph leaves open is tried afterwards.
    agrees = len(told_shape) == len(shape) + 1 and all(
        size == wanted or not isinstance(size, int) for size, wanted in zip(told_shape[1:], shape, strict=True)
    )
    if not agrees:
        raise ModelRefused(f"{graph}: {tensor.name} is {told_shape}, and must be [batch, {', '.join(map(str, shape))}]")
    if isinstance(told_shape[0], int):
        raise ModelRefused(
            f"{graph}: {tensor.name} takes a batch of {told_shape[0]} only; export it with a batch of any size"
        )


def check_answers(session: Any, card: ModelCard, graph: Path) -> None:
    """It answers its self-test, alone and in a batch, with probabilities and places. Raises `ModelRefused`."""
    pattern = self_test_pattern(card.frame)
    wanted = (card.whole, card.windows, card.places)
    alone = _run(session, wanted, card.input, pattern[np.newaxis], graph)
    pair = _run(session, wanted, card.input, np.stack([255 - pattern[:, ::-1], pattern]), graph)
    classes = len(card.labels.classes)
    for name, answer, batch in (
        (name, each[at], n) for each, n in ((alone, 1), (pair, 2)) for at, name in enumerate(wanted)
    ):
        if answer.shape != (batch, classes):
            raise ModelRefused(f"{graph}: {name} answers {list(answer.shape)} to {batch} frames, with {classes} labels")
    for name, at in ((card.whole, 0), (card.windows, 1)):
        for answer in (alone[at], pair[at]):
            # Softmax sums miss 1 by a hair.
            if not np.isfinite(answer).all() or answer.min() < -1e-4 or answer.max() > 1 + 1e-4:
                raise ModelRefused(f"{graph}: {name} answers what is no probability")
        if np.abs(pair[at][1] - alone[at][0]).max() > 1e-3:
            raise ModelRefused(f"{graph}: {name} answers another thing in a batch than alone")
    rows, columns = card.frame.grid
    if pair[2].min() < 0 or pair[2].max() >= rows * columns:
        raise ModelRefused(f"{graph}: {card.places} names windows outside the grid of {rows} x {columns}")
    stored = card.self_test
    if {stored.whole.length, stored.windows.length} != {classes}:
        raise ModelRefused(f"{graph}: the card's self-test has {stored.whole.length} classes, the label set {classes}")
    off = max(
        float(np.abs(alone[0][0] - stored.whole.unpack()).max()),
        float(np.abs(alone[1][0] - stored.windows.unpack()).max()),
    )
    if not off <= stored.tolerance:
        raise ModelRefused(f"{graph} does not answer its self-test as its card says (off by {off:.3f})")


def _run(session: Any, wanted: tuple[str, ...], name: str, frames: Any, graph: Path) -> Any:
    try:
        with bounded_memory(graph.stat().st_size):
            return run_in_time(session, list(wanted), {name: frames})
    except Exception as error:
        raise ModelRefused(f"{graph} fails on {len(frames)} frames: {describe_error(error)}") from error
