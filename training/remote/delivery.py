"""Puts what came back from the other machine into place, after its hashes were checked."""

import json
from pathlib import Path

from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE
from uncia.storage.atomic_dir import replace_directory
from uncia.storage.durable import replace_durably
from uncia.training.remote.content import hash_file
from uncia.training.remote.errors import RemoteError

__all__ = ["put_in_place", "verify"]


def verify(folder: Path, stated: dict[str, tuple[int, str]], out: Path) -> Path:
    """Compare the files with their stated sizes and hashes, and a package's graph with its card.

    `folder` contains what the run made for `out`. Returns the package, or the file. Raises `RemoteError`.
    """
    made = folder / out.name
    if not made.exists():
        raise RemoteError(f"the run ended, and made no {out.name}")
    for name, (size, sha256) in stated.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or hash_file(path) != sha256:
            raise RemoteError(f"{name} is not what the other machine sent: {out} is unchanged; repeat the command")
    card, graph = made / CARD_FILE, made / GRAPH_FILE
    if card.is_file() and graph.is_file():
        expected = json.loads(card.read_text(encoding="utf-8")).get("onnx_sha256")
        if expected and expected != hash_file(graph):
            raise RemoteError(f"the graph of the package is not the one that its card names: {out} is unchanged")
    return made


def put_in_place(made: Path, out: Path, staging: Path) -> None:
    """Move a package or file that was verified to `out`, replacing what is there at once. Raises `RemoteError`."""
    try:
        if made.is_dir():
            made.chmod(0o755)
            replace_directory(made, out, staging)
        else:
            replace_durably(made, out)
    except OSError as error:
        raise RemoteError(f"{out} cannot be written: {error.strerror}") from error
