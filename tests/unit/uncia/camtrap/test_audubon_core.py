"""Recordings and calls as Audubon Core: what counts, and what the rows say."""

from datetime import timedelta

import pytest

from tests.paths import EVENT_SAMPLES
from uncia.camtrap.audubon_core import MEDIA_COLUMNS, REGION_COLUMNS, current_results, media_row, region_row
from uncia.events import BurstCategory, RecordingAnalysed, SoundHeard

CALL = SoundHeard.from_bytes((EVENT_SAMPLES / "camera.sound.heard.v1.json").read_bytes())
RECORDING = RecordingAnalysed.from_bytes((EVENT_SAMPLES / "camera.recording.analysed.v1.json").read_bytes())
REJECTED = RecordingAnalysed.from_bytes((EVENT_SAMPLES / "camera.recording.analysed.v1.rejected.json").read_bytes())
LATER = RECORDING.model_copy(
    update={"analysed_at": RECORDING.analysed_at + timedelta(hours=1), "model": "audio_classifier@3"}
)


def test_rows_have_the_columns_of_their_tables() -> None:
    region = region_row(CALL)
    assert region is not None
    assert (tuple(media_row(RECORDING)), tuple(region)) == (MEDIA_COLUMNS, REGION_COLUMNS)


def test_a_call_is_a_region_of_its_recording_in_seconds() -> None:
    region = region_row(CALL)
    assert region is not None
    assert region["ac:isROIOf"] == media_row(RECORDING)["dcterms:identifier"]
    assert (region["ac:startTime"], region["ac:endTime"]) == (12.0, 16.5)


def test_a_voice_is_left_out() -> None:
    assert region_row(CALL.model_copy(update={"category": BurstCategory.PERSON})) is None


@pytest.mark.parametrize("order", [[RECORDING, LATER], [LATER, RECORDING]], ids=["in order", "late"])
def test_calls_of_an_earlier_version_are_superseded_in_any_order_of_arrival(order: list[RecordingAnalysed]) -> None:
    newer = CALL.model_copy(update={"model": "audio_classifier@3", "call_id": "cal-newer"})
    assert current_results(order, [newer, CALL]) == ([LATER], [newer])


@pytest.mark.parametrize("later_is_read_first", [False, True])
def test_the_latest_result_of_two_copies_counts_in_any_order_of_arrival(later_is_read_first: bool) -> None:
    copy = LATER.model_copy(update={"key": "ridge/audio-02/copy.wav"})
    order = [copy, RECORDING] if later_is_read_first else [RECORDING, copy]
    newer = CALL.model_copy(update={"model": "audio_classifier@3", "call_id": "cal-newer"})
    assert current_results(order, [CALL, newer]) == ([copy], [newer])


def test_a_repetition_counts_once() -> None:
    assert current_results([RECORDING, RECORDING], [CALL, CALL]) == ([RECORDING], [CALL])


def test_calls_of_a_recording_that_was_overwritten_by_an_unreadable_one_are_left_out() -> None:
    rejected = REJECTED.model_copy(update={"analysed_at": LATER.analysed_at, "recording_id": "rec-other"})
    assert current_results([RECORDING, rejected], [CALL]) == ([], [])
