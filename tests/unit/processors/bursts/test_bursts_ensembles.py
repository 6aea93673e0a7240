"""Ensemble rules, a fitted one from a file, and confidence, which is reported only where it was calibrated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.processors.bursts.builders import Photo, class_names, frame_record, make_config
from uncia.errors import SettingsError
from uncia.processors.bursts.ensemble import RULES
from uncia.processors.bursts.frame_record import Evidence
from uncia.processors.bursts.stacked_ensemble import StackedModel, configured_stacked_model, load_stacked_model
from uncia.processors.bursts.verdict import Evaluation, VerdictBuilder
from uncia.serving.labels import Calibration, LabelSet
from uncia.settings import Settings

LABELS = LabelSet.model_validate(
    {
        "name": "test",
        "classes": [
            {"index": place, "label": label, "taxon": f"{label} taxon", "group": "animal"}
            for place, label in enumerate(("cat", "goat", "stone", "snow leopard"))
        ],
    }
)


def find(name: str) -> LabelSet | None:
    return LABELS if name == LABELS.id else None


FRAMES = [Evidence(np.array([0, 1]), np.array([0.8, 0.1])), Evidence(np.array([0]), np.array([0.2]))]
CAT, GOAT = Photo("a", 0, scores=(0.8, 0.1, 0.0, 0.0)), Photo("b", 1, scores=(0.1, 0.7, 0.0, 0.0))


def model(**changes: Any) -> dict[str, Any]:
    usual = {
        "format": "uncia-stacked/1",
        "name": "trial",
        "label_set": LABELS.id,
        "features": ["mean", "max", "share"],
        "default": {"bias": -2.0, "weights": [1.0, 2.0, 0.5]},
        "classes": [{"index": 1, "label": "goat", "bias": 3.0, "weights": [0.0, 0.0, 0.0]}],
    }
    return {**usual, **changes}


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "weights.json"
    path.write_text(json.dumps(content))
    return path


def evaluate(*photos: Photo, **more: Any) -> Evaluation:
    return VerdictBuilder(make_config(), class_names, **more).evaluate([frame_record(photo) for photo in photos])


@pytest.mark.parametrize(
    ("rule", "cat"), [("mean", 0.5), ("geometric-mean", 0.4), ("max", 0.8), ("vote", 1.0), ("log-odds", 0.5)]
)
def test_each_rule_over_two_frames(rule: str, cat: float) -> None:
    assert RULES[rule].rule(FRAMES, 4)[0] == pytest.approx(cat, abs=1e-6)  # type: ignore[index]
    assert RULES[rule].name == f"{rule}/1"  # type: ignore[index]


def test_fitted_weights_are_a_logistic_over_the_features(tmp_path: Path) -> None:
    stacked = load_stacked_model(written(tmp_path, model()), find)
    scores = stacked.ensemble().rule(FRAMES, 4)
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-(-2.0 + 0.5 + 2 * 0.8 + 0.5 * 1.0))))
    assert scores[1] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert scores[2] == scores[3] == 0, "a class without evidence in any frame"


def test_the_verdict_names_the_model_file_and_its_digest() -> None:
    stacked = StackedModel.model_validate(model(label_set="test@1"))
    found = evaluate(CAT, GOAT, ensemble=stacked.ensemble())
    assert (found.taxa[0].label, found.rule) == ("goat", f"stacked/1:trial@{stacked.digest}")


def test_frames_of_another_label_set_are_evaluated_by_log_odds_which_the_verdict_names() -> None:
    found = evaluate(CAT, ensemble=StackedModel.model_validate(model(label_set="other@1")).ensemble())
    assert found.rule == "log-odds/1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "uncia-stacked/9"}, "format"),
        ({"features": ["mean", "luck", "max"]}, "features"),
        ({"default": {"bias": 0, "weights": [1.0]}}, "3 features need as many weights, not 1"),
        ({"label_set": "elsewhere@1"}, "fit it again"),
        ({"classes": [{"index": 1, "label": "cat", "bias": 0, "weights": [0, 0, 0]}]}, "class 1 is 'goat', not 'cat'"),
        ({"classes": [{"index": 99, "label": "cat", "bias": 0, "weights": [0, 0, 0]}]}, "class 99 is None"),
        ({"wieghts": 1}, "wieghts"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match="UNCIA_ENSEMBLE_WEIGHTS") as error:
        load_stacked_model(written(tmp_path, model(**changes)), find)
    assert message in str(error.value)


def test_the_rule_without_a_file_is_refused() -> None:
    with pytest.raises(SettingsError, match="set UNCIA_ENSEMBLE_WEIGHTS"):
        configured_stacked_model(Settings(ensemble_rule="stacked"), find)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_stacked_model(Path("nowhere.json"), find)


def test_nothing_is_confident_without_a_calibration() -> None:
    assert [taxon.confidence for taxon in evaluate(CAT, GOAT).taxa] == [None, None]


def test_a_calibrated_class_reports_its_probability() -> None:
    curve = Calibration(slope=2.0, intercept=-1.0)
    found = evaluate(CAT, calibrations=lambda _set, _taxon, label: curve if label == "cat" else None)
    by_label = {taxon.label: taxon.confidence for taxon in found.taxa}
    assert by_label["cat"] == pytest.approx(1 / (1 + np.exp(-(2 * np.log(0.8 / 0.2) - 1))), abs=1e-3)
    assert by_label["goat"] is None


def test_a_calibrated_model_file_makes_its_score_the_confidence() -> None:
    stacked = StackedModel.model_validate(model(label_set="test@1", calibrated_on="412 bursts"))
    best = evaluate(CAT, GOAT, ensemble=stacked.ensemble()).taxa[0]
    assert best.confidence == best.score


def test_a_calibration_changes_the_label_set_and_none_does_not() -> None:
    entry = LABELS.classes[0].model_copy(update={"calibration": Calibration(slope=1, intercept=0)})
    assert LabelSet(name="test", classes=(entry, *LABELS.classes[1:])).id != LABELS.id


def test_two_species_in_one_burst_are_both_reported() -> None:
    found = evaluate(CAT, GOAT)
    assert {taxon.label for taxon in found.taxa} >= {"cat", "goat"}
