"""COCO Camera Traps: one JSON file."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from uncia.training.datasets import DataError
from uncia.training.datasets.reading import read_dataset

CATEGORIES = [{"id": 0, "name": "empty"}, {"id": 1, "name": "ocelot"}, {"id": 2, "name": "unknown"}]
IMAGE = {"id": "i1", "file_name": "a/1.jpg", "width": 200, "height": 100, "seq_id": "s1", "location": "L3"}


def coco(folder: Path, annotations: list[dict[str, Any]], images: list[dict[str, Any]] | None = None) -> Path:
    path = folder / "data.json"
    content = {"info": {}, "images": images or [IMAGE], "annotations": annotations, "categories": CATEGORIES}
    path.write_text(json.dumps(content))
    return path


def test_an_image_has_label_sequence_place_and_box(tmp_path: Path) -> None:
    (one,) = read_dataset(coco(tmp_path, [{"image_id": "i1", "category_id": 1, "bbox": [20, 10, 100, 50]}])).samples
    assert (one.path, one.label, one.group) == (tmp_path / "a" / "1.jpg", "ocelot", "animal")
    assert (one.burst, one.camera) == ("L3/s1", "L3")
    assert one.box == pytest.approx((0.1, 0.1, 0.5, 0.5))


def test_the_folder_is_read_where_one_such_file_lies_in_it(tmp_path: Path) -> None:
    path = coco(tmp_path, [{"image_id": "i1", "category_id": 0}])
    assert read_dataset(tmp_path) == read_dataset(path)
    assert read_dataset(path).samples[0].group == "nothing"


def test_pictures_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / "images" / "a" / "1.jpg").touch()
    (one,) = read_dataset(coco(tmp_path, [{"image_id": "i1", "category_id": 1}])).samples
    assert one.path.exists()


def test_sequences_that_are_not_told_follow_from_the_times(tmp_path: Path) -> None:
    images = [
        {"id": n, "file_name": f"{n}.jpg", "location": 3, "datetime": f"2020-01-01 00:00:{n:02}"} for n in range(3)
    ]
    data = read_dataset(coco(tmp_path, [{"image_id": n, "category_id": 1} for n in range(3)], images))
    assert len({one.burst for one in data.samples}) == 1


def test_images_that_nobody_classified_are_left_out_and_counted(tmp_path: Path) -> None:
    images = [IMAGE, {**IMAGE, "id": "i2"}, {**IMAGE, "id": "i3"}]
    annotations = [{"image_id": "i1", "category_id": 1}, {"image_id": "i2", "category_id": 2}]
    data = read_dataset(coco(tmp_path, annotations, images))
    assert len(data) == 1
    assert "2 images without a class left out" in data.source


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "no list `images`"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "entry 0 of `images` has no"),
        (
            '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "category_id": 9}],'
            ' "categories": []}',
            "category 9, which is not listed",
        ),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_dataset(path)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"info": {"format_version": "1.5"}, "detection_categories": {"1": "animal"}, "images": []}, "MegaDetector"),
        ({"images": [{"file": "a.jpg", "max_detection_conf": 0.9, "detections": []}]}, "MegaDetector"),
        ([{"file": "a.jpg", "detections": []}], "MegaDetector"),
        ({"predictions": [{"filepath": "a.jpg", "prediction": "x"}]}, "SpeciesNet"),
    ],
)
def test_what_a_model_found_is_named_and_refused(tmp_path: Path, content: object, name: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"{name}.*no labels"):
        read_dataset(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": ' * 50_000, "1" * 5000, '{"images": [null]}'])
def test_json_that_is_no_data_set_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(text)
    with pytest.raises(DataError):
        read_dataset(path)


KEYS = st.sampled_from(
    ["images", "annotations", "categories", "id", "file_name", "image_id", "category_id", "bbox", "name"]
)
FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=[Phase.generate])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=5),
    max_leaves=12,
)


@FUZZ
@given(JSON)
def test_no_json_breaks_the_reader(tmp_path: Path, content: object) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(content))
    with contextlib.suppress(DataError):
        read_dataset(path)


@FUZZ
@given(
    images=st.lists(st.fixed_dictionaries({"id": JSON, "file_name": JSON}, optional={"width": JSON, "datetime": JSON})),
    annotations=st.lists(st.fixed_dictionaries({"image_id": JSON, "category_id": JSON}, optional={"bbox": JSON})),
    categories=st.lists(st.fixed_dictionaries({"id": JSON, "name": JSON})),
)
def test_no_entries_break_the_reader(tmp_path: Path, images: object, annotations: object, categories: object) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    with contextlib.suppress(DataError):
        read_dataset(path)
