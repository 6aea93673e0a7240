"""Where a feeder resumes after it was stopped."""

import pytest

from tests.paths import EVENT_SAMPLES
from tests.unit.producers.replay.builders import upload_event
from uncia.producers.replay.feed import SOURCE_HEADER, is_second_look_selected, is_selected, source_of, start_offset
from uncia.producers.replay.selection import Selection
from uncia.topics import UPLOAD_TOPICS

FIRST, SECOND = (topic.name for topic in UPLOAD_TOPICS)


def test_a_copy_names_its_source_in_an_additional_header() -> None:
    assert source_of([("trace", b"x"), (SOURCE_HEADER, f"{FIRST}:12".encode())]) == (FIRST, 12)
    assert source_of([("trace", b"x")]) is None


@pytest.mark.parametrize(
    ("last", "first", "second"),
    [
        (None, 5, 5),
        ((FIRST, 7), 8, 5),
        ((FIRST, 3), 5, 5),  # retention removed the messages in between
        ((SECOND, 7), 20, 8),
    ],
)
def test_it_resumes_after_the_last_copy(last: tuple[str, int] | None, first: int, second: int) -> None:
    assert [start_offset(UPLOAD_TOPICS, index, last, 5, 20) for index in (0, 1)] == [first, second]


def test_messages_that_are_not_uploads_are_not_copied() -> None:
    assert is_selected(Selection(), upload_event("k.jpg").to_bytes())
    assert not is_selected(Selection(), b"{nonsense")
    assert not is_selected(Selection(), None)


def test_second_looks_of_the_selected_cameras_are_copied() -> None:
    raw = (EVENT_SAMPLES / "camera.second-look.completed.v1.json").read_bytes()
    assert is_second_look_selected(Selection(), raw)
    assert is_second_look_selected(Selection(stations=("ridge",)), raw)
    assert not is_second_look_selected(Selection(cameras=("ridge/other",)), raw)
    assert not is_second_look_selected(Selection(), b"{nonsense")
