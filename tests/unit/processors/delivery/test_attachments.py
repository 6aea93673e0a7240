"""Pictures of EarthRanger and Gundi by servers on loopback, and crops by an S3 server on loopback."""

import email
import email.policy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.processors.delivery.http_receiver import Answer, Receiver, Request, receiving
from tests.unit.processors.delivery.picture_examples import GPS, crop, jpeg, jpeg_with_exif
from tests.unit.processors.delivery.test_earthranger import earthranger, gundi
from uncia.errors import DependencyDown, PermanentError
from uncia.imaging.metadata_removal import without_metadata
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.earthranger import EarthRangerSender, GundiSender
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.picture_queue import CropReference
from uncia.processors.delivery.pictures import Picture, PictureSource, picture_name
from uncia.settings import Settings

FILES = "/api/v1.0/activity/event/event-1/files/"
PICTURE = Picture("uncia-alr-1.jpg", jpeg())


def form(request: Request) -> dict[str, tuple[str | None, str, bytes]]:
    """The fields of a form: file name, content type and content of each, as a server's library reads them."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/form-data"
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(name)] = (part.get_filename(), part.get_content_type(), content)
    return found


class FilesOfAnEvent:
    """The files of an event of an EarthRanger site, and how the next uploads are answered after they were stored."""

    def __init__(self, *answers: Answer, paged: bool = True) -> None:
        self.files: dict[str, bytes] = {}
        self.answers = list(answers)
        self.uploads = 0
        self._paged = paged

    def respond(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != "Bearer t0ken":
            return Answer(401)
        if not request.path.startswith(FILES):
            return Answer(404)
        if request.method == "GET":
            files = [{"id": name, "filename": name} for name in self.files]
            data = {"count": len(files), "results": files} if self._paged else files
            return Answer(200, body=json.dumps({"data": data, "status": {"code": 200}}).encode())
        ((field, (name, kind, content)),) = form(request).items()
        assert (field, kind) == ("filecontent.file", "image/jpeg")
        self.uploads += 1
        self.files[str(name)] = content
        return self.answers.pop(0) if self.answers else Answer(201, body=b'{"data": {"id": "f-1"}}')


def attach(one: Channel, *, reached: bool = False) -> None:
    EarthRangerSender(one).attach("event-1", PICTURE, reached)


def test_a_picture_is_a_file_of_its_event(tmp_path: Path) -> None:
    site = FilesOfAnEvent()
    with receiving(respond=site.respond) as receiver:
        attach(earthranger(receiver, tmp_path))
    assert site.files == {"uncia-alr-1.jpg": PICTURE.jpeg}
    assert [request.path for request in receiver.requests] == [FILES]


@pytest.mark.parametrize(
    "lost", [Answer(drop=True), Answer(hang=True), Answer(502), Answer(504)], ids=["dies", "hangs", "502", "504"]
)
@pytest.mark.parametrize("paged", [True, False])
def test_a_picture_whose_answer_was_lost_is_found_and_not_attached_again(
    tmp_path: Path, lost: Answer, paged: bool
) -> None:
    site = FilesOfAnEvent(lost, paged=paged)
    with receiving(respond=site.respond) as receiver:
        one = replace(earthranger(receiver, tmp_path), timeout_s=1.0)
        with pytest.raises(SendFailed) as caught:
            attach(one)
        assert caught.value.may_have_arrived
        attach(one, reached=True)
    assert site.uploads == 1


def test_an_answer_that_breaks_off_behind_its_status_is_enough(tmp_path: Path) -> None:
    site = FilesOfAnEvent(Answer(201, body=b'{"data"', cut=True))
    with receiving(respond=site.respond) as receiver:
        attach(earthranger(receiver, tmp_path))
    assert site.uploads == 1


def test_a_picture_that_did_not_arrive_is_attached_after_the_list(tmp_path: Path) -> None:
    site = FilesOfAnEvent()
    site.files["photo of a ranger.jpg"] = b""
    with receiving(respond=site.respond) as receiver:
        attach(earthranger(receiver, tmp_path), reached=True)
    assert site.uploads == 1


def test_a_busy_site_says_when_and_a_refusal_is_final(tmp_path: Path) -> None:
    with receiving(Answer(429, {"Retry-After": "90"})) as receiver, pytest.raises(SendFailed) as caught:
        attach(earthranger(receiver, tmp_path))
    assert (caught.value.retry_after_s, caught.value.may_have_arrived) == (90, False)
    for status in (400, 404, 413):
        with receiving(Answer(status)) as receiver, pytest.raises(RefusedForGood, match=str(status)):
            attach(earthranger(receiver, tmp_path))
    with pytest.raises(SendFailed) as refused:
        attach(earthranger(receiver, tmp_path))
    assert not refused.value.may_have_arrived


def test_gundi_gets_an_attachment(tmp_path: Path) -> None:
    with receiving(Answer(200, body=b"[{}]")) as receiver:
        GundiSender(gundi(receiver, tmp_path)).attach("0f3c", PICTURE, False)
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/v2/events/0f3c/attachments/")
    assert request.headers["apikey"] == "t0ken"
    assert form(request) == {"file": ("uncia-alr-1.jpg", "image/jpeg", PICTURE.jpeg)}


def test_a_name_of_a_picture_ends_no_header() -> None:
    assert picture_name('alr-1"\r\nX: ä') == "uncia-alr-1___X___.jpg"


def reference(data: bytes) -> CropReference:
    one = crop(content=data)
    assert one.sha256 is not None
    return CropReference(one.crop_id, one.burst_id, one.bucket, one.key, one.sha256, one.score)


def source(store: Receiver) -> PictureSource:
    return PictureSource(
        Settings(s3_endpoint=store.url, s3_access_key="key", s3_secret_key="secret", s3_region="us-east-1")
    )


def test_a_crop_comes_from_the_store_without_metadata() -> None:
    data = jpeg_with_exif()
    with receiving(Answer(200, body=data)) as store:
        read = source(store).read(reference(data))
    assert read == without_metadata(data)
    assert GPS not in read and b"Exif" not in read
    assert store.requests[0].path.partition("?")[0] == "/uploads/crops/ridge/north/crp-1.jpg"


@pytest.mark.parametrize(
    ("answer", "announced"),
    [
        (Answer(404, body=b"<Error><Code>NoSuchKey</Code></Error>"), jpeg()),
        (Answer(200, body=jpeg(1)), jpeg(2)),
        (Answer(200, body=b"no picture"), b"no picture"),
        (Answer(200, body=bytes(8 * 1_048_576 + 1)), bytes(8 * 1_048_576 + 1)),
    ],
    ids=["deleted", "replaced", "no picture", "too large"],
)
def test_what_is_not_the_crop_that_was_announced_is_refused(answer: Answer, announced: bytes) -> None:
    with receiving(answer) as store, pytest.raises(PermanentError):
        source(store).read(reference(announced))


def test_a_store_that_fails_is_no_property_of_the_crop() -> None:
    with receiving(Answer(503, body=b"<Error><Code>SlowDown</Code></Error>")) as store:
        reader = source(store)
        with pytest.raises(DependencyDown):
            reader.read(reference(jpeg()))
    with pytest.raises(DependencyDown):
        reader.read(reference(jpeg()))
    reader.close()
