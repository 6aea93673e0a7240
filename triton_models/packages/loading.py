"""Open a model package: its card, its labels, and its graph in ONNX Runtime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.errors import SettingsError, UnciaError, how_to_install
from uncia.imaging.frames import Pixels
from uncia.serving.model_card import ModelCard, read_model_card
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE, LIVE_FILE, read_version_state
from uncia.triton_models.packages.graph_errors import describe_error, size_problem


class PackageError(UnciaError):
    """A folder is not a model package, or its graph cannot be used; existing files are unchanged."""


@dataclass(frozen=True)
class OpenPackage:
    """A package whose model is loaded. Thread-safe."""

    folder: Path
    card: ModelCard
    graph: Path
    session: Any
    """`onnxruntime.InferenceSession`."""

    def predict(self, frames: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """WHOLE, WINDOWS and PLACES, each (B, C), for frames uint8 (B, height, width, 3)."""
        card = self.card
        whole, windows, places = self.session.run([card.whole, card.windows, card.places], {card.input: frames})
        return whole, windows, places


def open_package(folder: Path) -> OpenPackage:
    """Open a package, or the live version of a model's folder in Triton's repository. Raises `PackageError`."""
    try:
        home = folder / read_version_state(folder).live if (folder / LIVE_FILE).exists() else folder
        graph = home / GRAPH_FILE
        if not graph.is_file():
            raise PackageError(f"{folder} is not a model package: it contains no {GRAPH_FILE}")
        card = read_model_card(home)
    except SettingsError as error:
        raise PackageError(f"{folder} is not a model package: {error}") from error
    return OpenPackage(folder, card, graph, open_session(graph))


def model_name_for(folder: Path) -> str:
    """The model name for a package in this folder: lower-case letters, digits and underscores, a letter first."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in folder.name.lower())[:60]
    return name if name[:1].isalpha() else f"m_{name}"


def overwrite_problem(place: Path) -> str:
    """Why a package must not replace what is at `place`; empty where nothing is there, or a package."""
    if not place.exists() or (place / CARD_FILE).exists() or (place.is_dir() and not any(place.iterdir())):
        return ""
    return f"{place} exists and is not a model package: choose another folder"


def open_session(graph: Path | bytes) -> Any:
    """Load an ONNX file, or its bytes, in ONNX Runtime on the CPU; it computes in the calling threads.

    Raises `PackageError`.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise PackageError(f"running a model needs the package {error.name}: {how_to_install('models')}") from error
    if isinstance(graph, Path) and (problem := size_problem(graph)):
        raise PackageError(problem)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        source = str(graph) if isinstance(graph, Path) else graph
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no narrower common class
        name = graph if isinstance(graph, Path) else "the graph"
        raise PackageError(f"ONNX Runtime cannot run {name}: {describe_error(error)}") from error
