"""From the store to a frame, with a store that the test plays."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from PIL import Image

from uncia.errors import DependencyDown, PermanentError
from uncia.events import ImageUploaded
from uncia.imaging.frame_spec import FrameSpec
from uncia.processors.predict.image_loading import LoadedPhotograph, ModelFrames, PhotographLoader
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectChanged, ObjectContent, ObjectMissing, ObjectTooLarge


def photograph() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((900, 660), 40).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def upload(announced_ago_s: float = 0, moved_to: str | None = None, key: str = "ridge/cam-1/x.jpg") -> ImageUploaded:
    now = datetime.now(UTC)
    return ImageUploaded(
        upload_id="upl-1",
        station="ridge",
        camera="ridge/cam-1",
        bucket="b",
        key=key,
        etag="e",
        size=1,
        uploaded_at=now,
        announced_at=now - timedelta(seconds=announced_ago_s),
        moved_to=moved_to,
    )


def read(
    *responses: bytes | Exception,
    grace_s: float = 0.3,
    announced_ago_s: float = 0,
    moved_to: str | None = None,
    key: str = "ridge/cam-1/x.jpg",
) -> tuple[LoadedPhotograph, int]:
    """The result, and the number of requests to the store, which repeats its last response."""
    requests = 0

    def get(bucket: str, key: str, **announced: object) -> ObjectContent:
        nonlocal requests
        response = responses[min(requests, len(responses) - 1)]
        requests += 1
        if isinstance(response, Exception):
            raise response
        return ObjectContent(response, "e")

    async def scene() -> LoadedPhotograph:
        photographs = PhotographLoader(
            Settings(missing_grace_s=grace_s),
            SimpleNamespace(read=get),  # type: ignore[arg-type]
        )
        try:
            return await photographs.load(upload(announced_ago_s, moved_to, key), ModelFrames(FrameSpec()))
        finally:
            photographs.close()

    return asyncio.run(scene()), requests


MISSING = ObjectMissing("object-missing", "gone")


def test_a_photograph_is_read_once_and_decoded() -> None:
    result, requests = read(photograph())
    assert requests == 1
    assert result.frames is not None
    assert result.frames.classifier.shape == (320, 448, 3)
    assert (result.capture.width, result.capture.height) == (900, 660)
    assert result.rejection is None


@pytest.mark.parametrize("name", ["20260514T213600-file-time-0f1e2d3c4b5a6978.mp4", "EK000003.AVI", "clip.mov"])
def test_a_video_is_answered_as_not_analysed_without_being_fetched(name: str) -> None:
    result, requests = read(photograph(), key=f"ridge/cam-1/{name}")
    assert (requests, result.frames, result.sha256) == (0, None, None)
    assert result.rejection is not None
    assert result.rejection.reason == "video-not-analysed"
    assert "not analysed: a video" in str(result.rejection)


def test_a_video_that_moved_to_another_camera_is_looked_for() -> None:
    result, _ = read(MISSING, moved_to="ridge/cam-2/clip.mp4", key="ridge/cam-1/clip.mp4")
    assert result.rejection is not None
    assert result.rejection.reason == "object-moved"


def test_a_photograph_that_cannot_be_decoded_keeps_its_hash_and_its_metadata() -> None:
    result, _ = read(photograph()[:5000])
    assert result.frames is None
    assert result.rejection is not None
    assert result.rejection.reason == "image-truncated"
    assert result.sha256 is not None


@pytest.mark.parametrize(
    "down", [DependencyDown("restarting"), AccessRefused("wrong key")], ids=["down", "access refused"]
)
def test_a_store_in_trouble_is_waited_for(down: Exception) -> None:
    result, requests = read(down, down, photograph())
    assert (result.rejection, requests) == (None, 3)


def test_an_object_that_shows_late_is_found() -> None:
    result, requests = read(MISSING, photograph(), grace_s=5)
    assert (result.rejection, requests) == (None, 2)


def test_an_object_that_is_gone_is_rejected_after_the_grace() -> None:
    result, requests = read(MISSING, grace_s=0.3)
    assert result.rejection is MISSING
    assert requests >= 2


def test_an_object_announced_long_ago_is_looked_for_twice_only() -> None:
    assert read(MISSING, grace_s=60, announced_ago_s=3600)[1] == 2


def test_an_object_that_is_too_large_is_rejected_unread() -> None:
    result, requests = read(ObjectTooLarge("object-too-large", "70 MB"))
    assert isinstance(result.rejection, PermanentError)
    assert (result.rejection.reason, result.sha256, requests) == ("object-too-large", None, 1)


def test_nothing_else_is_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        read(ZeroDivisionError())


def changed(stored_ago_s: float) -> ObjectChanged:
    return ObjectChanged("another picture", datetime.now(UTC) - timedelta(seconds=stored_ago_s))


def test_an_object_that_was_stored_anew_is_rejected_at_once_and_with_nothing_of_its_new_content() -> None:
    # Stored after the announced content; the announcement is made a moment from now.
    result, requests = read(changed(-60), grace_s=60)
    assert requests == 1
    assert result.rejection is not None
    assert result.rejection.reason == "object-changed"
    assert (result.sha256, result.frames, result.etag, result.size) == (None, None, "", 0)
    assert result.capture.time_source == "upload"


def test_a_store_that_still_shows_the_content_before_is_looked_at_again() -> None:
    result, requests = read(changed(3600), photograph(), grace_s=5)
    assert (result.rejection, requests) == (None, 2)


@pytest.mark.parametrize("stored_ago_s", [3600, -3600], ids=["older content", "newer content"])
def test_another_content_that_stays_is_rejected(stored_ago_s: float) -> None:
    result, _ = read(changed(stored_ago_s), grace_s=0.3)
    assert result.rejection is not None
    assert result.rejection.reason == "object-changed"


def test_a_store_that_tells_no_time_of_the_new_content_is_looked_at_again() -> None:
    result, requests = read(ObjectChanged("another picture"), photograph(), grace_s=5)
    assert (result.rejection, requests) == (None, 2)


def test_what_was_read_has_its_etag_and_size() -> None:
    data = photograph()
    result, _ = read(data)
    assert (result.etag, result.size) == ("e", len(data))


def test_an_object_that_moved_away_is_withdrawn_without_waiting() -> None:
    result, requests = read(MISSING, grace_s=60, moved_to="ridge/cam-2/x.jpg")
    assert requests == 1
    assert result.rejection is not None
    assert result.rejection.reason == "object-moved"
    assert "ridge/cam-2/x.jpg" in str(result.rejection)


def test_an_object_that_appears_later_is_loaded() -> None:
    result, _ = read(photograph(), moved_to="ridge/cam-2/x.jpg")
    assert result.frames is not None
