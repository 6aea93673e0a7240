"""What single values look like on the wire."""

import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from uncia.events import ClassVector, ClockTicked, FocusScore

NEPAL = timezone(timedelta(hours=5, minutes=45))


def test_moments_are_written_in_utc_wherever_they_were_taken() -> None:
    event = ClockTicked(partition=0, now=datetime(2026, 1, 1, 5, 45, tzinfo=NEPAL), position=0)
    assert json.loads(event.to_bytes())["now"] == "2026-01-01T00:00:00Z"


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError):
        ClockTicked(partition=0, now=datetime(2026, 1, 1), position=0)


def test_text_of_all_languages_is_written_as_it_is() -> None:
    score = FocusScore(taxon="Panthera uncia", label="снежный барс", score=0.5, threshold=0.02)
    assert "снежный барс" in score.model_dump_json()


def test_events_are_values() -> None:
    event = ClockTicked(partition=0, now=datetime(2026, 1, 1, tzinfo=UTC), position=0)
    with pytest.raises(ValidationError):
        event.partition = 1  # type: ignore[misc]


def test_a_class_vector_comes_back_within_half_a_thousandth() -> None:
    values = np.linspace(0, 1, 1000, dtype=np.float32)
    assert np.abs(ClassVector.pack(values).unpack() - values).max() < 0.0005


def test_a_thousand_classes_take_less_than_three_kilobytes() -> None:
    assert len(ClassVector.pack(np.zeros(1000, dtype=np.float32)).f16) < 3000


def test_a_class_vector_with_a_wrong_length_is_refused() -> None:
    packed = ClassVector.pack(np.zeros(4, dtype=np.float32))
    with pytest.raises(ValueError, match="has 4 values, but its length is 5"):
        packed.model_copy(update={"length": 5}).unpack()


@pytest.mark.parametrize(("score", "present"), [(0.0199, False), (0.02, True), (0.9, True)])
def test_a_focus_taxon_is_present_from_its_own_threshold(score: float, present: bool) -> None:
    assert FocusScore(taxon="Panthera uncia", label="", score=score, threshold=0.02).present is present
