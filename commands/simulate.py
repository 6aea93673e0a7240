"""`uncia simulate`: simulated camera stations that photograph a cat, with ground truth for every file."""

import math
import sys
import time
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from uncia.events.values import Box
from uncia.producers.simulate.photograph import Photographer
from uncia.producers.simulate.plan import HEIGHT, WIDTH, Frame, cameras, plan
from uncia.producers.simulate.plan import Pose as Walk
from uncia.producers.simulate.truth import TRUTH_FILE, TruthRecorder, prepare_folders
from uncia.terminal import echo, echo_json
from uncia.training.progress import progress_bar
from uncia.training.scenes.frames import FrameRenderer
from uncia.training.scenes.info_strips import print_strips
from uncia.training.scenes.natural.cat import PHASES, aspect, natural_cat
from uncia.training.scenes.plan import Burst, Pose

_FIRST_SCENE = 3
"""Number of the first station's scene: a slope, then a meadow and a forest, as the stations are named."""


def simulate(
    folder: Annotated[Path, typer.Argument(help="Output folder for the photographs: <station>/<camera>/*.JPG.")],
    seed: Annotated[int, typer.Option(help="Random seed; the same seed renders the same photographs.")] = 1,
    stations: Annotated[int, typer.Option(min=1, max=30, help="Number of stations, with one camera each.")] = 3,
    bursts: Annotated[int, typer.Option(min=1, help="Number of bursts.")] = 9,
    live: Annotated[bool, typer.Option(help="Write the files at the pace of real cameras, one by one.")] = False,
    pace: Annotated[float, typer.Option(min=0, help="Seconds between two frames of a camera, with --live.")] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file.")] = False,
) -> None:
    """Render bursts of photographs, including a few faulty files, and write the ground truth to truth.json."""
    planned = plan(seed=seed, stations=stations, bursts=bursts)
    prepare_folders(folder, cameras(stations))
    truth = TruthRecorder(folder, seed, _print_entry if as_json else lambda entry: None)
    photographer = Photographer(SceneRenderer(seed, stations))
    total, done = sum(map(len, planned)), 0
    steps: Iterable[Iterable[Frame | None]] = (
        zip_longest(*planned) if live else ([frame] for frames in planned for frame in frames)
    )
    with progress_bar("photographing", shown=not as_json, log_description=False) as progress:
        for step in steps:
            due = time.monotonic() + (pace if live else 0)
            for frame in filter(None, step):
                truth.add_photograph(frame, *photographer.take(frame))
                done += 1
                progress(done, total)
            if live:
                time.sleep(max(0.0, due - time.monotonic()))
    truth.add_faulty_files()
    summary = truth.close()
    if as_json:
        echo_json({"event": "summary", **summary})
    else:
        echo(
            f"{summary['files']} files of {summary['bursts']} bursts at {summary['stations']} stations in {folder}; "
            f"{TRUTH_FILE} states what they show"
        )


class SceneRenderer:
    """Implements `RenderFrame` of the simulated stations with the renderer of composites. Not thread-safe."""

    def __init__(self, seed: int, stations: int) -> None:
        self._frames = FrameRenderer(WIDTH, HEIGHT, seed, cached_cameras=stations, natural=True)

    def __call__(self, frame: Frame, /) -> tuple[Image.Image, Box | None]:
        """Return the photograph with its info strips, and the cat's box relative to its width and height."""
        infrared = frame.light.infrared
        cut_out = natural_cat(_phase(frame.pose), infrared=infrared) if frame.pose else None
        image, box = self._frames.render(_burst(frame), frame.number, cut_out, _pose(frame))
        print_strips(
            image,
            f"{frame.camera.station} {frame.camera.name}",
            frame.time,
            frame.temperature_c,
            sequence=(frame.number, frame.of) if frame.camera.reconyx else None,
            note="UNCIA SIMULATED",
        )
        return image, box


def _burst(frame: Frame) -> Burst:
    """The properties that all frames of a burst share."""
    return Burst(
        number=frame.burst,
        camera=_FIRST_SCENE + frame.station_number,
        label="cat",
        variant=0,
        taken=frame.time,
        infrared=frame.light.infrared,
        level=frame.light.level,
        warmth=frame.light.warmth,
        mirrored=frame.pose is not None and frame.pose.facing_left,
        stretch=1.0,
        shade=(1.0, 1.0, 1.0),
        seed=frame.burst_seed,
        poses=(),
        gaps=(),
    )


def _pose(frame: Frame) -> Pose | None:
    pose = frame.pose
    if pose is None:
        return None
    return Pose(
        x=pose.x,
        foot=pose.foot,
        area=pose.height**2 * aspect(_phase(pose), infrared=frame.light.infrared) * HEIGHT / WIDTH,
        # The body of a walking animal tilts a little with every step.
        tilt=0.6 * math.sin(2 * math.pi * pose.step),
        smear=pose.smear,
    )


def _phase(pose: Walk) -> int:
    return round(pose.step * PHASES) % PHASES


def _print_entry(entry: dict[str, Any]) -> None:
    echo_json({"event": "file", **entry})
    sys.stdout.flush()
