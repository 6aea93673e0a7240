"""A frozen trunk with its pooling: frames in, rows of features out. ONNX Runtime on a CPU, torch on a GPU.

On a CPU, ONNX Runtime is five to six times as fast as torch. It computes in the calling threads, one frame per thread,
as in the stream: threads that share the layers of one frame wait for each other.
"""

import hashlib
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.storage.durable import replace_durably
from uncia.training import TrainingError
from uncia.training.feature_store.cache import Rows
from uncia.training.features.backbone import Backbone
from uncia.triton_models.packages.loading import open_session
from uncia.triton_models.recipes.dense_pass import export_graph


class PooledFeatures(nn.Module):
    """In: FRAME uint8 (B, height, width, 3). Out, for each cut, float32 (B, R, D).

    Row 0 is the mean over the whole frame. Where windows are smaller than the frame, one row per window follows,
    row-major in `FrameSpec.grid`. The pooling is that of `DensePass`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...], spec: FrameSpec) -> None:
        super().__init__()
        self.maps = backbone.maps(cuts, spec)
        self.strides = [backbone.strides[cut] for cut in cuts]
        self.spec = spec
        self.register_buffer("mean", torch.tensor(backbone.mean)[None, :, None, None])
        self.register_buffer("std", torch.tensor(backbone.std)[None, :, None, None])

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        maps = self.maps((frame.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std)
        return tuple(self._rows(features, stride) for features, stride in zip(maps, self.strides, strict=True))

    def _rows(self, features: Tensor, stride: int) -> Tensor:
        whole = features.mean(dim=(2, 3)).unsqueeze(1)
        spec = self.spec
        if spec.grid == (1, 1):
            return whole
        window = (min(spec.window, spec.height) // stride, min(spec.window, spec.width) // stride)
        pooled = functional.avg_pool2d(features, window, stride=spec.stride // stride)
        return torch.cat([whole, pooled.flatten(2).transpose(1, 2)], dim=1)


class TrunkExtractor:
    """Computes rows of features; thread-safe. Its ONNX graph is exported once into `folder`, atomically."""

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...], spec: FrameSpec, folder: Path) -> None:
        self.on_gpu = torch.cuda.is_available()
        self._lock = threading.Lock()
        if self.on_gpu:
            self._network = PooledFeatures(backbone, cuts, spec).cuda().eval()
            return
        path = folder / f"trunk-{features_digest(backbone, '+'.join(cuts), spec)}.onnx"
        if not path.exists():
            outputs = [f"ROWS_{number}" for number in range(len(cuts))]
            write_graph(PooledFeatures(backbone, cuts, spec).eval(), spec, path, outputs)
        self._session = open_session(path)

    def __call__(self, frames: Pixels) -> list[Rows]:
        """Rows (B, R, D) for each cut, of frames uint8 (B, height, width, 3)."""
        if not self.on_gpu:
            rows: list[Rows] = self._session.run(None, {"FRAME": frames})
            return rows
        with self._lock, torch.inference_mode():
            outputs: Any = self._network(torch.from_numpy(np.ascontiguousarray(frames)).cuda(non_blocking=True))
            return [output.cpu().numpy() for output in outputs]


def features_digest(backbone: Backbone, cut: str, spec: FrameSpec) -> str:
    """Digest of all that determines a row besides the photograph: weights, cut, frame, and the code up to the frame."""
    hasher = hashlib.sha256(f"{backbone.name} {backbone.digest} {cut} {spec.model_dump_json()}".encode())
    hasher.update(_code_digest().encode())
    return hasher.hexdigest()[:24]


@cache
def _code_digest() -> str:
    import uncia.imaging.frame_spec
    import uncia.imaging.frames
    import uncia.training.datasets.image_decoding
    import uncia.training.features.inputs

    modules = (
        uncia.imaging.frame_spec,
        uncia.imaging.frames,
        uncia.training.datasets.image_decoding,
        uncia.training.features.inputs,
    )
    files = [Path(__file__), *(Path(str(module.__file__)) for module in modules)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def write_graph(network: nn.Module, spec: FrameSpec, path: Path, outputs: list[str]) -> None:
    """Export the network as an ONNX file, atomically. Raises `TrainingError` where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".exporting-", dir=path.parent) as folder:
            export_graph(network, spec, Path(folder) / path.name, outputs)
            replace_durably(Path(folder) / path.name, path)
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be written ({error.strerror}): free some space and run the same command again, or choose "
            "another folder with --cache"
        ) from error
