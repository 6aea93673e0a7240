"""The backbone of RT-DETR: ResNet-D (He et al. 2019, arXiv:1812.01187), which its publisher calls ResNet-vd.

It differs from ResNet by a stem of three convolutions, and by shortcuts that average before they project.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from uncia.triton_models.fetching.rtdetr_layers import ConvolutionNorm

_BOTTLENECK_EXPANSION = 4


def stage_channels(width: int, *, bottleneck: bool) -> list[int]:
    """The output channels of the four stages of a backbone whose stem has `width` channels."""
    return [width * 2**stage * (_BOTTLENECK_EXPANSION if bottleneck else 1) for stage in range(4)]


class Block(nn.Module):
    """A residual block: two 3 x 3 convolutions, or a bottleneck of 1 x 1, 3 x 3 and 1 x 1."""

    def __init__(self, source: int, width: int, target: int, stride: int, *, bottleneck: bool, first: bool) -> None:
        super().__init__()
        if bottleneck:
            self.branch2a = ConvolutionNorm(source, width, activation=nn.ReLU())
            self.branch2b = ConvolutionNorm(width, width, 3, stride, nn.ReLU())
            self.branch2c = ConvolutionNorm(width, target)
        else:
            self.branch2a = ConvolutionNorm(source, width, 3, stride, nn.ReLU())
            self.branch2b = ConvolutionNorm(width, target, 3)
        self.bottleneck = bottleneck
        self.short: nn.Module = nn.Identity()
        if first:
            self.short = ConvolutionNorm(source, target)
            if stride > 1:
                self.short = nn.Sequential(OrderedDict(pool=nn.AvgPool2d(stride), conv=self.short))

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch2b(self.branch2a(x))
        y = self.branch2c(y) if self.bottleneck else y
        summed: Tensor = y + self.short(x)
        return summed.relu()


class Stage(nn.Module):
    """Blocks of one size, of which the first may halve the map."""

    def __init__(self, source: int, width: int, target: int, blocks: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                Block(
                    target if index else source,
                    width,
                    target,
                    1 if index else stride,
                    bottleneck=bottleneck,
                    first=index == 0,
                )
                for index in range(blocks)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.blocks(x)
        return y


class ResNetD(nn.Module):
    """In: (B, 3, H, W). Out: the maps of the last three stages, with strides 8, 16 and 32."""

    def __init__(self, blocks: Sequence[int], width: int, *, bottleneck: bool) -> None:
        super().__init__()
        half = width // 2
        self.conv1 = nn.Sequential(
            OrderedDict(
                conv1_1=ConvolutionNorm(3, half, 3, 2, nn.ReLU()),
                conv1_2=ConvolutionNorm(half, half, 3, 1, nn.ReLU()),
                conv1_3=ConvolutionNorm(half, width, 3, 1, nn.ReLU()),
            )
        )
        targets = stage_channels(width, bottleneck=bottleneck)
        sources = [width, *targets]
        self.res_layers = nn.ModuleList(
            Stage(sources[index], width * 2**index, targets[index], count, 2 if index else 1, bottleneck=bottleneck)
            for index, count in enumerate(blocks)
        )

    def forward(self, pixels: Tensor) -> list[Tensor]:
        x = functional.max_pool2d(self.conv1(pixels), 3, 2, 1)
        maps = []
        for stage in self.res_layers:
            x = stage(x)
            maps.append(x)
        return maps[1:]
