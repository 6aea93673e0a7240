"""Fine-tuning on a CPU: what does not learn runs in ONNX Runtime, which is several times as fast as torch.

The network is cut where learning begins. The frozen part becomes a graph, asked frame by frame in the threads that
decode; the rest is a `DensePass` over its features, which shares its layers with the whole network.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from uncia.imaging.frames import FrameSpec, Pixels
from uncia.training.features.backbone import Backbone
from uncia.training.features.trunk_extractor import features_digest, write_graph
from uncia.triton_models.recipes.dense_pass import DensePass, OneMap
from uncia.triton_models.recipes.efficientnet import EfficientNetMaps

FrameTransform = Callable[[Pixels], NDArray[Any]]
"""A frame as the learning part takes it."""


def split_network(
    network: DensePass, backbone: Backbone, spec: FrameSpec, learning: int, folder: Path
) -> tuple[DensePass, FrameTransform | None]:
    """The part whose last `learning` blocks learn, and what goes before it.

    The network itself, and None, on a GPU, and where it is no EfficientNet or nearly all of it learns.
    """
    maps = network.trunk.maps if isinstance(network.trunk, OneMap) else None
    if torch.cuda.is_available() or not isinstance(maps, EfficientNetMaps):
        return network, None
    blocks = len(maps.blocks) + (maps.head is not None)
    last_frozen = blocks - learning - 1
    if last_frozen < 0:
        return network, None
    cut = f"block-{last_frozen}"
    path = folder / f"frozen-{features_digest(backbone, cut, spec)}.onnx"
    if not path.exists():
        write_graph(_Frozen(backbone, cut, spec).eval(), spec, path, ["FEATURES"])
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    channels = session.get_outputs()[0].shape[-1]
    rest = DensePass(
        _Rest(maps, last_frozen + 1),
        network.head,
        spec,
        step=network.step,
        mean=[0.0] * channels,
        std=[1.0] * channels,
        whole=network.whole,
        everywhere=network.lasting[0].nonzero()[:, 0].tolist(),
    )

    def prepare(frame: Pixels) -> NDArray[np.float32]:
        features: NDArray[np.float32] = session.run(None, {"FRAME": frame[np.newaxis]})[0][0]
        return features

    return rest.eval(), prepare


class _Frozen(nn.Module):
    """FRAME uint8 (B, height, width, 3) to features float32 (B, rows, columns, channels)."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, cut: str, spec: FrameSpec) -> None:
        super().__init__()
        self.trunk = backbone.trunk(cut, spec)
        self.register_buffer("mean", torch.tensor(backbone.mean)[None, :, None, None])
        self.register_buffer("std", torch.tensor(backbone.std)[None, :, None, None])

    def forward(self, frame: Tensor) -> Tensor:
        features: Tensor = self.trunk((frame.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std)
        return features.permute(0, 2, 3, 1)


class _Rest(nn.Module):
    """The blocks from `first` on, and the head; the very layers of `maps`."""

    def __init__(self, maps: EfficientNetMaps, first: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(list(maps.blocks)[first:])
        self.head = maps.head

    def forward(self, features: Tensor) -> Tensor:
        now = features
        for block in self.blocks:
            now = block(now)
        return now if self.head is None else self.head(now)
