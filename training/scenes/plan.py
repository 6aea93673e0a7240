"""The plan of a composite dataset: which camera photographs what, when, and where in its frame.

The plan is pure and is complete before a pixel is rendered.
"""

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
    """What to render. The same recipe renders the same files, given the same packages.

    The field names are stored in `drawn.json`, whose fingerprint shows whether a folder is up to date.
    """

    bursts: int = 120
    cameras: int = 6
    classes: tuple[str, ...] = ()
    """Labels; empty for all available cut-outs. The share of blank bursts is `empty`, whether or not `nothing` is
    among the labels."""
    seed: int = 1
    width: int = 1024
    height: int = 768
    frames: tuple[int, int] = (3, 5)
    """Minimum and maximum number of frames in a burst."""
    empty: float = 0.25
    """Share of the bursts that are blank."""
    night: float = 0.5
    """Share of the bursts in infrared."""
    area: tuple[float, float] = (0.02, 0.15)
    """Minimum and maximum area of the animal's box, as a share of the frame."""
    things: float = 0.0
    """Share of the bursts with distractors: objects that are no animal, person or vehicle."""

    def __post_init__(self) -> None:
        """Raises `DataError` that names the fields that are out of range."""
        low, high = self.area
        out_of_range = {
            "bursts": self.bursts < 1,
            "cameras": self.cameras < 1,
            "width and height": self.width < 32 or self.height < 32 or self.width * self.height > 50_000_000,
            "frames": not 1 <= self.frames[0] <= self.frames[1] <= 99,
            "empty": not 0 <= self.empty <= 1,
            "night": not 0 <= self.night <= 1,
            "things": not 0 <= self.things <= 1,
            "area": not 0 < low <= high <= 0.5,
        }
        if invalid := [name for name, is_invalid in out_of_range.items() if is_invalid]:
            raise DataError(f"{', '.join(invalid)} out of range: see `uncia data draw --help`")


@dataclass(frozen=True)
class Pose:
    """Position of a cut-out in one frame."""

    x: float
    """Middle, as a share of the frame's width."""
    foot: float
    """Lower edge, as a share of the frame's height."""
    area: float
    """Area of the cut-out's box, as a share of the frame."""
    tilt: float
    """Rotation in degrees, counter-clockwise."""
    smear: float
    """Length of the motion blur, in frame heights."""


@dataclass(frozen=True)
class Distractor:
    """An object that is no animal, person or vehicle, at the same position in all frames of a burst."""

    variant: int
    """Index of the cut-out, modulo the number of cut-outs."""
    pose: Pose
    mirrored: bool
    shade: tuple[float, float, float]


@dataclass(frozen=True)
class Burst:
    """Frames that one camera takes within seconds, and all that they have in common."""

    number: int
    camera: int
    label: str
    variant: int
    """Index of the cut-out among those of the label, modulo their number."""
    taken: datetime
    infrared: bool
    level: float
    """Exposure: factor on the light."""
    warmth: float
    """Colour of daylight, -1 blue to 1 orange."""
    mirrored: bool
    stretch: float
    """Factor on the width of the cut-out."""
    shade: tuple[float, float, float]
    """Factors on red, green and blue of the cut-out: no two animals of a species look the same."""
    seed: int
    poses: tuple[Pose | None, ...] = field(repr=False)
    gaps: tuple[float, ...] = field(repr=False)
    """Seconds since the first frame, by frame."""
    softness: float = 0.0
    """Radius of the lens blur of the entire frame, in frame heights."""
    distractors: tuple[Distractor, ...] = field(default=(), repr=False)

    def time(self, frame: int) -> datetime:
        """Capture time of a frame, to the millisecond."""
        return self.taken + timedelta(milliseconds=round(self.gaps[frame] * 1000))


def camera_name(number: int) -> str:
    """Name of a camera, `<station>/<camera>` as in object keys. `number` counts from 0."""
    return f"place-{number + 1:02}/cam-1"


def plan(recipe: CompositeRecipe, labels: tuple[str, ...], nothing: str) -> list[Burst]:
    """The bursts in the order of cameras, then times. `nothing` is the label of blank bursts.

    Labels, cameras and nights are distributed evenly and shuffled, so that neither scene nor hour predicts a label.
    """
    rng = Random(f"{recipe.seed}/plan")
    empty = recipe.bursts if not labels else round(recipe.bursts * recipe.empty)
    shown = [labels[number % len(labels)] for number in range(recipe.bursts - empty)] if labels else []
    shuffled = [*shown, *[nothing] * empty]
    rng.shuffle(shuffled)
    at_night = [number < round(recipe.bursts * recipe.night) for number in range(recipe.bursts)]
    rng.shuffle(at_night)
    cameras = [number % recipe.cameras for number in range(recipe.bursts)]
    rng.shuffle(cameras)
    times = _distinct_times(at_night, rng)
    order = sorted(range(recipe.bursts), key=lambda number: (cameras[number], times[number]))
    return [
        _plan_burst(
            recipe,
            number=number,
            camera=cameras[index],
            label=shuffled[index],
            empty=shuffled[index] == nothing,
            time=times[index],
            infrared=at_night[index],
        )
        for number, index in enumerate(order)
    ]


def _distinct_times(at_night: list[bool], rng: Random) -> list[datetime]:
    """Distinct times on a grid of three minutes, so that the burst gap never joins two bursts."""
    found: dict[datetime, None] = {}
    for night in at_night:
        while True:
            day = rng.randrange(_DAYS + len(at_night) // 20)
            hour = rng.choice(_NIGHT_HOURS if night else _DAY_HOURS)
            time = _BEGIN + timedelta(days=day, hours=hour, minutes=rng.randrange(0, 60, 3))
            if time not in found:
                break
        found[time] = None
    return list(found)


def _plan_burst(
    recipe: CompositeRecipe, *, number: int, camera: int, label: str, empty: bool, time: datetime, infrared: bool
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
        taken=time + timedelta(seconds=rng.randrange(60)),
        infrared=infrared,
        level=rng.uniform(0.75, 1.3) if infrared else rng.uniform(0.28, 1.15),
        warmth=rng.uniform(-1, 1),
        mirrored=rng.random() < 0.5,
        stretch=rng.uniform(0.84, 1.16),
        shade=tuple(rng.uniform(0.8, 1.15) for _ in range(3)),  # type: ignore[arg-type]
        seed=rng.randrange(1 << 31),
        poses=(None,) * count if empty else _plan_walk(recipe, rng, count, infrared),
        gaps=tuple(gaps),
        softness=Random(f"{recipe.seed}/{number}/lens").uniform(0, 0.002),
        distractors=_plan_distractors(recipe.things, Random(f"{recipe.seed}/{number}/lying")),
    )


def _plan_distractors(share: float, rng: Random) -> tuple[Distractor, ...]:
    """One or two objects in this share of the bursts, with and without an animal alike.

    Position and rotation are random, so that a model can only tell them from animals by what they are.
    """
    if rng.random() >= share:
        return ()
    return tuple(
        Distractor(
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


def _plan_walk(recipe: CompositeRecipe, rng: Random, count: int, infrared: bool) -> tuple[Pose, ...]:
    """A walk through the frame. Small animals stand farther up, since they are farther away."""
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
