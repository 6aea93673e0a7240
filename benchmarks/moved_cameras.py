"""`python -m benchmarks.moved_cameras`: how well moved cameras are recognised on genuine photographs.

The first photograph of each burst of the camera with most bursts is compared, every 12 hours or every 2.4. Its earlier
bursts served to choose the thresholds, its later ones did not. Moves are simulated: mirrored pictures (another scene
with the same animals and weather), crops of three quarters that are shifted against each other, and photographs of
other cameras. Bursts in random order, by blocks of ten, are more comparisons, not more evidence.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from benchmarks.models_report.genuine_data import DATASETS, rows_of_tables
from uncia.imaging.luminance import luminance_grid
from uncia.processors.alerts.camera_view import LEARN_FRAMES, CameraView, Texture, is_dark, texture

START = datetime(2026, 1, 1)
HOURS = (12.0, 2.4)
"""Between two bursts: two a day, and ten."""
CROP = 0.75
CROPS: dict[str, tuple[float, float]] = {
    "straight": (0.0, 0.1),
    "turned by 7 %": (0.05, 0.1),
    "turned by 13 %": (0.1, 0.1),
    "turned by 20 %": (0.15, 0.1),
    "turned by 33 %": (0.25, 0.1),
    "tilted by 7 %": (0.0, 0.15),
}
"""Left and upper edge of the crop, as shares of the picture's width and height; names state the shift as a share of the
crop's."""
ORDERS = 24
"""Random orders of the bursts, for each interval."""
BEFORE, AFTER = 60, 40
"""Bursts before and after a simulated move."""
SHORTEST = 8
"""Photographs of a sequence or camera that serves as another camera."""


@dataclass(frozen=True)
class Photograph:
    """What is compared of a photograph."""

    texture: Texture
    dark: bool

    @classmethod
    def of(cls, picture: Image.Image) -> "Photograph":
        """A picture, whose size does not matter."""
        grid = luminance_grid(np.asarray(picture))
        values = texture(grid)
        assert values is not None
        return cls(values, is_dark(grid))


def main(folder: Annotated[Path, typer.Option(help="Folders with a manifest.csv each.")] = DATASETS) -> None:
    """Measure, and print the figures as JSON."""
    cameras: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for table, row in rows_of_tables(folder):
        camera = row["camera"] or row["sequence_id"]
        path = table.parent / row["file"]
        cameras[f"{table.parent.name}/{camera}"][row["sequence_id"] or row["file"]].append(path)
    if not cameras:
        raise typer.BadParameter(f"{folder} has no photographs")
    chosen, bursts = max(cameras.items(), key=lambda item: len(item[1]))
    firsts = sorted(min(burst) for burst in bursts.values())
    variants: dict[str, list[Photograph]] = defaultdict(list)
    for path in firsts:
        for variant, picture in _variants(_open(path)):
            variants[variant].append(Photograph.of(picture))
    half = len(firsts) // 2
    in_order = {
        variant: sorted({firsts[at].name for hours in HOURS for at in _changes(photographs, hours)})
        for variant, photographs in variants.items()
    }
    figures: dict[str, object] = {"camera": chosen, "bursts": len(firsts), "in_order": in_order}
    for part, span in (("earlier", slice(0, half)), ("later", slice(half, None))):
        own = {variant: photographs[span] for variant, photographs in variants.items()}
        figures[f"{part}_in_random_order"] = _in_random_order(own["whole"])
        figures[f"{part}_moves"] = _moves(own)
    others = [
        [Photograph.of(_open(path)) for path in sorted(path for burst in one.values() for path in burst)]
        for camera, one in sorted(cameras.items())
        if camera != chosen and sum(map(len, one.values())) >= SHORTEST
    ]
    figures["other_cameras"] = _other_cameras(others, variants["whole"][half:])
    typer.echo(json.dumps(figures, indent=1))


def _in_random_order(photographs: Sequence[Photograph]) -> dict[str, int]:
    chance, compared, alerts = random.Random(1), 0, 0
    for hours in HOURS:
        for _ in range(ORDERS):
            blocks = [photographs[at : at + 10] for at in range(0, len(photographs), 10)]
            chance.shuffle(blocks)
            order = [one for block in blocks for one in block]
            alerts += len(_changes(order, hours))
            compared += len(order) - LEARN_FRAMES
    return {"compared": compared, "alerts": alerts}


def _moves(variants: Mapping[str, Sequence[Photograph]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for hours in HOURS:
        for variant in ("mirrored", *list(CROPS)[1:]):
            before = variants["whole" if variant == "mirrored" else "straight"]
            after = variants[variant]
            found[variant][f"every {hours:g} h"] = _summary(
                _delay([*before[at - BEFORE : at], *after[at : at + AFTER]], hours, BEFORE)
                for at in range(BEFORE, len(before) - AFTER, 8)
            )
    return found


def _other_cameras(others: Sequence[Sequence[Photograph]], camera: Sequence[Photograph]) -> dict[str, str]:
    """A camera's photographs, repeated while it is learned, then those of three other ones."""
    return {
        f"every {hours:g} h": _summary(
            _delay([*_repeated(before, 40), *_repeated(after, 30)], hours, 40)
            for number, before in enumerate(others)
            for after in (others[(number + 1) % len(others)], others[(number + 7) % len(others)], camera[3 * number :])
        )
        for hours in HOURS
    }


def _changes(photographs: Iterable[Photograph], hours: float) -> list[int]:
    view = CameraView()
    return [
        at
        for at, one in enumerate(photographs)
        if view.compare(one.texture, START + at * timedelta(hours=hours), one.dark) is not None
    ]


def _delay(photographs: Iterable[Photograph], hours: float, moved: int) -> int | None:
    """After how many bursts the move is recognised; None: not at all."""
    return next((at - moved + 1 for at in _changes(photographs, hours) if at >= moved), None)


def _summary(delays: Iterable[int | None]) -> str:
    every = list(delays)
    found = [delay for delay in every if delay is not None]
    return f"{len(found)} of {len(every)}, median {median(found) if found else '-'} bursts"


def _repeated(photographs: Sequence[Photograph], count: int) -> Iterator[Photograph]:
    return (photographs[at % len(photographs)] for at in range(count))


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _variants(picture: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    yield "whole", picture
    yield "mirrored", picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    width, height = int(picture.width * CROP), int(picture.height * CROP)
    for name, edge in CROPS.items():
        left, upper = int(picture.width * edge[0]), int(picture.height * edge[1])
        yield name, picture.crop((left, upper, left + width, upper + height))


if __name__ == "__main__":
    typer.run(main)
