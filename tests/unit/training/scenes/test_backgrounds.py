"""Where composites stand: photographs of places where there are some, and things that are no animal lie about."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncia.training.datasets import DataError
from uncia.training.datasets.reading import read_dataset
from uncia.training.scenes import cut_outs, places
from uncia.training.scenes.exposure import expose, light, with_things
from uncia.training.scenes.places import in_words, photographs, place
from uncia.training.scenes.plan import CompositeRecipe, plan
from uncia.training.scenes.rendering import render_dataset
from uncia.training.scenes.scenes import Scene

TINY = CompositeRecipe(bursts=6, cameras=3, width=128, height=96, classes=("cat",), frames=(1, 2))


def rows_of(table: str) -> list[dict[str, str]]:
    with (Path(cut_outs.__file__).parent / table).open(newline="") as file:
        return list(csv.DictReader(file))


def hang(root: Path, count: int = 2) -> Path:
    """The first pictures of the table, as green noise, below this root."""
    for number, row in enumerate(rows_of("photographs.csv")[:count]):
        path = root / row["file"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 90, (300, 400, 3), np.uint8)
        noise[..., 1] += 120
        Image.fromarray(noise).save(path, quality=95)
    return root


def open_ground(view: Scene) -> Scene:
    return replace(view, front=np.zeros_like(view.front))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.JPG")}


def test_without_photographs_every_place_is_made_up(tmp_path: Path) -> None:
    assert photographs(tmp_path) == photographs(None) == ()
    assert in_words(()) == "made-up places"


def test_two_of_three_places_are_photographs_where_there_are_some(tmp_path: Path) -> None:
    found = photographs(hang(tmp_path))
    made_up = [place(camera, 1, 64, 48) for camera in range(6)]
    mixed = [place(camera, 1, 64, 48, found) for camera in range(6)]
    same = [np.array_equal(one.colours, other.colours) for one, other in zip(made_up, mixed, strict=True)]
    assert same == [True, False, False, True, False, False]


def test_one_photograph_makes_different_places(tmp_path: Path) -> None:
    found = photographs(hang(tmp_path, 1))
    one, other = (place(camera, 1, 64, 48, found).colours for camera in (1, 2))
    assert np.abs(one - other).mean() > 0.01


def test_a_place_has_the_shape_of_the_frame_and_shares_of_light(tmp_path: Path) -> None:
    view = place(1, 1, 64, 48, photographs(hang(tmp_path)))
    assert view.colours.shape == (48, 64, 3)
    assert view.near.shape == view.front.shape == (48, 64)
    assert view.colours.dtype == view.near.dtype == np.float32
    assert 0 < view.colours.min() < view.colours.max() <= 1
    assert view.near[-1, 0] > view.near[0, 0]


def test_a_picture_smaller_than_the_frame_still_fills_it(tmp_path: Path) -> None:
    assert place(1, 1, 800, 600, photographs(hang(tmp_path, 1))).colours.shape == (600, 800, 3)


def test_the_same_recipe_and_photographs_draw_the_same_files(tmp_path: Path) -> None:
    root = hang(tmp_path / "root")
    for name in ("one", "other"):
        render_dataset(tmp_path / name, TINY, stamps=None, root=root)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_photographs_that_came_since_are_drawn_with_elsewhere(tmp_path: Path) -> None:
    render_dataset(tmp_path / "data", TINY, stamps=None, root=None)
    with pytest.raises(DataError, match="name another folder"):
        render_dataset(tmp_path / "data", TINY, stamps=None, root=hang(tmp_path / "root"))


def test_whoever_reads_it_is_told_what_the_places_are(tmp_path: Path) -> None:
    render_dataset(tmp_path / "data", TINY, stamps=None, root=hang(tmp_path / "root"))
    told = read_dataset(tmp_path / "data").source
    assert "before photographs of lomiri-wallpapers-16.04 and made-up places" in told
    assert "no photographs from the field" in told


def test_a_broken_picture_is_told_with_its_package(tmp_path: Path) -> None:
    root = hang(tmp_path, 1)
    photographs(root)[0].path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"of lomiri-wallpapers-16\.04 cannot be read"):
        place(1, 1, 64, 48, photographs(root))


def test_things_lie_about_alike_where_there_is_an_animal_and_where_there_is_none() -> None:
    bursts = plan(CompositeRecipe(bursts=600, empty=0.5, things=0.5), ("cat",), "nothing")
    with_cat, empty = (
        np.mean([len(burst.lying) for burst in bursts if (burst.label == "cat") == shown]) for shown in (True, False)
    )
    assert 0.5 < with_cat < 0.85
    assert abs(with_cat - empty) < 0.2


def test_nothing_lies_about_unless_it_is_asked_for() -> None:
    assert not any(burst.lying for burst in plan(CompositeRecipe(bursts=60), ("cat",), "nothing"))


def test_a_thing_that_lies_about_is_seen_in_the_empty_place() -> None:
    burst = next(
        each
        for each in plan(CompositeRecipe(bursts=40, empty=1, night=0, things=1), (), "nothing")
        if each.lying and not each.infrared
    )
    lit = light(place(0, 1, 128, 96), burst)
    thing = cut_outs.CutOut("ball", "nothing", "", "nothing", np.ones((40, 40, 4), np.float32))
    assert np.abs(with_things(lit, (thing,)).colours - lit.colours).max() > 0.1
    assert with_things(lit, ()) is lit


def test_an_animal_that_would_hide_stands_before_what_hides_it() -> None:
    burst = plan(CompositeRecipe(bursts=1, empty=0, night=0, frames=(1, 1)), ("cat",), "nothing")[0]
    view = place(0, 1, 128, 96)
    walled = replace(view, front=np.full_like(view.front, 96.0))
    cat = cut_outs.CutOut("cat", "cat", "", "animal", np.ones((40, 40, 4), np.float32))
    pictures = [expose(light(each, burst), cat, burst.poses[0], 0)[0] for each in (walled, open_ground(view))]
    assert np.array_equal(*map(np.asarray, pictures))


def test_no_thing_is_also_an_animal_a_person_or_a_vehicle() -> None:
    things = [row["file"] for row in rows_of("things.csv")]
    assert len(set(things)) == len(things)
    assert not set(things) & {row["file"] for row in rows_of("stamps.csv")}
    assert not any(part in file for file in things for part in ("cartoon", "animals/", "people/", "vehicles/"))


def test_every_photograph_of_the_table_has_a_part_with_ground_in_it() -> None:
    for row in rows_of("photographs.csv"):
        left, top, right, bottom, horizon = (float(row[name]) for name in ("left", "top", "right", "bottom", "horizon"))
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert 0 <= horizon < bottom
        assert row["file"].startswith("/usr/share/")


def test_what_is_kept_of_a_photograph_is_no_larger_than_it_is_needed(tmp_path: Path) -> None:
    found = photographs(hang(tmp_path, 1))[0]
    assert places._opened(found, 64).width <= 3 * 64
