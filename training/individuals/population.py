"""Individuals with home ranges, their encounters at cameras, and the frames of each. Deterministic by seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from PIL import Image

from uncia.training.individuals.bodies import FloatArray, Pose, View
from uncia.training.individuals.coats import ROSETTES, CoatStyle, grow_coat
from uncia.training.individuals.rendering import HEIGHT, WIDTH, Conditions, render

_START = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 240
_LATITUDE, _LONGITUDE = 46.0, 94.0
_KM_PER_DEGREE = 111.2
_CAMERA_EVERY_KM = 6.0
_CAMERAS_PER_SIDE = 5
_HOME_RANGE_KM = 8.0


@dataclass(frozen=True)
class Individual:
    """An animal: `left` and `right` are the coats of its two flanks; `home` is in kilometres east and north."""

    individual_id: str
    left: FloatArray
    right: FloatArray
    home: tuple[float, float]


@dataclass(frozen=True)
class Encounter:
    """One burst of one animal. `right`: it shows its right side."""

    encounter_id: str
    individual_id: str
    camera: str
    captured_at: datetime
    latitude: float
    longitude: float
    right: bool
    seed: int


@dataclass(frozen=True)
class Population:
    """Individuals and their encounters, by individual and in the order of time."""

    individuals: tuple[Individual, ...]
    encounters: tuple[Encounter, ...]


def populate(count: int, seed: int, *, encounters_per_side: int = 2, style: CoatStyle = ROSETTES) -> Population:
    """Draw `count` individuals that share a landscape of 24 by 24 km, with encounters of both of their sides."""
    rng = np.random.default_rng(seed)
    seeds = rng.choice(2**31, size=2 * count, replace=False)
    individuals, encounters = [], []
    extent = _CAMERA_EVERY_KM * (_CAMERAS_PER_SIDE - 1)
    for number in range(count):
        name = f"cat-{seed}-{number:03d}"
        home = (float(rng.uniform(0, extent)), float(rng.uniform(0, extent)))
        individuals.append(
            Individual(
                name, grow_coat(int(seeds[2 * number]), style), grow_coat(int(seeds[2 * number + 1]), style), home
            )
        )
        sides = [False] * encounters_per_side + [True] * encounters_per_side
        # Days apart, so that no two encounters of one animal are one visit.
        days = np.sort(rng.choice(_DAYS, size=len(sides), replace=False))
        for order, right in enumerate(rng.permutation(sides)):
            encounters.append(_encounter(f"{name}-{order}", name, home, int(days[order]), bool(right), rng))
    return Population(tuple(individuals), tuple(encounters))


def _encounter(
    encounter_id: str, individual_id: str, home: tuple[float, float], day: int, right: bool, rng: np.random.Generator
) -> Encounter:
    east, north = (
        int(np.clip(round((centre + rng.normal(0, _HOME_RANGE_KM)) / _CAMERA_EVERY_KM), 0, _CAMERAS_PER_SIDE - 1))
        for centre in home
    )
    return Encounter(
        encounter_id=encounter_id,
        individual_id=individual_id,
        camera=f"camera-{east}-{north}",
        captured_at=_START + timedelta(days=day, hours=float(rng.uniform(0, 24))),
        latitude=_LATITUDE + north * _CAMERA_EVERY_KM / _KM_PER_DEGREE,
        longitude=_LONGITUDE + east * _CAMERA_EVERY_KM / (_KM_PER_DEGREE * float(np.cos(np.radians(_LATITUDE)))),
        right=right,
        seed=int(rng.integers(2**31)),
    )


def render_encounter(encounter: Encounter, individual: Individual, frames: int) -> list[Image.Image]:
    """The crops of one burst: one light and camera; pose, view and folds of the skin change from frame to frame."""
    rng = np.random.default_rng(encounter.seed)
    conditions, view = draw_conditions(encounter.camera, rng), _draw_view(rng)
    coat = individual.right if encounter.right else individual.left
    images = []
    for frame in range(frames):
        pose = _draw_pose(rng)
        turned = replace(
            view,
            yaw=view.yaw + float(rng.normal(0, 0.08)),
            scale=view.scale * float(np.exp(rng.normal(0, 0.04))),
            centre=(view.centre[0] + float(rng.normal(0, 6)), view.centre[1] + float(rng.normal(0, 4))),
        )
        moved = replace(
            conditions,
            motion=float(abs(rng.normal(0, 1.0))),
            occlusion=conditions.occlusion * float(rng.uniform(0.5, 1.5)),
            shift=conditions.shift + 18 * frame,
        )
        seed = int(rng.integers(2**31))
        images.append(render(coat, right=encounter.right, pose=pose, view=turned, conditions=moved, seed=seed))
    return images


def draw_conditions(camera: str, rng: np.random.Generator) -> Conditions:
    """Light, blur, noise, size and occlusion of one burst; the scene belongs to the camera."""
    infrared = bool(rng.random() < 0.5)
    return Conditions(
        infrared=infrared,
        exposure=float(np.exp(rng.normal(0.1, 0.30))),
        light=float(rng.uniform(0, 2 * np.pi)),
        blur=float(rng.gamma(2.0, 0.5)),
        motion=0.0,
        noise=float(rng.uniform(0.01, 0.05) if infrared else rng.uniform(0.0, 0.02)),
        size=float(rng.uniform(0.45, 1.0)),
        occlusion=float(rng.choice([0.0, 0.0, 0.06, 0.15])),
        background=sum(camera.encode()) % 1000,
        shift=int(rng.integers(0, 120)),
    )


def _draw_view(rng: np.random.Generator) -> View:
    return View(
        yaw=float(np.clip(rng.normal(0, 0.38), -0.9, 0.9)),
        pitch=float(rng.normal(0.05, 0.16)),
        roll=float(rng.normal(0, 0.06)),
        scale=float(rng.uniform(165, 195)),
        centre=(WIDTH / 2 - 18, HEIGHT / 2 - 25),
    )


def _draw_pose(rng: np.random.Generator) -> Pose:
    return Pose(
        arch=float(rng.normal(0, 0.06)),
        stretch=float(rng.normal(0, 0.05)),
        front=float(rng.normal(0, 0.35)),
        hind=float(rng.normal(0, 0.35)),
        tail=float(rng.uniform(-0.15, 0.2)),
        head=float(rng.normal(0, 0.06)),
        skin=int(rng.integers(2**31)),
        fold=0.018,
    )


def contact_sheet(images: Sequence[Image.Image], columns: int) -> Image.Image:
    """All images on one sheet, row by row."""
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * WIDTH, rows * HEIGHT))
    for number, image in enumerate(images):
        sheet.paste(image.resize((WIDTH, HEIGHT)), (number % columns * WIDTH, number // columns * HEIGHT))
    return sheet
