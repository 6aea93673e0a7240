"""Photographs with all of their boxes, from COCO and from samples."""

import json
from pathlib import Path

import numpy as np
import pytest

from uncia.errors import SettingsError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.detectors.annotated_frames import (
    AnnotatedFrame,
    TrueBox,
    annotate,
    categories_of,
    read_annotated_frames,
    split_frames,
)


def coco(folder: Path) -> Path:
    for name in ("two.jpg", "blank.jpg", "unboxed.jpg", "person.jpg"):
        (folder / name).write_bytes(b"\xff\xd8\xff")
    images = [
        {"id": number, "file_name": name, "width": 200, "height": 100, "seq_id": f"s{number}", "location": "c1"}
        for number, name in enumerate(("two.jpg", "blank.jpg", "unboxed.jpg", "person.jpg"))
    ]
    boxes = [
        {"id": 0, "image_id": 0, "category_id": 1, "bbox": [20, 10, 40, 30]},
        {"id": 1, "image_id": 0, "category_id": 1, "bbox": [100, 50, 50, 50]},
        {"id": 2, "image_id": 1, "category_id": 0},
        {"id": 3, "image_id": 2, "category_id": 1},
        {"id": 4, "image_id": 3, "category_id": 2, "bbox": [0, 0, 100, 100]},
    ]
    names = [{"id": 0, "name": "empty"}, {"id": 1, "name": "deer"}, {"id": 2, "name": "human"}]
    path = folder / "boxes.json"
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": names}))
    return path


def test_a_coco_file_gives_all_boxes_of_a_photograph(tmp_path: Path) -> None:
    read = read_annotated_frames(coco(tmp_path))
    by_name = {frame.path.name: frame for frame in read.frames}
    assert np.allclose([true.box for true in by_name["two.jpg"].boxes], [(0.1, 0.1, 0.2, 0.3), (0.5, 0.5, 0.25, 0.5)])
    assert by_name["blank.jpg"].boxes == ()
    assert "unboxed.jpg" not in by_name and read.left_out == 1
    assert [category.value for category in categories_of(read.frames)] == ["animal", "person"]


def test_samples_of_one_file_become_one_frame() -> None:
    file, box, other = Path("a.jpg"), (0.1, 0.1, 0.1, 0.1), (0.5, 0.5, 0.1, 0.1)
    samples = (Sample(file, "deer", "b", "c", box=box), Sample(file, "boar", "b", "c", box=other))
    read = annotate(Dataset(samples, ""))
    assert [true.box for true in read.frames[0].boxes] == [box, other]


def frames(cameras: int) -> list[AnnotatedFrame]:
    true = (TrueBox((0.1, 0.1, 0.2, 0.2)),)
    return [
        AnnotatedFrame(Path(f"{number}.jpg"), true if number % 2 else (), f"b{number // 2}", f"c{number % cameras}")
        for number in range(40)
    ]


def test_the_split_is_by_camera_where_three_are_known() -> None:
    parts = split_frames(frames(8), seed=1)
    cameras = [{frame.camera for frame in subset} for subset in parts.subsets]
    assert parts.by == "camera"
    assert not cameras[0] & cameras[1] and not cameras[0] & cameras[2] and not cameras[1] & cameras[2]
    assert sum(map(len, parts.subsets)) == 40


def test_the_split_of_few_cameras_is_by_burst_and_by_camera_is_refused() -> None:
    assert split_frames(frames(2), seed=1).by == "burst"
    with pytest.raises(SettingsError, match="2 cameras"):
        split_frames(frames(2), seed=1, by="camera")
