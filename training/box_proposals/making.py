"""Propose boxes for a whole dataset, resumably, and write them as COCO."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uncia.camtrap.vocabulary import group_of
from uncia.errors import UnciaError
from uncia.events.values import Box
from uncia.storage.durable import write_durably
from uncia.training import TrainingError
from uncia.training.box_proposals.proposal import MergedBox, Proposal, clean, merge
from uncia.training.box_proposals.sources import BoxSources, find_movement
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.image_decoding import image_size
from uncia.training.progress import ProgressCallback, no_progress

BLANK = "empty"
"""Category of the frames without an animal, as in COCO Camera Traps."""


@dataclass(frozen=True)
class ProposedFrame:
    """One photograph, its size, and what the sources propose. Without proposals although it is no blank: none found."""

    sample: Sample
    size: tuple[int, int]
    """Width and height in pixels."""
    proposals: tuple[Proposal, ...]

    @property
    def blank(self) -> bool:
        """Whether the label says that there is nothing in it."""
        return is_blank(self.sample)

    @property
    def boxes(self) -> tuple[MergedBox, ...]:
        """Cleaned and merged."""
        return () if self.blank else merge(clean(self.proposals))


@dataclass(frozen=True)
class ProposedBoxes:
    """All photographs that could be read."""

    frames: tuple[ProposedFrame, ...]
    unreadable: dict[Path, str]


def is_blank(sample: Sample) -> bool:
    """Whether the label says that a photograph shows nothing."""
    return (sample.group or group_of(sample.label)) == "nothing"


def propose_boxes(
    dataset: Dataset,
    sources: BoxSources,
    journal: Path,
    *,
    limit: int | None = None,
    progress: ProgressCallback = no_progress,
) -> ProposedBoxes:
    """Propose boxes for each photograph.

    Each result is appended to the file `journal`, from which the same call resumes after a kill; a journal of other
    settings or data is started again. `limit` takes the first so many photographs of each label in turn. Raises
    `TrainingError` where the journal cannot be written.
    """
    samples = _limited(_one_per_file(dataset.samples), limit)
    run_id = _run_id(samples, sources)
    done = _read_journal(journal, run_id)
    frames: list[ProposedFrame] = []
    unreadable: dict[Path, str] = {}
    try:
        with journal.open("a", encoding="utf-8") as file:
            if not done:
                file.truncate(0)
                file.write(json.dumps({"run": run_id}) + "\n")
            for number, (sample, entry) in enumerate(_entries(samples, sources, done), 1):
                if str(sample.path) not in done:
                    file.write(json.dumps(entry) + "\n")
                    file.flush()
                if "error" in entry:
                    unreadable[sample.path] = entry["error"]
                else:
                    frames.append(_frame(sample, entry))
                progress(number, len(samples))
    except OSError as error:
        raise TrainingError(
            f"{journal} cannot be written ({error.strerror or error}): run the same command again to resume"
        ) from error
    return ProposedBoxes(tuple(frames), unreadable)


def coco_document(proposed: ProposedBoxes, out: Path, description: str) -> dict[str, Any]:
    """A COCO Camera Traps document; file names are relative to the folder of `out`.

    A frame in which nothing was found although its label names an animal is left out: it is no blank.
    """
    labels = sorted({frame.sample.label for frame in proposed.frames if frame.boxes})
    category_of = {BLANK: 0, **{label: number for number, label in enumerate(labels, 1)}}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for frame in proposed.frames:
        if not frame.blank and not frame.boxes:
            continue
        sample, (width, height) = frame.sample, frame.size
        image = {
            "id": len(images),
            "file_name": os.path.relpath(sample.path.resolve(), out.resolve().parent),
            "width": width,
            "height": height,
            "seq_id": sample.burst,
            "location": sample.camera,
        }
        if sample.taken is not None:
            image["datetime"] = sample.taken.isoformat(sep=" ")
        if frame.blank:
            annotations.append({"id": len(annotations), "image_id": image["id"], "category_id": 0})
        for found in frame.boxes:
            x, y, wide, high = found.box
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": image["id"],
                    "category_id": category_of[sample.label],
                    "bbox": [round(v, 2) for v in (x * width, y * height, wide * width, high * height)],
                    "support": round(found.support, 4),
                    "sources": list(found.sources),
                }
            )
        images.append(image)
    return {
        "info": {"description": description},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in category_of.items()],
    }


def write_coco(document: dict[str, Any], out: Path) -> None:
    """Write the document durably. Raises `TrainingError` where it cannot be written."""
    try:
        write_durably(out, json.dumps(document, indent=1) + "\n")
    except OSError as error:
        raise TrainingError(f"{out} cannot be written ({error.strerror}): name another file with --out") from error


def _entries(
    samples: Sequence[Sample], sources: BoxSources, done: dict[str, dict[str, Any]]
) -> Iterator[tuple[Sample, dict[str, Any]]]:
    """Each photograph's journal entry, burst by burst."""
    bursts: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        bursts[sample.burst].append(sample)
    for members in bursts.values():
        missing = any(str(sample.path) not in done for sample in members)
        if missing and "movement" in sources.names:
            moved = find_movement([sample.path for sample in members])
        else:
            moved = [[] for _ in members]
        for sample, boxes in zip(members, moved, strict=True):
            entry = done.get(str(sample.path))
            yield sample, entry if entry is not None else _propose(sample, sources, boxes)


def _propose(sample: Sample, sources: BoxSources, moved: Sequence[tuple[Box, float]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": str(sample.path)}
    try:
        entry["size"] = list(image_size(sample.path))
        found = [] if is_blank(sample) else sources.propose(sample.path, sample.label, moved)
    except (UnciaError, OSError) as error:
        return {"path": str(sample.path), "error": str(error)}
    return entry | {
        "proposals": [[one.source, [round(share, 6) for share in one.box], round(one.score, 6)] for one in found]
    }


def _frame(sample: Sample, entry: dict[str, Any]) -> ProposedFrame:
    proposals = tuple(Proposal(source, tuple(box), score) for source, box, score in entry["proposals"])
    width, height = entry["size"]
    return ProposedFrame(sample, (width, height), proposals)


def _read_journal(journal: Path, run_id: str) -> dict[str, dict[str, Any]]:
    """The entries by path; a last line that a kill cut off is dropped from the file. Empty for another run."""
    try:
        lines = journal.read_bytes().splitlines(keepends=True)
    except OSError:
        return {}
    whole = [line for line in lines if line.endswith(b"\n")]
    try:
        entries = [json.loads(line) for line in whole]
    except ValueError:
        return {}
    if not entries or entries[0].get("run") != run_id:
        return {}
    if len(whole) < len(lines):
        write_durably(journal, b"".join(whole).decode())
    return {entry["path"]: entry for entry in entries[1:]}


def _one_per_file(samples: Sequence[Sample]) -> list[Sample]:
    """The first sample of each file: an image with two species is two samples, and one picture."""
    return list({sample.path: sample for sample in reversed(samples)}.values())[::-1]


def _limited(samples: list[Sample], limit: int | None) -> list[Sample]:
    """Whole bursts until `limit` photographs are reached, of each label in turn."""
    if limit is None or limit >= len(samples):
        return samples
    bursts: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    label_of = {sample.burst: sample.label for sample in reversed(samples)}
    for sample in samples:
        bursts[label_of[sample.burst]][sample.burst].append(sample)
    queues = [list(own.values()) for _, own in sorted(bursts.items())]
    chosen: list[Sample] = []
    while any(queues) and len(chosen) < limit:
        for queue in queues:
            if queue and len(chosen) < limit:
                chosen += queue.pop(0)
    return chosen[:limit]


def _run_id(samples: Sequence[Sample], sources: BoxSources) -> str:
    """Digest of what determines the result."""
    hasher = hashlib.sha256(f"{sources.names} {sorted(asdict(sources.explanation).items())}".encode())
    for card in (sources.classifier and sources.classifier.card, sources.detector and sources.detector.card):
        hasher.update((card.onnx_sha256 if card else "-").encode())
    for sample in samples:
        hasher.update(f"{sample.path}\0{sample.label}\0{sample.burst}\n".encode())
    return hasher.hexdigest()[:24]
