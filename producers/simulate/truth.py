"""The files of the simulated stations, and `truth.json`, which states what every one of them shows."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uncia.errors import UnciaError
from uncia.events.values import Box
from uncia.producers.simulate.plan import Camera, Frame

TRUTH_FILE = "truth.json"
_NOTE = "Memory card changed, batteries at 80 %. This is a text file, whatever its name says.\n"


def prepare_folders(folder: Path, cameras: tuple[Camera, ...]) -> None:
    """Create the folders of all cameras, which appear at the same moment: a program that waits for them sees all.

    Raises `UnciaError` where the folder holds anything that no earlier simulation wrote.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / TRUTH_FILE).exists():
        raise UnciaError(f"{folder} is not empty and not from an earlier simulation: name another folder")
    staging = folder if folder.exists() else folder.with_name(f".{folder.name}.{os.getpid()}")
    (folder / TRUTH_FILE).unlink(missing_ok=True)
    for camera in cameras:
        (staging / camera.station / camera.name).mkdir(parents=True, exist_ok=True)
    if staging != folder:
        staging.rename(folder)


@dataclass
class TruthRecorder:
    """Writes the files of the stations, each atomically, and records what they show.

    `report` is called with the entry of each file after the file is complete.
    """

    folder: Path
    seed: int
    report: Callable[[dict[str, Any]], None] = lambda entry: None
    entries: list[dict[str, Any]] = field(default_factory=list)
    _with_cat: tuple[Frame, bytes] | None = None
    _other: tuple[Frame, bytes] | None = None

    def add_photograph(self, frame: Frame, data: bytes, box: Box | None) -> None:
        """Write a photograph; `box` is the animal's, None for a blank frame."""
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
        if box or self._with_cat is None:
            self._with_cat = (frame, data)
        if self._other is None or frame.camera != self._other[0].camera:
            self._other = (frame, data)

    def add_faulty_files(self) -> None:
        """Write a truncated file, an exact copy under another name, and a text file whose name ends in `.jpg`.

        Needs at least one photograph.
        """
        assert self._with_cat and self._other
        frame, data = self._with_cat
        self._write(frame.camera, "BROKEN01.JPG", data[: len(data) * 3 // 5], rejected="image-truncated")
        frame, data = self._other
        original = f"{frame.camera.station}/{frame.camera.name}/{frame.file_name}"
        self._write(frame.camera, "COPY_OF_" + frame.file_name, data, duplicate_of=original)
        self._write(frame.camera, "notes.jpg", _NOTE.encode(), rejected="image-not-jpeg")

    def close(self) -> dict[str, Any]:
        """Write `truth.json` and return its counts."""
        summary = {
            "files": len(self.entries),
            "bursts": len({entry["burst"] for entry in self.entries} - {None}),
            "stations": len({entry["station"] for entry in self.entries}),
            "rejected": sum(entry["rejected"] is not None for entry in self.entries),
            "duplicates": sum(entry["duplicate_of"] is not None for entry in self.entries),
        }
        text = json.dumps({"seed": self.seed, **summary, "photographs": self.entries}, indent=1)
        _write_atomically(self.folder / TRUTH_FILE, text.encode())
        return summary

    def _write(self, camera: Camera, name: str, data: bytes, **known: Any) -> None:
        path = self.folder / camera.station / camera.name / name
        _write_atomically(path, data)
        entry = {
            "path": path.relative_to(self.folder).as_posix(),
            "station": camera.station,
            "camera": camera.name,
            **dict.fromkeys(("burst", "frame", "frames", "captured", "infrared", "label", "box")),
            "rejected": None,
            "duplicate_of": None,
            **known,
        }
        self.entries.append(entry)
        self.report(entry)


def _write_atomically(path: Path, data: bytes) -> None:
    """A folder watcher sees the complete file or none."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
