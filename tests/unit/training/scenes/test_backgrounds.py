"""Backgrounds of composites: installed landscape photographs and synthetic scenes, and distractors in front."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncia.training.datasets import DataError
from uncia.training.datasets.reading import read_dataset
from uncia.training.scenes import backgrounds, cut_outs
from uncia.training.scenes.backgrounds import camera_scene, describe_backgrounds, installed_photographs
from uncia.training.scenes.exposure import add_distractors, expose, light
from uncia.training.scenes.plan import CompositeRecipe, plan
from uncia.training.scenes.rendering import render_dataset
from uncia.training.scenes.terrain import Scene

TINY = CompositeRecipe(bursts=6, cameras=3, width=128, height=96, classes=("cat",), frames=(1, 2))


def rows_in(table: str) -> list[dict[str, str]]:
    with (Path(cut_outs.__file__).parent / table).open(newline="") as file:
        return list(csv.DictReader(file))


def install_photographs(root: Path, count: int = 2) -> Path:
    """Write the first `count` photographs of the table, as green noise, below this root."""
    for number, row in enumerate(rows_in("photographs.csv")[:count]):
        path = root / row["file"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 90, (300, 400, 3), np.uint8)
        noise[..., 1] += 120
        Image.fromarray(noise).save(path, quality=95)
    return root


def without_obstacles(view: Scene) -> Scene:
    return replace(view, front=np.zeros_like(view.front))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.JPG")}


def test_no_photographs_without_the_packages(tmp_path: Path) -> None:
    assert installed_photographs(tmp_path) == installed_photographs(None) == ()
    assert describe_backgrounds(()) == "made-up places"


def test_two_of_three_scenes_are_photographs_if_any_are_installed(tmp_path: Path) -> None:
    found = installed_photographs(install_photographs(tmp_path))
    synthetic = [camera_scene(camera, 1, 64, 48) for camera in range(6)]
    mixed = [camera_scene(camera, 1, 64, 48, found) for camera in range(6)]
    same = [np.array_equal(one.colours, other.colours) for one, other in zip(synthetic, mixed, strict=True)]
    assert same == [True, False, False, True, False, False]


def test_one_photograph_gives_cameras_different_scenes(tmp_path: Path) -> None:
    found = installed_photographs(install_photographs(tmp_path, 1))
    one, other = (camera_scene(camera, 1, 64, 48, found).colours for camera in (1, 2))
    assert np.abs(one - other).mean() > 0.01


def test_a_photographed_scene_has_the_frames_shape_and_valid_values(tmp_path: Path) -> None:
    view = camera_scene(1, 1, 64, 48, installed_photographs(install_photographs(tmp_path)))
    assert view.colours.shape == (48, 64, 3)
    assert view.near.shape == view.front.shape == (48, 64)
    assert view.colours.dtype == view.near.dtype == np.float32
    assert 0 < view.colours.min() < view.colours.max() <= 1
    assert view.near[-1, 0] > view.near[0, 0]


def test_a_photograph_smaller_than_the_frame_is_enlarged(tmp_path: Path) -> None:
    assert camera_scene(1, 1, 800, 600, installed_photographs(install_photographs(tmp_path, 1))).colours.shape == (
        600,
        800,
        3,
    )


def test_the_same_recipe_and_photographs_render_the_same_files(tmp_path: Path) -> None:
    root = install_photographs(tmp_path / "root")
    for name in ("one", "other"):
        render_dataset(tmp_path / name, TINY, stamps=None, root=root)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_photographs_installed_later_need_another_folder(tmp_path: Path) -> None:
    render_dataset(tmp_path / "data", TINY, stamps=None, root=None)
    with pytest.raises(DataError, match="name another folder"):
        render_dataset(tmp_path / "data", TINY, stamps=None, root=install_photographs(tmp_path / "root"))


def test_the_source_states_where_the_backgrounds_come_from(tmp_path: Path) -> None:
    render_dataset(tmp_path / "data", TINY, stamps=None, root=install_photographs(tmp_path / "root"))
    source = read_dataset(tmp_path / "data").source
    assert "before photographs of lomiri-wallpapers-16.04 and made-up places" in source
    assert "no photographs from the field" in source


def test_a_corrupt_photograph_is_reported_with_its_package(tmp_path: Path) -> None:
    root = install_photographs(tmp_path, 1)
    installed_photographs(root)[0].path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"of lomiri-wallpapers-16\.04 cannot be read"):
        camera_scene(1, 1, 64, 48, installed_photographs(root))


def test_distractors_are_as_frequent_with_an_animal_as_without() -> None:
    bursts = plan(CompositeRecipe(bursts=600, empty=0.5, things=0.5), ("cat",), "nothing")
    with_cat, empty = (
        np.mean([len(burst.distractors) for burst in bursts if (burst.label == "cat") == shown])
        for shown in (True, False)
    )
    assert 0.5 < with_cat < 0.85
    assert abs(with_cat - empty) < 0.2


def test_there_are_no_distractors_by_default() -> None:
    assert not any(burst.distractors for burst in plan(CompositeRecipe(bursts=60), ("cat",), "nothing"))


def test_a_distractor_is_visible_in_the_empty_scene() -> None:
    burst = next(
        burst
        for burst in plan(CompositeRecipe(bursts=40, empty=1, night=0, things=1), (), "nothing")
        if burst.distractors and not burst.infrared
    )
    lit = light(camera_scene(0, 1, 128, 96), burst)
    thing = cut_outs.CutOut("ball", "nothing", "", "nothing", np.ones((40, 40, 4), np.float32))
    assert np.abs(add_distractors(lit, (thing,)).colours - lit.colours).max() > 0.1
    assert add_distractors(lit, ()) is lit


def test_an_animal_that_would_be_hidden_stands_in_front() -> None:
    burst = plan(CompositeRecipe(bursts=1, empty=0, night=0, frames=(1, 1)), ("cat",), "nothing")[0]
    view = camera_scene(0, 1, 128, 96)
    walled = replace(view, front=np.full_like(view.front, 96.0))
    cat = cut_outs.CutOut("cat", "cat", "", "animal", np.ones((40, 40, 4), np.float32))
    walled_image, open_image = (
        expose(light(scene, burst), cat, burst.poses[0], 0)[0] for scene in (walled, without_obstacles(view))
    )
    assert np.array_equal(np.asarray(walled_image), np.asarray(open_image))


def test_no_distractor_is_an_animal_a_person_or_a_vehicle() -> None:
    things = [row["file"] for row in rows_in("things.csv")]
    assert len(set(things)) == len(things)
    assert not set(things) & {row["file"] for row in rows_in("stamps.csv")}
    assert not any(part in file for file in things for part in ("cartoon", "animals/", "people/", "vehicles/"))


def test_the_usable_part_of_every_photograph_includes_ground() -> None:
    for row in rows_in("photographs.csv"):
        left, top, right, bottom, horizon = (float(row[name]) for name in ("left", "top", "right", "bottom", "horizon"))
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert 0 <= horizon < bottom
        assert row["file"].startswith("/usr/share/")


def test_photographs_are_scaled_down_when_loaded(tmp_path: Path) -> None:
    found = installed_photographs(install_photographs(tmp_path, 1))[0]
    assert backgrounds._load(found, 64).width <= 3 * 64
