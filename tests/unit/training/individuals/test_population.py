from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from uncia.training.individuals import coats
from uncia.training.individuals.population import Population, contact_sheet, populate, render_encounter
from uncia.training.individuals.rendering import HEIGHT, WIDTH


@pytest.fixture(scope="module")
def population() -> Population:
    return populate(2, seed=7)


@pytest.fixture(scope="module")
def burst(population: Population) -> list[Image.Image]:
    return render_encounter(population.encounters[0], population.individuals[0], 2)


def test_the_same_seed_gives_the_same_frames(population: Population, burst: list[Image.Image]) -> None:
    again = populate(2, seed=7)
    assert again.encounters == population.encounters
    frames = render_encounter(again.encounters[0], again.individuals[0], 2)
    assert all(first.tobytes() == second.tobytes() for first, second in zip(burst, frames, strict=True))


def test_no_two_flanks_are_alike(population: Population) -> None:
    flanks = [flank for one in population.individuals for flank in (one.left, one.right)]
    for number, flank in enumerate(flanks):
        for other in flanks[number + 1 :]:
            assert np.corrcoef(flank.ravel(), other.ravel())[0, 1] < 0.3
            assert np.corrcoef(flank.ravel(), other[:, ::-1].ravel())[0, 1] < 0.3


def test_a_coat_has_dark_and_light_parts() -> None:
    coat = coats.grow_coat(3, coats.SPOTS)
    assert coat.shape == (coats.ROWS, coats.COLUMNS)
    assert 0.1 < float((coat > 0.5).mean()) < 0.6


def test_encounters_of_one_animal_are_on_different_days_and_show_both_sides(population: Population) -> None:
    for individual in population.individuals:
        own = [one for one in population.encounters if one.individual_id == individual.individual_id]
        assert sorted(one.right for one in own) == [False, False, True, True]
        assert all(first.captured_at.date() < second.captured_at.date() for first, second in pairwise(own))


def test_frames_of_a_burst_differ(burst: list[Image.Image]) -> None:
    first, second = (np.asarray(image, dtype=np.float64) for image in burst)
    assert np.abs(first - second).mean() > 3


def test_a_contact_sheet_shows_all_frames(burst: list[Image.Image]) -> None:
    assert contact_sheet([*burst, *burst], columns=3).size == (3 * WIDTH, 2 * HEIGHT)
