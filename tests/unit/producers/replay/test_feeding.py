"""Where a feeder that was stopped goes on."""

import pytest

from tests.unit.producers.replay.replay_making import uploaded
from uncia.producers.replay.feed import SOURCE, source_of, starts_at, wanted
from uncia.producers.replay.selection import Selection
from uncia.topics import UPLOAD_TOPICS

FIRST, SECOND = (topic.name for topic in UPLOAD_TOPICS)


def test_a_copy_names_its_source_behind_the_originals_own_headers() -> None:
    assert source_of([("trace", b"x"), (SOURCE, f"{FIRST}:12".encode())]) == (FIRST, 12)
    assert source_of([("trace", b"x")]) is None


@pytest.mark.parametrize(
    ("last", "first", "second"),
    [
        (None, 5, 5),
        ((FIRST, 7), 8, 5),
        ((FIRST, 3), 5, 5),  # what lay between was deleted by age
        ((SECOND, 7), 20, 8),
    ],
)
def test_it_goes_on_behind_the_last_copy(last: tuple[str, int] | None, first: int, second: int) -> None:
    assert [starts_at(UPLOAD_TOPICS, at, last, 5, 20) for at in (0, 1)] == [first, second]


def test_what_is_no_upload_is_not_copied() -> None:
    assert wanted(Selection(), uploaded("k.jpg").to_bytes())
    assert not wanted(Selection(), b"{nonsense")
    assert not wanted(Selection(), None)
