"""Which bursts are played: pure, and the same for the same seed."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from uncia.producers.simulate.optics import Light, Pose
from uncia.producers.simulate.scenery import HEIGHT, WIDTH


@dataclass(frozen=True)
class Camera:
    """One camera at one station."""

    station: str
    name: str
    place: str
    make: str
    model: str
    serial: str
    reconyx: bool

    def file_name(self, number: int) -> str:
        """As such a camera names its files."""
        return f"{'RCNX' if self.reconyx else 'IMAG'}{number:04d}.JPG"


CAMERAS = (
    Camera("ridge", "north-slope", "ridge", "RECONYX", "HYPERFIRE 2 COVERT", "H2UNCIA0000017", reconyx=True),
    Camera("river", "ford", "river", "BUSHNELL", "119837C", "B200314022", reconyx=False),
    Camera("hut", "yard", "hut", "BROWNING", "BTC-8A", "81A0447", reconyx=False),
)


@dataclass(frozen=True)
class Frame:
    """One photograph to be made. `pose` is None where the animal is not in it."""

    camera: Camera
    burst: int
    number: int
    of: int
    file_name: str
    time: datetime
    light: Light
    temperature_c: int
    pose: Pose | None
    seed: int


def cameras(stations: int) -> tuple[Camera, ...]:
    """So many stations; beyond the third they repeat the first three under numbered names."""
    chosen = []
    for place in range(stations):
        camera, round_ = CAMERAS[place % 3], place // 3
        if round_:
            serial = f"{camera.serial[:-2]}{round_:02d}"
            camera = Camera(f"{camera.station}-{round_ + 1}", *(camera.name, camera.place, camera.make, camera.model),
                            serial, camera.reconyx)  # fmt: skip
        chosen.append(camera)
    return tuple(chosen)


def plan(*, seed: int, stations: int, bursts: int) -> list[list[Frame]]:
    """The frames of each camera, in its order. `bursts` in all, dealt out to the cameras in turn.

    Of every three bursts of a camera two show the cat, by day and in infrared, and one shows nothing.
    """
    told: list[list[Frame]] = []
    for place, camera in enumerate(cameras(stations)):
        rng = random.Random(f"{seed}/{camera.station}/{camera.name}")
        time = datetime(2026, 5, 14, 6, 0) + timedelta(minutes=rng.randrange(120), milliseconds=rng.randrange(1000))
        frames: list[Frame] = []
        for mine, burst in enumerate(range(place, bursts, stations)):
            kind = (mine + place) % 3
            infrared = kind == 1 or (kind == 2 and mine % 2 == 0)
            time = _hour(time, rng, infrared)
            count = 5 if camera.reconyx else rng.randint(3, 6)
            frames += _burst(camera, burst + 1, count, time, infrared, kind != 2, rng, len(frames))
            time = frames[-1].time
        told.append(frames)
    return told


def _hour(after: datetime, rng: random.Random, infrared: bool) -> datetime:
    """A later time that is in the night, or in the day, as wanted."""
    time = after + timedelta(minutes=rng.randint(70, 200), milliseconds=rng.randrange(1000))
    while (time.hour >= 21 or time.hour < 5) != infrared:
        time += timedelta(minutes=37)
    return time


def _burst(
    camera: Camera,
    burst: int,
    count: int,
    time: datetime,
    infrared: bool,
    cat: bool,
    rng: random.Random,
    made: int,
) -> list[Frame]:
    sun = max(0.0, 1 - abs(time.hour + time.minute / 60 - 13) / 9)
    light = Light(
        level=1 if infrared else 0.85 + 0.30 * sun, warmth=0.0 if infrared else 0.75 - 0.85 * sun, infrared=infrared
    )
    cold = 2 if infrared else round(4 + 11 * sun)
    left = rng.random() < 0.5
    foot = HEIGHT * rng.uniform(0.74, 0.90)
    size = (foot - 0.3 * HEIGHT) * rng.uniform(0.62, 0.78)
    start, end = rng.uniform(0.16, 0.30) * WIDTH, rng.uniform(0.70, 0.84) * WIDTH
    frames = []
    for number in range(count):
        share = number / max(count - 1, 1)
        x = start + (end - start) * share
        pose = Pose(
            x=WIDTH - x if left else x,
            foot=foot + 26 * (share - 0.5) + rng.uniform(-4, 4),
            height=size * (1 + 0.06 * (share - 0.5)),
            blur=rng.uniform(7, 15) if infrared else rng.uniform(2, 6),
            facing_left=left,
            step=share * count / 2.6,
        )
        frames.append(
            Frame(
                camera=camera,
                burst=burst,
                number=number + 1,
                of=count,
                file_name=camera.file_name(made + number + 1),
                time=time + timedelta(milliseconds=number * 500 + rng.randrange(60)),
                light=light,
                temperature_c=cold,
                pose=pose if cat else None,
                seed=rng.randrange(2**31),
            )
        )
    return frames
