import json
from pathlib import Path

import numpy as np
import pytest

from uncia.processors.identify.matching.evidence import CollectedEvidence
from uncia.processors.identify.matching.fusion import (
    FEATURES,
    FusionError,
    feature_rows,
    fuse,
    read_weights,
    shipped_weights,
)
from uncia.processors.identify.matching.fusion_fitting import FusionSample, fit_fusion

AGAINST = {"distance", "time"}


def samples(count: int) -> list[FusionSample]:
    """Three individuals each; the true one has more points. Every third animal is new."""
    rng = np.random.default_rng(1)
    made = []
    for number in range(count):
        rows = rng.normal(0, 0.3, (3, len(FEATURES)))
        truth = None if number % 3 == 0 else int(rng.integers(3))
        if truth is not None:
            rows[truth, FEATURES.index("inliers")] += 2
        made.append(FusionSample(rows, truth))
    return made


def test_the_shipped_weights_say_on_what_they_were_fitted() -> None:
    weights = shipped_weights()
    assert "synthetic" in weights.fitted_on
    assert not weights.genuine


def test_shipped_weights_never_count_evidence_against_an_individual() -> None:
    for name, weight in zip(FEATURES, shipped_weights().weights, strict=True):
        assert weight <= 0 if name in AGAINST else weight >= 0, name


def test_without_individuals_it_is_none_of_them() -> None:
    scores, new = fuse(CollectedEvidence((), (), ()), shipped_weights())
    assert scores.size == 0
    assert new == 1
    assert feature_rows(CollectedEvidence((), (), ())).shape == (0, len(FEATURES))


def test_fitting_finds_the_feature_that_tells_individuals_apart() -> None:
    fitted = dict(zip(FEATURES, fit_fusion(samples(150), "a test", genuine=True).weights, strict=True))
    assert max(fitted, key=lambda name: fitted[name]) == "inliers"
    assert all(weight <= 0 if name in AGAINST else weight >= 0 for name, weight in fitted.items())


def test_fitting_needs_known_and_new_animals() -> None:
    known = [sample for sample in samples(30) if sample.truth is not None]
    with pytest.raises(ValueError, match="new ones"):
        fit_fusion(known, "a test", genuine=False)


def test_weights_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text(shipped_weights().to_json(), encoding="utf-8")
    assert read_weights(path) == shipped_weights()


@pytest.mark.parametrize("change", [{"version": 2}, {"weights": {"beauty": 1}}, {"bias": None}, {"bias": float("nan")}])
def test_a_file_for_another_program_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({**json.loads(shipped_weights().to_json()), **change}), encoding="utf-8")
    with pytest.raises(FusionError, match=r"weights\.json"):
        read_weights(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FusionError, match=r"none\.json"):
        read_weights(tmp_path / "none.json")
