"""The fitted stacking file is readable by the worker `bursts`, and both implementations give the same scores."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.unit.training.ensembles.tiny_packages import label_set
from uncia.events import ClassVector
from uncia.processors.bursts.frame_record import SCORE_FLOOR as WORKERS_FLOOR
from uncia.processors.bursts.frame_record import Evidence, pack_evidence
from uncia.processors.bursts.stacked_ensemble import FEATURES, StackedModel, load_stacked_model
from uncia.training.ensembles.burst_stacking import (
    _FEATURES,
    FLOOR,
    SHARE_THRESHOLD,
    BurstEvidence,
    fit_burst_stacking,
    score_bursts,
    to_json,
)
from uncia.training.ensembles.stacking import StackingError

LABELS = label_set()


def evidence(windows: np.ndarray) -> list[Evidence]:
    """The frames of one burst in the worker's format."""
    kept = []
    for row in windows:
        packed = base64.b64decode(pack_evidence(ClassVector.pack(row)))
        entries = np.frombuffer(packed, dtype=np.dtype([("index", "<u2"), ("score", "<f2")]))
        kept.append(Evidence(entries["index"].astype(np.intp), entries["score"].astype(np.float64)))
    return kept


def _bursts(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bursts of three frames: an animal is in few frames of its burst, the empty class is what is left."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(3, size=count)
    windows = chance.beta(1, 8, size=(count, 3, 3))
    shown = chance.random((count, 3)) < 0.6
    for at, label in enumerate(truth):
        windows[at, shown[at], label] = chance.beta(5, 2, size=int(shown[at].sum()))
    names = np.repeat([f"b{at:03}" for at in range(count)], 3)
    return windows.reshape(-1, 3), names, truth


def _learnt(count: int = 120) -> tuple[dict[str, Any], BurstEvidence]:
    windows, names, truth = _bursts(count, 3)
    scores = BurstEvidence.of(windows, names)
    present = truth[:, None] == np.arange(3)
    known = np.ones_like(present)
    result = fit_burst_stacking(scores, present, known, LABELS, name="drawn", calibrated_on=f"{count} drawn bursts")
    return result, scores


def test_the_floor_is_the_workers() -> None:
    assert FLOOR == WORKERS_FLOOR


@settings(max_examples=40)
@given(hnp.arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=16)))
def test_every_feature_is_the_workers(windows: np.ndarray) -> None:
    ours = BurstEvidence.of(windows, np.array(["one"] * 4))
    for name, feature in FEATURES.items():
        np.testing.assert_allclose(ours.feature(name)[0], feature(evidence(windows), 5, SHARE_THRESHOLD), atol=1e-12)


def test_there_are_as_many_features_as_the_worker_has() -> None:
    assert set(_FEATURES) == set(FEATURES)


def test_the_worker_reads_what_was_learnt_and_scores_the_same(tmp_path: Path) -> None:
    model, scores = _learnt()
    path = tmp_path / "weights.json"
    path.write_text(to_json(model), encoding="utf-8")
    ensemble = load_stacked_model(path, {LABELS.id: LABELS}.get).ensemble()
    windows, names, _ = _bursts(120, 3)
    expected = np.stack([ensemble.rule(evidence(windows[names == name]), 3) for name in scores.names])
    np.testing.assert_allclose(score_bursts(model, scores), expected, atol=1e-9)


def test_a_score_that_was_learnt_is_a_probability_for_the_worker() -> None:
    model, _ = _learnt()
    assert StackedModel.model_validate(model).ensemble().calibrated


def test_what_was_learnt_tells_other_bursts_apart() -> None:
    model, _ = _learnt()
    windows, names, truth = _bursts(120, 4)
    assert (score_bursts(model, BurstEvidence.of(windows, names)).argmax(axis=1) == truth).mean() > 0.85


def test_classes_that_many_bursts_show_have_weights_of_their_own() -> None:
    assert [entry["label"] for entry in _learnt()[0]["classes"]] == ["fox", "lynx", "empty"]


def test_classes_that_few_bursts_show_share_the_default() -> None:
    assert _learnt(12)[0]["classes"] == []


def test_a_class_that_the_data_do_not_speak_of_teaches_nothing() -> None:
    windows, names, truth = _bursts(60, 3)
    present, known = truth[:, None] == np.arange(3), np.ones((60, 3), dtype=bool)
    known[:, 0] = False
    result = fit_burst_stacking(
        BurstEvidence.of(windows, names), present, known, LABELS, name="drawn", calibrated_on="60 drawn bursts"
    )
    assert [entry["label"] for entry in result["classes"]] == ["lynx", "empty"]


def test_bursts_of_one_side_alone_are_refused() -> None:
    windows, names, _ = _bursts(10, 3)
    nowhere = np.zeros((10, 3), dtype=bool)
    with pytest.raises(StackingError, match="show the model's classes"):
        fit_burst_stacking(BurstEvidence.of(windows, names), nowhere, ~nowhere, LABELS, name="x", calibrated_on="none")
