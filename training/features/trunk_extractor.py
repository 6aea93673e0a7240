"""A frozen trunk with its pooling: frames in, rows of features out. ONNX Runtime on a CPU, torch on a GPU.

ONNX Runtime is five to six times as fast as torch on a CPU. It works in the threads that ask it, one frame on each,
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

from uncia.imaging.frames import FrameSpec, Pixels
from uncia.storage.durable import replace_durably
from uncia.training import TrainingError
from uncia.training.feature_store.cache import Rows
from uncia.training.features.backbone import Backbone
from uncia.triton_models.recipes.dense_pass import export_graph


class PooledRows(nn.Module):
    """In: FRAME uint8 (B, height, width, 3). Out, for each cut, float32 (B, R, D).

    Row 0 is the mean over the whole frame. Where there are windows smaller than the frame, one row for each follows,
    row-major in `FrameSpec.grid`. Pooled as `DensePass` pools.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...], spec: FrameSpec) -> None:
        super().__init__()
        self.maps = backbone.maps(cuts, spec)
        self.steps = [backbone.steps[cut] for cut in cuts]
        self.spec = spec
        self.register_buffer("mean", torch.tensor(backbone.mean)[None, :, None, None])
        self.register_buffer("std", torch.tensor(backbone.std)[None, :, None, None])

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        maps = self.maps((frame.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std)
        return tuple(self._rows(found, step) for found, step in zip(maps, self.steps, strict=True))

    def _rows(self, features: Tensor, step: int) -> Tensor:
        whole = features.mean(dim=(2, 3)).unsqueeze(1)
        spec = self.spec
        if spec.grid == (1, 1):
            return whole
        window = (min(spec.window, spec.height) // step, min(spec.window, spec.width) // step)
        pooled = functional.avg_pool2d(features, window, stride=spec.stride // step)
        return torch.cat([whole, pooled.flatten(2).transpose(1, 2)], dim=1)


class TrunkExtractor:
    """Ask it with frames; thread-safe. Graphs are exported once into `folder`, whole or not at all."""

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...], spec: FrameSpec, folder: Path) -> None:
        self.on_gpu = torch.cuda.is_available()
        self._lock = threading.Lock()
        if self.on_gpu:
            self._network = PooledRows(backbone, cuts, spec).cuda().eval()
            return
        import onnxruntime

        path = folder / f"trunk-{features_digest(backbone, '+'.join(cuts), spec)}.onnx"
        if not path.exists():
            outputs = [f"ROWS_{place}" for place in range(len(cuts))]
            write_graph(PooledRows(backbone, cuts, spec).eval(), spec, path, outputs)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, frames: Pixels) -> list[Rows]:
        """Rows (B, R, D) for each cut, of uint8 (B, height, width, 3)."""
        if not self.on_gpu:
            answers: list[Rows] = self._session.run(None, {"FRAME": frames})
            return answers
        with self._lock, torch.inference_mode():
            found: Any = self._network(torch.from_numpy(np.ascontiguousarray(frames)).cuda(non_blocking=True))
            return [rows.cpu().numpy() for rows in found]


def features_digest(backbone: Backbone, cut: str, spec: FrameSpec) -> str:
    """Of all that shapes a row beside the photograph: weights, cut, frame, and the code that prepares frames."""
    hasher = hashlib.sha256(f"{backbone.name} {backbone.digest} {cut} {spec.model_dump_json()}".encode())
    hasher.update(_code().encode())
    return hasher.hexdigest()[:24]


@cache
def _code() -> str:
    import uncia.imaging.frames
    import uncia.training.datasets.image_decoding
    import uncia.training.features.inputs

    modules = (uncia.imaging.frames, uncia.training.datasets.image_decoding, uncia.training.features.inputs)
    files = [Path(__file__), *(Path(str(module.__file__)) for module in modules)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def write_graph(network: nn.Module, spec: FrameSpec, path: Path, outputs: list[str]) -> None:
    """Whole or not at all. Raises `TrainingError` where there is no room for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".exporting-", dir=path.parent) as draft:
            export_graph(network, spec, Path(draft) / path.name, outputs)
            replace_durably(Path(draft) / path.name, path)
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be written ({error.strerror}): make room, then give the same command again, or name "
            "another folder with --cache"
        ) from error
