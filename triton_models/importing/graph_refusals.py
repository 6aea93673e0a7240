"""What imports of every kind say of the user's ONNX file: where the weights are from, and why it was refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from uncia.triton_models.packages.loading import PackageError
from uncia.triton_models.packages.validation import ModelRefused
from uncia.triton_models.repository import sha256

__all__ = ["batch_hint", "describe_weights", "refusing_graph"]


def describe_weights(graph: Path, source: str) -> str:
    """The text about the weights on a card: the file, its digest, and the source that the description states."""
    return f"{graph.name} (sha256 {sha256(graph)})" + (f", {source}" if source else "")


def batch_hint(problem: str) -> str:
    """What to do about a problem with batches; empty for any other problem."""
    return "; it takes a batch of one only: export it with a dynamic batch size" if "2 frames" in problem else ""


@contextmanager
def refusing_graph(graph: Path, out: Path, hint: Callable[[str], str] = batch_hint) -> Iterator[None]:
    """Raise what the block raises about the package in `out` as `ModelRefused` of the graph, which the user knows.

    `hint`: what to do about a problem.
    """
    try:
        yield
    except (PackageError, ModelRefused) as error:
        problem = str(error).replace(f"{out}/model.onnx", "wrapped").replace("wrapped: ", "")
        raise ModelRefused(f"{graph}: {problem}{hint(problem)}") from error
