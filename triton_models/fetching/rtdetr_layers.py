"""Layers that several parts of RT-DETR share."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvolutionNorm(nn.Module):
    """Convolution, batch normalisation, and an activation where one is given."""

    def __init__(
        self, source: int, target: int, kernel: int = 1, stride: int = 1, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(source, target, kernel, stride, (kernel - 1) // 2, bias=False)
        self.norm = nn.BatchNorm2d(target)
        self.act = activation or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.norm(self.conv(x)))
        return y


class Perceptron(nn.Module):
    """Linear layers with ReLU between them; `sizes` begins with the input's."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = layer(x.relu() if index else x)
        return x


class SelfAttention(nn.Module):
    """Multi-head self-attention (B, L, C). The position is added to queries and keys, not to values.

    The parameters are named like those of `torch.nn.MultiheadAttention`, whose fast path cannot be exported.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = nn.Linear(channels, channels)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        placed = x + position
        query, key, value = (
            torch.unflatten(functional.linear(entry, weight, bias), 2, (self.heads, -1)).transpose(1, 2)
            for entry, weight, bias in zip((placed, placed, x), weights, biases, strict=True)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        y: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return y


def flattened(maps: Sequence[Tensor]) -> Tensor:
    """Maps (B, C, h, w) as one sequence (B, L, C), row by row, one map after the other."""
    return torch.cat([entry.flatten(2) for entry in maps], dim=2).transpose(1, 2)
