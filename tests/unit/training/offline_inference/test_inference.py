"""Asking a package about files: the stream's frame, the stream's answer, and one bad file fails alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.training.ensembles.tiny_packages import some_frames, tiny_package
from uncia.imaging.frames import decode_frame
from uncia.training.datasets.dataset import Sample
from uncia.training.offline_inference.inference import score_images
from uncia.triton_models.packages.loading import OpenPackage, PackageError, model_name_for, open_package
from uncia.triton_models.packages.writing import render_page, write_package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> OpenPackage:
    return tiny_package(tmp_path_factory.mktemp("package") / "tiny", 1)


@pytest.fixture
def pictures(package: OpenPackage, tmp_path: Path) -> list[Sample]:
    told = []
    for at, frame in enumerate(some_frames(package.card.frame)):
        path = tmp_path / f"{at}.jpg"
        Image.fromarray(frame).resize((256, 216)).save(path, quality=90)
        told.append(Sample(path, "fox", f"b{at}", "c"))
    return told


def test_an_answer_is_the_streams_answer_for_the_file(package: OpenPackage, pictures: list[Sample]) -> None:
    answers = score_images(package, pictures)
    frame = decode_frame(pictures[1].path.read_bytes(), package.card.frame, max_pixels=10**6)
    expected = package.predict(frame.pixels[np.newaxis])[1][0].astype(np.float16)
    assert answers.window_scores[1].tolist() == expected.tolist()


def test_a_file_that_cannot_be_read_fails_alone(package: OpenPackage, pictures: list[Sample]) -> None:
    pictures[1].path.write_bytes(b"no photograph")
    answers = score_images(package, pictures)
    assert [picture.burst for picture in answers.samples] == ["b0", "b2"]
    assert list(answers.unreadable) == [pictures[1].path]


def test_without_a_readable_file_the_reason_is_told(package: OpenPackage, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="not one of 1 pictures"):
        score_images(package, [Sample(tmp_path / "gone.jpg", "fox", "b", "c")])


def test_progress_counts_to_the_end(package: OpenPackage, pictures: list[Sample]) -> None:
    told: list[tuple[int, int]] = []
    score_images(package, pictures, lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)


def test_a_folder_without_a_graph_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="is not a model package"):
        open_package(tmp_path)


def test_a_graph_that_is_none_is_refused_and_what_was_there_stays(package: OpenPackage, tmp_path: Path) -> None:
    there = tiny_package(tmp_path / "there", 1)
    card = there.card
    with pytest.raises(PackageError, match="cannot run"):
        write_package(
            tmp_path / "there", b"x", model="x", frame=card.frame, labels=card.labels, weights="", licence="", page=""
        )
    assert open_package(tmp_path / "there").card.onnx_sha256 == card.onnx_sha256


@pytest.mark.parametrize("there", ["a file", "photographs", "a model of the repository"])
def test_what_is_no_package_is_never_replaced_by_one(there: str, tmp_path: Path) -> None:
    out = tmp_path / "there"
    kept = {"a file": out, "photographs": out / "1.jpg", "a model of the repository": out / "1" / "model.json"}[there]
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(b"dear")
    with pytest.raises(PackageError, match="exists and is not a model package: choose another folder"):
        tiny_package(out, 1)
    assert kept.read_bytes() == b"dear"


def test_nothing_lies_beside_a_package_that_was_written(tmp_path: Path) -> None:
    for seed in (1, 2):
        tiny_package(tmp_path / "there", seed)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_page_escapes_what_it_shows() -> None:
    assert "<b>" not in render_page("<b>", ["<b>"], {"<b>": [("<b>",), ("<b>",)]})


@pytest.mark.parametrize(
    ("folder", "name"),
    [("pamir_2026", "pamir_2026"), ("my-first model", "my_first_model"), ("2026", "m_2026"), ("Ounce", "ounce")],
)
def test_a_package_s_folder_names_its_model(folder: str, name: str) -> None:
    assert model_name_for(Path(folder)) == name
