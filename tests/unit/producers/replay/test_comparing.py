"""What a replay says differently, and what of that is none of its business."""

from datetime import timedelta

import pytest

from tests.unit.producers.replay.replay_making import LONG_AGO, NOW, burst, compared
from uncia.events import BurstResolved, BurstStatus
from uncia.kafka.broker import Message
from uncia.producers.replay.burst_snapshot import Bursts, touching
from uncia.producers.replay.compare import Held, Kind
from uncia.producers.replay.diff_report import held_lines, held_rows


def kinds(live: list[BurstResolved], replay: list[BurstResolved]) -> dict[Kind, int]:
    return {kind: count for kind, count in compared(live, replay).kinds().items() if count}


def held(live: list[BurstResolved], replay: list[BurstResolved], **around: object) -> list[Held | None]:
    return [change.held for change in compared(live, replay, **around).different()]  # type: ignore[arg-type]


def test_another_score_is_no_change() -> None:
    assert kinds([burst("abc", score=0.4)], [burst("abc", score=0.9)]) == {Kind.SAME: 1}


def test_another_verdict_is_one() -> None:
    assert kinds([burst("abc", "goat")], [burst("abc", "cat")]) == {Kind.RELABELLED: 1}


def test_to_be_certain_of_it_is_one_too() -> None:
    assert kinds([burst("abc", certain=False)], [burst("abc", certain=True)]) == {Kind.RELABELLED: 1}


def test_a_photograph_that_can_be_read_now_is_one() -> None:
    assert kinds([burst("abc", rejected="b")], [burst("abc")]) == {Kind.REREAD: 1}


def test_bursts_are_joined_by_their_photographs() -> None:
    assert kinds([burst("abc")], [burst("ab"), burst("c")]) == {Kind.SPLIT: 1}
    assert kinds([burst("ab"), burst("c")], [burst("abc")]) == {Kind.MERGED: 1}
    assert kinds([burst("ab"), burst("cd")], [burst("a"), burst("bcd")]) == {Kind.REGROUPED: 1}
    assert kinds([burst("ab")], [burst("abc")]) == {Kind.REGROUPED: 1}
    assert kinds([], [burst("a")]) == {Kind.GAINED: 1}
    assert kinds([burst("a")], []) == {Kind.LOST: 1}


def test_a_photograph_that_only_one_side_could_read_is_joined_by_its_upload() -> None:
    nameless = burst("a", None, rejected="a", reason="object-missing")
    frame = nameless.frames[0].model_copy(update={"image_id": "img-of-the-upload"})
    live = nameless.model_copy(update={"frames": (frame,)})
    assert kinds([live], [burst("a")]) == {Kind.REGROUPED: 1}
    assert held([live], [burst("a")]) == [None]


def test_the_confusion_table_counts_bursts_once_and_photographs_by_their_burst() -> None:
    live = [burst("abc", "goat"), burst("de", "cat")]
    replay = [burst("ab", "cat"), burst("c", "goat"), burst("de", "cat")]
    assert compared(live, replay).confusion() == {
        ("goat", "cat"): (1, 2),
        ("goat", "goat"): (0, 1),
        ("cat", "cat"): (1, 2),
    }


def test_a_burst_that_was_selected_in_part_is_held() -> None:
    assert held([burst("abc", "goat")], [burst("ab", "cat")], copied="ab") == [Held.EDGE]


def test_photographs_that_the_replay_has_in_no_burst_hold_theirs() -> None:
    assert held([burst("abc")], [burst("ab", "cat")], copied="abc") == [Held.UNANSWERED]
    assert held([burst("a")], [], copied="a") == [Held.UNANSWERED]


@pytest.mark.parametrize("side", [0, 1])
def test_what_is_not_closed_is_held(side: int) -> None:
    sides = [burst("ab", "goat"), burst("ab", "cat")]
    sides[side] = sides[side].model_copy(update={"status": BurstStatus.PROVISIONAL, "closed_at": None})
    assert held([sides[0]], [sides[1]]) == [Held.OPEN]


def test_what_live_may_still_revise_is_held() -> None:
    recent = burst("ab", "goat", closed_at=NOW - timedelta(minutes=15))
    assert held([recent], [burst("ab", "cat", closed_at=NOW)]) == [Held.RECENT]
    older = burst("ab", "goat", closed_at=NOW - timedelta(minutes=16))
    assert held([older], [burst("ab", "cat", closed_at=NOW)]) == [None]


def test_a_photograph_that_is_gone_from_the_store_takes_nothing_away() -> None:
    assert held([burst("ab")], [burst("ab", rejected="b", reason="object-missing")]) == [Held.OBJECT_GONE]
    assert held([burst("ab")], [burst("ab", rejected="b", reason="image-corrupt")]) == [None]


def overwritten(event: BurstResolved, name: str) -> BurstResolved:
    """The same burst, where the replay read another photograph under the key of one."""
    frames = [
        frame.model_copy(update={"image_id": "img-other"}) if frame.upload_id == f"upl-{name}" else frame
        for frame in event.frames
    ]
    return event.model_copy(update={"frames": tuple(frames)})


def test_another_photograph_under_the_same_key_takes_nothing_away() -> None:
    assert held([burst("abc")], [overwritten(burst("abc", "cat"), "b")]) == [Held.OBJECT_CHANGED]
    # The other photograph was uploaded too, as `c`: both bursts of live are held, not merged into the newer one.
    assert held([burst("a"), burst("c")], [overwritten(burst("ac"), "a")]) == [Held.OBJECT_CHANGED]


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("object-changed", Held.OBJECT_CHANGED),
        ("object-missing", Held.OBJECT_GONE),
        ("object-moved", Held.OBJECT_GONE),
        ("object-unreadable", Held.OBJECT_UNREAD),
        ("object-of-a-later-version", Held.OBJECT_UNREAD),
    ],
)
def test_whatever_keeps_the_replay_from_the_photograph_takes_nothing_away(reason: str, why: Held) -> None:
    assert held([burst("abc")], [burst("abc", "cat", rejected="b", reason=reason)]) == [why]


def test_photographs_that_are_gone_hold_their_burst_wherever_the_replay_put_them() -> None:
    # Without its photograph a frame has no capture time: it stands alone, or among others of the upload's time.
    gone = burst("ade", None, rejected="ade", reason="object-missing", burst_id="bst-by-upload-time")
    assert held([burst("abcdefg")], [burst("bcfg", "cat"), gone]) == [Held.OBJECT_GONE]
    amid_others = burst("ah", "cat", rejected="a", reason="object-missing", burst_id="bst-h")
    assert held([burst("ab"), burst("h")], [burst("b"), amid_others]) == [Held.OBJECT_GONE]


def test_photographs_that_are_gone_and_in_no_burst_of_the_replay_hold_theirs() -> None:
    found = compared([burst("abc")], [burst("bc", "cat")], unread={"upl-a": "object-changed"}).different()
    assert [change.held for change in found] == [Held.OBJECT_CHANGED]


def test_a_damaged_photograph_that_was_overwritten_keeps_its_own_rejection() -> None:
    live = burst("ab", rejected="b", reason="image-truncated")
    assert held([live], [overwritten(burst("ab"), "b")]) == [Held.OBJECT_CHANGED]
    assert held([live], [burst("ab", rejected="b", reason="object-changed")]) == [Held.OBJECT_CHANGED]


def test_an_unreadable_frame_that_live_does_not_hold_is_not_added() -> None:
    assert held([burst("ab")], [burst("abc", rejected="c", reason="object-changed")]) == [Held.OBJECT_CHANGED]


def test_what_neither_side_could_read_holds_nothing() -> None:
    sides = [burst("ab", "goat", rejected="b", reason="object-missing"),
             burst("ab", "cat", rejected="b", reason="object-missing")]  # fmt: skip
    assert held(sides[:1], sides[1:]) == [None]


def test_another_reason_for_not_reading_it_is_no_news() -> None:
    live, replay = (burst("ab", rejected="b", reason=reason) for reason in ("object-missing", "object-changed"))
    assert held([live], [replay]) == [Held.OBJECT_CHANGED]


def test_held_changes_are_counted_and_named() -> None:
    comparison = compared([burst("abc")], [burst("abc", "cat", rejected="b", reason="object-missing")])
    (row,) = held_rows(comparison)
    assert (row["live"], row["camera"], row["why"]) == (["bst-a"], "ridge/north", str(Held.OBJECT_GONE))
    assert list(held_lines(comparison)) == [f"Held: 1, because {Held.OBJECT_GONE}: bst-a of ridge/north."]


def test_a_burst_that_live_has_not_got_to_yet_is_live_to_say() -> None:
    assert held([], [burst("a")], caught_up=False) == [Held.LIVE_BEHIND]
    assert held([], [burst("a")], caught_up=True) == [None]


def message(event: BurstResolved) -> Message:
    return Message("t", 0, 0, 0, event.burst_id.encode(), event.to_bytes(), [])


def test_only_the_newest_revision_of_what_touches_the_replay_is_kept() -> None:
    bursts = Bursts()
    said = [
        burst("ab", "goat", revision=2),
        burst("ab", "cat", revision=3),
        burst("ab", "goat", revision=2),
        burst("x", revision=1),
    ]
    bursts.read(map(message, said), touching({"img-b"}, (), ()))
    assert {name: each.label for name, each in bursts.standing.items()} == {"bst-a": "cat"}
    assert bursts.revisions == {"bst-a": 3}


def test_what_was_superseded_stands_no_more_but_its_revision_is_known() -> None:
    gone = burst("b", revision=5).model_copy(update={"status": BurstStatus.SUPERSEDED, "frames": ()})
    bursts = Bursts()
    bursts.read(map(message, [burst("b"), gone]), touching({"img-b"}, (), ()))
    assert not bursts.standing
    assert bursts.revisions == {"bst-b": 5}


def test_an_id_that_the_replay_has_is_known_whatever_live_holds_by_now() -> None:
    gone = burst("b", revision=5).model_copy(update={"status": BurstStatus.SUPERSEDED, "frames": ()})
    bursts = Bursts()
    bursts.read([message(gone)], touching((), (), {"bst-b"}))
    assert bursts.revisions == {"bst-b": 5}


def test_changes_are_told_in_the_words_of_their_bursts() -> None:
    change = compared([burst("ab", None, rejected="ab", closed_at=LONG_AGO)], [burst("ab", certain=False)]).different()
    assert [(each.live[0].label, each.replay[0].label) for each in change] == [("nothing could be read", "goat?")]
