"""The page shows both sides of every change, and needs nothing from outside."""

from typing import Any

from tests.unit.producers.replay.replay_making import NOW, burst, compared
from uncia.dashboard.contact_sheet.thumbnails import JudgedContent, Thumbnail
from uncia.dashboard.replay_diff.page import CHANGES_SHOWN, FRAMES_SHOWN, render, view_of
from uncia.events import BurstResolved
from uncia.producers.replay.description import Plan, Replay
from uncia.producers.replay.diff_report import as_json

PICTURE = "data:image/jpeg;base64,AAAA"


def body(live: list[BurstResolved], replay: list[BurstResolved]) -> dict[str, Any]:
    """As `uncia replay diff --json` prints it."""
    return as_json(Replay.make("trial", Plan(model="m"), {}), compared(live, replay))


def page(live: list[BurstResolved], replay: list[BurstResolved]) -> str:
    return render(body(live, replay), lambda judged: Thumbnail(PICTURE))


def test_a_relabelled_burst_stands_there_with_both_verdicts_and_its_pictures() -> None:
    html = page([burst("ab", "goat")], [burst("ab", "cat", certain=False)])
    assert "goat" in html
    assert "cat ?" in html
    assert html.count(PICTURE) == 2


def test_a_burst_that_only_one_side_has_is_shown() -> None:
    assert "no burst" in page([], [burst("ab")])


def test_why_a_change_is_not_promoted_stands_beside_it() -> None:
    assert "Not promoted: live may still revise it" in page([burst("a", "goat", closed_at=NOW)], [burst("a", "cat")])


def test_photographs_that_only_one_side_could_read_are_listed() -> None:
    html = page([burst("ab")], [burst("ab", rejected="b")])
    assert "image-truncated" in html
    assert "readable" in html


def test_a_photograph_that_was_overwritten_is_loaded_as_live_judged_it() -> None:
    asked: list[str] = []

    def load(judged: JudgedContent) -> Thumbnail:
        asked.append(judged.upload_id)
        return Thumbnail(None, "no longer stored as it was judged")

    live, replay = burst("ab", "goat"), burst("ab", "goat", rejected="b", reason="object-changed")
    html = render(body([live], [replay]), load)
    assert "Not promoted: the store holds another photograph" in html
    assert set(asked) == {frame.upload_id for frame in live.frames}
    assert "<img" not in html


def test_nothing_different_is_said_in_words() -> None:
    assert "The replay says what live says." in page([burst("a")], [burst("a")])


def test_the_page_asks_nobody_for_anything() -> None:
    html = page([burst("ab", "goat")], [burst("ab", "cat")])
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_labels_cannot_bring_markup_in() -> None:
    assert "<b>goat" not in page([burst("a", "<b>goat")], [burst("a", "cat")])


def test_long_bursts_and_many_changes_are_cut_and_counted() -> None:
    many = body([burst("a", "goat")], [burst("a", "cat")])
    frames = [{**many["changes"][0]["live"][0]["frames"][0], "upload_id": str(number)} for number in range(50)]
    long = {**many["changes"][0], "live": [{**many["changes"][0]["live"][0], "frames": frames}], "replay": []}
    view = view_of(long, lambda judged: Thumbnail(None, "no longer stored"))
    assert (len(view.frames), view.hidden) == (FRAMES_SHOWN, 50 - FRAMES_SHOWN)
    html = render(
        {**many, "changes": [many["changes"][0]] * (CHANGES_SHOWN + 3)},
        lambda judged: Thumbnail(None, "no longer stored"),
    )
    assert "and 3 more changes" in html


def test_what_both_sides_have_rejected_is_not_opened() -> None:
    opened: list[str] = []

    def load(judged: JudgedContent) -> Thumbnail:
        opened.append(judged.upload_id)
        return Thumbnail(None, "no longer stored")

    html = render(body([burst("ab", "goat", rejected="b")], [burst("ab", "cat", rejected="b")]), load)
    assert len(opened) == 1
    assert "no picture: no longer stored" in html
    assert "no picture: image-truncated" in html
