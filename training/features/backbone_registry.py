"""Backbones by name."""

from pathlib import Path

from uncia.training import TrainingError
from uncia.training.features.backbone import Backbone
from uncia.training.features.efficientnet_backbone import EfficientNetLite
from uncia.training.features.torchvision_backbone import TorchvisionBackbone
from uncia.triton_models.recipes import efficientnet


def load_backbone(name: str, weights: Path | None = None) -> Backbone:
    """The backbone of this name: an EfficientNet-lite, or any classifier of torchvision's.

    `weights` is a file with the state of a torchvision network; without it its published weights are downloaded.
    Raises `TrainingError` where there is no such network, or no weights.
    """
    if name in efficientnet.VARIANTS:
        if weights is not None:
            raise TrainingError(f"{name} brings its own weights: leave --weights out, or name a torchvision network")
        return EfficientNetLite(name)
    return TorchvisionBackbone(name, weights)
