"""A backbone: a published network, frozen, cut at any layer.

A cut is named as its network names it: `block-0` to `block-15` and `features` for EfficientNet-lite, the modules'
names (`layer3`, `layer4.1`, ...) for torchvision's. Early cuts see texture and edges, late ones what a thing is.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from uncia.imaging.frames import FrameSpec
from uncia.serving.labels import LabelSet
from uncia.training import TrainingError
from uncia.training.linear.logistic_regression import LinearClassifier
from uncia.triton_models.recipes import imagenet
from uncia.triton_models.recipes.dense_pass import OneMap


@dataclass(frozen=True)
class PublishedClassifier:
    """A network's own classifier over the mean of its deepest features, and what its classes mean."""

    head: LinearClassifier
    labels: LabelSet


def imagenet_classifier(layer: nn.Linear) -> PublishedClassifier:
    """A classifier of ImageNet's 1,000 classes."""
    weight, bias = (parameter.detach().cpu().numpy().copy() for parameter in (layer.weight, layer.bias))
    return PublishedClassifier(LinearClassifier(weight, bias), imagenet.label_set())


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
    def published(self) -> PublishedClassifier | None:
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
