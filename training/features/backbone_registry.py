"""Backbones by name."""

from pathlib import Path

from uncia.training import TrainingError
from uncia.training.features.backbone import Backbone
from uncia.training.features.efficientnet_backbone import EfficientNetLite
from uncia.training.features.torchvision_backbone import TorchvisionBackbone
from uncia.triton_models.recipes import efficientnet


def load_backbone(name: str, weights: Path | None = None) -> Backbone:
    """An EfficientNet-lite, or any classifier of torchvision, by name.

    `weights` is a file with the state dict of a torchvision network; without it torchvision downloads its published
    weights. Raises `TrainingError` for an unknown network, and where the weights cannot be loaded.
    """
    if name in efficientnet.VARIANTS:
        if weights is not None:
            raise TrainingError(f"{name} has weights of its own: leave --weights out, or choose a torchvision network")
        return EfficientNetLite(name)
    return TorchvisionBackbone(name, weights)
