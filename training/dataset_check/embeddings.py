"""Image embeddings of a published network, by which labels are checked."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.progress import ProgressCallback, no_progress

BACKBONE = "efficientnet-lite0"
_ROWS_IN_MEMORY = 256


def embed_images(
    paths: Sequence[Path], cache: Path, progress: ProgressCallback | None = None
) -> tuple[list[Path], NDArray[np.float32]]:
    """The N files that can be read, and their embeddings: float32 (N, D), the maximum of each feature over windows.

    The animal is in one of the windows, hence the maximum. Features are cached in the folder `cache` by content, and
    shared with `uncia train`. The result is mapped from an unlinked file, so that memory does not grow with the number
    of images. Raises `TrainingError` where the cache cannot be written.
    """
    # Imported here: torch takes seconds to load, and a check without the network does not need it.
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.features.extraction import cache_file, extract
    from uncia.training.features.inputs import ImageRegion

    network, spec = load_backbone(BACKBONE), FrameSpec()
    cut = network.deepest
    regions = [ImageRegion(path) for path in paths]
    result = extract(regions, ("plain",), network, (cut,), spec, cache, progress or no_progress)
    file = cache_file(cache, network, cut, spec)
    readable = [(region, digest) for region, digest in zip(regions, result.digests, strict=True) if digest is not None]
    if not readable:
        return [], np.zeros((0, 1), np.float32)
    try:
        features = _max_over_windows([(file, region.key(digest, "plain")) for region, digest in readable], cache)
    except OSError as error:
        raise TrainingError(
            f"no space for the features in {cache} ({error.strerror}): free some, or name another folder with --cache"
        ) from error
    return [region.path for region, _ in readable], features


def _max_over_windows(items: Sequence[tuple[Path, str]], cache: Path) -> NDArray[np.float32]:
    """Maximum of each feature over the windows of each `(cache file, key)`; (N, D), mapped from an unlinked file."""
    from uncia.training.feature_store.feature_table import gather_rows

    maxima: list[NDArray[np.float32]] = []
    with tempfile.TemporaryDirectory(dir=cache) as folder, tempfile.TemporaryFile(dir=cache) as out:
        for begin in range(0, len(items), _ROWS_IN_MEMORY):
            table = gather_rows(items[begin : begin + _ROWS_IN_MEMORY], Path(folder) / "rows")
            # The first row is the entire frame, the others are its windows.
            maxima = [table.rows_of(row)[1:].max(axis=0) for row in range(len(table))]
            out.write(np.stack(maxima).tobytes())
        out.flush()
        return np.memmap(out, np.float32, "r", shape=(len(items), len(maxima[0])))
