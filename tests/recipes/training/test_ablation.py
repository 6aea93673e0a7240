"""Ablation: every combination, evaluated on the same bursts, with intervals."""

from pathlib import Path

import pytest

from tests.recipes.training.synthetic_data import SPEC

pytest.importorskip("torch")

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.model_card import read_model_card
from uncia.training import ablation
from uncia.training.ablation import AblationResult, AblationSettings, ablate, spread_cuts
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.splits import Split
from uncia.training.features.backbone import Backbone

SETTINGS = AblationSettings(cuts=("block-2", "block-5"), augmentations=("none", "mirror"), spec=SPEC, seed=1)


@pytest.fixture(scope="module")
def ablation_result(dataset_and_split: tuple[Dataset, Split], lite0: Backbone, features_folder: Path) -> AblationResult:
    return ablate(*dataset_and_split, lite0, SETTINGS, features_folder)


def test_every_combination_has_a_row(ablation_result: AblationResult) -> None:
    assert len({row.name for row in ablation_result.rows}) == len(ablation_result.rows) == 2 * 2 * 2
    assert all(
        figure.low <= figure.value <= figure.high for row in ablation_result.rows for figure in row.figures.values()
    )


def test_every_part_has_an_effect_with_an_interval(ablation_result: AblationResult) -> None:
    assert set(ablation_result.effects) == {
        "cut block-5 instead of block-2",
        "windows instead of whole",
        "augmentation mirror instead of none",
        "frames: mean over the burst instead of single frames",
        "frames: mean over the frames that show it instead of single frames",
        "bursts: mean over the burst instead of single frames",
        "bursts: any frame instead of single frames",
        "bursts: mean over the frames that show it instead of single frames",
    }


def test_both_questions_are_answered_by_every_rule(ablation_result: AblationResult) -> None:
    questions = {"animal here, AUC", "animal here, right", "taxon here, right"}
    assert set(ablation_result.rules) == {
        "single frames",
        "mean over the burst",
        "any frame",
        "mean over the frames that show it",
    }
    assert all(set(own.frames) == set(own.bursts) == questions for own in ablation_result.rules.values())


def test_figures_are_split_by_camera(ablation_result: AblationResult) -> None:
    cameras = {place for place in ablation_result.places if place.startswith("camera ")}
    assert len(cameras) in (0, 2), "none where the test bursts are of one camera"


def test_a_split_that_shares_cameras_is_warned_about(ablation_result: AblationResult) -> None:
    assert any("Not split by camera" in warning for warning in ablation_result.warnings)


def test_every_model_that_is_written_is_a_package(
    dataset_and_split: tuple[Dataset, Split], lite0: Backbone, features_folder: Path, tmp_path: Path
) -> None:
    few = AblationSettings(cuts=("block-2",), augmentations=("none",), spec=SPEC, seed=1)
    rows = ablate(*dataset_and_split, lite0, few, features_folder, tmp_path).rows

    assert {Path(row.package).name for row in rows} == {"head_block_2_whole_none", "head_block_2_windows_none"}
    for row in rows:
        assert read_model_card(Path(row.package)).model == Path(row.package).name


def test_the_same_seed_gives_the_same_rows(
    ablation_result: AblationResult, dataset_and_split: tuple[Dataset, Split], lite0: Backbone, features_folder: Path
) -> None:
    second = ablate(*dataset_and_split, lite0, SETTINGS, features_folder)

    assert [row.figures for row in second.rows] == [row.figures for row in ablation_result.rows]
    assert second.effects == ablation_result.effects


def test_the_json_has_all_rows_and_figures(ablation_result: AblationResult) -> None:
    result = ablation.as_json(ablation_result)

    assert result["bursts"] == 3 and result["photographs"] == 6
    assert set(result["rows"][0]["figures"]["top-1"]) == {"low", "value", "high"}
    assert set(result["rows"][0]["burst_figures"]) == set(result["rules"])
    assert set(result["rules"]["any frame"]["bursts"]["taxon here, right"]) == {"low", "value", "high"}


def test_spread_cuts_are_three_and_end_at_the_deepest(lite0: Backbone) -> None:
    assert spread_cuts(lite0, FrameSpec())[-1] == "features"
    assert len(spread_cuts(lite0, FrameSpec())) == 3
