"""Which of the uploads in a camera's state count as frames: a function of the set of uploads.

Every upload (`upload_id`: bucket, key and content) is one **version**. Of the versions

1. one counts per key, the last: a later upload replaces an earlier one. The second of the upload decides first, since
   listings are no more precise, then whether the upload could be read; an upload whose object was gone when it was
   read replaces nothing;
2. one counts per content (`image_id`): of exact copies under several keys, the one that was uploaded first;
3. one counts per photograph that came in several sizes, the largest. Cellular cameras send a small picture, and the
   card delivers the large one: same file name, EXIF capture time and aspect ratio, more pixels.

A version that does not count is **hidden**: it is stored as long as the version that hides it, because that one may
leave (`object-moved`), and then the other counts again.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from uncia.processors.bursts.camera_bodies import compatible
from uncia.processors.bursts.frame_record import FrameRecord

_ROUNDING = 0.01
"""Heights may differ from the aspect ratio by one pixel or this share: small pictures are rounded to whole blocks."""


def merge_repeated(held: FrameRecord, again: FrameRecord) -> FrameRecord:
    """Merge two announcements of one version: the readable one counts, else the first.

    Returns `held` itself where nothing is new.
    """
    counted = again if again.readable and not held.readable else held
    first = min(held.uploaded_at, again.uploaded_at)
    last = max(held.stored_at, again.stored_at)
    if counted is held and first == held.uploaded_at and last == held.stored_at:
        return held
    return counted.with_changes(uploaded_at=first, stored_again_at=None if last == first else last)


def select_visible(versions: Collection[FrameRecord]) -> list[FrameRecord]:
    """The versions that count as frames, of versions that may replace each other."""
    latest: dict[tuple[str, str], FrameRecord] = {}
    for version in versions:
        place = (version.bucket, version.key)
        if place not in latest or _rank(version) > _rank(latest[place]):
            latest[place] = version
    originals: dict[str, FrameRecord] = {}
    for version in latest.values():
        held = originals.get(version.image_id)
        if held is None or (version.uploaded_at, version.upload_id) < (held.uploaded_at, held.upload_id):
            originals[version.image_id] = version
    candidates = list(originals.values())
    return [version for version in candidates if not any(_is_larger(other, version) for other in candidates)]


def stored_by(version: FrameRecord, moment: datetime) -> bool:
    """Whether the version was stored no later than at this moment, to the second."""
    return version.stored_at.replace(microsecond=0) <= moment.replace(microsecond=0)


def find_replacement(hidden: FrameRecord, visible: Iterable[FrameRecord]) -> FrameRecord | None:
    """Which of the visible frames replaces a version that is hidden now: the same key, content or file name."""
    visible = list(visible)
    for is_same in (
        lambda frame: (frame.bucket, frame.key) == (hidden.bucket, hidden.key),
        lambda frame: frame.image_id == hidden.image_id,
        lambda frame: bool(frame.size_group) and frame.size_group == hidden.size_group,
    ):
        if found := [frame for frame in visible if is_same(frame)]:
            return min(found, key=lambda frame: frame.upload_id)
    return min(visible, key=lambda frame: frame.upload_id, default=None)


def _rank(version: FrameRecord) -> tuple[bool, datetime, bool, datetime, str]:
    gone = version.rejection is not None and version.rejection.reason.startswith("object-")
    stored = version.stored_at
    return (not gone, stored.replace(microsecond=0), version.readable, stored, version.upload_id)


def _is_larger(one: FrameRecord, other: FrameRecord) -> bool:
    """Whether `one` is the same photograph as `other` in a larger size."""
    if one.size_group is None or one.size_group != other.size_group:
        return False
    assert one.width and one.height and other.width and other.height
    if one.width * one.height <= other.width * other.height or not compatible(one.source, other.source):
        return False
    expected = other.width * one.height / one.width
    return abs(other.height - expected) <= max(1.0, _ROUNDING * expected)
