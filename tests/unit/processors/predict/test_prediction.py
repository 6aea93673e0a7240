"""From the model's numbers to a prediction."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from uncia.errors import DependencyDown
from uncia.events import ClassVector, Prediction
from uncia.imaging.frame_spec import FrameSpec
from uncia.processors.predict.prediction import TOP, PredictionBuilder
from uncia.serving.labels import LabelClass, LabelSet
from uncia.serving.model_card import ModelCard, SelfTest
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LABELS = LabelSet(
    name="test",
    classes=(
        LabelClass(index=0, label="snow leopard", taxon="Panthera uncia", group="animal", threshold=0.1),
        LabelClass(index=1, label="snow leopard cub", taxon="Panthera uncia", group="animal", threshold=0.4),
        LabelClass(index=2, label="brown bear", taxon="Ursus arctos", group="animal"),
        *(LabelClass(index=i, label=f"thing {i}", taxon="", group="nothing") for i in range(3, 9)),
    ),
)
CLASSES = len(LABELS.classes)
_VECTOR = ClassVector.pack(np.zeros(CLASSES))
CARD = ModelCard(
    model="m",
    versions=("3",),
    frame=FrameSpec(),
    label_set=LABELS.id,
    labels=LABELS,
    self_test=SelfTest(whole=_VECTOR, windows=_VECTOR),
    onnx_sha256="0",
)


def predict(windows: dict[int, float], station: str = "ridge", *, place: int = 5, **settings: Any) -> Prediction:
    scores = np.zeros((1, CLASSES), dtype=np.float32)
    for index, score in windows.items():
        scores[0, index] = score
    result = InferenceResult(scores / np.float32(2), scores, np.full((1, CLASSES), place, dtype=np.int32), "3", 12.5)
    return PredictionBuilder(Settings(**settings), CARD).build(result, station, NOW)


def test_the_best_classes_come_first_by_their_best_window() -> None:
    top = predict({4: 0.5, 2: 0.3, 0: 0.05}).top
    assert [entry.label for entry in top[:3]] == ["thing 4", "brown bear", "snow leopard"]
    assert len(top) == TOP


def test_equal_scores_are_listed_in_the_order_of_the_classes() -> None:
    assert [entry.index for entry in predict(dict.fromkeys((7, 3, 5, 2, 8), 0.1)).top] == [2, 3, 5, 7, 8]


def test_a_class_is_boxed_where_its_best_window_lies() -> None:
    assert predict({2: 0.9}, place=5).top[0].box == CARD.frame.window_box(5)


def test_a_focus_taxon_is_decided_by_its_own_threshold() -> None:
    (focus,) = predict({0: 0.12, 4: 0.8}).focus
    assert (focus.taxon, focus.label, focus.threshold, focus.present) == (
        "Panthera uncia",
        "snow leopard",
        0.1,
        True,
    )


def test_an_absent_focus_taxon_is_listed_with_its_score() -> None:
    (focus,) = predict({0: 0.09}).focus
    assert (round(focus.score, 2), focus.present) == (0.09, False)


def test_of_a_taxons_classes_the_one_furthest_above_its_threshold_counts() -> None:
    (focus,) = predict({0: 0.2, 1: 0.3}).focus
    assert (focus.label, focus.present) == ("snow leopard", True)


def test_a_station_may_name_other_focus_taxa() -> None:
    named: dict[str, Any] = {"station_focus_taxa": {"river": ("Ursus arctos",)}}
    assert [f.taxon for f in predict({}, "river", **named).focus] == ["Ursus arctos"]
    assert [f.taxon for f in predict({}, "ridge", **named).focus] == ["Panthera uncia"]


def test_a_focus_class_without_a_threshold_is_decided_like_any_other_taxon() -> None:
    (focus,) = predict({2: 0.6}, focus_taxa=("Ursus arctos",), certain_from=0.55).focus
    assert (focus.threshold, focus.present) == (0.55, True)


def test_taxa_that_the_model_does_not_know_are_named() -> None:
    assert PredictionBuilder(Settings(focus_taxa=("Panthera uncia", "Yeti")), CARD).unknown_focus_taxa() == ["Yeti"]


def test_the_whole_vectors_travel_along() -> None:
    prediction = predict({2: 0.5})
    assert prediction.windows.unpack()[2] == pytest.approx(0.5)
    assert prediction.whole.unpack()[2] == pytest.approx(0.25)


def test_the_answer_can_be_traced() -> None:
    prediction = predict({})
    assert (prediction.model, prediction.version, prediction.label_set) == ("m", "3", LABELS.id)
    assert (prediction.asked_at, prediction.inference_ms) == (NOW, 12.5)


def test_the_settings_digest_changes_with_what_shapes_the_answer_only() -> None:
    plain = predict({}).settings
    assert predict({}, kafka="elsewhere:1").settings == plain
    assert predict({}, focus_taxa=("Ursus arctos",)).settings != plain


def test_a_hair_above_one_is_one() -> None:
    assert predict({2: 1.0000001}).top[0].score == 1.0


def test_numbers_that_are_none_are_no_answer() -> None:
    with pytest.raises(DependencyDown, match="reload"):
        predict({2: float("nan")})
