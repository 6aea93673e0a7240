"""Keys that some part of the stream cannot carry are refused where they come in."""

from datetime import UTC, datetime

import pytest

from tests.unit.processors.intake.filer_events import entry, event, uploads_of
from uncia.errors import PermanentError
from uncia.processors.intake.keys import KeyPattern
from uncia.processors.intake.worker import Intake
from uncia.settings import Settings

DEFAULT = KeyPattern(Settings.model_fields["key_pattern"].default)
LOGGED_AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("ridge/cam/a\0.jpg", "control characters"),
        ("ridge/cam/" + "\x01" * 980 + ".jpg", "control characters"),
        ("ridge/cam\n/a.jpg", "control characters"),
        ("ridge/cam/\x1b[2J.jpg", "control characters"),
        ("ridge/cam/\x9b2J.jpg", "control characters"),
        ("ridge/cam/" + "ü" * 600 + ".jpg", "1,024"),
        ("ridge/cam/../../secrets/a.jpg", "resolve"),
        ("ridge/cam/..", "resolve"),
    ],
)
def test_a_key_that_not_everything_can_carry_is_refused_with_its_reason(key: str, words: str) -> None:
    with pytest.raises(PermanentError, match=words) as refused:
        DEFAULT.identify(key)
    assert refused.value.reason == "key-unusable"
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2000


@pytest.mark.parametrize("key", ["./cam/a.jpg", "ridge/./a.jpg"])
def test_a_level_that_names_nothing_is_no_station_and_no_camera(key: str) -> None:
    with pytest.raises(PermanentError) as refused:
        DEFAULT.identify(key)
    assert refused.value.reason == "key-outside-pattern"


@pytest.mark.parametrize("key", ["ridge/cam/a..b.jpg", "ridge/cam/..a/x.jpg", "ridge/cam/[/x]‮.jpg"])
def test_a_key_that_is_only_odd_is_taken(key: str) -> None:
    assert DEFAULT.identify(key).camera == "ridge/cam"


def test_an_upload_whose_store_tells_no_time_has_that_of_its_notification(intake: Intake) -> None:
    raw = event(new=entry("x.jpg", mtime=2**64 - 1, s3_etag="00"))
    announced, problem = uploads_of(intake, raw, b"/buckets/camera-uploads/ridge/cam-1/x", LOGGED_AT)
    assert problem is None
    assert announced[0].uploaded_at == LOGGED_AT
