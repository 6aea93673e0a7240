"""Which of the uploads that a camera's state holds are frames: a function of the set of uploads.

Every upload (`upload_id`: bucket, key and content) is one **version**. Of the versions

1. one counts of each key, the last: what was put there later replaces what was there before. The second decides first,
   since listings give no more, then whether it could be read; an upload whose object was gone when it was read
   replaces nothing;
2. one counts of each content (`image_id`): of exact copies under several keys the one that was uploaded first;
3. one counts of each photograph that came in several sizes, the largest. Cellular cameras send a small picture, and
   the card brings the large one: the same file name and EXIF capture time, the same shape, other pixels.

What does not count is **hidden**: kept as long as what hides it, because that may leave (`object-moved`) and then the
other counts again.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from uncia.processors.bursts.camera_bodies import compatible
from uncia.processors.bursts.frames import Frame

_ROUNDING = 0.01
"""Shapes may differ by one pixel, or by this share: small pictures are rounded to whole blocks."""


def merge(held: Frame, again: Frame) -> Frame:
    """One version that was announced twice: what could be read counts, else what came first.

    Returns `held` itself where nothing is new.
    """
    kept = again if again.readable and not held.readable else held
    first = min(held.uploaded_at, again.uploaded_at)
    last = max(held.stored_at, again.stored_at)
    if kept is held and first == held.uploaded_at and last == held.stored_at:
        return held
    return kept.changed(uploaded_at=first, stored_again_at=None if last == first else last)


def visible(versions: Collection[Frame]) -> list[Frame]:
    """Those that are frames, of versions that may replace each other."""
    latest: dict[tuple[str, str], Frame] = {}
    for each in versions:
        place = (each.bucket, each.key)
        if place not in latest or _rank(each) > _rank(latest[place]):
            latest[place] = each
    originals: dict[str, Frame] = {}
    for each in latest.values():
        held = originals.get(each.image_id)
        if held is None or (each.uploaded_at, each.upload_id) < (held.uploaded_at, held.upload_id):
            originals[each.image_id] = each
    every = list(originals.values())
    return [each for each in every if not any(_larger(other, each) for other in every)]


def at_or_before(version: Frame, moment: datetime) -> bool:
    """The version was stored no later than at this moment, to the second."""
    return version.stored_at.replace(microsecond=0) <= moment.replace(microsecond=0)


def replacement(gone: Frame, shown: Iterable[Frame]) -> Frame | None:
    """Which of the frames stands for a version that is hidden now: the same key, content or file name."""
    shown = list(shown)
    for same in (
        lambda each: (each.bucket, each.key) == (gone.bucket, gone.key),
        lambda each: each.image_id == gone.image_id,
        lambda each: bool(each.size_group) and each.size_group == gone.size_group,
    ):
        if found := [each for each in shown if same(each)]:
            return min(found, key=lambda each: each.upload_id)
    return min(shown, key=lambda each: each.upload_id, default=None)


def _rank(version: Frame) -> tuple[bool, datetime, bool, datetime, str]:
    gone = version.rejection is not None and version.rejection.reason.startswith("object-")
    stored = version.stored_at
    return (not gone, stored.replace(microsecond=0), version.readable, stored, version.upload_id)


def _larger(one: Frame, other: Frame) -> bool:
    """`one` is the same photograph as `other` in a larger size."""
    if one.size_group is None or one.size_group != other.size_group:
        return False
    assert one.width and one.height and other.width and other.height
    if one.width * one.height <= other.width * other.height or not compatible(one.source, other.source):
        return False
    expected = other.width * one.height / one.width
    return abs(other.height - expected) <= max(1.0, _ROUNDING * expected)
