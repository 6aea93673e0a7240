"""A backbone: a published network, frozen, cut at any layer.

A cut has the name that its network gives it: `block-0` to `block-15` and `features` for EfficientNet-lite, the modules'
names (`layer3`, `layer4.1`, ...) for torchvision's networks. Early cuts respond to texture and edges, late ones to
what a thing is.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import LabelSet
from uncia.training import TrainingError
from uncia.training.linear.logistic_regression import LinearClassifier
from uncia.triton_models.recipes import imagenet
from uncia.triton_models.recipes.dense_pass import FirstFeatureMap


@dataclass(frozen=True)
class PublishedClassifier:
    """A network's own classifier over the mean of its deepest features, and what its classes mean."""

    head: LinearClassifier
    labels: LabelSet


def imagenet_classifier(layer: nn.Linear) -> PublishedClassifier:
    """The classifier of ImageNet's 1,000 classes that a network's last layer contains."""
    weight, bias = (parameter.detach().cpu().numpy().copy() for parameter in (layer.weight, layer.bias))
    return PublishedClassifier(LinearClassifier(weight, bias), imagenet.label_set())


class Backbone(ABC):
    """One published network. `mean` and `std` are of pixel values from 0 to 255, for red, green and blue."""

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str

    @cached_property
    @abstractmethod
    def strides(self) -> dict[str, int]:
        """Distance between neighbouring features in pixels of the frame, by cut, the earliest cut first."""

    @cached_property
    @abstractmethod
    def digest(self) -> str:
        """Digest of the weights: equal digest, cut and frame give equal features."""

    @cached_property
    @abstractmethod
    def provenance(self) -> str:
        """Where the weights come from, for readers of a model card."""

    @cached_property
    @abstractmethod
    def published(self) -> PublishedClassifier | None:
        """The published classifier; None where its input is not the mean of the deepest features."""

    @abstractmethod
    def maps(self, cuts: tuple[str, ...], spec: FrameSpec) -> nn.Module:
        """A new network: normalised float32 (B, 3, height, width) to one feature map (B, D, rows, columns) per cut."""

    @property
    def cuts(self) -> tuple[str, ...]:
        return tuple(self.strides)

    @property
    def deepest(self) -> str:
        return self.cuts[-1]

    def trunk(self, cut: str, spec: FrameSpec) -> nn.Module:
        """As `maps`, for one cut and one feature map. Raises `TrainingError` for an unknown cut."""
        self.check(cut)
        return FirstFeatureMap(self.maps((cut,), spec)).eval()

    def check(self, cut: str) -> None:
        """Raises `TrainingError` for an unknown cut."""
        if cut not in self.strides:
            raise TrainingError(f"{self.name} has no cut {cut!r}: use one of {', '.join(self.cuts)}")
