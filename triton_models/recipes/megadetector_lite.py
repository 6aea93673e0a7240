"""MegadetectorLite: YOLOX-tiny with one class, as a detector from bytes to boxes.

Needs the extra `models` (torch); no code that serves imports this module.
"""

import io

import torch
from torch import nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.triton_models.recipes import yolox
from uncia.triton_models.recipes.detector_graph import YoloXDetector


def load_network(weights: bytes) -> yolox.YoloX:
    """The network with its published weights, as it was trained; its pixels are BGR. Runs no code of the file."""
    network = yolox.YoloX(classes=1)
    checkpoint = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
    network.load_state_dict(checkpoint["model"], strict=True)
    return network.eval()


def load_rgb_network(weights: bytes) -> yolox.YoloX:
    """The same for RGB pixels, to be trained further: the colours of the first kernel change places."""
    network = load_network(weights)
    stem = network.backbone.backbone.stem
    assert isinstance(stem, yolox.Focus)
    kernel = stem.conv.conv.weight.detach()
    blocks = kernel.reshape(len(kernel), 4, 3, *kernel.shape[2:]).flip(2)
    stem.conv.conv.weight = nn.Parameter(blocks.reshape(kernel.shape))
    return network


def load(weights: bytes, spec: FrameSpec) -> YoloXDetector:
    """The detector for frames of this size, in evaluation mode.

    The network expects BGR, as YOLOX's own loader reads files: with RGB the area under the curve of animal against
    blank falls from 0.95 to 0.79 on `gamecam` and from 0.89 to 0.87 on `missouri`. The order is a matter of the first
    kernel, so that it costs nothing.
    """
    network = yolox.for_inference(load_network(weights))
    first = network.backbone.backbone.stem.get_submodule("conv")
    assert isinstance(first, nn.Conv2d)
    first.weight = nn.Parameter(first.weight.detach().flip(1))
    return YoloXDetector(network, spec).eval()
