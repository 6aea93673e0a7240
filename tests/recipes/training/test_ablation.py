"""Ablation: every combination, evaluated on the same bursts, with intervals."""

from pathlib import Path

import numpy as np
import pytest

from tests.recipes.training.synthetic_data import SPEC

pytest.importorskip("torch")

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.model_card import read_model_card
from uncia.training import ablation
from uncia.training.ablation import AblationResult, AblationSettings, ablate, burst_probabilities, spread_cuts
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.splits import Split
from uncia.training.features.backbone import Backbone

SETTINGS = AblationSettings(cuts=("block-2", "block-5"), augmentations=("none", "mirror"), spec=SPEC, seed=1)


@pytest.fixture(scope="module")
def ablation_result(dataset_and_split: tuple[Dataset, Split], lite0: Backbone, features_folder: Path) -> AblationResult:
    return ablate(*dataset_and_split, lite0, SETTINGS, features_folder)


def test_every_combination_has_a_row(ablation_result: AblationResult) -> None:
    assert len({row.name for row in ablation_result.rows}) == len(ablation_result.rows) == 2 * 2 * 2 * 2
    assert all(
        figure.low <= figure.value <= figure.high for row in ablation_result.rows for figure in row.figures.values()
    )


def test_every_part_has_an_effect_with_an_interval(ablation_result: AblationResult) -> None:
    assert set(ablation_result.effects) == {
        "cut block-5 instead of block-2",
        "windows instead of whole",
        "augmentation mirror instead of none",
        "bursts instead of single frames",
    }


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


def test_all_frames_of_a_burst_get_the_same_probabilities() -> None:
    result = burst_probabilities(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), np.array(["a", "a", "b"]))

    np.testing.assert_allclose(result[0], result[1])
    assert result[0].argmax() == 0
    np.testing.assert_allclose(result[2], [0.2, 0.8], atol=1e-6)


def test_spread_cuts_are_three_and_end_at_the_deepest(lite0: Backbone) -> None:
    assert spread_cuts(lite0, FrameSpec())[-1] == "features"
    assert len(spread_cuts(lite0, FrameSpec())) == 3
