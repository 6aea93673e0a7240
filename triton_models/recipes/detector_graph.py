"""A detector with everything but decoding inside: clients send pixels and receive boxes.

Needs the extra `models` (torch); no code that serves imports this module.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.triton_models.recipes import yolox
from uncia.triton_models.recipes.box_selection import BoxSelection
from uncia.triton_models.recipes.dense_pass import export_graph

OUTPUTS = ("BOXES", "SCORES", "CATEGORIES")


class YoloXDetector(nn.Module):
    """YOLOX, from bytes to boxes.

    In: FRAME uint8 (B, height, width, 3), RGB. Out: BOXES, SCORES and CATEGORIES as `BoxSelection` returns them.
    """

    def __init__(self, network: yolox.YoloX, spec: FrameSpec) -> None:
        super().__init__()
        if spec.width % yolox.STRIDES[-1] or spec.height % yolox.STRIDES[-1]:
            raise ValueError(f"width and height must be multiples of {yolox.STRIDES[-1]}")
        self.network = network
        self.selection = BoxSelection(spec.width, spec.height)

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pixels = frame.permute(0, 3, 1, 2).to(torch.float32)
        boxes, scores = yolox.decode(self.network(pixels))
        outputs: tuple[Tensor, Tensor, Tensor] = self.selection(boxes, scores)
        return outputs


def run_network(model: nn.Module, pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """BOXES, SCORES and CATEGORIES, computed by torch, for frames uint8 (B, height, width, 3)."""
    with torch.inference_mode():
        boxes, scores, categories = model(torch.from_numpy(pixels))
    return boxes.numpy(), scores.numpy(), categories.numpy()


def export(model: nn.Module, spec: FrameSpec, path: Path) -> None:
    """Write the ONNX graph, for any batch size and this frame. Equal versions of torch write equal bytes."""
    export_graph(model, spec, path, list(OUTPUTS))
