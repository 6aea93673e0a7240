"""Presence: detector, movement and dense pass fused for the frames of a burst."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.camtrap.presence import FrameEvidence, PresenceModel, box_movement, load_presence_model, moved_cells
from uncia.errors import SettingsError

MODEL = load_presence_model()
SCENE = np.random.default_rng(5).integers(60, 180, (36, 48)).astype(np.uint8)
STONE = (0.1, 0.5, 0.2, 0.2)


def frame(
    *boxes: tuple[float, tuple[float, float, float, float]],
    luminance: np.ndarray | None = None,
    animal_score: float = 0.0,
    focus_margin: float = 0.0,
    category: str = "animal",
) -> FrameEvidence:
    return FrameEvidence(
        np.array([box for _, box in boxes], dtype=np.float64).reshape(-1, 4),
        np.array([score for score, _ in boxes], dtype=np.float64),
        (category,) * len(boxes),
        luminance,
        animal_score,
        focus_margin,
    )


def scene_with(column: int | None, gain: float = 1.0) -> np.ndarray:
    """The scene, with a dark animal of 8 x 8 cells at a column."""
    cells = SCENE.astype(np.float64)
    if column is not None:
        cells[14:22, column : column + 8] = 10
    return (cells * gain).clip(0, 255).astype(np.uint8)


def walking(scores: Sequence[float] = (0.4, 0.4, 0.4, 0.4)) -> list[FrameEvidence]:
    """An animal that walks through the picture."""
    return [
        frame((score, (column / 48, 0.04 + 0.89 * 14 / 36, 8 / 48, 0.89 * 8 / 36)), luminance=scene_with(column))
        for column, score in zip(range(2, 48, 10), scores, strict=False)
    ]


boxes = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 0.6), st.floats(0.01, 0.6))
detections = st.lists(st.tuples(st.floats(0, 1), boxes), max_size=4)
grids = st.one_of(
    st.none(), st.integers(0, 9).map(lambda seed: np.random.default_rng(seed).integers(0, 256, (6, 8), dtype=np.uint8))
)
frames = st.builds(
    lambda found, grid, animal, focus: frame(*found, luminance=grid, animal_score=animal, focus_margin=focus),
    detections,
    grids,
    st.floats(0, 1),
    st.floats(-5, 5),
)
bursts = st.lists(frames, min_size=1, max_size=6)


@settings(max_examples=30, deadline=None)
@given(bursts, st.lists(boxes, max_size=2))
def test_all_probabilities_lie_between_0_and_1(burst: list[FrameEvidence], static: list[tuple[float, ...]]) -> None:
    places = [(x, y, w, h) for x, y, w, h in static]
    found = MODEL.frame_probabilities(burst, places)
    assert found.shape == (len(burst),)
    assert ((found > 0) & (found < 1)).all()
    assert 0 < MODEL.burst_probability(burst, places) < 1
    for own, chosen in zip(burst, MODEL.best_boxes(burst, places), strict=True):
        assert chosen is None if not len(own.boxes) else chosen is not None and 0 <= chosen < len(own.boxes)


@settings(max_examples=30, deadline=None)
@given(bursts, st.data(), st.floats(0, 1))
def test_a_higher_score_never_lowers_a_probability(burst: list[FrameEvidence], data: st.DataObject, by: float) -> None:
    places = [(i, j) for i, own in enumerate(burst) for j in range(len(own.scores))]
    if not places:
        return
    number, box = data.draw(st.sampled_from(places))
    scores = burst[number].scores.copy()
    scores[box] = min(1.0, scores[box] + by)
    raised = [*burst[:number], replace(burst[number], scores=scores), *burst[number + 1 :]]
    assert (MODEL.frame_probabilities(raised) >= MODEL.frame_probabilities(burst) - 1e-9).all()
    assert MODEL.burst_probability(raised) >= MODEL.burst_probability(burst) - 1e-9


@settings(max_examples=30, deadline=None)
@given(bursts, st.data())
def test_the_burst_is_a_function_of_its_frames_and_not_of_their_arrival(
    burst: list[FrameEvidence], data: st.DataObject
) -> None:
    numbered = data.draw(st.permutations(list(enumerate(burst))))
    again = [own for _, own in sorted(numbered, key=lambda pair: pair[0])]
    assert MODEL.burst_probability(again) == MODEL.burst_probability(burst)
    np.testing.assert_array_equal(MODEL.frame_probabilities(again), MODEL.frame_probabilities(burst))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 0.6), st.integers(2, 8))
def test_copies_of_a_frame_are_no_further_evidence(score: float, copies: int) -> None:
    own = frame((score, STONE), luminance=SCENE)
    pair, many = [own] * 2, [own] * (2 + copies)
    assert MODEL.burst_probability(many) <= MODEL.burst_probability(pair) + 0.05


@pytest.mark.parametrize("last", [0.1, 0.4, 0.8])
def test_a_repeated_last_frame_hardly_raises_the_probability(last: float) -> None:
    burst = walking((0.4, 0.3, 0.2, last))
    assert MODEL.burst_probability([*burst, burst[-1]]) <= MODEL.burst_probability(burst) + 0.05


def test_25_nearly_equal_frames_of_a_stone_are_no_animal_for_certain() -> None:
    burst = [frame((0.3, STONE), luminance=(SCENE + number % 3).astype(np.uint8)) for number in range(25)]
    assert MODEL.burst_probability(burst) < 0.5


def test_what_moves_is_more_of_an_animal_than_what_stays() -> None:
    moving = walking()
    still = [replace(own, boxes=np.array([STONE])) for own in moving]
    assert MODEL.burst_probability(moving) > MODEL.burst_probability(still)


def test_the_box_of_choice_is_the_one_that_moved() -> None:
    burst = [
        replace(
            own, boxes=np.vstack([[STONE], own.boxes]), scores=np.array([0.45, 0.4]), categories=("animal", "animal")
        )
        for own in walking()
    ]
    assert MODEL.best_boxes(burst)[1:] == [1, 1, 1]


def test_a_static_object_is_outvoted_but_not_where_it_moved() -> None:
    burst = [frame((0.5, STONE), luminance=SCENE) for _ in range(3)]
    assert MODEL.burst_probability(burst, [STONE]) < MODEL.burst_probability(burst)
    moving = walking((0.6, 0.6, 0.6))
    place = moving[0].boxes[0]
    there = [(float(place[0]), float(place[1]), float(place[2]), float(place[3]))]
    assert MODEL.burst_probability(moving, there) > MODEL.burst_probability(burst, [STONE])


def test_exposure_is_not_movement() -> None:
    darker = [frame(luminance=scene_with(None, gain)) for gain in (1.0, 0.6, 0.8)]
    moved = moved_cells(darker, 0.35)
    assert moved is not None
    assert all(cells is not None and cells.mean() < 0.1 for cells in moved)


def test_movement_is_where_the_animal_is() -> None:
    burst = walking()
    moved = moved_cells(burst, 0.35)
    assert moved is not None and moved[1] is not None
    assert box_movement(moved[1], burst[1].boxes[0]) > 0.9
    assert box_movement(moved[1], (0.7, 0.1, 0.2, 0.2)) < 0.1


def test_movement_in_one_place_is_evidence_where_the_detector_sees_nothing() -> None:
    still = [frame(luminance=scene_with(None)) for _ in range(4)]
    passing = [*still[:3], frame(luminance=scene_with(20))]
    model = load_presence_model()
    assert model.frame_probabilities(passing)[3] > 2 * model.frame_probabilities(still).max()


def test_what_moves_everywhere_is_less_of_an_animal_than_what_moves_in_one_place() -> None:
    noise = np.random.default_rng(0).integers(-60, 60, (4, *SCENE.shape))
    windy = [frame(luminance=(SCENE + own).clip(0, 255).astype(np.uint8)) for own in noise]
    still = [frame(luminance=SCENE) for _ in range(3)]
    model = load_presence_model()
    in_one_place = model.frame_probabilities([*still, frame(luminance=scene_with(20))])
    assert model.frame_probabilities(windy).max() < in_one_place[3]


@pytest.mark.parametrize("category", ["person", "vehicle"])
def test_the_movement_of_a_person_or_vehicle_is_no_animal(category: str) -> None:
    passing = [replace(own, categories=(category,)) for own in walking((0.8, 0.8, 0.8, 0.8))]
    still = [frame(luminance=SCENE) for _ in passing]
    model = load_presence_model()
    assert model.burst_probability(passing) <= model.burst_probability(still) + 0.05


def test_a_box_smaller_than_a_cell_and_one_outside_the_grid_have_a_movement() -> None:
    cells = np.ones((36, 48))
    assert box_movement(cells, (0.5, 0.5, 0.001, 0.001)) == pytest.approx(1)
    assert box_movement(cells, (0.2, 0.97, 0.1, 0.02)) == 0


def test_frames_without_luminance_or_with_another_grid_are_scored_without_movement() -> None:
    burst = walking()
    mixed = [replace(burst[0], luminance=None), replace(burst[1], luminance=np.zeros((3, 4), np.uint8)), *burst[2:]]
    moved = moved_cells(mixed, 0.35)
    assert moved is not None and moved[0] is None and moved[1] is None and moved[2] is not None
    assert 0 < MODEL.burst_probability(mixed) < 1
    assert moved_cells([replace(own, luminance=None) for own in burst], 0.35) is None


def test_a_single_frame_has_the_probability_of_its_burst() -> None:
    own = frame((0.6, STONE), luminance=SCENE)
    assert MODEL.burst_probability([own]) == pytest.approx(MODEL.frame_probabilities([own])[0])


def test_no_frames_are_no_animal() -> None:
    assert MODEL.burst_probability([]) == 0
    assert MODEL.frame_probabilities([]).shape == (0,)
    assert MODEL.best_boxes([]) == []


def test_persons_and_vehicles_are_no_animals() -> None:
    person = frame((0.9, STONE), category="person")
    assert MODEL.best_boxes([person]) == [None]
    assert MODEL.burst_probability([person]) == MODEL.burst_probability([frame()])


def test_a_focus_taxon_over_its_threshold_is_evidence_and_below_it_is_none() -> None:
    assert MODEL.burst_probability([frame(focus_margin=3.0)]) > MODEL.burst_probability([frame()])
    assert MODEL.burst_probability([frame(focus_margin=-3.0)]) == MODEL.burst_probability([frame()])


def test_numbers_that_are_none_are_ignored() -> None:
    odd = FrameEvidence(
        np.array([[np.nan, 0, 1, 1], STONE, [-3, -3, 9, 9]]),
        np.array([0.9, np.inf, 0.5]),
        ("animal",) * 3,
        SCENE,
        float("nan"),
        float("inf"),
    )
    assert np.isfinite(MODEL.frame_probabilities([odd, odd])).all()
    assert MODEL.best_boxes([odd]) == [2]


def test_boxes_without_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="1 boxes, 2 scores"):
        MODEL.frame_probabilities([replace(frame((0.5, STONE)), scores=np.array([0.5, 0.5]))])


def test_5000_boxes_are_scored() -> None:
    many = [(0.1, (n % 70 / 100, n // 70 / 100, 0.05, 0.05)) for n in range(5000)]
    assert 0 < MODEL.burst_probability([frame(*many, luminance=SCENE), frame(luminance=SCENE)]) < 1


def test_the_id_names_every_weight(tmp_path: Path) -> None:
    other = MODEL.model_copy(update={"moving": MODEL.moving.model_copy(update={"bias": 9.0})})
    assert PresenceModel.model_validate(other.model_dump()).id != MODEL.id
    path = tmp_path / "presence.json"
    path.write_text(MODEL.model_dump_json())
    assert load_presence_model(path).id == MODEL.id
    assert MODEL.id.startswith(f"{MODEL.name}@")


@pytest.mark.parametrize("text", ["", "{}", '{"name": "x"}', "[1]"])
def test_a_file_that_is_no_model_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "presence.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"presence\.json is not a presence model"):
        load_presence_model(path)


def test_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="uncia train presence"):
        load_presence_model(tmp_path / "none.json")
