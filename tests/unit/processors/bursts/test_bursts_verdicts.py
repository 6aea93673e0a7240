"""What a burst shows: focus taxa by their best frame, the rest by the rule."""

import pytest

from tests.unit.processors.bursts.builders import (
    Camera,
    Photo,
    class_names,
    frame_record,
    images,
    make_config,
)
from uncia.events import BurstResolved, ClassVector, FocusScore
from uncia.processors.bursts.frame_record import FrameRecord, pack_evidence
from uncia.processors.bursts.verdict import Evaluation, VerdictBuilder

CAT, GOAT, EMPTY = (0.8, 0.1, 0.0, 0.0), (0.1, 0.9, 0.0, 0.0), (0.02, 0.02, 0.3, 0.0)


def evaluate(*photos: Photo, rule: str = "log-odds", certain_from: float = 0.7) -> Evaluation:
    return VerdictBuilder(make_config(ensemble=rule, certain_from=certain_from), class_names).evaluate(
        [frame_record(photo) for photo in photos]
    )


def test_one_frame_above_the_threshold_decides_against_nine_without() -> None:
    found = evaluate(Photo("a", 0, scores=CAT, focus=0.01), Photo("b", 1, scores=CAT, focus=0.03))
    assert (found.taxa[0].label, found.taxa[0].certain, found.taxa[0].focus) == ("snow leopard", True, True)
    assert (found.taxa[0].score, found.taxa[0].threshold) == (0.03, 0.02)
    assert found.deciding == {"img-b"}
    assert found.scores == {"img-a": 0.01, "img-b": 0.03}
    assert found.found["img-b"].box == (0.1, 0.2, 0.3, 0.4)
    assert found.taxa[1].label == "cat"


def test_the_threshold_itself_is_present() -> None:
    assert evaluate(Photo("a", 0, focus=0.02)).taxa[0].focus


def test_a_species_that_is_present_is_the_verdict_before_its_group() -> None:
    seen = frame_record(Photo("a", 0, scores=CAT, focus=0.03))
    whole = FocusScore(taxon="Animalia", label="animal", score=0.99, threshold=0.5)
    both = seen.model_copy(update={"focus": (whole, *seen.focus)})
    found = VerdictBuilder(make_config(), class_names).evaluate([both])
    assert [taxon.taxon for taxon in found.taxa[:2]] == ["snow leopard taxon", "Animalia"]


def test_a_group_is_the_verdict_where_no_species_is_present() -> None:
    seen = frame_record(Photo("a", 0, scores=CAT, focus=0.001))
    whole = FocusScore(taxon="Animalia", label="animal", score=0.99, threshold=0.5)
    both = seen.model_copy(update={"focus": (*seen.focus, whole)})
    assert VerdictBuilder(make_config(), class_names).evaluate([both]).taxa[0].taxon == "Animalia"


def test_a_focus_taxon_below_its_threshold_is_never_certain() -> None:
    leopard = evaluate(Photo("a", 0, scores=(0.0, 0.0, 0.0, 0.9), focus=0.019)).taxa[0]
    assert (leopard.label, leopard.focus, leopard.certain) == ("snow leopard", True, False)


@pytest.mark.parametrize(("rule", "score"), [("mean", 0.8), ("vote", 1.0), ("log-odds", 0.8)])
def test_one_frame_alone_keeps_its_score(rule: str, score: float) -> None:
    assert evaluate(Photo("a", 0, scores=CAT), rule=rule).taxa[0].score == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize(
    ("rule", "label", "score"),
    [("mean", "cat", 0.5667), ("vote", "cat", 0.6667), ("log-odds", "cat", 0.5478)],
)
def test_rules_over_three_frames(rule: str, label: str, score: float) -> None:
    found = evaluate(Photo("a", 0, scores=CAT), Photo("b", 1, scores=CAT), Photo("c", 2, scores=GOAT), rule=rule)
    assert (found.taxa[0].label, found.taxa[0].certain) == (label, False)
    assert found.taxa[0].score == pytest.approx(score, abs=1e-3)
    assert found.deciding == {"img-a", "img-b"}


def test_empty_frames_lower_the_score_and_stay_in_the_burst() -> None:
    alone, among = evaluate(Photo("a", 0, scores=CAT)), evaluate(Photo("a", 0, scores=CAT), Photo("b", 1, scores=EMPTY))
    assert among.taxa[0].score < alone.taxa[0].score


def test_rejected_frames_are_counted_and_judge_nothing() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0, scores=CAT), 0)
    (event,) = camera.arrive(Photo("b", 1, rejected=True), 1)
    assert (event.unreadable, images(event)) == (1, ["a", "b"])
    assert event.verdict is not None
    assert event.verdict.score == pytest.approx(0.8, abs=1e-3)
    assert event.frames[1].rejection is not None


def test_without_a_readable_frame_there_is_no_verdict() -> None:
    (event,) = Camera().arrive(Photo("a", 0, rejected=True), 0)
    assert (event.verdict, event.taxa, event.models) == (None, (), ())


def test_models_are_not_mixed_and_the_event_is_flagged() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0, scores=CAT), 0)
    camera.arrive(Photo("b", 1, scores=GOAT, model="other", label_set="unknown@2"), 1)
    (event,) = camera.arrive(Photo("c", 2, scores=CAT), 2)
    assert event.verdict is not None
    assert (event.verdict.label, event.flags, event.models) == ("cat", ("mixed-models",), ("lite@1", "other@1"))


def test_an_unknown_label_set_is_named_by_the_frames_themselves() -> None:
    assert evaluate(Photo("a", 0, scores=GOAT, label_set="unknown@2")).taxa[0].label == "goat"


def test_the_event_survives_the_wire_and_names_its_rule() -> None:
    (event,) = Camera().arrive(Photo("a", 0), 0)
    assert BurstResolved.from_bytes(event.to_bytes()) == event
    assert event.rule == "log-odds/1"
    assert event.settings.startswith("set-")


def test_a_vector_of_a_thousand_classes_takes_little_room() -> None:
    import numpy as np

    vector = np.random.default_rng(1).dirichlet(np.full(1000, 0.02)).astype(np.float32)
    packed = pack_evidence(ClassVector.pack(vector))
    assert len(packed) < 300
    kept = FrameRecord.model_validate(
        {**frame_record(Photo("a", 0)).model_dump(), "evidence": packed}
    ).unpacked_evidence
    assert kept.scores == pytest.approx(vector[kept.indices], rel=1e-3)


def test_numbers_that_are_no_probabilities_are_refused() -> None:
    import numpy as np

    for value in (np.nan, -0.1, 1.5):
        with pytest.raises(ValueError, match="probabilities"):
            pack_evidence(ClassVector.pack(np.array([0.5, value], dtype=np.float32)))
