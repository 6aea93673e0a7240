"""torchvision's Faster R-CNN (MobileNetV3, 320 pixels) as it is trained, and as a graph for any batch size.

Ren et al., "Faster R-CNN" (arXiv:1506.01497). torchvision's own forward pass treats each photograph by itself and has
no fixed number of boxes; the graph here computes the same on a fixed number of proposals.
"""

import copy
import pickle
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.detectors.evaluation import RunDetector
from uncia.training.detectors.losses import Target
from uncia.training.detectors.yolox_architecture import as_runner
from uncia.triton_models.recipes.box_selection import BoxSelection, suppress

SIZE = (416, 320)
"""Width and height that the network sees: torchvision's 320 pixels."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STRIDE = 32
"""Of both feature maps of this backbone; boxes are pooled from the first."""
_CANDIDATES, _PROPOSALS = 300, 100
_PROPOSAL_OVERLAP = 0.7
_BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""Scales of torchvision's second regression."""


class FasterRcnnArchitecture:
    """An `Architecture`: torchvision's `fasterrcnn_mobilenet_v3_large_320_fpn`."""

    def __init__(self, categories: int, spec: FrameSpec, weights: Path | None, seed: int) -> None:
        """With a file of torchvision's weights, or random weights without one. Raises `TrainingError`."""
        from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network: Any = fasterrcnn_mobilenet_v3_large_320_fpn(
                weights=None, weights_backbone=None, num_classes=categories + 1
            )
        if weights is not None:
            _load(self.network, weights)
        self.spec = spec
        self.frozen = "statistics" if weights is not None else ""

    def trained_parameters(self) -> list[nn.Parameter]:
        """All."""
        return list(self.network.parameters())

    def loss(self, pixels: Tensor, targets: Sequence[Target]) -> Tensor:
        """The sum of torchvision's four losses. The frames' weights scale their frames' share of the mean."""
        from torchvision.models.detection.image_list import ImageList

        self.network.train()
        if self.frozen:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        sizes = [(pixels.shape[2], pixels.shape[3])] * len(pixels)
        features: OrderedDict[str, Tensor] = self.network.backbone(normalise(pixels))
        total = pixels.new_zeros(())
        for number, target in enumerate(targets):
            own = OrderedDict((name, level[number : number + 1]) for name, level in features.items())
            corners = torch.cat([target.boxes[:, :2], target.boxes[:, :2] + target.boxes[:, 2:]], dim=1)
            truth = [{"boxes": corners, "labels": target.classes + 1}]
            proposals, first = self.network.rpn(ImageList(pixels[number : number + 1], sizes[:1]), own, truth)
            _, second = self.network.roi_heads(own, proposals, sizes[:1], truth)
            total = total + target.weight * sum((first | second).values())
        self.network.eval()
        return total / len(targets)

    def runner(self, spec: FrameSpec) -> RunDetector:
        """The detector of the weights as they are now."""
        return as_runner(self.graph(spec))

    def graph(self, spec: FrameSpec) -> "FasterRcnnDetector":
        """The same for export."""
        return FasterRcnnDetector(copy.deepcopy(self.network).eval(), spec).eval()

    def training_size(self, scale: float) -> tuple[int, int]:
        """The size that the network sees, whatever the scale."""
        return SIZE


class FasterRcnnDetector(nn.Module):
    """From bytes to boxes. In and out as `YoloXDetector`."""

    anchors: Tensor

    def __init__(self, network: Any, spec: FrameSpec) -> None:
        from torchvision.models.detection.image_list import ImageList

        super().__init__()
        self.network = network
        self.selection = BoxSelection(*SIZE)
        width, height = SIZE
        blank = torch.zeros(1, 3, height, width)
        with torch.inference_mode(False), torch.no_grad():
            features = list(network.backbone(blank).values())
            anchors = network.rpn.anchor_generator(ImageList(blank, [(height, width)]), features)[0]
        self.register_buffer("anchors", anchors.clone())

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pixels = frame.permute(0, 3, 1, 2).to(torch.float32)
        width, height = SIZE
        small = functional.interpolate(pixels, size=(height, width), mode="bilinear", align_corners=False)
        features = self.network.backbone(normalise(small))
        proposals = self._propose(list(features.values()))
        boxes, scores = self._classify(features["0"], proposals)
        sides = torch.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], dim=2)
        outputs: tuple[Tensor, Tensor, Tensor] = self.selection(sides, scores)
        return outputs

    def _propose(self, features: list[Tensor]) -> Tensor:
        """Corners (B, proposals, 4) in pixels, of the best regions."""
        objects, deltas = self.network.rpn.head(features)
        scores = torch.cat([level.permute(0, 2, 3, 1).flatten(1) for level in objects], dim=1).sigmoid()
        moves = torch.cat([level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, 4) for level in deltas], dim=1)
        best, places = scores.topk(min(_CANDIDATES, scores.shape[1]), dim=1)
        corners = _decode(self.anchors[places], _pick(moves, places), (1.0, 1.0, 1.0, 1.0))
        kept = suppress(corners, best, _PROPOSALS, _PROPOSAL_OVERLAP)
        _, order = (best * kept).topk(min(_PROPOSALS, best.shape[1]), dim=1)
        return _pick(corners, order)

    def _classify(self, features: Tensor, proposals: Tensor) -> tuple[Tensor, Tensor]:
        """Corners (B, proposals, 4), and scores (B, proposals, categories)."""
        from torchvision.ops import roi_align

        count = proposals.shape[1]
        numbers = torch.arange(proposals.shape[0])[:, None, None].expand(-1, count, 1).to(proposals.dtype)
        regions = torch.cat([numbers, proposals], dim=2).reshape(-1, 5)
        pooled = roi_align(features, regions, (7, 7), 1 / _STRIDE, 2)
        hidden = self.network.roi_heads.box_head(pooled)
        logits, deltas = self.network.roi_heads.box_predictor(hidden)
        scores = logits.softmax(dim=1)[:, 1:].reshape(-1, count, logits.shape[1] - 1)
        best = scores.argmax(dim=2)
        moves = deltas.reshape(-1, count, logits.shape[1], 4)[:, :, 1:]
        own = moves.gather(2, best[..., None, None].expand(-1, -1, 1, 4)).squeeze(2)
        return _decode(proposals, own, _BOX_WEIGHTS), scores


def normalise(pixels: Tensor) -> Tensor:
    """Pixels 0 to 255, as torchvision's backbones expect them."""
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) * 255 for values in (_MEAN, _STD))
    return (pixels - mean) / std


def _pick(values: Tensor, places: Tensor) -> Tensor:
    return values.gather(1, places[..., None].expand(-1, -1, 4))


def _decode(corners: Tensor, deltas: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """Regions (B, K, 4) moved by what the network says, as corners clipped to the frame."""
    sides = corners[..., 2:] - corners[..., :2]
    scaled = deltas / torch.tensor(weights)
    centres = corners[..., :2] + sides / 2 + scaled[..., :2] * sides
    # torchvision's limit: exp must not overflow.
    halves = scaled[..., 2:].clamp(max=4.135).exp() * sides / 2
    limits = torch.tensor(SIZE, dtype=torch.float32)
    low, high = centres - halves, centres + halves
    return torch.cat([low.clamp(min=0).minimum(limits), high.clamp(min=0).minimum(limits)], dim=2)


def _load(network: nn.Module, weights: Path) -> None:
    """Load what fits: the last layer does where the number of classes is the same."""
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        own = network.state_dict()
        fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    except (OSError, RuntimeError, EOFError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{weights} cannot be used as weights of Faster R-CNN: {error}") from error
    missing = [key for key in own if key not in fitting and "box_predictor" not in key and "num_batches" not in key]
    if missing:
        raise TrainingError(
            f"{weights} has no weights of {missing[0]} and {len(missing) - 1} others: it is not of torchvision's "
            "fasterrcnn_mobilenet_v3_large_320_fpn"
        )
    network.load_state_dict(own | fitting)
