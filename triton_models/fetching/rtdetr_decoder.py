"""The decoder of RT-DETR v2: the best places of the encoder become queries, which deformable attention refines."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from uncia.triton_models.fetching.rtdetr_layers import Perceptron, SelfAttention, flattened

_OFFSET_SCALE = 0.5
_ANCHOR_SIZE = 0.05
_ANCHOR_MARGIN = 0.01
_LEAST_SHARE = 1e-5


class DeformableAttention(nn.Module):
    """Attention to a few learnt points in and around a query's box, on maps of several sizes.

    Queries (B, Q, C), boxes (B, Q, 4) as centre and size in shares, memory (B, L, C) of the maps one after the other.
    """

    num_points_scale: Tensor

    def __init__(self, channels: int, heads: int, cells: Sequence[int], points: int) -> None:
        super().__init__()
        self.heads, self.cells, self.points = heads, tuple(cells), points
        samples = points * len(self.cells)
        self.sampling_offsets = nn.Linear(channels, heads * samples * 2)
        self.attention_weights = nn.Linear(channels, heads * samples)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)
        self.register_buffer("num_points_scale", torch.full((samples,), 1 / points))

    def forward(self, queries: Tensor, boxes: Tensor, memory: Tensor) -> Tensor:
        samples = self.points * len(self.cells)
        offsets = self.sampling_offsets(queries).unflatten(2, (self.heads, samples, 2))
        weights = self.attention_weights(queries).unflatten(2, (self.heads, samples)).softmax(dim=-1)
        centres, sizes = boxes[:, :, None, None, :2], boxes[:, :, None, None, 2:]
        places = centres + offsets * self.num_points_scale[:, None] * sizes * _OFFSET_SCALE
        # (B x heads, Q, samples, 2) from -1 to 1.
        grids = (2 * places - 1).transpose(1, 2).flatten(0, 1).split(self.points, dim=2)
        values = self.value_proj(memory).transpose(1, 2).split([cells**2 for cells in self.cells], dim=2)
        sampled = []
        for cells, value, grid in zip(self.cells, values, grids, strict=True):
            # (B x heads, C / heads, cells, cells)
            level = value.unflatten(1, (self.heads, -1)).flatten(0, 1).unflatten(2, (cells, cells))
            sampled.append(functional.grid_sample(level, grid, align_corners=False))
        weighted = torch.cat(sampled, dim=3) * weights.transpose(1, 2).flatten(0, 1)[:, None]
        # (B x heads, C / heads, Q) to (B, Q, C)
        summed = weighted.sum(dim=3).unflatten(0, (-1, self.heads)).flatten(1, 2).transpose(1, 2)
        y: Tensor = self.output_proj(summed)
        return y


class DecoderLayer(nn.Module):
    """Attention between queries, attention to the maps, and a feed-forward layer."""

    def __init__(self, channels: int, heads: int, feedforward: int, cells: Sequence[int], points: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn = DeformableAttention(channels, heads, cells, points)
        self.norm2 = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(self, queries: Tensor, position: Tensor, boxes: Tensor, memory: Tensor) -> Tensor:
        x = self.norm1(queries + self.self_attn(queries, position))
        x = self.norm2(x + self.cross_attn(x + position, boxes, memory))
        y: Tensor = self.norm3(x + self.linear2(self.linear1(x).relu()))
        return y


class DecoderLayers(nn.Module):
    """The layers, under the name that they have in the checkpoints."""

    def __init__(self, layers: Sequence[DecoderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


class Decoder(nn.Module):
    """In: maps with `source` channels and `cells` x `cells` cells, finest first. Out: boxes (B, Q, 4) as centre and
    size in shares, and class logits (B, Q, classes)."""

    anchors: Tensor
    valid_mask: Tensor

    def __init__(
        self,
        source: int,
        channels: int,
        *,
        cells: Sequence[int],
        classes: int,
        queries: int,
        layers: int,
        heads: int,
        feedforward: int,
        points: int,
    ) -> None:
        super().__init__()
        self.queries = queries
        self.input_proj = nn.ModuleList(
            nn.Sequential(OrderedDict(conv=nn.Conv2d(source, channels, 1, bias=False), norm=nn.BatchNorm2d(channels)))
            for _ in cells
        )
        self.decoder = DecoderLayers([DecoderLayer(channels, heads, feedforward, cells, points) for _ in range(layers)])
        self.query_pos_head = Perceptron(4, 2 * channels, channels)
        self.enc_output = nn.Sequential(OrderedDict(proj=nn.Linear(channels, channels), norm=nn.LayerNorm(channels)))
        self.enc_score_head = nn.Linear(channels, classes)
        self.enc_bbox_head = Perceptron(channels, channels, channels, 4)
        self.dec_score_head = nn.ModuleList(nn.Linear(channels, classes) for _ in range(layers))
        self.dec_bbox_head = nn.ModuleList(Perceptron(channels, channels, channels, 4) for _ in range(layers))
        anchors, valid = _anchors(cells)
        self.register_buffer("anchors", anchors)
        self.register_buffer("valid_mask", valid)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        memory = flattened([project(entry) for project, entry in zip(self.input_proj, maps, strict=True)])
        queries, boxes = self._best_places(memory)
        for layer, correct in zip(self.decoder.layers, self.dec_bbox_head, strict=True):
            queries = layer(queries, self.query_pos_head(boxes), boxes, memory)
            boxes = (correct(queries) + _logits(boxes)).sigmoid()
        # The score heads of the other layers serve training only.
        return boxes, self.dec_score_head[-1](queries)

    def _best_places(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The features (B, Q, C) and boxes (B, Q, 4) of the places with the highest scores."""
        features = self.enc_output(memory * self.valid_mask)
        best = self.enc_score_head(features).amax(dim=2).topk(self.queries, dim=1).indices[:, :, None]
        boxes = self.enc_bbox_head(features) + self.anchors
        chosen = features.gather(1, best.expand(-1, -1, features.shape[2]))
        return chosen, boxes.gather(1, best.expand(-1, -1, 4)).sigmoid()


def _anchors(cells: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A box at each cell of each map (1, L, 4), as logits, infinite where it is not valid; and whether it is
    (1, L, 1)."""
    levels = []
    for level, count in enumerate(cells):
        y, x = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
        centres = (torch.stack([x, y], dim=2).flatten(0, 1) + 0.5) / count
        levels.append(torch.cat([centres, torch.full_like(centres, _ANCHOR_SIZE * 2**level)], dim=1))
    shares = torch.cat(levels)[None]
    valid = ((shares > _ANCHOR_MARGIN) & (shares < 1 - _ANCHOR_MARGIN)).all(dim=2, keepdim=True)
    return torch.where(valid, torch.log(shares / (1 - shares)), torch.inf), valid


def _logits(shares: Tensor) -> Tensor:
    """The inverse of the sigmoid, finite at 0 and 1."""
    return torch.log(shares.clamp(min=_LEAST_SHARE) / (1 - shares).clamp(min=_LEAST_SHARE))
