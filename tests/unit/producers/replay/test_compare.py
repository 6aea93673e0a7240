"""How the bursts of both sides are joined and compared, and which differences are held."""

from datetime import timedelta

import pytest

from tests.unit.producers.replay.builders import LONG_AGO, NOW, burst, compare
from uncia.events import BurstCategory, BurstResolved, BurstStatus, DetectionCategory, FrameBox
from uncia.kafka.broker import Message
from uncia.producers.replay.burst_snapshot import BurstSnapshot, BurstSnapshots, overlaps
from uncia.producers.replay.compare import ChangeKind, HoldReason
from uncia.producers.replay.diff_report import held_lines, held_rows


def kinds(live: list[BurstResolved], replay: list[BurstResolved]) -> dict[ChangeKind, int]:
    return {kind: count for kind, count in compare(live, replay).kinds().items() if count}


def held(live: list[BurstResolved], replay: list[BurstResolved], **context: object) -> list[HoldReason | None]:
    return [change.held for change in compare(live, replay, **context).different()]  # type: ignore[arg-type]


def test_another_score_is_no_change() -> None:
    assert kinds([burst("abc", score=0.4)], [burst("abc", score=0.9)]) == {ChangeKind.SAME: 1}


def test_another_verdict_is_a_change() -> None:
    assert kinds([burst("abc", "goat")], [burst("abc", "cat")]) == {ChangeKind.RELABELLED: 1}


def test_another_certainty_is_a_change() -> None:
    assert kinds([burst("abc", certain=False)], [burst("abc", certain=True)]) == {ChangeKind.RELABELLED: 1}


def test_another_category_is_a_change() -> None:
    live, replay = burst("ab", category=BurstCategory.BLANK), burst("ab", category=BurstCategory.ANIMAL)
    assert kinds([live], [replay])[ChangeKind.RELABELLED] == 1
    assert kinds([live], [live])[ChangeKind.SAME] == 1


def test_a_person_whom_only_the_replay_found_is_a_change() -> None:
    live, replay = burst("ab", crops_withheld=False), burst("ab", crops_withheld=True)
    assert kinds([live], [replay])[ChangeKind.RELABELLED] == 1


def test_other_boxes_are_no_change() -> None:
    found = FrameBox(category=DetectionCategory.ANIMAL, score=0.9, box=(0.1, 0.1, 0.5, 0.5))
    live = burst("a", category=BurstCategory.ANIMAL)
    replay = live.model_copy(update={"frames": (live.frames[0].model_copy(update={"boxes": (found,)}),)})
    assert kinds([live], [replay])[ChangeKind.SAME] == 1


def test_the_label_names_a_category_that_the_taxon_does_not() -> None:
    labels = [
        BurstSnapshot.of(burst("a", label, category=category)).label
        for label, category in [
            ("goat", None),
            ("goat", BurstCategory.ANIMAL),
            ("goat", BurstCategory.BLANK),
            ("blank", BurstCategory.BLANK),
            (None, BurstCategory.PERSON),
        ]
    ]
    assert labels == ["goat", "goat", "blank: goat", "blank", "person"]


def test_a_photograph_that_became_readable_is_a_change() -> None:
    assert kinds([burst("abc", rejected="b")], [burst("abc")]) == {ChangeKind.REREAD: 1}


def test_bursts_are_joined_by_their_photographs() -> None:
    assert kinds([burst("abc")], [burst("ab"), burst("c")]) == {ChangeKind.SPLIT: 1}
    assert kinds([burst("ab"), burst("c")], [burst("abc")]) == {ChangeKind.MERGED: 1}
    assert kinds([burst("ab"), burst("cd")], [burst("a"), burst("bcd")]) == {ChangeKind.REGROUPED: 1}
    assert kinds([burst("ab")], [burst("abc")]) == {ChangeKind.REGROUPED: 1}
    assert kinds([], [burst("a")]) == {ChangeKind.GAINED: 1}
    assert kinds([burst("a")], []) == {ChangeKind.LOST: 1}


def test_a_photograph_that_only_one_side_could_read_is_joined_by_its_upload() -> None:
    nameless = burst("a", None, rejected="a", reason="object-missing")
    frame = nameless.frames[0].model_copy(update={"image_id": "img-of-the-upload"})
    live = nameless.model_copy(update={"frames": (frame,)})
    assert kinds([live], [burst("a")]) == {ChangeKind.REGROUPED: 1}
    assert held([live], [burst("a")]) == [None]


def test_the_confusion_table_counts_bursts_once_and_photographs_by_their_burst() -> None:
    live = [burst("abc", "goat"), burst("de", "cat")]
    replay = [burst("ab", "cat"), burst("c", "goat"), burst("de", "cat")]
    assert compare(live, replay).confusion() == {
        ("goat", "cat"): (1, 2),
        ("goat", "goat"): (0, 1),
        ("cat", "cat"): (1, 2),
    }


def test_a_burst_that_is_only_partly_selected_is_held() -> None:
    assert held([burst("abc", "goat")], [burst("ab", "cat")], copied="ab") == [HoldReason.EDGE]


def test_a_live_burst_with_photographs_in_no_burst_of_the_replay_is_held() -> None:
    assert held([burst("abc")], [burst("ab", "cat")], copied="abc") == [HoldReason.UNANSWERED]
    assert held([burst("a")], [], copied="a") == [HoldReason.UNANSWERED]


@pytest.mark.parametrize("side", [0, 1])
def test_an_open_burst_is_held(side: int) -> None:
    sides = [burst("ab", "goat"), burst("ab", "cat")]
    sides[side] = sides[side].model_copy(update={"status": BurstStatus.PROVISIONAL, "closed_at": None})
    assert held([sides[0]], [sides[1]]) == [HoldReason.OPEN]


def test_a_burst_within_its_lateness_is_held() -> None:
    recent = burst("ab", "goat", closed_at=NOW - timedelta(minutes=15))
    assert held([recent], [burst("ab", "cat", closed_at=NOW)]) == [HoldReason.RECENT]
    older = burst("ab", "goat", closed_at=NOW - timedelta(minutes=16))
    assert held([older], [burst("ab", "cat", closed_at=NOW)]) == [None]


def test_a_photograph_missing_from_the_store_holds_its_burst() -> None:
    assert held([burst("ab")], [burst("ab", rejected="b", reason="object-missing")]) == [HoldReason.OBJECT_GONE]
    assert held([burst("ab")], [burst("ab", rejected="b", reason="image-corrupt")]) == [None]


def overwritten(event: BurstResolved, name: str) -> BurstResolved:
    """The same burst as a replay sees it after one of its objects was overwritten by another photograph."""
    frames = [
        frame.model_copy(update={"image_id": "img-other"}) if frame.upload_id == f"upl-{name}" else frame
        for frame in event.frames
    ]
    return event.model_copy(update={"frames": tuple(frames)})


def test_another_photograph_under_the_same_key_holds_its_burst() -> None:
    assert held([burst("abc")], [overwritten(burst("abc", "cat"), "b")]) == [HoldReason.OBJECT_CHANGED]
    # The other photograph was uploaded too, as `c`: both live bursts are held instead of merged into the newer one.
    assert held([burst("a"), burst("c")], [overwritten(burst("ac"), "a")]) == [HoldReason.OBJECT_CHANGED]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("object-changed", HoldReason.OBJECT_CHANGED),
        ("object-missing", HoldReason.OBJECT_GONE),
        ("object-moved", HoldReason.OBJECT_GONE),
        ("object-unreadable", HoldReason.OBJECT_UNREAD),
        ("object-of-a-later-version", HoldReason.OBJECT_UNREAD),
    ],
)
def test_every_rejection_for_an_unread_object_holds_the_burst(reason: str, expected: HoldReason) -> None:
    assert held([burst("abc")], [burst("abc", "cat", rejected="b", reason=reason)]) == [expected]


def test_missing_photographs_hold_their_live_burst_in_any_burst_of_the_replay() -> None:
    # Without its content a frame has no capture time: the replay places it by the time of its upload.
    superseded = burst("ade", None, rejected="ade", reason="object-missing", burst_id="bst-by-upload-time")
    assert held([burst("abcdefg")], [burst("bcfg", "cat"), superseded]) == [HoldReason.OBJECT_GONE]
    with_others = burst("ah", "cat", rejected="a", reason="object-missing", burst_id="bst-h")
    assert held([burst("ab"), burst("h")], [burst("b"), with_others]) == [HoldReason.OBJECT_GONE]


def test_missing_photographs_in_no_burst_of_the_replay_hold_their_live_burst() -> None:
    found = compare([burst("abc")], [burst("bc", "cat")], unread={"upl-a": "object-changed"}).different()
    assert [change.held for change in found] == [HoldReason.OBJECT_CHANGED]


def test_a_damaged_photograph_that_was_overwritten_keeps_its_own_rejection() -> None:
    live = burst("ab", rejected="b", reason="image-truncated")
    assert held([live], [overwritten(burst("ab"), "b")]) == [HoldReason.OBJECT_CHANGED]
    assert held([live], [burst("ab", rejected="b", reason="object-changed")]) == [HoldReason.OBJECT_CHANGED]


def test_an_unreadable_frame_is_not_added_to_a_live_burst() -> None:
    assert held([burst("ab")], [burst("abc", rejected="c", reason="object-changed")]) == [HoldReason.OBJECT_CHANGED]


def test_a_photograph_that_neither_side_could_read_holds_nothing() -> None:
    sides = [burst("ab", "goat", rejected="b", reason="object-missing"),
             burst("ab", "cat", rejected="b", reason="object-missing")]  # fmt: skip
    assert held(sides[:1], sides[1:]) == [None]


def test_another_reason_for_an_unread_object_holds_its_burst() -> None:
    live, replay = (burst("ab", rejected="b", reason=reason) for reason in ("object-missing", "object-changed"))
    assert held([live], [replay]) == [HoldReason.OBJECT_CHANGED]


def test_held_changes_are_counted_with_their_bursts() -> None:
    comparison = compare([burst("abc")], [burst("abc", "cat", rejected="b", reason="object-missing")])
    (row,) = held_rows(comparison)
    assert (row["live"], row["camera"], row["why"]) == (["bst-a"], "ridge/north", str(HoldReason.OBJECT_GONE))
    assert list(held_lines(comparison)) == [f"Held: 1, because {HoldReason.OBJECT_GONE}: bst-a of ridge/north."]


def test_a_burst_that_the_live_system_has_yet_to_process_is_held() -> None:
    assert held([], [burst("a")], caught_up=False) == [HoldReason.LIVE_BEHIND]
    assert held([], [burst("a")], caught_up=True) == [None]


def message(event: BurstResolved) -> Message:
    return Message("t", 0, 0, 0, event.burst_id.encode(), event.to_bytes(), [])


def test_only_the_newest_revisions_of_overlapping_bursts_are_read() -> None:
    bursts = BurstSnapshots()
    published = [
        burst("ab", "goat", revision=2),
        burst("ab", "cat", revision=3),
        burst("ab", "goat", revision=2),
        burst("x", revision=1),
    ]
    bursts.read(map(message, published), overlaps({"img-b"}, (), ()))
    assert {name: snapshot.label for name, snapshot in bursts.current.items()} == {"bst-a": "cat"}
    assert bursts.revisions == {"bst-a": 3}


def test_a_superseded_burst_is_not_current_but_its_revision_is_known() -> None:
    superseded = burst("b", revision=5).model_copy(update={"status": BurstStatus.SUPERSEDED, "frames": ()})
    bursts = BurstSnapshots()
    bursts.read(map(message, [burst("b"), superseded]), overlaps({"img-b"}, (), ()))
    assert not bursts.current
    assert bursts.revisions == {"bst-b": 5}


def test_a_live_id_of_the_replay_is_read_whatever_its_photographs() -> None:
    superseded = burst("b", revision=5).model_copy(update={"status": BurstStatus.SUPERSEDED, "frames": ()})
    bursts = BurstSnapshots()
    bursts.read([message(superseded)], overlaps((), (), {"bst-b"}))
    assert bursts.revisions == {"bst-b": 5}


def test_labels_of_unreadable_and_uncertain_bursts() -> None:
    changes = compare([burst("ab", None, rejected="ab", closed_at=LONG_AGO)], [burst("ab", certain=False)]).different()
    assert [(change.live[0].label, change.replay[0].label) for change in changes] == [
        ("nothing could be read", "goat?")
    ]
