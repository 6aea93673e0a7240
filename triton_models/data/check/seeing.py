"""What a published network sees in each picture: the features that doubtful labels are found by."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triton_models.data.pictures import Progress
from uncia.frames import FrameSpec

BACKBONE = "efficientnet-lite0"


def see(paths: Sequence[Path], cache: Path, progress: Progress | None = None) -> tuple[list[Path], NDArray[np.float32]]:
    """Those that could be read, and float32 (N, 2 D): the mean of all windows, and of each feature its best window.

    The animal is in one window, the place in all: the second half sees it, where the first hardly does. Features are
    kept in `cache` by content, and shared with `uncia train`. Raises `TrainingError` where that cannot be written.
    """
    # Here, because torch takes seconds to load, and a check without the network needs none of it.
    from triton_models.training.backbones import backbone
    from triton_models.training.features import cache_file, extract
    from triton_models.training.rows import gather
    from triton_models.training.sights import Sight

    network, spec = backbone(BACKBONE), FrameSpec()
    cut = network.deepest
    sights = [Sight(path) for path in paths]
    told = extract(sights, ("plain",), network, (cut,), spec, cache, progress or (lambda done, total: None))
    file = cache_file(cache, network, cut, spec)
    kept = [(sight, content) for sight, content in zip(sights, told.contents, strict=True) if content is not None]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        table = gather([(file, sight.key(content, "plain")) for sight, content in kept], Path(folder) / "rows")
        size = table.rows.shape[1]
        features = np.zeros((len(kept), 2 * size), np.float32)
        for place in range(len(kept)):
            rows = table.of(place)
            features[place, :size], features[place, size:] = rows[0], rows[1:].max(axis=0, initial=-np.inf)
    features[~np.isfinite(features)] = 0
    return [sight.path for sight, _ in kept], features
