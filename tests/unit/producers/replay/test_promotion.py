"""A promotion gives the live topic the verdicts of the replay, and is idempotent."""

from datetime import timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.producers.replay.builders import LONG_AGO, NOW, burst, compare
from uncia.events import BurstCategory, BurstFrame, BurstResolved, BurstReview, BurstStatus
from uncia.kafka.broker import Message
from uncia.producers.replay.burst_snapshot import BurstSnapshot, BurstSnapshots, with_usable_ids
from uncia.producers.replay.promotion import plan_promotion

CAUSE = "replay trial with m@2"
LETTERS = "abcdefgh"
STATUSES = (BurstStatus.FINAL, BurstStatus.PROVISIONAL)


def promoted(
    live: list[BurstResolved], replay: list[BurstResolved], revisions: dict[str, int] | None = None
) -> list[BurstResolved]:
    """The events of a promotion; `revisions` adds revisions that were published earlier."""
    revisions = {**{event.burst_id: event.revision for event in live}, **(revisions or {})}
    return plan_promotion(compare(live, replay), revisions, CAUSE)


def test_a_relabelled_burst_is_revised_under_its_own_id() -> None:
    live, replay = burst("ab", "goat", revision=7), burst("ab", "cat", revision=2, closed_at=NOW)
    (event,) = promoted([live], [replay])
    assert (event.burst_id, event.revision, event.status) == ("bst-a", 8, BurstStatus.REVISED)
    assert event.verdict is not None
    assert event.verdict.label == "cat"
    assert event.changes == (CAUSE, "verdict: goat became cat")


def test_a_promoted_burst_says_which_category_and_crops_changed() -> None:
    live = burst("ab", category=BurstCategory.ANIMAL, crops_withheld=False)
    replay = burst("ab", category=BurstCategory.PERSON, crops_withheld=True)
    (event,) = promoted([live], [replay])
    assert event.changes[1:] == ("category: animal became person", "crops: withheld")
    assert event.crops_withheld


def test_a_revision_has_the_live_close_time() -> None:
    (event,) = promoted([burst("ab", "goat", closed_at=LONG_AGO)], [burst("ab", "cat", closed_at=NOW)])
    assert event.closed_at == LONG_AGO


def test_merged_bursts_are_superseded_by_their_successor() -> None:
    successor, superseded_event = promoted([burst("ab", revision=3), burst("cd", revision=4)], [burst("abcd")])
    assert (successor.burst_id, successor.revision, successor.status, successor.supersedes) == (
        "bst-a",
        4,
        BurstStatus.REVISED,
        ("bst-c",),
    )
    assert (
        superseded_event.burst_id,
        superseded_event.revision,
        superseded_event.status,
        superseded_event.superseded_by,
    ) == (
        "bst-c",
        5,
        BurstStatus.SUPERSEDED,
        "bst-a",
    )


def test_a_burst_that_splits_keeps_its_id_and_gives_the_rest_a_new_one() -> None:
    # In this order: between the two events c and d are in two bursts, and never in none.
    first, second = promoted([burst("abcd", revision=3)], [burst("ab"), burst("cd")])
    assert (first.burst_id, first.revision, first.status) == ("bst-c", 1, BurstStatus.FINAL)
    assert (second.burst_id, second.revision, second.status) == ("bst-a", 4, BurstStatus.REVISED)


def test_a_burst_keeps_the_latest_review_of_those_whose_photographs_it_has() -> None:
    def reviewed(letters: str, minute: int) -> BurstResolved:
        at = NOW + timedelta(minutes=minute)
        review = BurstReview(review_id=f"rev-{letters}", reviewer="rita", decision="blank", reviewed_at=at)
        return burst(letters).model_copy(update={"review": review})

    merged, *_ = promoted([reviewed("bc", 1), reviewed("de", 2), reviewed("f", 3)], [burst("abcde")])
    assert (merged.burst_id, merged.review and merged.review.review_id) == ("bst-a", "rev-de")
    parts = [one for one in promoted([reviewed("abcd", 1)], [burst("ab"), burst("cd")]) if one.review]
    assert [(one.burst_id, one.review and one.review.review_id) for one in parts] == [
        ("bst-c", "rev-abcd"),
        ("bst-a", "rev-abcd"),
    ]


def test_the_revision_of_a_reused_id_exceeds_all_published_ones() -> None:
    first, _ = promoted([burst("abcd", revision=3)], [burst("ab"), burst("cd")], revisions={"bst-c": 9})
    assert (first.revision, first.status) == (10, BurstStatus.REVISED)


def test_an_equivalent_burst_is_not_published() -> None:
    assert promoted([burst("ab", score=0.2)], [burst("ab", score=0.8)]) == []


def test_a_held_change_is_not_promoted() -> None:
    assert promoted([burst("ab", "goat", closed_at=NOW)], [burst("ab", "cat")]) == []


def groups(cuts: list[bool], letters: str) -> list[str]:
    """Split the letters into runs at event partial."""
    numbers = list(accumulate((int(partial) for partial in cuts), initial=0))[: len(letters)]
    return [
        "".join(letter for letter, own in zip(letters, numbers, strict=True) if own == number)
        for number in set(numbers)
    ]


@st.composite
def burst_sets(draw: st.DrawFn, statuses: tuple[BurstStatus, ...] = STATUSES) -> list[BurstResolved]:
    """Bursts of one camera: any of the photographs, in any grouping, with any verdict."""
    letters = "".join(sorted(draw(st.sets(st.sampled_from(LETTERS)))))
    cuts = draw(st.lists(st.booleans(), min_size=len(LETTERS), max_size=len(LETTERS)))
    bursts = []
    for letters_of_one in groups(cuts, letters) if letters else []:
        status = draw(st.sampled_from(statuses))
        bursts.append(
            burst(
                letters_of_one,
                draw(st.sampled_from(["goat", "cat", None])),
                revision=draw(st.integers(1, 9)),
                status=status,
                closed_at=None if status is BurstStatus.PROVISIONAL else draw(st.sampled_from([LONG_AGO, NOW])),
                rejected=draw(st.sampled_from(["", letters_of_one[0]])),
                reason=draw(st.sampled_from(["image-corrupt", "object-missing"])),
            )
        )
    return bursts


def applied(live: list[BurstResolved], events: list[BurstResolved], revisions: dict[str, int]) -> list[BurstResolved]:
    """The bursts of a subscriber after these events. Asserts that revisions rise."""
    bursts = {event.burst_id: event for event in live}
    for event in events:
        assert event.revision > revisions.get(event.burst_id, 0)
        revisions[event.burst_id] = event.revision
        bursts[event.burst_id] = event
    return [event for event in bursts.values() if event.status is not BurstStatus.SUPERSEDED]


@given(
    burst_sets(),
    burst_sets(),
    st.dictionaries(st.sampled_from([f"bst-{letter}" for letter in LETTERS]), st.integers(9, 12)),
)
def test_once_promoted_nothing_is_left_to_promote(
    live: list[BurstResolved], replay: list[BurstResolved], before: dict[str, int]
) -> None:
    revisions = {**before, **{event.burst_id: max(event.revision, before.get(event.burst_id, 0)) for event in live}}
    events = plan_promotion(compare(live, replay), revisions, CAUSE)
    assert plan_promotion(compare(applied(live, events, revisions), replay), revisions, CAUSE) == []


@given(burst_sets(), burst_sets(), st.integers(0, 20))
def test_a_promotion_that_was_cut_short_is_completed_by_the_next(
    live: list[BurstResolved], replay: list[BurstResolved], sent: int
) -> None:
    complete_revisions = {event.burst_id: event.revision for event in live}
    partial_revisions = dict(complete_revisions)
    complete = applied(live, plan_promotion(compare(live, replay), complete_revisions, CAUSE), complete_revisions)
    partial = applied(live, plan_promotion(compare(live, replay), partial_revisions, CAUSE)[:sent], partial_revisions)
    after = applied(partial, plan_promotion(compare(partial, replay), partial_revisions, CAUSE), partial_revisions)
    assert {event.burst_id: visible_state(event) for event in after} == {
        event.burst_id: visible_state(event) for event in complete
    }


@given(burst_sets((BurstStatus.FINAL,)), burst_sets((BurstStatus.FINAL,)))
def test_no_photograph_leaves_the_live_bursts(live: list[BurstResolved], replay: list[BurstResolved]) -> None:
    revisions = {event.burst_id: event.revision for event in live}
    after = applied(live, plan_promotion(compare(live, replay), revisions, CAUSE), revisions)
    assert frame_ids(live) <= frame_ids(after)


@given(burst_sets((BurstStatus.FINAL,)), burst_sets((BurstStatus.FINAL,)), st.sets(st.sampled_from(LETTERS)))
def test_no_verdict_is_lost_because_an_object_changed(
    live: list[BurstResolved], replay: list[BurstResolved], overwritten: set[str]
) -> None:
    now = [
        burst.model_copy(
            update={
                "frames": tuple(
                    frame.model_copy(update={"image_id": f"img-new-{frame.upload_id}"})
                    if frame.upload_id.removeprefix("upl-") in overwritten
                    else frame
                    for frame in burst.frames
                )
            }
        )
        for burst in replay
    ]
    revisions = {event.burst_id: event.revision for event in live}
    after = applied(live, plan_promotion(compare(live, now), revisions, CAUSE), revisions)
    assert readable_frame_ids(live) <= {frame.image_id for event in after for frame in event.frames}
    touched = {
        frame.upload_id
        for event in now
        for frame in event.frames
        if is_unread(frame) or frame.image_id.startswith("img-new")
    }
    for event in live:
        if touched & {frame.upload_id for frame in event.frames if not is_unread(frame)}:
            assert event in after


def is_unread(frame: BurstFrame) -> bool:
    return frame.rejection is not None and frame.rejection.reason.startswith("object-")


def readable_frame_ids(bursts: list[BurstResolved]) -> set[str]:
    """Every photograph whose bytes were read."""
    return {frame.image_id for event in bursts for frame in event.frames if not is_unread(frame)}


def visible_state(event: BurstResolved) -> tuple[object, ...]:
    """What a subscriber sees of a burst."""
    frames = tuple((frame.image_id, frame.rejection) for frame in event.frames)
    return frames, event.verdict, event.closed_at


def frame_ids(bursts: list[BurstResolved]) -> set[str]:
    """Every photograph in a burst."""
    return {frame.image_id for event in bursts for frame in event.frames}


def snapshots_of(*events: BurstResolved) -> BurstSnapshots:
    bursts = BurstSnapshots()
    bursts.read([Message("t", 0, 0, 0, b"", event.to_bytes(), []) for event in events], lambda _: True)
    return bursts


def superseded(name: str) -> BurstResolved:
    return burst(name, revision=5).model_copy(update={"status": BurstStatus.SUPERSEDED, "frames": ()})


def test_a_burst_with_a_superseded_id_takes_the_id_of_the_current_live_burst() -> None:
    live = snapshots_of(burst("ab"), superseded("a"), burst("ab", burst_id="bst-second"))
    (usable,) = with_usable_ids({"bst-a": BurstSnapshot.of(burst("ab"))}, live)
    assert usable.burst_id == usable.event.burst_id == "bst-second"
    assert usable.is_equivalent(live.current["bst-second"])


def test_a_superseded_id_is_never_used_again() -> None:
    live = snapshots_of(burst("b"), superseded("b"), burst("ab"))
    of_replay = {event.burst_id: BurstSnapshot.of(event) for event in (burst("a"), burst("b"))}
    ids = [event.burst_id for event in with_usable_ids(of_replay, live)]
    assert ids[0] == "bst-a"
    assert ids[1] not in live.revisions
    assert ids == [event.burst_id for event in with_usable_ids(of_replay, live)]
