"""RT-DETR v2 (Lv et al. 2024, arXiv:2407.17140), in the Apache-licensed form of MegaDetector v6.

Only what inference needs. Parameter names are those of the published checkpoints, so that `load_checkpoint` notices
every missing, misshapen or unknown one. Backbone, encoder and decoder are in the files next to this one.

Needs the extra `models` (torch).
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from uncia.triton_models.fetching.checkpoint import checkpoint_members, load_tensors
from uncia.triton_models.fetching.rtdetr_backbone import ResNetD, stage_channels
from uncia.triton_models.fetching.rtdetr_decoder import Decoder
from uncia.triton_models.fetching.rtdetr_encoder import HybridEncoder

STRIDES = (8, 16, 32)

_OPSET = 17

_COUNTERS = re.compile(r"\.num_batches_tracked$")
"""Counters of training. Frozen normalisation has none, so that files differ in them."""
_DERIVED = re.compile(r"\.(num_points_scale|anchors|valid_mask)$")
"""Constants, which some files contain."""
_TRAINING_ONLY = "decoder.denoising_class_embed.weight"


@dataclass(frozen=True)
class RtDetrConfig:
    """The sizes of a network."""

    blocks: tuple[int, int, int, int]
    """Of the four stages of the backbone."""
    bottleneck: bool
    width: int = 64
    """Channels of the backbone's stem."""
    encoder_channels: int = 256
    encoder_feedforward: int = 1024
    expansion: float = 1.0
    """Channels inside the encoder's fusion blocks, as a share of those outside."""
    channels: int = 256
    """Of the decoder."""
    feedforward: int = 1024
    layers: int = 6
    queries: int = 300
    heads: int = 8
    points: int = 4
    """Places that a head samples on a map."""
    side: int = 640
    """Width and height of the input."""
    classes: int = 3


CONFIGS = {
    "rtdetr-r18": RtDetrConfig((2, 2, 2, 2), bottleneck=False, expansion=0.5, layers=3),
    "rtdetr-r101": RtDetrConfig((3, 4, 23, 3), bottleneck=True, encoder_channels=384, encoder_feedforward=2048),
}
"""By the format that the table of published models states."""


class RtDetr(nn.Module):
    """In: float32 (B, 3, side, side), RGB from 0 to 1. Out: boxes (B, Q, 4) as centre and size in shares of the input,
    and class logits (B, Q, C)."""

    def __init__(self, config: RtDetrConfig) -> None:
        super().__init__()
        self.config = config
        cells = [config.side // stride for stride in STRIDES]
        self.backbone = ResNetD(config.blocks, config.width, bottleneck=config.bottleneck)
        self.encoder = HybridEncoder(
            stage_channels(config.width, bottleneck=config.bottleneck)[1:],
            config.encoder_channels,
            heads=config.heads,
            feedforward=config.encoder_feedforward,
            expansion=config.expansion,
            cells=cells[-1],
        )
        self.decoder = Decoder(
            config.encoder_channels,
            config.channels,
            cells=cells,
            classes=config.classes,
            queries=config.queries,
            layers=config.layers,
            heads=config.heads,
            feedforward=config.feedforward,
            points=config.points,
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        boxes, logits = self.decoder(self.encoder(self.backbone(pixels)))
        return boxes, logits


def load_checkpoint(network: RtDetr, path: Path) -> None:
    """Fill the network from a published checkpoint, without running code of the file. Raises `CheckpointRefused`.

    Takes the moving average of the weights (`ema`) where the file has one, and the last ones (`model`) otherwise.
    """
    members = checkpoint_members(path)
    average = members.get("ema")
    state = average.get("module") if isinstance(average, dict) else members.get("model")
    load_tensors(
        network,
        state if isinstance(state, dict) else {},
        path,
        surplus=lambda name: name == _TRAINING_ONLY or _COUNTERS.search(name) is not None,
        optional=lambda name: (_COUNTERS.search(name) or _DERIVED.search(name)) is not None,
    )


def export_network(network: RtDetr, path: Path) -> None:
    """Write the network as ONNX for any batch: `images` in, `pred_boxes` and `pred_logits` out."""
    side = network.config.side
    with warnings.catch_warnings():
        # The older exporter is used on purpose, as for all models here; it warns about that.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, side, side),),
            str(path),
            opset_version=_OPSET,
            dynamo=False,
            input_names=["images"],
            output_names=["pred_boxes", "pred_logits"],
            dynamic_axes={name: {0: "batch"} for name in ("images", "pred_boxes", "pred_logits")},
        )
