"""YOLOX: an anchor-free detector, as its authors published it (Ge et al., 2021, arXiv:2107.08430).

The attributes have the names of the published checkpoints, so that these load with `strict=True`. Needs the extra
`models` (torch); no code that serves imports this module.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

STRIDES = (8, 16, 32)
"""Distance between neighbouring cells of the three output maps, in pixels of the frame."""


class ConvBlock(nn.Module):
    """Convolution without bias, batch normalisation, SiLU; "same" padding for odd kernels."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv: nn.Conv2d = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False)
        self.bn: nn.BatchNorm2d | nn.Identity = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.silu(self.bn(self.conv(maps)))


class Bottleneck(nn.Module):
    """A 1 x 1 and a 3 x 3 convolution, added to the input when `shortcut` is set."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = ConvBlock(channels, channels, 1)
        self.conv2 = ConvBlock(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, maps: Tensor) -> Tensor:
        deeper: Tensor = self.conv2(self.conv1(maps))
        return maps + deeper if self.shortcut else deeper


class CspLayer(nn.Module):
    """Cross-stage partial block: bottlenecks on one half of the channels, the other half passes by."""

    def __init__(self, inputs: int, outputs: int, bottlenecks: int, shortcut: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1 = ConvBlock(inputs, half, 1)
        self.conv2 = ConvBlock(inputs, half, 1)
        self.conv3 = ConvBlock(2 * half, outputs, 1)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(bottlenecks)))

    def forward(self, maps: Tensor) -> Tensor:
        joined: Tensor = self.conv3(torch.cat([self.m(self.conv1(maps)), self.conv2(maps)], dim=1))
        return joined


class SpatialPyramidPooling(nn.Module):
    """Maxima over neighbourhoods of 5, 9 and 13 cells, together with the features themselves."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = inputs // 2
        self.conv1 = ConvBlock(inputs, half, 1)
        self.conv2 = ConvBlock(4 * half, outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        pooled = [self.conv1(maps)]
        for _ in range(3):
            # A maximum over 9 cells is one over 5 of those over 5: three small windows instead of 5, 9 and 13.
            pooled.append(functional.max_pool2d(pooled[-1], 5, 1, 2))
        joined: Tensor = self.conv2(torch.cat(pooled, dim=1))
        return joined


class Focus(nn.Module):
    """Each 2 x 2 block of pixels becomes one cell of 12 channels, then a 3 x 3 convolution."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = ConvBlock(12, outputs, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        quarters = [pixels[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        blocks: Tensor = self.conv(torch.cat(quarters, dim=1))
        return blocks


class Darknet(nn.Module):
    """The backbone: features at strides 8, 16 and 32."""

    def __init__(self, channels: int, bottlenecks: int) -> None:
        super().__init__()
        self.stem: nn.Module = Focus(channels)
        self.dark2 = self._stage(channels, bottlenecks)
        self.dark3 = self._stage(2 * channels, 3 * bottlenecks)
        self.dark4 = self._stage(4 * channels, 3 * bottlenecks)
        self.dark5 = nn.Sequential(
            ConvBlock(8 * channels, 16 * channels, 3, 2),
            SpatialPyramidPooling(16 * channels, 16 * channels),
            CspLayer(16 * channels, 16 * channels, bottlenecks, shortcut=False),
        )

    @staticmethod
    def _stage(channels: int, bottlenecks: int) -> nn.Sequential:
        return nn.Sequential(ConvBlock(channels, 2 * channels, 3, 2), CspLayer(2 * channels, 2 * channels, bottlenecks))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.dark3(self.dark2(self.stem(pixels)))
        middle = self.dark4(fine)
        return fine, middle, self.dark5(middle)


class FeaturePyramid(nn.Module):
    """The backbone and a path aggregation network: features at three strides, each informed by the others."""

    def __init__(self, channels: int, bottlenecks: int) -> None:
        super().__init__()
        small, medium, large = 4 * channels, 8 * channels, 16 * channels
        self.backbone = Darknet(channels, bottlenecks)
        self.lateral_conv0 = ConvBlock(large, medium, 1)
        self.C3_p4 = CspLayer(2 * medium, medium, bottlenecks, shortcut=False)
        self.reduce_conv1 = ConvBlock(medium, small, 1)
        self.C3_p3 = CspLayer(2 * small, small, bottlenecks, shortcut=False)
        self.bu_conv2 = ConvBlock(small, small, 3, 2)
        self.C3_n3 = CspLayer(2 * small, medium, bottlenecks, shortcut=False)
        self.bu_conv1 = ConvBlock(medium, medium, 3, 2)
        self.C3_n4 = CspLayer(2 * medium, large, bottlenecks, shortcut=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.combine(*self.backbone(pixels))

    def combine(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pyramid of the backbone's features; apart, so that training can leave the backbone as it is."""
        coarse = self.lateral_conv0(coarse)
        middle = self.reduce_conv1(self.C3_p4(torch.cat([_twice_as_large(coarse), middle], dim=1)))
        first = self.C3_p3(torch.cat([_twice_as_large(middle), fine], dim=1))
        second = self.C3_n3(torch.cat([self.bu_conv2(first), middle], dim=1))
        third = self.C3_n4(torch.cat([self.bu_conv1(second), coarse], dim=1))
        return first, second, third


class Head(nn.Module):
    """Per stride and cell: four numbers of a box, the logit of "an object", and one logit per class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        hidden, inputs = 4 * channels, (4 * channels, 8 * channels, 16 * channels)
        self.stems = nn.ModuleList(ConvBlock(size, hidden, 1) for size in inputs)
        self.cls_convs = nn.ModuleList(_two_blocks(hidden) for _ in inputs)
        self.reg_convs = nn.ModuleList(_two_blocks(hidden) for _ in inputs)
        self.cls_preds = nn.ModuleList(nn.Conv2d(hidden, classes, 1) for _ in inputs)
        self.reg_preds = nn.ModuleList(nn.Conv2d(hidden, 4, 1) for _ in inputs)
        self.obj_preds = nn.ModuleList(nn.Conv2d(hidden, 1, 1) for _ in inputs)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        maps = []
        for level, feature in enumerate(features):
            stem = self.stems[level](feature)
            regression = self.reg_convs[level](stem)
            classes = self.cls_preds[level](self.cls_convs[level](stem))
            boxes, objects = self.reg_preds[level](regression), self.obj_preds[level](regression)
            maps.append(torch.cat([boxes, objects, classes], dim=1))
        return maps


class YoloX(nn.Module):
    """The network.

    In: float32 (B, 3, height, width), 0 to 255 in the order of channels that it was trained with; height and width are
    multiples of 32. Out: three maps (B, 5 + classes, height / stride, width / stride), raw: see `decode`.

    `depth` and `width` scale the published base network; 0.33 and 0.375 are YOLOX-tiny.
    """

    def __init__(self, classes: int, depth: float = 0.33, width: float = 0.375) -> None:
        super().__init__()
        channels, bottlenecks = int(64 * width), max(round(3 * depth), 1)
        self.backbone = FeaturePyramid(channels, bottlenecks)
        self.head = Head(channels, classes)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.head(self.backbone(pixels))
        return maps


def decode(maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Boxes (B, A, 4) and scores (B, A, classes) of the maps of `YoloX`, over all cells, finest stride first.

    Boxes are x, y, width, height in pixels of the frame, with x and y the top left corner; they may exceed the frame.
    A score is the product of the probabilities of "an object" and of the class.
    """
    boxes, scores = [], []
    for level, stride in zip(maps, STRIDES, strict=True):
        cells = level.flatten(2).permute(0, 2, 1)
        size = cells[..., 2:4].exp() * stride
        centre = (cells[..., 0:2] + _cell_grid(level.shape[-2], level.shape[-1])) * stride
        boxes.append(torch.cat([centre - size / 2, size], dim=2))
        scores.append(cells[..., 4:5].sigmoid() * cells[..., 5:].sigmoid())
    return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


def for_inference(network: YoloX) -> YoloX:
    """Merge normalisation into the convolutions and the pixel blocks into the first kernel. Changes the network.

    The output stays the same up to rounding; the network can then no longer be trained.
    """
    network.eval()
    for block in [module for module in network.modules() if isinstance(module, ConvBlock)]:
        assert isinstance(block.bn, nn.BatchNorm2d)
        block.conv = nn.utils.fuse_conv_bn_eval(block.conv, block.bn)
        block.bn = nn.Identity()
    stem = network.backbone.backbone.stem
    assert isinstance(stem, Focus)
    network.backbone.backbone.stem = nn.Sequential(OrderedDict(conv=_strided(stem.conv.conv), act=nn.SiLU()))
    return network


def _strided(conv: nn.Conv2d) -> nn.Conv2d:
    """The same as `Focus` with this 3 x 3 kernel: 6 x 6 pixels at stride 2, without copies of the pixels."""
    outputs = conv.out_channels
    strided = nn.Conv2d(3, outputs, 6, 2, 2, bias=True)
    # (outputs, column, row, colour, y, x) of the blocks becomes (outputs, colour, y, row, x, column) of the pixels.
    blocks = conv.weight.detach().reshape(outputs, 2, 2, 3, 3, 3)
    assert conv.bias is not None and strided.bias is not None
    strided.weight = nn.Parameter(blocks.permute(0, 3, 4, 2, 5, 1).reshape(outputs, 3, 6, 6))
    strided.bias = nn.Parameter(conv.bias.detach())
    return strided


def _cell_grid(rows: int, columns: int) -> Tensor:
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([x, y], dim=2).reshape(1, -1, 2).to(torch.float32)


def _twice_as_large(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")


def _two_blocks(channels: int) -> nn.Sequential:
    return nn.Sequential(ConvBlock(channels, channels, 3), ConvBlock(channels, channels, 3))
