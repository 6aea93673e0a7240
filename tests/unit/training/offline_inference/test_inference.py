"""Offline inference: the stream's frames, the stream's scores, and a corrupt file fails alone."""

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
def samples(package: OpenPackage, tmp_path: Path) -> list[Sample]:
    made = []
    for number, frame in enumerate(some_frames(package.card.frame)):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(frame).resize((256, 216)).save(path, quality=90)
        made.append(Sample(path, "fox", f"b{number}", "c"))
    return made


def test_scores_are_those_of_the_stream(package: OpenPackage, samples: list[Sample]) -> None:
    scores = score_images(package, samples)
    frame = decode_frame(samples[1].path.read_bytes(), package.card.frame, max_pixels=10**6)
    expected = package.predict(frame.pixels[np.newaxis])[1][0].astype(np.float16)
    assert scores.window_scores[1].tolist() == expected.tolist()


def test_a_file_that_cannot_be_read_fails_alone(package: OpenPackage, samples: list[Sample]) -> None:
    samples[1].path.write_bytes(b"no photograph")
    scores = score_images(package, samples)
    assert [sample.burst for sample in scores.samples] == ["b0", "b2"]
    assert list(scores.unreadable) == [samples[1].path]


def test_an_error_states_why_no_file_can_be_read(package: OpenPackage, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="none of 1 images"):
        score_images(package, [Sample(tmp_path / "missing.jpg", "fox", "b", "c")])


def test_progress_reaches_the_total(package: OpenPackage, samples: list[Sample]) -> None:
    calls: list[tuple[int, int]] = []
    score_images(package, samples, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (3, 3)


def test_a_folder_without_a_graph_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="is not a model package"):
        open_package(tmp_path)


def test_an_invalid_graph_is_refused_and_the_package_stays(package: OpenPackage, tmp_path: Path) -> None:
    card = tiny_package(tmp_path / "there", 1).card
    with pytest.raises(PackageError, match="cannot run"):
        write_package(
            tmp_path / "there", b"x", model="x", frame=card.frame, labels=card.labels, weights="", licence="", page=""
        )
    assert open_package(tmp_path / "there").card.onnx_sha256 == card.onnx_sha256


@pytest.mark.parametrize("there", ["a file", "photographs", "a model of the repository"])
def test_only_a_package_is_replaced_by_a_package(there: str, tmp_path: Path) -> None:
    out = tmp_path / "there"
    existing = {"a file": out, "photographs": out / "1.jpg", "a model of the repository": out / "1" / "model.json"}[
        there
    ]
    existing.parent.mkdir(parents=True, exist_ok=True)
    existing.write_bytes(b"precious")
    with pytest.raises(PackageError, match="exists and is not a model package: choose another folder"):
        tiny_package(out, 1)
    assert existing.read_bytes() == b"precious"


def test_no_other_files_remain_next_to_a_package(tmp_path: Path) -> None:
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
