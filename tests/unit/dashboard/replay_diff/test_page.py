"""The page shows both sides of every change and is self-contained."""

from typing import Any

from tests.unit.producers.replay.builders import NOW, burst, compare
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.thumbnails import Thumbnail
from uncia.dashboard.replay_diff.page import CHANGES_SHOWN, FRAMES_SHOWN, change_view, render
from uncia.events import BurstResolved
from uncia.producers.replay.description import Replay, ReplayPlan
from uncia.producers.replay.diff_report import to_json_object

PICTURE = "data:image/jpeg;base64,AAAA"


def body(live: list[BurstResolved], replay: list[BurstResolved]) -> dict[str, Any]:
    """As `uncia replay diff --json` prints it."""
    return to_json_object(Replay.create("trial", ReplayPlan(model="m"), {}), compare(live, replay))


def page(live: list[BurstResolved], replay: list[BurstResolved]) -> str:
    return render(body(live, replay), lambda assessed: Thumbnail(PICTURE))


def test_a_relabelled_burst_is_shown_with_both_verdicts_and_its_pictures() -> None:
    html = page([burst("ab", "goat")], [burst("ab", "cat", certain=False)])
    assert "goat" in html
    assert "cat?" in html
    assert html.count(PICTURE) == 2


def test_a_burst_that_only_one_side_has_is_shown() -> None:
    assert "no burst" in page([], [burst("ab")])


def test_a_held_change_is_shown_with_its_reason() -> None:
    assert "Not promoted: live may still revise it" in page([burst("a", "goat", closed_at=NOW)], [burst("a", "cat")])


def test_photographs_that_only_one_side_could_read_are_listed() -> None:
    html = page([burst("ab")], [burst("ab", rejected="b")])
    assert "image-truncated" in html
    assert "readable" in html


def test_an_overwritten_photograph_is_loaded_by_its_live_upload_id() -> None:
    loaded: list[str] = []

    def load(assessed: AssessedContent) -> Thumbnail:
        loaded.append(assessed.upload_id)
        return Thumbnail(None, "no longer stored")

    live, replay = burst("ab", "goat"), burst("ab", "goat", rejected="b", reason="object-changed")
    html = render(body([live], [replay]), load)
    assert "Not promoted: the store holds another photograph" in html
    assert set(loaded) == {frame.upload_id for frame in live.frames}
    assert "<img" not in html


def test_a_page_without_changes_says_so() -> None:
    assert "The verdicts of the replay are those of the live system." in page([burst("a")], [burst("a")])


def test_the_page_loads_nothing() -> None:
    html = page([burst("ab", "goat")], [burst("ab", "cat")])
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_labels_are_escaped() -> None:
    assert "<b>goat" not in page([burst("a", "<b>goat")], [burst("a", "cat")])


def test_long_bursts_and_many_changes_are_cut_and_counted() -> None:
    many = body([burst("a", "goat")], [burst("a", "cat")])
    frames = [{**many["changes"][0]["live"][0]["frames"][0], "upload_id": str(number)} for number in range(50)]
    long = {**many["changes"][0], "live": [{**many["changes"][0]["live"][0], "frames": frames}], "replay": []}
    view = change_view(long, lambda assessed: Thumbnail(None, "no longer stored"))
    assert (len(view.frames), view.hidden) == (FRAMES_SHOWN, 50 - FRAMES_SHOWN)
    html = render(
        {**many, "changes": [many["changes"][0]] * (CHANGES_SHOWN + 3)},
        lambda assessed: Thumbnail(None, "no longer stored"),
    )
    assert "and 3 more changes" in html


def test_a_photograph_that_both_sides_rejected_is_not_opened() -> None:
    opened: list[str] = []

    def load(assessed: AssessedContent) -> Thumbnail:
        opened.append(assessed.upload_id)
        return Thumbnail(None, "no longer stored")

    html = render(body([burst("ab", "goat", rejected="b")], [burst("ab", "cat", rejected="b")]), load)
    assert len(opened) == 1
    assert "no picture: no longer stored" in html
    assert "no picture: image-truncated" in html
