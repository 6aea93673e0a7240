"""The dense pass: a classifier that runs once over a whole camera-trap frame and scores every window of it.

An animal fills a few per cent of a camera trap's frame, so a classifier that receives the whole frame does not detect
it. Cutting tiles finds the animal at dozens of calls per frame. A convolutional network does the same in one call: its
features are pooled over windows as large as its training images (7 x 7 features, 224 pixels) and the classifier is
applied to each as a 1 x 1 convolution. That costs 2.9 times a plain 224 x 224 pass, whatever the number of windows.

Needs the extra `models` (torch); no code that serves imports this module.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.triton_models.recipes import efficientnet

_OPSET = 17

WholeFrameMode = Literal["mean", "windows"]


class DensePass(nn.Module):
    """Any convolutional network with a linear head, with everything but decoding inside: clients send pixels and
    receive scores.

    In: FRAME uint8 (B, height, width, 3), RGB. Out, for each of C classes:

    - WHOLE float32 (B, C): scores of the frame as a whole, which sum to one. With `whole="mean"` the softmax of the
      head over the mean of **all** features, as in a stock network; with `"windows"` one softmax over the log-scores
      of the windows below.
    - WINDOWS float32 (B, C): softmax within each window, then the score of the class's best window. The scores do not
      sum to one: two animals in two windows can both be near one. For a class that is true of a frame only where it
      is true of all of it (`frame_wide`: nothing is there), the window where it scores **lowest**.
    - PLACES int32 (B, C): the index of that window, row-major in `FrameSpec.grid`; the first of equal scores.

    Where the window is the whole frame, WINDOWS equals WHOLE and PLACES is 0. `temperature` divides the logits (the
    log-scores for `"windows"`) before the softmax of WHOLE.

    `trunk` takes float32 (B, 3, height, width), `(pixel - mean) / std`, and returns (B, D, rows, columns), one feature
    every `feature_stride` pixels. Raises `ValueError` where windows do not align with features.
    """

    mean: Tensor
    std: Tensor
    frame_wide: Tensor
    temperature: Tensor

    def __init__(
        self,
        trunk: nn.Module,
        head: nn.Linear,
        spec: FrameSpec,
        *,
        feature_stride: int,
        mean: Sequence[float],
        std: Sequence[float],
        whole: WholeFrameMode = "mean",
        frame_wide: Sequence[int] = (),
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.one_window = spec.window >= spec.width and spec.window >= spec.height
        sizes = (spec.width, spec.height, min(spec.window, spec.width), min(spec.window, spec.height), spec.stride)
        if not self.one_window and any(size % feature_stride for size in sizes):
            raise ValueError(f"width, height, window and stride must be multiples of {feature_stride}")
        self.trunk = trunk
        self.head = head
        self.whole: WholeFrameMode = whole
        self.feature_stride = feature_stride
        self.window = (min(spec.window, spec.height) // feature_stride, min(spec.window, spec.width) // feature_stride)
        self.stride = spec.stride // feature_stride
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32)[None, :, None, None])
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32)[None, :, None, None])
        wide = torch.zeros(1, head.out_features, dtype=torch.bool)
        wide[0, list(frame_wide)] = True
        self.register_buffer("frame_wide", wide)
        self.register_buffer("temperature", torch.tensor(float(temperature)))

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, windows, places = self.scores(frame)
        whole = torch.softmax(logits / self.temperature, dim=1)
        return whole, whole + 0.0 if windows is None else windows, places

    def scores(self, frame: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Logits of WHOLE (B, C) before the temperature, WINDOWS (None where it equals WHOLE), PLACES."""
        features = self.trunk((frame.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std)
        # One convolution computes both outputs, so that the graph contains the head once.
        kernel = self.head.weight[:, :, None, None]
        mean = features.mean(dim=(2, 3), keepdim=True)
        if self.one_window:
            logits = functional.conv2d(mean, kernel, self.head.bias).flatten(1)
            return logits, None, (logits != logits).to(torch.int32)
        pooled = functional.avg_pool2d(features, self.window, stride=self.stride)
        if self.whole == "mean":
            logits = functional.conv2d(mean, kernel, self.head.bias).flatten(1)
            windows = torch.softmax(functional.conv2d(pooled, kernel, self.head.bias), dim=1).flatten(2)
            return logits, windows.amax(dim=2), windows.argmax(dim=2).to(torch.int32)
        scores = torch.log_softmax(functional.conv2d(pooled, kernel, self.head.bias), dim=1).flatten(2)
        best = torch.where(self.frame_wide, scores.amin(dim=2), scores.amax(dim=2))
        places = torch.where(self.frame_wide, scores.argmin(dim=2), scores.argmax(dim=2))
        return best, best.exp(), places.to(torch.int32)


class FirstFeatureMap(nn.Module):
    """A trunk from a module that returns a tuple of feature maps: the first of them."""

    def __init__(self, maps: nn.Module) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, pixels: Tensor) -> Tensor:
        first: Tensor = self.maps(pixels)[0]
        return first


def load(spec: FrameSpec) -> DensePass:
    """EfficientNet-lite0 with its published weights and its 1,000 ImageNet classes, in evaluation mode."""
    network = efficientnet.load_network(efficientnet.VARIANTS[0], spec.height, spec.width)
    trunk = FirstFeatureMap(efficientnet.EfficientNetMaps(network, (efficientnet.FEATURES,)))
    return DensePass(
        trunk, network._fc, spec, feature_stride=efficientnet.STRIDE, mean=efficientnet.MEAN, std=efficientnet.STD
    ).eval()


def run_network(model: DensePass, pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """WHOLE, WINDOWS and PLACES, computed by torch, for frames uint8 (B, height, width, 3)."""
    with torch.inference_mode():
        whole, windows, places = model(torch.from_numpy(pixels))
    return whole.numpy(), windows.numpy(), places.numpy()


def export(model: DensePass, spec: FrameSpec, path: Path) -> None:
    """Write the ONNX graph, for any batch size and this frame. Equal versions of torch write equal bytes."""
    export_graph(model, spec, path, ["WHOLE", "WINDOWS", "PLACES"])


def export_graph(model: nn.Module, spec: FrameSpec, path: Path, outputs: list[str]) -> None:
    """Write a module whose input is FRAME as an ONNX graph with these outputs."""
    with warnings.catch_warnings():
        # The older exporter is used on purpose (its graphs run in every ONNX Runtime and TensorRT), and it warns
        # about that and about its constant folding. Callers compare the graph with torch afterwards.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(1, spec.height, spec.width, 3, dtype=torch.uint8),),
            str(path),
            opset_version=_OPSET,
            dynamo=False,
            input_names=["FRAME"],
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in ["FRAME", *outputs]},
        )
