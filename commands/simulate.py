"""`uncia simulate`: camera stations that photograph a cat, with the truth beside them."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress

from uncia.errors import UnciaError
from uncia.producers.simulate.photograph import Darkroom
from uncia.producers.simulate.plan import Camera, Frame, cameras, plan
from uncia.terminal import description_column, echo, echo_json, plain_console

TRUTH = "truth.json"
_NOTE = "Memory card changed, batteries at 80 %. This is a text file, whatever its name says.\n"


def simulate(
    folder: Annotated[Path, typer.Argument(help="Where the photographs go: <station>/<camera>/*.JPG.")],
    seed: Annotated[int, typer.Option(help="The same seed makes the same photographs.")] = 1,
    stations: Annotated[int, typer.Option(min=1, max=30, help="Stations, of one camera each.")] = 3,
    bursts: Annotated[int, typer.Option(min=1, help="Bursts in all.")] = 9,
    live: Annotated[bool, typer.Option(help="Let the files appear one by one, as the cameras would fire.")] = False,
    pace: Annotated[float, typer.Option(min=0, help="Seconds between two frames of a camera, with --live.")] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file.")] = False,
) -> None:
    """Make bursts of photographs whose truth is known, a few broken files among them, and truth.json."""
    told = plan(seed=seed, stations=stations, bursts=bursts)
    _prepare(folder, cameras(stations))
    truth = Truth(folder, seed, as_json)
    darkroom = Darkroom(seed)
    total = sum(map(len, told))
    with _bar(total, shown=not as_json and sys.stderr.isatty()) as advance:
        for step in zip_longest(*told) if live else ([frame] for frames in told for frame in frames):
            due = time.monotonic() + (pace if live else 0)
            for frame in filter(None, step):
                truth.photograph(frame, *darkroom.make(frame))
                advance()
            if live:
                time.sleep(max(0.0, due - time.monotonic()))
    truth.broken_files()
    summary = truth.close()
    if as_json:
        echo_json({"event": "summary", **summary})
    else:
        echo(
            f"{summary['files']} files of {summary['bursts']} bursts at {summary['stations']} stations in {folder}; "
            f"{TRUTH} says what is on them"
        )


@dataclass
class Truth:
    """Writes the files, each at once whole, and remembers what is on them."""

    folder: Path
    seed: int
    as_json: bool
    files: list[dict[str, Any]] = field(default_factory=list)
    _cat: tuple[Frame, bytes] | None = None
    _other: tuple[Frame, bytes] | None = None

    def photograph(self, frame: Frame, data: bytes, box: tuple[float, float, float, float] | None) -> None:
        """A genuine frame."""
        self._write(
            frame.camera,
            frame.file_name,
            data,
            burst=frame.burst,
            frame=frame.number,
            frames=frame.of,
            captured=frame.time.isoformat(timespec="milliseconds"),
            infrared=frame.light.infrared,
            label="cat" if box else "blank",
            box=[round(share, 4) for share in box] if box else None,
        )
        if box or self._cat is None:
            self._cat = (frame, data)
        if self._other is None or frame.camera != self._other[0].camera:
            self._other = (frame, data)

    def broken_files(self) -> None:
        """A transfer that broke off, an exact copy under another name, and a text that calls itself a photograph."""
        assert self._cat and self._other
        frame, data = self._cat
        self._write(frame.camera, "BROKEN01.JPG", data[: len(data) * 3 // 5], rejected="image-truncated")
        frame, data = self._other
        original = f"{frame.camera.station}/{frame.camera.name}/{frame.file_name}"
        self._write(frame.camera, "COPY_OF_" + frame.file_name, data, duplicate_of=original)
        self._write(frame.camera, "notes.jpg", _NOTE.encode(), rejected="image-not-jpeg")

    def close(self) -> dict[str, Any]:
        """Write truth.json and return its summary."""
        summary = {
            "files": len(self.files),
            "bursts": len({entry["burst"] for entry in self.files} - {None}),
            "stations": len({entry["station"] for entry in self.files}),
            "rejected": sum(entry["rejected"] is not None for entry in self.files),
            "duplicates": sum(entry["duplicate_of"] is not None for entry in self.files),
        }
        text = json.dumps({"seed": self.seed, **summary, "photographs": self.files}, indent=1)
        _appear(self.folder / TRUTH, text.encode())
        return summary

    def _write(self, camera: Camera, name: str, data: bytes, **known: Any) -> None:
        path = self.folder / camera.station / camera.name / name
        _appear(path, data)
        entry = {
            "path": path.relative_to(self.folder).as_posix(),
            "station": camera.station,
            "camera": camera.name,
            **dict.fromkeys(("burst", "frame", "frames", "captured", "infrared", "label", "box")),
            "rejected": None,
            "duplicate_of": None,
            **known,
        }
        self.files.append(entry)
        if self.as_json:
            echo_json({"event": "file", **entry})
            sys.stdout.flush()


def _prepare(folder: Path, stations: tuple[Camera, ...]) -> None:
    """All stations' folders, there at the same moment, so that who waits for them sees all of them."""
    if folder.exists() and any(folder.iterdir()) and not (folder / TRUTH).exists():
        raise UnciaError(f"{folder} is not empty and not from an earlier simulation: name another folder")
    place = folder if folder.exists() else folder.with_name(f".{folder.name}.{os.getpid()}")
    (folder / TRUTH).unlink(missing_ok=True)
    for camera in stations:
        (place / camera.station / camera.name).mkdir(parents=True, exist_ok=True)
    if place != folder:
        place.rename(folder)


def _appear(path: Path, data: bytes) -> None:
    """A watcher sees the whole file or none."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


@contextlib.contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Any]:
    with Progress(
        description_column(),
        BarColumn(),
        MofNCompleteColumn(),
        console=plain_console(stderr=True),
        transient=True,
        disable=not shown,
    ) as progress:
        task = progress.add_task("photographing", total=total)
        yield lambda: progress.advance(task)
