"""The hybrid encoder of RT-DETR: self-attention over the coarsest map, then fusion of the maps by convolutions."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from uncia.triton_models.fetching.rtdetr_layers import ConvolutionNorm, SelfAttention

_TEMPERATURE = 10_000
_REPEAT = 3


class RepBlock(nn.Module):
    """The sum of a 3 x 3 and a 1 x 1 convolution, then SiLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvolutionNorm(channels, channels, 3)
        self.conv2 = ConvolutionNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(self.conv1(x) + self.conv2(x))


class FusionBlock(nn.Module):
    """Halves the channels of two joined maps by two branches, which are added."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        inner = int(channels * expansion)
        self.conv1 = ConvolutionNorm(2 * channels, inner, activation=nn.SiLU())
        self.conv2 = ConvolutionNorm(2 * channels, inner, activation=nn.SiLU())
        self.bottlenecks = nn.Sequential(*(RepBlock(inner) for _ in range(_REPEAT)))
        self.conv3 = nn.Identity() if inner == channels else ConvolutionNorm(inner, channels, activation=nn.SiLU())

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        x = torch.cat([first, second], dim=1)
        y: Tensor = self.conv3(self.bottlenecks(self.conv1(x)) + self.conv2(x))
        return y


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward layer over (B, L, C), each with a residual connection."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(channels, heads)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        x = self.norm1(x + self.self_attn(x, position))
        y: Tensor = self.norm2(x + self.linear2(functional.gelu(self.linear1(x))))
        return y


class EncoderLayers(nn.Module):
    """One encoder layer, under the name that it has in the checkpoints."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([EncoderLayer(channels, heads, feedforward)])

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x, position)
        return x


class HybridEncoder(nn.Module):
    """In: maps with `sources` channels, finest first and halving in size; the last has `cells` x `cells` cells.
    Out: maps of the same sizes with `channels` channels."""

    position: Tensor

    def __init__(
        self, sources: Sequence[int], channels: int, *, heads: int, feedforward: int, expansion: float, cells: int
    ) -> None:
        super().__init__()
        self.input_proj = nn.ModuleList(
            nn.Sequential(OrderedDict(conv=nn.Conv2d(source, channels, 1, bias=False), norm=nn.BatchNorm2d(channels)))
            for source in sources
        )
        self.encoder = nn.ModuleList([EncoderLayers(channels, heads, feedforward)])
        steps = range(len(sources) - 1)
        self.lateral_convs = nn.ModuleList(ConvolutionNorm(channels, channels, activation=nn.SiLU()) for _ in steps)
        self.fpn_blocks = nn.ModuleList(FusionBlock(channels, expansion) for _ in steps)
        self.downsample_convs = nn.ModuleList(ConvolutionNorm(channels, channels, 3, 2, nn.SiLU()) for _ in steps)
        self.pan_blocks = nn.ModuleList(FusionBlock(channels, expansion) for _ in steps)
        self.register_buffer("position", _position(cells, channels), persistent=False)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        projected = [project(entry) for project, entry in zip(self.input_proj, maps, strict=True)]
        coarsest = projected[-1]
        sequence = self.encoder[0](coarsest.flatten(2).transpose(1, 2), self.position)
        top: Tensor = sequence.transpose(1, 2).reshape(coarsest.shape)
        laterals: list[Tensor] = []
        for lateral, fuse, finer in zip(self.lateral_convs, self.fpn_blocks, projected[-2::-1], strict=True):
            laterals.append(lateral(top))
            top = fuse(functional.interpolate(laterals[-1], scale_factor=2.0, mode="nearest"), finer)
        fused = [top]
        for shrink, fuse, coarser in zip(self.downsample_convs, self.pan_blocks, laterals[::-1], strict=True):
            fused.append(fuse(shrink(fused[-1]), coarser))
        return fused


def _position(cells: int, channels: int) -> Tensor:
    """Sines and cosines of row and column (1, cells x cells, channels), row by row."""
    quarter = channels // 4
    frequencies = _TEMPERATURE ** -(torch.arange(quarter, dtype=torch.float32) / quarter)
    row, column = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    parts = []
    for index in (row, column):
        angles = index.flatten()[:, None] * frequencies
        parts += [angles.sin(), angles.cos()]
    return torch.cat(parts, dim=1)[None]
