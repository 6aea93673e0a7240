"""Fine-tuning on a CPU: the frozen layers run in ONNX Runtime, which is several times as fast as torch.

The network is cut where training begins. The frozen prefix becomes an ONNX graph, run frame by frame in the threads
that decode; the rest is a `DensePass` over its features, which shares its layers with the whole network.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.features.backbone import Backbone
from uncia.training.features.trunk_extractor import features_digest, write_graph
from uncia.triton_models.packages.loading import open_session
from uncia.triton_models.recipes.dense_pass import DensePass, FirstFeatureMap
from uncia.triton_models.recipes.efficientnet import EfficientNetMaps

FrameTransform = Callable[[Pixels], NDArray[Any]]
"""From a frame to the input of the trained part."""


def split_network(
    network: DensePass, backbone: Backbone, spec: FrameSpec, trained_blocks: int, folder: Path
) -> tuple[DensePass, FrameTransform | None]:
    """The part whose last `trained_blocks` blocks are trained, and the transform that replaces the layers before it.

    Returns the network itself and None on a GPU, for a network that is not an EfficientNet, and where nothing remains
    frozen. The graph is cached in `folder`.
    """
    maps = network.trunk.maps if isinstance(network.trunk, FirstFeatureMap) else None
    if torch.cuda.is_available() or not isinstance(maps, EfficientNetMaps):
        return network, None
    blocks = len(maps.blocks) + (maps.head is not None)
    last_frozen = blocks - trained_blocks - 1
    if last_frozen < 0:
        return network, None
    cut = f"block-{last_frozen}"
    path = folder / f"frozen-{features_digest(backbone, cut, spec)}.onnx"
    if not path.exists():
        write_graph(_FrozenPrefix(backbone, cut, spec).eval(), spec, path, ["FEATURES"])
    session = open_session(path)
    channels = session.get_outputs()[0].shape[-1]
    rest = DensePass(
        _TrainedBlocks(maps, last_frozen + 1),
        network.head,
        spec,
        feature_stride=network.feature_stride,
        mean=[0.0] * channels,
        std=[1.0] * channels,
        whole=network.whole,
        frame_wide=network.frame_wide[0].nonzero()[:, 0].tolist(),
    )

    def transform(frame: Pixels) -> NDArray[np.float32]:
        features: NDArray[np.float32] = session.run(None, {"FRAME": frame[np.newaxis]})[0][0]
        return features

    return rest.eval(), transform


class _FrozenPrefix(nn.Module):
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


class _TrainedBlocks(nn.Module):
    """The blocks of `maps` from number `first` on, and its head. The layers are shared, not copied."""

    def __init__(self, maps: EfficientNetMaps, first: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(list(maps.blocks)[first:])
        self.head = maps.head

    def forward(self, features: Tensor) -> Tensor:
        for block in self.blocks:
            features = block(features)
        return features if self.head is None else self.head(features)
