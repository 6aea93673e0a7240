"""YOLOv9 (Wang et al. 2024, arXiv:2402.13616), small and compact, in the MIT-licensed form of MegaDetector v6.

Only what inference needs; the auxiliary branch of training is left out. Parameter names are those of the published
checkpoints, so that `load_checkpoint` notices every missing or misshapen one.

Needs the extra `models` (torch).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from uncia.triton_models.fetching.checkpoint import checkpoint_members, load_tensors

STRIDES = (8, 16, 32)
_REG_MAX = 16

_CHECKPOINT_PREFIX = "model.model."
_OPSET = 17


@dataclass(frozen=True)
class Layer:
    """One layer of the network: its kind, output channels, inputs (indices of layers, -1: the previous one)."""

    kind: Literal["conv", "elan", "repelan", "aconv", "adown", "spp", "up", "concat", "detect"]
    channels: int = 0
    part: int = 0
    repeat: int = 1
    inputs: tuple[int, ...] = (-1,)


def small() -> list[Layer]:
    """YOLOv9 small."""
    backbone = [
        Layer("conv", 32),
        Layer("conv", 64),
        Layer("elan", 64, 64),
        Layer("aconv", 128),
        Layer("repelan", 128, 128, 3),
        Layer("aconv", 192),
        Layer("repelan", 192, 192, 3),
        Layer("aconv", 256),
        Layer("repelan", 256, 256, 3),
    ]
    return [
        *backbone,
        Layer("spp", 256),
        Layer("up"),
        Layer("concat", inputs=(-1, 6)),
        Layer("repelan", 192, 192, 3),
        Layer("up"),
        Layer("concat", inputs=(-1, 4)),
        Layer("repelan", 128, 128, 3),
        Layer("aconv", 96),
        Layer("concat", inputs=(-1, 12)),
        Layer("repelan", 192, 192, 3),
        Layer("aconv", 128),
        Layer("concat", inputs=(-1, 9)),
        Layer("repelan", 256, 256, 3),
        Layer("detect", inputs=(15, 18, 21)),
    ]


def compact() -> list[Layer]:
    """YOLOv9 compact."""
    backbone = [
        Layer("conv", 64),
        Layer("conv", 128),
        Layer("repelan", 256, 128),
        Layer("adown", 256),
        Layer("repelan", 512, 256),
        Layer("adown", 512),
        Layer("repelan", 512, 512),
        Layer("adown", 512),
        Layer("repelan", 512, 512),
    ]
    return [
        *backbone,
        Layer("spp", 512),
        Layer("up"),
        Layer("concat", inputs=(-1, 6)),
        Layer("repelan", 512, 512),
        Layer("up"),
        Layer("concat", inputs=(-1, 4)),
        Layer("repelan", 256, 256),
        Layer("adown", 256),
        Layer("concat", inputs=(-1, 12)),
        Layer("repelan", 512, 512),
        Layer("adown", 512),
        Layer("concat", inputs=(-1, 9)),
        Layer("repelan", 512, 512),
        Layer("detect", inputs=(15, 18, 21)),
    ]


class Convolution(nn.Module):
    """Convolution, batch normalisation, SiLU."""

    def __init__(
        self, source: int, target: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(source, target, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(target, eps=1e-3)
        self.act = nn.SiLU() if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class RepConvolution(nn.Module):
    """The sum of a 3 x 3 and a 1 x 1 convolution, then SiLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Convolution(channels, channels, 3, act=False)
        self.conv2 = Convolution(channels, channels, 1, act=False)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.conv1(x) + self.conv2(x))
        return y


class Bottleneck(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = RepConvolution(channels)
        self.conv2 = Convolution(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv2(self.conv1(x))
        return y


class RepCsp(nn.Module):
    """A cross-stage partial block of bottlenecks."""

    def __init__(self, source: int, target: int, repeat: int) -> None:
        super().__init__()
        inner = target // 2
        self.conv1 = Convolution(source, inner, 1)
        self.conv2 = Convolution(source, inner, 1)
        self.conv3 = Convolution(2 * inner, target, 1)
        self.bottleneck = nn.Sequential(*[Bottleneck(inner) for _ in range(repeat)])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv3(torch.cat([self.bottleneck(self.conv1(x)), self.conv2(x)], dim=1))
        return y


class Elan(nn.Module):
    """Efficient layer aggregation: of plain convolutions, or of `RepCsp` blocks."""

    def __init__(self, source: int, target: int, part: int, repeat: int, *, blocks: bool) -> None:
        super().__init__()
        half = part // 2

        def stage() -> nn.Module:
            last = Convolution(half, half, 3)
            return nn.Sequential(RepCsp(half, half, repeat), last) if blocks else last

        self.conv1 = Convolution(source, part, 1)
        self.conv2, self.conv3 = stage(), stage()
        self.conv4 = Convolution(2 * part, target, 1)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.conv1(x).chunk(2, dim=1)
        third = self.conv2(second)
        y: Tensor = self.conv4(torch.cat([first, second, third, self.conv3(third)], dim=1))
        return y


class AverageDown(nn.Module):
    """Halves the size: mean, then a convolution with stride 2."""

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self.avg_pool = nn.AvgPool2d(2, 1)
        self.conv = Convolution(source, target, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.avg_pool(x))
        return y


class SplitDown(nn.Module):
    """Halves the size: half of the channels by a convolution, the others by the maximum."""

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self.avg_pool = nn.AvgPool2d(2, 1)
        self.conv1 = Convolution(source // 2, target // 2, 3, 2)
        self.max_pool = nn.MaxPool2d(3, 2, 1)
        self.conv2 = Convolution(source // 2, target // 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.avg_pool(x).chunk(2, dim=1)
        return torch.cat([self.conv1(first), self.conv2(self.max_pool(second))], dim=1)


class PyramidPooling(nn.Module):
    """Maxima over ever larger surroundings."""

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        inner = target // 2
        self.conv1 = Convolution(source, inner, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.conv5 = Convolution(4 * inner, target, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.conv1(x)]
        for _ in range(3):
            maps.append(self.pool(maps[-1]))
        y: Tensor = self.conv5(torch.cat(maps, dim=1))
        return y


class Concatenation(nn.Module):
    """Joins the channels of several maps."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(maps), dim=1)


class Expectation(nn.Module):
    """The mean of each distance's distribution, whose bins are 0, 1, 2, ..."""

    def __init__(self) -> None:
        super().__init__()
        self.anc2vec = nn.Conv3d(_REG_MAX, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        distribution = x.reshape(batch, 4, _REG_MAX, height, width).permute(0, 2, 1, 3, 4).softmax(dim=1)
        y: Tensor = self.anc2vec(distribution)[:, 0]
        return y


class Head(nn.Module):
    """Class logits (B, C, h, w), and the distances of a cell to the four sides of its box, in strides (B, 4, h, w)."""

    def __init__(self, first: int, source: int, classes: int) -> None:
        super().__init__()
        distances = 4 * _REG_MAX
        inner = max(first // 4 + -(first // 4) % 4, distances, _REG_MAX)
        by_class = max(first, min(classes * 2, 128))
        self.anchor_conv = nn.Sequential(
            Convolution(source, inner, 3),
            Convolution(inner, inner, 3, groups=4),
            nn.Conv2d(inner, distances, 1, groups=4),
        )
        self.class_conv = nn.Sequential(
            Convolution(source, by_class, 3), Convolution(by_class, by_class, 3), nn.Conv2d(by_class, classes, 1)
        )
        self.anc2vec = Expectation()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.class_conv(x), self.anc2vec(self.anchor_conv(x))


class Heads(nn.Module):
    """One head per size."""

    def __init__(self, sources: Sequence[int], classes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList([Head(sources[0], source, classes) for source in sources])

    def forward(self, maps: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        return [head(entry) for head, entry in zip(self.heads, maps, strict=True)]


class YoloV9(nn.Module):
    """In: float32 (B, 3, H, W), RGB from 0 to 1, H and W multiples of 32. Out: boxes (B, K, 4) as corners in pixels,
    and class logits (B, K, C)."""

    def __init__(self, layers: Sequence[Layer], classes: int = 3) -> None:
        super().__init__()
        self.layers = tuple(layers)
        channels: list[int] = []
        modules: list[nn.Module] = []
        for index, layer in enumerate(self.layers):
            sources = [channels[at if at >= 0 else index + at] if index else 3 for at in layer.inputs]
            modules.append(_module(layer, sources, classes))
            channels.append(layer.channels or sum(sources))
        self.model = nn.ModuleList(modules)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        outputs: list[Any] = []
        for index, (layer, module) in enumerate(zip(self.layers, self.model, strict=True)):
            taken = [outputs[at if at >= 0 else index + at] if index else pixels for at in layer.inputs]
            outputs.append(module(taken) if layer.kind in ("concat", "detect") else module(taken[0]))
        boxes, logits = [], []
        for stride, (scores, distances) in zip(STRIDES, outputs[-1], strict=True):
            boxes.append(_corners(distances, stride))
            logits.append(scores.flatten(2).permute(0, 2, 1))
        return torch.cat(boxes, dim=1), torch.cat(logits, dim=1)


def _module(layer: Layer, sources: Sequence[int], classes: int) -> nn.Module:
    source = sources[0]
    if layer.kind == "conv":
        return Convolution(source, layer.channels, 3, 2)
    if layer.kind in ("elan", "repelan"):
        return Elan(source, layer.channels, layer.part, layer.repeat, blocks=layer.kind == "repelan")
    if layer.kind == "up":
        return nn.Upsample(scale_factor=2, mode="nearest")
    if layer.kind == "concat":
        return Concatenation()
    if layer.kind == "detect":
        return Heads(sources, classes)
    kinds: dict[str, type[AverageDown | SplitDown | PyramidPooling]] = {
        "aconv": AverageDown,
        "adown": SplitDown,
        "spp": PyramidPooling,
    }
    return kinds[layer.kind](source, layer.channels)


def _corners(distances: Tensor, stride: int) -> Tensor:
    """Boxes (B, h x w, 4) from distances (B, 4, h, w) to the left, top, right and bottom of a cell's centre."""
    height, width = distances.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = (torch.stack([x, y]).flatten(1).to(torch.float32) + 0.5) * stride
    pixels = distances.flatten(2) * stride
    return torch.cat([centres - pixels[:, :2], centres + pixels[:, 2:]], dim=1).permute(0, 2, 1)


def load_checkpoint(network: YoloV9, path: Path) -> None:
    """Fill the network from a published checkpoint, without running code of the file. Raises `CheckpointRefused`.

    Every parameter must be there with its shape; the auxiliary branch of training is ignored.
    """
    members = checkpoint_members(path)
    state = members.get("state_dict", members)
    state = state if isinstance(state, dict) else {}
    given = {str(name).removeprefix(_CHECKPOINT_PREFIX): values for name, values in state.items()}
    load_tensors(network.model, given, path, surplus=lambda name: True)


def export_network(network: YoloV9, path: Path, side: int = 640) -> None:
    """Write the network as ONNX for any batch: `images` in, `boxes` and `logits` out."""
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
            output_names=["boxes", "logits"],
            dynamic_axes={name: {0: "batch"} for name in ("images", "boxes", "logits")},
        )
