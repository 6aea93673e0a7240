import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from tests.unit.processors.identify.matching.crops import HERE, NOON, coat, described, made_up, reference
from uncia.processors.identify.matching.description import Description, ForeignEmbedder, Side
from uncia.processors.identify.matching.evidence import MatcherConfig
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.interface import Position, Proposal, ReferenceIndex

NAMES = ("aisha", "bella", "chui", "dara", "eva", "fina")
LATER = NOON + timedelta(days=3)


def index_of(order: list[int] | None = None) -> ReferenceIndex:
    """Six individuals with one reference each; `chui` is coat 2."""
    index = FusedMatcher().new_index()
    for number in order or range(len(NAMES)):
        index.add(reference(NAMES[number], described(number)))
    return index


def propose(*queries: Description, index: ReferenceIndex | None = None) -> Proposal:
    return FusedMatcher().propose(queries, LATER, HERE, index_of() if index is None else index)


def photographed_again(seed: int, angle: float = 0, scale: float = 1, brightness: float = 1) -> NDArray[np.uint8]:
    image = Image.fromarray(coat(seed)).rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=(110, 110, 110))
    resized = np.asarray(image.resize((round(image.width * scale), round(image.height * scale)))).astype(np.float64)
    return np.clip(resized * brightness, 0, 255).astype(np.uint8)


@given(st.floats(-180, 180), st.floats(0.6, 1.8), st.floats(0.4, 1.3))
@settings(deadline=None, max_examples=6)
def test_a_turned_scaled_and_brightened_copy_is_found(angle: float, scale: float, brightness: float) -> None:
    again = FusedMatcher().describe(photographed_again(2, angle, scale, brightness))
    proposal = propose(again)
    assert proposal.candidates[0].individual_id == "chui"
    assert proposal.candidates[0].score > 0.5


@given(st.permutations(range(len(NAMES))))
@settings(deadline=None, max_examples=6)
def test_the_order_of_references_does_not_change_a_proposal(order: list[int]) -> None:
    assert propose(described(2), index=index_of(order)) == propose(described(2))


def test_the_order_of_crops_changes_only_their_numbers() -> None:
    crops = [FusedMatcher().describe(photographed_again(2, angle)) for angle in (5, -12)]
    forward, backward = propose(*crops), propose(*crops[::-1])
    assert [(one.individual_id, one.score) for one in forward.candidates] == [
        (one.individual_id, one.score) for one in backward.candidates
    ]
    assert forward.candidates[0].query_index == 1 - backward.candidates[0].query_index


def test_scores_and_the_score_of_a_new_animal_sum_to_one() -> None:
    proposal = propose(described(2))
    assert sum(one.score for one in proposal.candidates) + proposal.new_score == pytest.approx(1)
    assert not proposal.calibrated


def test_an_animal_that_is_not_in_the_index_is_probably_new() -> None:
    proposal = propose(described(77))
    assert proposal.new_score > 0.5


def test_a_crop_without_an_animal_scores_low() -> None:
    rng = np.random.default_rng(9)
    grass = np.clip(110 + 60 * gaussian_filter(rng.normal(size=(200, 300, 1)), (4, 0.7, 0)), 0, 255)
    proposal = propose(FusedMatcher().describe(grass.repeat(3, axis=2).astype(np.uint8)))
    assert max(one.score for one in proposal.candidates) < 0.2


def test_a_crop_that_cannot_be_matched_has_no_candidates_and_a_reason() -> None:
    black = FusedMatcher().describe(np.zeros((90, 90, 3), np.uint8))
    proposal = propose(black)
    assert (proposal.candidates, proposal.reason) == ((), "The crop is black.")
    assert propose().reason == "The burst has no crops."


def test_a_black_crop_in_a_burst_does_not_vote() -> None:
    black = FusedMatcher().describe(np.zeros((90, 90, 3), np.uint8))
    assert propose(described(2), black) == propose(described(2))


def test_an_empty_index_means_a_new_animal() -> None:
    proposal = propose(described(2), index=FusedMatcher().new_index())
    assert (proposal.candidates, proposal.new_score) == ((), 1.0)


def test_a_removed_individual_is_not_proposed() -> None:
    index = index_of()
    index.remove_individual("chui")
    assert "chui" not in [one.individual_id for one in propose(described(2), index=index).candidates]


def test_a_burst_is_not_matched_with_itself() -> None:
    proposal = FusedMatcher().propose([described(2)], LATER, HERE, index_of(), excluded_encounters={"chui-encounter-0"})
    assert "chui" not in [one.individual_id for one in proposal.candidates]
    assert proposal.same_picture == ()


def test_an_individual_that_is_too_far_away_is_ruled_out() -> None:
    far = Position(HERE.latitude + 80 / 111.2, HERE.longitude)
    proposal = FusedMatcher().propose([described(2)], NOON + timedelta(hours=1), far, index_of())
    assert proposal.candidates == ()
    assert proposal.ruled_out == NAMES
    assert proposal.new_score == 1.0


def test_a_query_that_is_a_reference_is_reported_as_the_same_picture() -> None:
    assert propose(described(2)).same_picture == ("chui/0",)
    assert propose(described(77)).same_picture == ()


def test_the_points_of_a_candidate_lie_in_both_crops() -> None:
    best = propose(FusedMatcher().describe(photographed_again(2, scale=2))).candidates[0]
    assert best.matches >= len(best.points) >= 10
    query, original = np.array(best.points)[:, :2], np.array(best.points)[:, 2:]
    assert np.median(np.hypot(*(query - 2 * original).T)) < 3
    assert original.min() >= 0
    assert (original <= (300, 200)).all()


def test_the_other_flank_is_not_compared_point_by_point() -> None:
    index = FusedMatcher().new_index()
    index.add(reference("aisha", described(1, Side.LEFT)))
    index.add(reference("chui", described(2, Side.LEFT)))
    proposal = propose(described(2, Side.RIGHT), index=index)
    assert [one.matches for one in proposal.candidates] == [0, 0]


def test_two_crops_that_agree_count_more_than_one() -> None:
    blurred = [FusedMatcher().describe(gaussian_filter(photographed_again(2, angle), (3, 3, 0))) for angle in (4, 9)]
    noise = made_up(5, dimensions=0, points=60)
    together, alone = propose(*blurred), propose(blurred[0], noise)
    scores = [{one.individual_id: one.score for one in proposal.candidates}["chui"] for proposal in (together, alone)]
    assert scores[0] > scores[1]


def test_embeddings_of_another_model_are_refused() -> None:
    matcher = FusedMatcher("other@2")
    with pytest.raises(ForeignEmbedder, match="rebuild the index"):
        matcher.propose([made_up(1, embedder="other@2")], LATER, HERE, index_of())
    with pytest.raises(ForeignEmbedder, match="compute its description again"):
        matcher.propose([described(2)], LATER, HERE, matcher.new_index())


def test_the_embedding_leads_where_there_are_no_points_to_compare() -> None:
    matcher = FusedMatcher("m@1")
    index = matcher.new_index()
    for number in range(40):
        bare = made_up(number, points=0, dimensions=64, embedder="m@1")
        index.add(reference(f"cat-{number:02d}", bare))
    proposal = matcher.propose([made_up(7, points=0, dimensions=64, embedder="m@1")], LATER, HERE, index)
    assert "cat-07" in [one.individual_id for one in proposal.candidates]
    assert len(proposal.candidates) == 20


@pytest.mark.parametrize("embedding", [np.zeros(4), np.array([1.0, np.nan]), np.ones((2, 2)), np.zeros(0)])
def test_an_embedding_that_is_no_direction_is_refused(embedding: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="embedding"):
        FusedMatcher("m@1").describe(coat(1), embedding)


def test_without_an_embedder_the_shortlist_has_the_most_similar_crops() -> None:
    matcher = FusedMatcher(config=MatcherConfig(shortlist=2))
    again = matcher.describe(photographed_again(5, angle=8))
    proposal = matcher.propose([again], LATER, HERE, index_of())
    assert len(proposal.candidates) == 2
    assert proposal.candidates[0].individual_id == "fina"


def test_an_embedding_without_embedder_is_refused() -> None:
    with pytest.raises(ValueError, match="name of its embedder"):
        FusedMatcher().describe(coat(1), np.ones(4))


def test_embeddings_have_unit_length() -> None:
    assert np.linalg.norm(FusedMatcher("m@1").describe(coat(1), np.full(16, 3.0)).embedding) == pytest.approx(1)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        FusedMatcher().propose([described(2)], datetime(2026, 1, 1), HERE, index_of())


def test_describing_is_deterministic() -> None:
    assert FusedMatcher().describe(coat(3)) == FusedMatcher().describe(coat(3).copy())
    assert dataclasses.replace(described(3)) == described(3)
