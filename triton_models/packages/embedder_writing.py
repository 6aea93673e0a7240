"""Write an embedder's package atomically: graph, card with the self-test's vector, and a page for readers."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from uncia.events import AnimalSide
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.serving.embedder_card import EmbedderCard, EmbedderSelfTest
from uncia.triton_models.packages.graph_errors import describe_error
from uncia.triton_models.packages.loading import PackageError, open_session, overwrite_problem
from uncia.triton_models.packages.writing import Provenance, put_package

OUTPUT = "EMBEDDING"


def write_embedder_package(
    out: Path,
    graph: bytes,
    *,
    model: str,
    frame: FrameSpec,
    dimensions: int,
    normalised: bool,
    fit: Literal["stretch", "letterbox"],
    fill: int,
    taxa: tuple[str, ...],
    sides: tuple[AnimalSide, ...],
    origin: Provenance,
    page: str,
) -> EmbedderCard:
    """Write `model.onnx`, its card with the self-test's vector, and `card.html` to the folder `out`.

    An existing package is replaced. Raises `PackageError` where something else is there, the graph fails, its vector
    has another length, is no vector of numbers or is zero, or the disk is full; `out` is then unchanged.
    """
    if problem := overwrite_problem(out):
        raise PackageError(problem)
    card = EmbedderCard(
        model=model,
        versions=("1",),
        frame=frame,
        dimensions=dimensions,
        normalised=normalised,
        fit=fit,
        fill=fill,
        taxa=taxa,
        sides=sides,
        self_test=_self_test(graph, frame, dimensions),
        onnx_sha256=hashlib.sha256(graph).hexdigest(),
        **asdict(origin),
    )
    put_package(out, graph, card, page)
    return card


def _self_test(graph: bytes, frame: FrameSpec, dimensions: int) -> EmbedderSelfTest:
    session = open_session(graph)
    try:
        (vectors,) = session.run([OUTPUT], {"FRAME": self_test_pattern(frame)[np.newaxis]})
    except Exception as error:  # ONNX Runtime's errors have no narrower common class
        raise PackageError(f"the graph fails its self-test: {describe_error(error)}") from error
    if vectors.shape != (1, dimensions):
        raise PackageError(
            f"the graph returns {vectors.size:,} numbers for a crop, and the description says "
            f"output.dimensions = {dimensions:,}"
        )
    if not np.isfinite(vectors).all():
        raise PackageError("the graph returns NaN or infinite values for its self-test: export it again")
    vector = vectors[0].astype(np.float64)
    length = float(np.linalg.norm(vector))
    if length == 0:
        raise PackageError(
            "the graph returns zero for its self-test: check scale, mean and std of the description, and which of its "
            "outputs is the vector"
        )
    return EmbedderSelfTest(vector=tuple(round(float(number), 7) for number in vector / length))
