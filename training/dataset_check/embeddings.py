"""What a published network sees in each picture: the features that doubtful labels are found by."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.progress import ProgressCallback

BACKBONE = "efficientnet-lite0"
_AT_ONCE = 256


def embed_images(
    paths: Sequence[Path], cache: Path, progress: ProgressCallback | None = None
) -> tuple[list[Path], NDArray[np.float32]]:
    """Those that could be read, and float32 (N, D): of each feature its best window, as the animal is in one of them.

    Features are kept in `cache` by content, and shared with `uncia train`; the rows are mapped from a file that
    has no name any more, so that memory does not grow with the pictures. Raises `TrainingError` where the cache cannot
    be written.
    """
    # Here, because torch takes seconds to load, and a check without the network needs none of it.
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.features.extraction import cache_file, extract
    from uncia.training.features.inputs import ImageRegion

    network, spec = load_backbone(BACKBONE), FrameSpec()
    cut = network.deepest
    sights = [ImageRegion(path) for path in paths]
    told = extract(sights, ("plain",), network, (cut,), spec, cache, progress or (lambda done, total: None))
    file = cache_file(cache, network, cut, spec)
    kept = [(sight, content) for sight, content in zip(sights, told.digests, strict=True) if content is not None]
    if not kept:
        return [], np.zeros((0, 1), np.float32)
    try:
        features = _best_windows([(file, sight.key(content, "plain")) for sight, content in kept], cache)
    except OSError as error:
        raise TrainingError(
            f"no room for the features in {cache} ({error.strerror}): make room or name another folder with --cache"
        ) from error
    return [sight.path for sight, _ in kept], features


def _best_windows(items: Sequence[tuple[Path, str]], cache: Path) -> NDArray[np.float32]:
    """Of each `(cache file, key)` the most of each feature over its windows, (N, D), mapped from a nameless file."""
    from uncia.training.feature_store.feature_table import gather_rows

    best: list[NDArray[np.float32]] = []
    with tempfile.TemporaryDirectory(dir=cache) as folder, tempfile.TemporaryFile(dir=cache) as out:
        for begin in range(0, len(items), _AT_ONCE):
            table = gather_rows(items[begin : begin + _AT_ONCE], Path(folder) / "rows")
            # The first row is the whole frame, the others are its windows.
            best = [table.rows_of(place)[1:].max(axis=0) for place in range(len(table))]
            out.write(np.stack(best).tobytes())
        out.flush()
        return np.memmap(out, np.float32, "r", shape=(len(items), len(best[0])))
