"""A page shows the content that was judged, or says why it cannot; it opens nothing that was rejected."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image, ImageFile

from tests.unit.dashboard.model_compare.test_model_comparison import said
from uncia import ids
from uncia.dashboard.contact_sheet.collect import Results
from uncia.dashboard.contact_sheet.page import render
from uncia.dashboard.contact_sheet.thumbnails import (
    GONE,
    REPLACED,
    UNREADABLE,
    JudgedContent,
    Pictures,
    Thumbnail,
    thumbnail,
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


class Shelf:
    """A store with one key. `None` stands for the key without a version id."""

    def __init__(self, now: ObjectContent | None, versions: dict[str, ObjectContent] | None = None) -> None:
        self.held: dict[str | None, ObjectContent | None] = {None: now, **(versions or {})}
        self.lists = True

    def read(self, bucket: str, key: str, *, max_bytes: int, version_id: str | None = None) -> ObjectContent:
        content = self.held.get(version_id, self.held[None])
        if content is None:
            raise ObjectMissing("object-missing", "gone")
        if len(content.data) > max_bytes:
            raise ObjectTooLarge("object-too-large", "large")
        return content

    def versions(self, bucket: str, key: str) -> Iterator[StoredObject]:
        if not self.lists:
            raise AccessRefused("no")
        for name, content in self.held.items():
            if name is not None and content is not None:
                yield StoredObject(key, content.etag, len(content.data), NOW, name)


def shown(shelf: Shelf, judged: JudgedContent, max_bytes: int = 1 << 20) -> Thumbnail:
    return Pictures(shelf, max_bytes=max_bytes, max_pixels=1_000_000)(judged)  # type: ignore[arg-type]


def of(content: ObjectContent, *, etag: str | None = None, version_id: str | None = None) -> JudgedContent:
    """As it was judged; `etag` as it was announced, where that is another."""
    upload_id = ids.upload_id(BUCKET, KEY, content.etag if etag is None else etag)
    return JudgedContent("s/c", BUCKET, KEY, upload_id, ids.image_id("s/c", ids.content_hash(content.data)), version_id)


def test_what_was_judged_is_shown_where_it_still_stands() -> None:
    assert shown(Shelf(FIRST), of(FIRST)) == Thumbnail(thumbnail(FIRST.data))


def test_another_picture_under_the_same_key_is_never_shown() -> None:
    assert shown(Shelf(SECOND), of(FIRST)) == Thumbnail(None, REPLACED)


def test_what_is_gone_is_said_to_be_gone() -> None:
    assert shown(Shelf(None), of(FIRST)) == Thumbnail(None, GONE)


def test_the_version_that_was_judged_is_shown_though_a_newer_one_stands_there() -> None:
    shelf = Shelf(SECOND, {"v1": FIRST, "v2": SECOND})
    assert shown(shelf, of(FIRST, version_id="v1")).url == thumbnail(FIRST.data)


@pytest.mark.parametrize("now", [SECOND, None], ids=["overwritten", "deleted"])
def test_an_older_version_is_found_by_its_upload_id_alone(now: ObjectContent | None) -> None:
    assert shown(Shelf(now, {"v1": FIRST, "v2": SECOND}), of(FIRST)).url == thumbnail(FIRST.data)


def test_a_store_that_does_not_list_versions_has_none() -> None:
    shelf = Shelf(SECOND, {"v1": FIRST})
    shelf.lists = False
    assert shown(shelf, of(FIRST)) == Thumbnail(None, REPLACED)


def test_the_same_bytes_under_another_etag_are_still_what_was_judged() -> None:
    encrypted_anew = ObjectContent(FIRST.data, "ccc-2")
    assert shown(Shelf(encrypted_anew), of(FIRST)).url is not None


def test_an_upload_that_was_announced_without_an_etag_is_known_by_what_was_read() -> None:
    assert shown(Shelf(FIRST), of(FIRST, etag="")).url is not None
    assert shown(Shelf(SECOND), of(FIRST, etag="")) == Thumbnail(None, REPLACED)


def test_what_is_too_large_or_no_photograph_is_not_readable() -> None:
    assert shown(Shelf(FIRST), of(FIRST), max_bytes=10) == Thumbnail(None, UNREADABLE)
    text = ObjectContent(b"text", "ttt")
    assert shown(Shelf(text), of(text)) == Thumbnail(None, UNREADABLE)


def test_a_store_that_is_down_ends_the_page_with_an_error() -> None:
    shelf = Shelf(FIRST)
    shelf.read = lambda *_, **__: (_ for _ in ()).throw(DependencyDown("down"))  # type: ignore[method-assign]
    with pytest.raises(DependencyDown):
        shown(shelf, of(FIRST))


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/tmp/x) (w) file\n%%EOF\n"


def other_kinds() -> Iterator[bytes]:
    yield EPS
    yield b"\xc5\xd0\xd3\xc6" + EPS
    for kind in ("PNG", "TIFF", "GIF", "BMP", "WEBP", "PPM", "TGA", "ICO"):
        out = io.BytesIO()
        Image.new("RGB", (64, 64)).save(out, kind)
        yield out.getvalue()


@pytest.mark.parametrize("data", list(other_kinds()))
def test_no_decoder_but_the_streams_own_is_tried(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    def never(*_: object) -> None:
        raise AssertionError("another decoder was tried")

    monkeypatch.setattr(Image, "open", never)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", never)
    monkeypatch.setattr(ImageFile, "Parser", never)
    assert thumbnail(data) is None


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


def test_a_rejected_frame_is_not_opened_and_one_that_is_gone_says_so() -> None:
    opened: list[str] = []

    def load(judged: JudgedContent) -> Thumbnail:
        opened.append(judged.upload_id)
        return Thumbnail(None, REPLACED)

    rejected = frame(2, Rejection(reason="image-not-jpeg", message="EPS"))
    html = render(Results(bursts={"bst-1": burst(frame(1), rejected)}), load, title="T", summary={})
    assert opened == ["upl-1"]
    assert f"no picture: {REPLACED}" in html
    assert "no picture: image-not-jpeg" in html


def predicted(rejection: Rejection | None = None) -> ImagePredicted:
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


def test_one_junk_message_on_any_topic_does_not_end_a_report() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    topics = [topic.full_name(settings) for topic in (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER)]
    junk = [Message(topic, 0, at, 0, value, value, []) for topic in topics for at, value in enumerate(JUNK)]
    good = Message(topics[1], 0, 99, 0, b"bst-1", burst(frame(1)).to_bytes(), [])
    results = Results.of([*junk, good], settings)
    html = render(results, lambda judged: Thumbnail("data:image/jpeg;base64,AAAA"), title="T", summary={})
    assert list(results.bursts) == ["bst-1"]
    # An empty message on the compacted topic takes a burst away.
    assert f"{2 * len(JUNK) - 1} messages on the topics are no events" in html


def test_a_file_that_was_read_in_the_end_is_not_listed_as_rejected() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    name = IMAGE_PREDICTED.full_name(settings)
    missing = predicted(Rejection(reason="object-missing", message=""))
    judged = said("upl-1", "1", "goat")
    messages = [Message(name, 0, at, 0, b"", event.to_bytes(), []) for at, event in enumerate((missing, judged))]
    assert Results.of(messages, settings).rejected == {}
    assert set(Results.of(messages[:1], settings).rejected) == {"upl-1"}
