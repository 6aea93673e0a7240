"""Which camera photographs what, when, and where in its frame: all decided before a pixel is drawn."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from uncia.training.datasets import DataError

_BEGIN = datetime(2026, 5, 1)
_DAYS = 60
_NIGHT_HOURS = (20, 21, 22, 23, 0, 1, 2, 3, 4, 5)
_DAY_HOURS = tuple(range(6, 20))


@dataclass(frozen=True)
class CompositeRecipe:
    """What is to be drawn. The same recipe draws the same files with the same packages."""

    bursts: int = 120
    cameras: int = 6
    classes: tuple[str, ...] = ()
    """Labels; empty: all cut-outs that there are. `nothing` is drawn by `empty`, named or not."""
    seed: int = 1
    width: int = 1024
    height: int = 768
    frames: tuple[int, int] = (3, 5)
    """Fewest and most frames of a burst."""
    empty: float = 0.25
    """Share of the bursts with nothing in them."""
    night: float = 0.5
    """Share of the bursts in infrared."""
    area: tuple[float, float] = (0.02, 0.15)
    """Least and largest share of the frame that the animal's box takes."""
    things: float = 0.0
    """Share of the bursts in which things lie about that are no animal, person or vehicle."""

    def __post_init__(self) -> None:
        """Raises `DataError` with what is wrong."""
        low, high = self.area
        wrong = {
            "bursts": self.bursts < 1,
            "cameras": self.cameras < 1,
            "width and height": self.width < 32 or self.height < 32 or self.width * self.height > 50_000_000,
            "frames": not 1 <= self.frames[0] <= self.frames[1] <= 99,
            "empty": not 0 <= self.empty <= 1,
            "night": not 0 <= self.night <= 1,
            "things": not 0 <= self.things <= 1,
            "area": not 0 < low <= high <= 0.5,
        }
        for name, bad in wrong.items():
            if bad:
                raise DataError(f"nothing can be drawn with these {name}: see `uncia data draw --help`")


@dataclass(frozen=True)
class Pose:
    """The animal in one frame. Middle and foot as shares of the frame; `smear` in frame heights."""

    x: float
    foot: float
    area: float
    tilt: float
    smear: float


@dataclass(frozen=True)
class Lying:
    """A thing that is no animal, person or vehicle, and lies or grows where the camera looks through one burst."""

    variant: int
    """Which cut-out, modulo how many there are."""
    pose: Pose
    mirrored: bool
    shade: tuple[float, float, float]


@dataclass(frozen=True)
class Burst:
    """A few frames of one camera within seconds."""

    number: int
    camera: int
    label: str
    variant: int
    """Which cut-out of the label, modulo how many there are."""
    taken: datetime
    infrared: bool
    level: float
    """Exposure."""
    warmth: float
    """-1 blue to 1 orange."""
    mirrored: bool
    stretch: float
    """The animal's width against what it is in the cut-out."""
    shade: tuple[float, float, float]
    """The animal's red, green, blue against those of the cut-out: no two of a kind are alike."""
    seed: int
    poses: tuple[Pose | None, ...] = field(repr=False)
    gaps: tuple[float, ...] = field(repr=False)
    """Seconds from the first frame."""
    softness: float = 0.0
    """How far the lens smears a point, in frame heights: place and animal alike."""
    lying: tuple[Lying, ...] = field(default=(), repr=False)

    def time(self, frame: int) -> datetime:
        """When this frame was taken, to the millisecond."""
        return self.taken + timedelta(milliseconds=round(self.gaps[frame] * 1000))


def camera_name(number: int) -> str:
    """As stations and cameras are called in object keys."""
    return f"place-{number + 1:02}/cam-1"


def plan(recipe: CompositeRecipe, labels: tuple[str, ...], nothing: str) -> list[Burst]:
    """The bursts by camera, then time. Labels, cameras and nights are dealt evenly and shuffled, so that no label is
    known by its place or hour."""
    rng = Random(f"{recipe.seed}/plan")
    empty = recipe.bursts if not labels else round(recipe.bursts * recipe.empty)
    shown = [labels[number % len(labels)] for number in range(recipe.bursts - empty)] if labels else []
    dealt = [*shown, *[nothing] * empty]
    rng.shuffle(dealt)
    at_night = [number < round(recipe.bursts * recipe.night) for number in range(recipe.bursts)]
    rng.shuffle(at_night)
    cameras = [number % recipe.cameras for number in range(recipe.bursts)]
    rng.shuffle(cameras)
    moments = _moments(at_night, rng)
    order = sorted(range(recipe.bursts), key=lambda number: (cameras[number], moments[number]))
    return [
        _burst(
            recipe, place, cameras[number], dealt[number], dealt[number] == nothing, moments[number], at_night[number]
        )
        for place, number in enumerate(order)
    ]


def _moments(at_night: list[bool], rng: Random) -> list[datetime]:
    """Minutes that no other burst has, so that no gap ever joins two of them."""
    found: dict[datetime, None] = {}
    for night in at_night:
        while True:
            day = rng.randrange(_DAYS + len(at_night) // 20)
            hour = rng.choice(_NIGHT_HOURS if night else _DAY_HOURS)
            moment = _BEGIN + timedelta(days=day, hours=hour, minutes=rng.randrange(0, 60, 3))
            if moment not in found:
                break
        found[moment] = None
    return list(found)


def _burst(
    recipe: CompositeRecipe, number: int, camera: int, label: str, empty: bool, moment: datetime, infrared: bool
) -> Burst:
    rng = Random(f"{recipe.seed}/{number}")
    count = rng.randint(*recipe.frames)
    gaps = [0.0]
    for _ in range(count - 1):
        gaps.append(gaps[-1] + rng.uniform(0.4, 1.6))
    return Burst(
        number=number,
        camera=camera,
        label=label,
        variant=rng.randrange(1 << 16),
        taken=moment + timedelta(seconds=rng.randrange(60)),
        infrared=infrared,
        level=rng.uniform(0.75, 1.3) if infrared else rng.uniform(0.28, 1.15),
        warmth=rng.uniform(-1, 1),
        mirrored=rng.random() < 0.5,
        stretch=rng.uniform(0.84, 1.16),
        shade=tuple(rng.uniform(0.8, 1.15) for _ in range(3)),  # type: ignore[arg-type]
        seed=rng.randrange(1 << 31),
        poses=(None,) * count if empty else _walk(recipe, rng, count, infrared),
        gaps=tuple(gaps),
        softness=Random(f"{recipe.seed}/{number}/lens").uniform(0, 0.002),
        lying=_lying(recipe.things, Random(f"{recipe.seed}/{number}/lying")),
    )


def _lying(share: float, rng: Random) -> tuple[Lying, ...]:
    """One or two things in this share of the bursts, alike where there is an animal and where there is none.

    They lie as they fell and not where they would be looked for: so nothing but what they are tells them from animals.
    """
    if rng.random() >= share:
        return ()
    return tuple(
        Lying(
            variant=rng.randrange(1 << 16),
            pose=Pose(
                x=rng.uniform(0.05, 0.95),
                foot=rng.uniform(0.5, 1.02),
                area=math.exp(rng.uniform(math.log(0.008), math.log(0.08))),
                tilt=rng.choice((0, 90, 180, 270)) + rng.uniform(-25, 25),
                smear=0,
            ),
            mirrored=rng.random() < 0.5,
            shade=tuple(rng.uniform(0.35, 0.9) for _ in range(3)),  # type: ignore[arg-type]
        )
        for _ in range(rng.choice((1, 1, 2)))
    )


def _walk(recipe: CompositeRecipe, rng: Random, count: int, infrared: bool) -> tuple[Pose, ...]:
    """A way through the frame: small animals stand farther up, as they are farther away."""
    low, high = recipe.area
    area = math.exp(rng.uniform(math.log(low), math.log(high)))
    near = (math.log(area) - math.log(low)) / max(math.log(high) - math.log(low), 1e-9)
    foot = 0.56 + 0.3 * near + rng.uniform(-0.06, 0.07)
    speed = rng.choice((0, 0.01, 0.03, 0.06)) * rng.uniform(0.6, 1.4) * rng.choice((-1, 1))
    middle = rng.uniform(0.16, 0.84)
    poses = []
    for step in range(count):
        x = min(max(middle + speed * (step - (count - 1) / 2), 0.08), 0.92)
        smear = abs(speed) * (0.45 if infrared else 0.15) + (0.012 if infrared else 0.004) * rng.random()
        size = min(max(area * (1 + rng.uniform(-0.05, 0.05)), low), high)
        poses.append(Pose(x, foot + rng.uniform(-0.006, 0.006), size, rng.uniform(-5, 5), smear))
    return tuple(poses)
