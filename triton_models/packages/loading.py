"""A model package, opened: its card, its labels, and its graph in ONNX Runtime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.errors import SettingsError, UnciaError, how_to_install
from uncia.imaging.frames import Pixels
from uncia.serving.model_card import ModelCard, read_model_card
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE, LIVE_FILE, read_standing
from uncia.triton_models.packages.graph_errors import describe_error, size_problem


class PackageError(UnciaError):
    """A folder is no model package, or its graph cannot be used; nothing was changed."""


@dataclass(frozen=True)
class OpenPackage:
    """Ready to answer. Thread-safe."""

    folder: Path
    card: ModelCard
    graph: Path
    session: Any
    """`onnxruntime.InferenceSession`."""

    def predict(self, frames: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """WHOLE (B, C), WINDOWS (B, C) and PLACES (B, C) for uint8 (B, height, width, 3)."""
        card = self.card
        whole, windows, places = self.session.run([card.whole, card.windows, card.places], {card.input: frames})
        return whole, windows, places


def open_package(folder: Path) -> OpenPackage:
    """Open a package, or of a model's folder in Triton's repository the live version. Raises `PackageError`."""
    try:
        home = folder / read_standing(folder).live if (folder / LIVE_FILE).exists() else folder
        graph = home / GRAPH_FILE
        if not graph.is_file():
            raise PackageError(f"{folder} is no model package: there is no {GRAPH_FILE} in it")
        card = read_model_card(home)
    except SettingsError as error:
        raise PackageError(f"{folder} is no model package: {error}") from error
    return OpenPackage(folder, card, graph, open_session(graph))


def model_name_for(folder: Path) -> str:
    """The name of the model in a package that is called so: small letters, digits and underscores, a letter first."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in folder.name.lower())[:60]
    return name if name[:1].isalpha() else f"m_{name}"


def overwrite_problem(place: Path) -> str:
    """A sentence where something is that no package may take the place of; empty where nothing is, or a package."""
    if not place.exists() or (place / CARD_FILE).exists() or (place.is_dir() and not any(place.iterdir())):
        return ""
    return f"{place} is there and is no model package: name another folder"


def open_session(graph: Path | bytes) -> Any:
    """An ONNX graph, or its bytes, in ONNX Runtime on the CPU, in the threads that ask it. Raises `PackageError`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise PackageError(f"asking a model needs the package {error.name}: {how_to_install('models')}") from error
    if isinstance(graph, Path) and (sentence := size_problem(graph)):
        raise PackageError(sentence)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        source = str(graph) if isinstance(graph, Path) else graph
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common class but this
        name = graph if isinstance(graph, Path) else "the graph"
        raise PackageError(f"ONNX Runtime cannot run {name}: {describe_error(error)}") from error
