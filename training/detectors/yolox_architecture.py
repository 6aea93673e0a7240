"""YOLOX as it is trained: frozen parts, the published assignment and losses, the detector of the weights as they are.

Batch norms keep their published statistics: a few frames of one camera at a time would spoil them.
"""

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.detectors.evaluation import Outputs, RunDetector
from uncia.training.detectors.losses import Target, detection_loss
from uncia.triton_models.recipes import yolox
from uncia.triton_models.recipes.detector_graph import YoloXDetector, run_network

Freeze = Literal["backbone", "neck", "none"]
"""backbone: the pyramid and the head are trained; neck: the head alone; none: everything."""


class YoloXArchitecture:
    """An `Architecture`: a YOLOX for RGB pixels."""

    def __init__(self, network: yolox.YoloX, spec: FrameSpec, freeze: Freeze = "backbone") -> None:
        self.network = network.eval()
        self.spec = spec
        self.frozen: Freeze = freeze

    def trained_parameters(self) -> list[nn.Parameter]:
        """All, without those of the frozen part."""
        network = self.network
        frozen: list[nn.Module] = []
        if self.frozen == "neck":
            frozen = [network.backbone]
        elif self.frozen == "backbone":
            frozen = [network.backbone.backbone]
        kept = {id(parameter) for module in frozen for parameter in module.parameters()}
        return [parameter for parameter in network.parameters() if id(parameter) not in kept]

    def loss(self, pixels: Tensor, targets: Sequence[Target]) -> Tensor:
        """Frozen layers are computed without a graph, which saves their backward pass and memory."""
        pyramid = self.network.backbone
        if self.frozen == "none":
            return detection_loss(self.network(pixels), targets)
        with torch.no_grad():
            features = pyramid.backbone(pixels) if self.frozen == "backbone" else pyramid(pixels)
        if self.frozen == "backbone":
            features = pyramid.combine(*features)
        return detection_loss(self.network.head(features), targets)

    def runner(self, spec: FrameSpec) -> RunDetector:
        """Normalisation is merged into the convolutions, which saves a fifth of the time."""
        return as_runner(self.graph(spec))

    def graph(self, spec: FrameSpec) -> YoloXDetector:
        """The detector of the weights as they are now, for export."""
        return YoloXDetector(yolox.for_inference(copy.deepcopy(self.network)), spec).eval()

    def training_size(self, scale: float) -> tuple[int, int]:
        """Multiples of the coarsest stride."""
        step = yolox.STRIDES[-1]
        width, height = (max(step, round(side * scale / step) * step) for side in (self.spec.width, self.spec.height))
        return width, height


def with_categories(network: yolox.YoloX, categories: int) -> yolox.YoloX:
    """A network for so many categories, from one for a single category: each starts with its weights."""
    reference = network.head.cls_preds[0]
    assert isinstance(reference, nn.Conv2d)
    if reference.out_channels == categories:
        return copy.deepcopy(network)
    wider = copy.deepcopy(network)
    for level, module in enumerate(network.head.cls_preds):
        assert isinstance(module, nn.Conv2d) and module.bias is not None
        own = nn.Conv2d(module.in_channels, categories, 1)
        own.weight = nn.Parameter(module.weight.detach()[:1].repeat(categories, 1, 1, 1))
        own.bias = nn.Parameter(module.bias.detach()[:1].repeat(categories))
        wider.head.cls_preds[level] = own
    return wider.eval()


def as_runner(graph: nn.Module) -> RunDetector:
    """A detector's graph in torch as a function."""

    def run(pixels: Pixels) -> Outputs:
        return run_network(graph, pixels)

    return run
