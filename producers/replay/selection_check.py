"""Reads from the live log what a selection needs: capture times, and whether it selects any photograph."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches

from uncia.errors import PermanentError, SettingsError
from uncia.events import CaptureTimeSource, ImagePredicted, ImageUploaded
from uncia.kafka.broker import Message, read_topics
from uncia.lanes import capture_time_in_key
from uncia.producers.replay.kafka_log import Partition
from uncia.producers.replay.selection import Selection, capture_time, matches
from uncia.settings import Settings
from uncia.topics import IMAGE_PREDICTED, UPLOAD_TOPICS

_MAX_CAMERAS_LISTED = 8
"""In the message about a selection that selects nothing."""


def read_capture_times(live: Settings, selection: Selection, ends: Mapping[Partition, int]) -> dict[str, datetime]:
    """Capture times as the live system read them up to `ends`, by upload id, without those that the key states too.

    Empty where the selection has no times, and without `ends` (a replay that an earlier version has created).
    """
    times: dict[str, datetime] = {}
    if not selection.is_timed or not ends:
        return times
    for message in read_topics(live, (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
        if message.offset >= ends.get((message.topic, message.partition), 0):
            continue
        with contextlib.suppress(PermanentError):
            event = ImagePredicted.from_bytes(message.value)
            taken = event.capture.time.replace(tzinfo=None)
            was_read = event.capture.time_source is not CaptureTimeSource.UPLOAD
            if was_read and taken != capture_time_in_key(event.key):
                times[event.upload_id] = taken
    return times


def check_selects(
    live: Settings, selection: Selection, ends: Mapping[Partition, int], times: Mapping[str, datetime]
) -> None:
    """Raises `SettingsError` where the live log has no photograph for the selection, or none for one of its names.

    Reads up to the first selected photograph, or on until every name has matched one.
    """
    scan = _SelectionScan(selection)
    for message in read_topics(live, UPLOAD_TOPICS, from_beginning=True, until_end=True):
        if message.offset < ends.get((message.topic, message.partition), 0) and scan.add(message, times):
            return
    raise SettingsError(scan.refusal())


class _SelectionScan:
    """The part of a selection that messages have matched so far."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._unmatched = {*selection.cameras, *(f"{station}/*" for station in selection.stations)}
        self._cameras: set[str] = set()
        self._time_range: list[datetime] = []
        """Earliest and latest capture time of the selected cameras."""
        self._any_selected = False

    def add(self, message: Message, times: Mapping[str, datetime]) -> bool:
        """Add one message. True once a photograph is selected and every name has matched."""
        try:
            upload = ImageUploaded.from_bytes(message.value)
        except PermanentError:
            return False
        if upload.camera not in self._cameras:
            self._cameras.add(upload.camera)
            self._unmatched -= {name for name in self._selection.cameras if matches(upload.camera, name)}
            self._unmatched -= {f"{name}/*" for name in self._selection.stations if matches(upload.station, name)}
        if not self._any_selected and self._selection.matches_camera(upload):
            taken = capture_time(upload, times)
            self._any_selected = self._selection.contains_time(taken)
            self._time_range = [min([*self._time_range[:1], taken]), max([*self._time_range[1:], taken])]
        return self._any_selected and not self._unmatched

    def refusal(self) -> str:
        """Return why nothing is selected, or nothing for one of the names."""
        if not self._cameras:
            return "nothing to replay: no photograph has been uploaded yet"
        if self._unmatched:
            name = min(self._unmatched)
            return f"no photograph is of the camera {name}: {self._suggestion(name)}"
        first, last = self._time_range
        return (
            f"nothing is selected by {self._selection.describe()}: photographs of these cameras were taken "
            f"from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}"
        )

    def _suggestion(self, name: str) -> str:
        known = sorted(self._cameras)
        similar = get_close_matches(name, [*known, *{f"{camera.split('/')[0]}/*" for camera in known}], 3)
        if similar:
            return f"did you mean {', '.join(similar)}?"
        more = f" and {len(known) - _MAX_CAMERAS_LISTED} more" if len(known) > _MAX_CAMERAS_LISTED else ""
        return f"there are {', '.join(known[:_MAX_CAMERAS_LISTED])}{more}"
