"""Which bursts the stations photograph: pure, and the same for the same seed."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 2048, 1440
"""Pixels of a photograph."""


@dataclass(frozen=True)
class Camera:
    """A camera at a station."""

    station: str
    name: str
    make: str
    model: str
    serial: str
    reconyx: bool
    """Whether the camera writes Reconyx's maker note, which states "3 of 5"."""

    def file_name(self, number: int) -> str:
        """Return the file name that a camera of this make uses."""
        return f"{'RCNX' if self.reconyx else 'IMAG'}{number:04d}.JPG"


CAMERAS = (
    Camera("ridge", "north-slope", "RECONYX", "HYPERFIRE 2 COVERT", "H2UNCIA0000017", reconyx=True),
    Camera("river", "ford", "BUSHNELL", "119837C", "B200314022", reconyx=False),
    Camera("hut", "yard", "BROWNING", "BTC-8A", "81A0447", reconyx=False),
)


@dataclass(frozen=True)
class Light:
    """The light of a burst."""

    level: float
    """Exposure: factor on the light."""
    warmth: float
    """Colour of daylight, -1 blue to 1 orange."""
    infrared: bool
    """Taken with the camera's own flash, at night."""


@dataclass(frozen=True)
class Pose:
    """Position of the animal in one frame."""

    x: float
    """Middle, as a share of the frame's width."""
    foot: float
    """Lower edge, as a share of the frame's height."""
    height: float
    """Height as a share of the frame's height."""
    smear: float
    """Length of the motion blur, in frame heights."""
    facing_left: bool
    step: float
    """Phase of the walk; a whole number is a full step."""


@dataclass(frozen=True)
class Frame:
    """A photograph to render."""

    camera: Camera
    station_number: int
    """Number of the station, from 0."""
    burst: int
    burst_seed: int
    number: int
    """Number of the frame in its burst, from 1."""
    of: int
    """Number of frames in the burst."""
    file_name: str
    time: datetime
    light: Light
    temperature_c: int
    pose: Pose | None
    """None where the animal is not in the frame."""


def cameras(stations: int) -> tuple[Camera, ...]:
    """One camera for each station. From the fourth station on, the first three repeat with numbered names."""
    chosen = []
    for number in range(stations):
        camera, copy = CAMERAS[number % 3], number // 3
        if copy:
            camera = Camera(
                f"{camera.station}-{copy + 1}",
                camera.name,
                camera.make,
                camera.model,
                f"{camera.serial[:-2]}{copy:02d}",
                camera.reconyx,
            )
        chosen.append(camera)
    return tuple(chosen)


def plan(*, seed: int, stations: int, bursts: int) -> list[list[Frame]]:
    """The frames of each camera in the order of time. `bursts` is the total, distributed over the cameras in turn.

    Of every three bursts of a camera two show the cat, by day and in infrared, and one is blank.
    """
    planned: list[list[Frame]] = []
    for number, camera in enumerate(cameras(stations)):
        rng = random.Random(f"{seed}/{camera.station}/{camera.name}")
        time = datetime(2026, 5, 14, 6, 0) + timedelta(minutes=rng.randrange(120), milliseconds=rng.randrange(1000))
        frames: list[Frame] = []
        for own, burst in enumerate(range(number, bursts, stations)):
            kind = (own + number) % 3
            infrared = kind == 1 or (kind == 2 and own % 2 == 0)
            time = _later_time(time, rng, infrared=infrared)
            frames += _plan_burst(
                camera, number, burst + 1, time, infrared=infrared, cat=kind != 2, first_file=len(frames) + 1, rng=rng
            )
            time = frames[-1].time
        planned.append(frames)
    return planned


def _later_time(after: datetime, rng: random.Random, *, infrared: bool) -> datetime:
    """A time more than an hour later, at night for infrared and by day otherwise."""
    time = after + timedelta(minutes=rng.randint(70, 200), milliseconds=rng.randrange(1000))
    while (time.hour >= 21 or time.hour < 5) != infrared:
        time += timedelta(minutes=37)
    return time


def _plan_burst(
    camera: Camera,
    station_number: int,
    burst: int,
    time: datetime,
    *,
    infrared: bool,
    cat: bool,
    first_file: int,
    rng: random.Random,
) -> list[Frame]:
    count = 5 if camera.reconyx else rng.randint(3, 6)
    light, celsius = _light(time, infrared)
    seed = rng.randrange(2**31)
    poses = _walk(count, infrared, rng)
    return [
        Frame(
            camera=camera,
            station_number=station_number,
            burst=burst,
            burst_seed=seed,
            number=number + 1,
            of=count,
            file_name=camera.file_name(first_file + number),
            time=time + timedelta(milliseconds=number * 500 + rng.randrange(60)),
            light=light,
            temperature_c=celsius,
            pose=pose if cat else None,
        )
        for number, pose in enumerate(poses)
    ]


def _light(time: datetime, infrared: bool) -> tuple[Light, int]:
    """Light and temperature (°C) by the height of the sun, which is highest at 13:00."""
    sun = max(0.0, 1 - abs(time.hour + time.minute / 60 - 13) / 9)
    if infrared:
        return Light(level=1.0, warmth=0.0, infrared=True), 2
    return Light(level=0.85 + 0.30 * sun, warmth=0.4 - 0.45 * sun, infrared=False), round(4 + 11 * sun)


def _walk(count: int, infrared: bool, rng: random.Random) -> list[Pose]:
    """The animal's positions while it walks through the frame, from either side."""
    left = rng.random() < 0.5
    foot = rng.uniform(0.74, 0.90)
    height = (foot - 0.3) * rng.uniform(0.55, 0.68)
    start, end = rng.uniform(0.16, 0.30), rng.uniform(0.70, 0.84)
    poses = []
    for number in range(count):
        share = number / max(count - 1, 1)
        x = start + (end - start) * share
        poses.append(
            Pose(
                x=1 - x if left else x,
                foot=foot + 0.018 * (share - 0.5) + rng.uniform(-0.003, 0.003),
                height=height * (1 + 0.06 * (share - 0.5)),
                smear=(rng.uniform(7, 15) if infrared else rng.uniform(2, 6)) / HEIGHT,
                facing_left=left,
                step=share * count / 2.6,
            )
        )
    return poses
