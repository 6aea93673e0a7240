"""Promoting makes live say what the replay says; doing it twice is doing it once."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.producers.replay.replay_making import LONG_AGO, NOW, burst, compared
from uncia.events import BurstFrame, BurstResolved, BurstStatus
from uncia.kafka.broker import Message
from uncia.producers.replay.burst_snapshot import Bursts, Standing, under_usable_ids
from uncia.producers.replay.promotion import plan

WORDS = "replay trial with m@2"
LETTERS = "abcdefgh"
STATUSES = (BurstStatus.FINAL, BurstStatus.PROVISIONAL)


def promoted(live: list[BurstResolved], replay: list[BurstResolved], said: dict[str, int] | None = None) -> list:
    """The events."""
    said = {**{each.burst_id: each.revision for each in live}, **(said or {})}
    return plan(compared(live, replay), said, WORDS)


def test_a_relabelled_burst_is_revised_under_its_own_id() -> None:
    live, replay = burst("ab", "goat", revision=7), burst("ab", "cat", revision=2, closed_at=NOW)
    (event,) = promoted([live], [replay])
    assert (event.burst_id, event.revision, event.status) == ("bst-a", 8, BurstStatus.REVISED)
    assert event.verdict is not None
    assert event.verdict.label == "cat"
    assert event.changes == (WORDS, "verdict: goat became cat")


def test_it_closed_when_live_closed_it() -> None:
    (event,) = promoted([burst("ab", "goat", closed_at=LONG_AGO)], [burst("ab", "cat", closed_at=NOW)])
    assert event.closed_at == LONG_AGO


def test_bursts_that_merge_leave_an_heir() -> None:
    heir, gone = promoted([burst("ab", revision=3), burst("cd", revision=4)], [burst("abcd")])
    assert (heir.burst_id, heir.revision, heir.status, heir.supersedes) == (
        "bst-a",
        4,
        BurstStatus.REVISED,
        ("bst-c",),
    )
    assert (gone.burst_id, gone.revision, gone.status, gone.superseded_by) == (
        "bst-c",
        5,
        BurstStatus.SUPERSEDED,
        "bst-a",
    )


def test_a_burst_that_splits_keeps_its_id_and_gives_the_rest_a_new_one() -> None:
    first, second = promoted([burst("abcd", revision=3)], [burst("ab"), burst("cd")])
    assert (first.burst_id, first.revision, first.status) == ("bst-a", 4, BurstStatus.REVISED)
    assert (second.burst_id, second.revision, second.status) == ("bst-c", 1, BurstStatus.FINAL)


def test_an_id_that_live_took_out_of_use_comes_back_above_what_was_said_of_it() -> None:
    _, second = promoted([burst("abcd", revision=3)], [burst("ab"), burst("cd")], said={"bst-c": 9})
    assert (second.revision, second.status) == (10, BurstStatus.REVISED)


def test_what_says_the_same_is_not_said_again() -> None:
    assert promoted([burst("ab", score=0.2)], [burst("ab", score=0.8)]) == []


def test_what_is_held_is_not_promoted() -> None:
    assert promoted([burst("ab", "goat", closed_at=NOW)], [burst("ab", "cat")]) == []


def groups(cuts: list[bool], letters: str) -> list[str]:
    """The letters in runs: a new one begins wherever it is cut."""
    numbers = list(accumulate((int(cut) for cut in cuts), initial=0))[: len(letters)]
    return [
        "".join(letter for letter, own in zip(letters, numbers, strict=True) if own == number)
        for number in set(numbers)
    ]


@st.composite
def worlds(draw: st.DrawFn, statuses: tuple[BurstStatus, ...] = STATUSES) -> list[BurstResolved]:
    """Bursts of one camera: any of the photographs, in any grouping, with any verdict."""
    letters = "".join(sorted(draw(st.sets(st.sampled_from(LETTERS)))))
    cuts = draw(st.lists(st.booleans(), min_size=len(LETTERS), max_size=len(LETTERS)))
    made = []
    for letters_of_one in groups(cuts, letters) if letters else []:
        status = draw(st.sampled_from(statuses))
        made.append(
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
    return made


def applied(live: list[BurstResolved], events: list[BurstResolved], said: dict[str, int]) -> list[BurstResolved]:
    """What a reader of the topic has after these events; checks that revisions rise."""
    world = {each.burst_id: each for each in live}
    for event in events:
        assert event.revision > said.get(event.burst_id, 0)
        said[event.burst_id] = event.revision
        world[event.burst_id] = event
    return [each for each in world.values() if each.status is not BurstStatus.SUPERSEDED]


@given(worlds(), worlds(), st.dictionaries(st.sampled_from([f"bst-{each}" for each in LETTERS]), st.integers(9, 12)))
def test_once_promoted_nothing_is_left_to_promote(
    live: list[BurstResolved], replay: list[BurstResolved], before: dict[str, int]
) -> None:
    said = {**before, **{each.burst_id: max(each.revision, before.get(each.burst_id, 0)) for each in live}}
    events = plan(compared(live, replay), said, WORDS)
    assert plan(compared(applied(live, events, said), replay), said, WORDS) == []


@given(worlds(), worlds(), st.integers(0, 20))
def test_a_promotion_that_was_cut_short_is_completed_by_the_next(
    live: list[BurstResolved], replay: list[BurstResolved], sent: int
) -> None:
    def revisions() -> dict[str, int]:
        return {each.burst_id: each.revision for each in live}

    whole_said, cut_said = revisions(), revisions()
    whole = applied(live, plan(compared(live, replay), whole_said, WORDS), whole_said)
    cut = applied(live, plan(compared(live, replay), cut_said, WORDS)[:sent], cut_said)
    after = applied(cut, plan(compared(cut, replay), cut_said, WORDS), cut_said)
    assert {each.burst_id: says(each) for each in after} == {each.burst_id: says(each) for each in whole}


@given(worlds((BurstStatus.FINAL,)), worlds((BurstStatus.FINAL,)))
def test_no_photograph_leaves_live(live: list[BurstResolved], replay: list[BurstResolved]) -> None:
    said = {each.burst_id: each.revision for each in live}
    after = applied(live, plan(compared(live, replay), said, WORDS), said)
    assert held_frames(live) <= held_frames(after)


@given(worlds((BurstStatus.FINAL,)), worlds((BurstStatus.FINAL,)), st.sets(st.sampled_from(LETTERS)))
def test_no_verdict_is_lost_to_what_the_store_holds_now(
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
    said = {each.burst_id: each.revision for each in live}
    after = applied(live, plan(compared(live, now), said, WORDS), said)
    assert readable_frames(live) <= {frame.image_id for each in after for frame in each.frames}
    touched = {
        frame.upload_id
        for each in now
        for frame in each.frames
        if is_gone(frame) or frame.image_id.startswith("img-new")
    }
    for each in live:
        if touched & {frame.upload_id for frame in each.frames if not is_gone(frame)}:
            assert each in after


def is_gone(frame: BurstFrame) -> bool:
    return frame.rejection is not None and frame.rejection.reason.startswith("object-")


def readable_frames(world: list[BurstResolved]) -> set[str]:
    """Every photograph whose bytes were read."""
    return {frame.image_id for each in world for frame in each.frames if not is_gone(frame)}


def says(event: BurstResolved) -> tuple[object, ...]:
    """What a reader sees of a burst."""
    frames = tuple((frame.image_id, frame.rejection) for frame in event.frames)
    return frames, event.verdict, event.closed_at


def held_frames(world: list[BurstResolved]) -> set[str]:
    """Every photograph in a burst."""
    return {frame.image_id for each in world for frame in each.frames}


def read_by_live(*events: BurstResolved) -> Bursts:
    bursts = Bursts()
    bursts.read([Message("t", 0, 0, 0, b"", event.to_bytes(), []) for event in events], lambda _: True)
    return bursts


def superseded(name: str) -> BurstResolved:
    return burst(name, revision=5).model_copy(update={"status": BurstStatus.SUPERSEDED, "frames": ()})


def test_a_burst_whose_id_live_has_superseded_takes_the_id_under_which_live_has_it() -> None:
    live = read_by_live(burst("ab"), superseded("a"), burst("ab", burst_id="bst-second"))
    (usable,) = under_usable_ids({"bst-a": Standing.of(burst("ab"))}, live)
    assert usable.burst_id == usable.event.burst_id == "bst-second"
    assert usable.agrees(live.standing["bst-second"])


def test_a_superseded_id_never_comes_back_by_a_promotion() -> None:
    live = read_by_live(burst("b"), superseded("b"), burst("ab"))
    ours = {each.burst_id: Standing.of(each) for each in (burst("a"), burst("b"))}
    ids = [each.burst_id for each in under_usable_ids(ours, live)]
    assert ids[0] == "bst-a"
    assert ids[1] not in live.revisions
    assert ids == [each.burst_id for each in under_usable_ids(ours, live)]
