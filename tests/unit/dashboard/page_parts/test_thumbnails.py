"""A page shows the assessed content or explains why it cannot, and opens no rejected photograph."""

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image, ImageFile

from tests.unit.dashboard.model_compare.test_comparison import predicted
from uncia import ids
from uncia.camtrap.hidden_people import HiddenPeople
from uncia.dashboard.contact_sheet.page import render
from uncia.dashboard.contact_sheet.results import ResultSet
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.thumbnails import (
    GONE,
    PERSON,
    REPLACED,
    UNREADABLE,
    Thumbnail,
    ThumbnailLoader,
    thumbnail_url,
)
from uncia.errors import DependencyDown
from uncia.events import (
    BurstFrame,
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    ImagePredicted,
    Rejection,
    Trigger,
)
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectContent, ObjectMissing, ObjectTooLarge, StoredObject
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BUCKET, KEY = "b", "s/c/1.jpg"


def jpeg(shade: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((90, 120, 3), shade, np.uint8)).save(out, "JPEG")
    return out.getvalue()


FIRST, SECOND = ObjectContent(jpeg(40), "aaa"), ObjectContent(jpeg(200), "bbb")


class OneKeyStore:
    """A store with one key. Version None is the current one."""

    def __init__(
        self, now: ObjectContent | None, versions: Mapping[str | None, ObjectContent | None] | None = None
    ) -> None:
        self.contents: dict[str | None, ObjectContent | None] = {None: now, **(versions or {})}
        self.lists = True

    def read(self, bucket: str, key: str, *, max_bytes: int, version_id: str | None = None) -> ObjectContent:
        content = self.contents.get(version_id, self.contents[None])
        if content is None:
            raise ObjectMissing("object-missing", "gone")
        if len(content.data) > max_bytes:
            raise ObjectTooLarge("object-too-large", "large")
        return content

    def versions(self, bucket: str, key: str) -> Iterator[StoredObject]:
        if not self.lists:
            raise AccessRefused("no")
        for name, content in self.contents.items():
            if name is not None and content is not None:
                yield StoredObject(key, content.etag, len(content.data), NOW, name)


def load_thumbnail(
    store: OneKeyStore, assessed: AssessedContent, max_bytes: int = 1 << 20, hidden: HiddenPeople | None = None
) -> Thumbnail:
    load = ThumbnailLoader(
        store,  # type: ignore[arg-type]
        lambda image_id: hidden if image_id == assessed.image_id else None,
        max_bytes=max_bytes,
        max_pixels=1_000_000,
    )
    return load(assessed)


def assessed_content(
    content: ObjectContent, *, etag: str | None = None, version_id: str | None = None
) -> AssessedContent:
    """The identity of a content; `etag`: that assessed_content its upload event, where it differs."""
    upload_id = ids.upload_id(BUCKET, KEY, content.etag if etag is None else etag)
    return AssessedContent(
        "s/c", BUCKET, KEY, upload_id, ids.image_id("s/c", ids.content_hash(content.data)), version_id
    )


def test_the_assessed_content_is_shown_while_it_is_stored() -> None:
    assert load_thumbnail(OneKeyStore(FIRST), assessed_content(FIRST)) == Thumbnail(thumbnail_url(FIRST.data))


def test_a_person_is_blurred_and_one_whose_place_is_not_known_withholds_the_photograph() -> None:
    hidden = HiddenPeople(((0.2, 0.2, 0.4, 0.4),))
    blurred = load_thumbnail(OneKeyStore(FIRST), assessed_content(FIRST), hidden=hidden)
    assert blurred.url == thumbnail_url(FIRST.data, blurred=hidden.boxes)
    withheld = load_thumbnail(OneKeyStore(FIRST), assessed_content(FIRST), hidden=HiddenPeople(()))
    assert withheld == Thumbnail(None, PERSON)


def test_another_photograph_under_the_same_key_is_never_shown() -> None:
    assert load_thumbnail(OneKeyStore(SECOND), assessed_content(FIRST)) == Thumbnail(None, REPLACED)


def test_a_removed_object_is_reported() -> None:
    assert load_thumbnail(OneKeyStore(None), assessed_content(FIRST)) == Thumbnail(None, GONE)


def test_the_assessed_version_is_shown_although_a_newer_one_exists() -> None:
    store = OneKeyStore(SECOND, {"v1": FIRST, "v2": SECOND})
    assert load_thumbnail(store, assessed_content(FIRST, version_id="v1")).url == thumbnail_url(FIRST.data)


@pytest.mark.parametrize("now", [SECOND, None], ids=["overwritten", "deleted"])
def test_an_older_version_is_found_by_its_upload_id_alone(now: ObjectContent | None) -> None:
    assert load_thumbnail(OneKeyStore(now, {"v1": FIRST, "v2": SECOND}), assessed_content(FIRST)).url == thumbnail_url(
        FIRST.data
    )


def test_a_store_that_does_not_list_versions_has_none() -> None:
    store = OneKeyStore(SECOND, {"v1": FIRST})
    store.lists = False
    assert load_thumbnail(store, assessed_content(FIRST)) == Thumbnail(None, REPLACED)


def test_the_same_bytes_under_another_etag_are_recognised() -> None:
    reencrypted = ObjectContent(FIRST.data, "ccc-2")
    assert load_thumbnail(OneKeyStore(reencrypted), assessed_content(FIRST)).url is not None


def test_an_upload_without_an_etag_is_recognised_by_its_content() -> None:
    assert load_thumbnail(OneKeyStore(FIRST), assessed_content(FIRST, etag="")).url is not None
    assert load_thumbnail(OneKeyStore(SECOND), assessed_content(FIRST, etag="")) == Thumbnail(None, REPLACED)


def test_a_large_object_or_one_that_is_not_a_photograph_is_unreadable() -> None:
    assert load_thumbnail(OneKeyStore(FIRST), assessed_content(FIRST), max_bytes=10) == Thumbnail(None, UNREADABLE)
    text = ObjectContent(b"text", "ttt")
    assert load_thumbnail(OneKeyStore(text), assessed_content(text)) == Thumbnail(None, UNREADABLE)


def test_an_unavailable_store_is_an_error() -> None:
    store = OneKeyStore(FIRST)
    store.read = lambda *_, **__: (_ for _ in ()).throw(DependencyDown("down"))  # type: ignore[method-assign]
    with pytest.raises(DependencyDown):
        load_thumbnail(store, assessed_content(FIRST))


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/tmp/x) (w) file\n%%EOF\n"


def other_kinds() -> Iterator[bytes]:
    yield EPS
    yield b"\xc5\xd0\xd3\xc6" + EPS
    for kind in ("PNG", "TIFF", "GIF", "BMP", "WEBP", "PPM", "TGA", "ICO"):
        out = io.BytesIO()
        Image.new("RGB", (64, 64)).save(out, kind)
        yield out.getvalue()


@pytest.mark.parametrize("data", list(other_kinds()))
def test_only_the_jpeg_decoder_is_used(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    def never(*_: object) -> None:
        raise AssertionError("another decoder was used")

    monkeypatch.setattr(Image, "open", never)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", never)
    monkeypatch.setattr(ImageFile, "Parser", never)
    assert thumbnail_url(data) is None


def frame(number: int, rejection: Rejection | None = None) -> BurstFrame:
    return BurstFrame(
        image_id=f"img-{number}",
        upload_id=f"upl-{number}",
        bucket=BUCKET,
        key=f"s/c/{number}.jpg",
        captured_at=datetime(2026, 5, 1, 4),
        uploaded_at=NOW,
        predicted_at=NOW,
        rejection=rejection,
    )


def burst(*frames: BurstFrame) -> BurstResolved:
    return BurstResolved(
        burst_id="bst-1",
        revision=1,
        status=BurstStatus.FINAL,
        station="s",
        camera="s/c",
        trigger=Trigger.MOTION,
        started_at=datetime(2026, 5, 1, 4),
        ended_at=datetime(2026, 5, 1, 4),
        frames=frames,
        rule="log-odds/1",
        settings="set-1",
    )


def test_a_rejected_frame_is_not_opened_and_a_missing_one_is_explained() -> None:
    opened: list[str] = []

    def load(assessed: AssessedContent) -> Thumbnail:
        opened.append(assessed.upload_id)
        return Thumbnail(None, REPLACED)

    rejected = frame(2, Rejection(reason="image-not-jpeg", message="EPS"))
    html = render(ResultSet(bursts={"bst-1": burst(frame(1), rejected)}), load, title="T", summary={})
    assert opened == ["upl-1"]
    assert f"no picture: {REPLACED}" in html
    assert "no picture: image-not-jpeg" in html


def prediction_event(rejection: Rejection | None = None) -> ImagePredicted:
    return ImagePredicted(
        upload_id="upl-1",
        image_id="img-1",
        station="s",
        camera="s/c",
        bucket=BUCKET,
        key=KEY,
        etag="aaa",
        version_id="v1",
        size=1,
        uploaded_at=NOW,
        predicted_at=NOW,
        capture=Capture(time=NOW.replace(tzinfo=None), time_source=CaptureTimeSource.EXIF),
        rejection=rejection,
    )


JUNK = [None, b"", b"junk", b"\xff\x00", b"{}", b"[]", b"null", b'{"event":7}', b"[" * 100_000]


def test_unreadable_messages_are_counted_and_skipped() -> None:
    settings = Settings(_env_file=None)
    topics = [topic.full_name(settings) for topic in (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER)]
    junk = [Message(topic, 0, offset, 0, value, value, []) for topic in topics for offset, value in enumerate(JUNK)]
    good = Message(topics[1], 0, 99, 0, b"bst-1", burst(frame(1)).to_bytes(), [])
    results = ResultSet.of([*junk, good], settings)
    html = render(results, lambda assessed: Thumbnail("data:image/jpeg;base64,AAAA"), title="T", summary={})
    assert list(results.bursts) == ["bst-1"]
    # An empty message on the compacted topic removes a burst.
    assert f"{2 * len(JUNK) - 1} messages on the topics are not events" in html


def test_a_file_that_was_read_later_is_not_listed_as_rejected() -> None:
    settings = Settings(_env_file=None)
    name = IMAGE_PREDICTED.full_name(settings)
    missing = prediction_event(Rejection(reason="object-missing", message=""))
    assessed = predicted("upl-1", "1", "goat")
    messages = [
        Message(name, 0, offset, 0, b"", event.to_bytes(), []) for offset, event in enumerate((missing, assessed))
    ]
    assert ResultSet.of(messages, settings).rejected == {}
    assert set(ResultSet.of(messages[:1], settings).rejected) == {"upl-1"}
