"""`uncia fetch`: request whole photographs that gateways behind thin links hold."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from kafka.errors import KafkaError

from uncia.errors import PermanentError, UnciaError
from uncia.events import BurstResolved, BurstStatus, FetchReason, FetchRequested, ImagePredicted
from uncia.fetch_requests import build_request, fetch_id, thumbnails_of
from uncia.kafka.broker import read_topics, send_to_cameras
from uncia.kafka.connection import unavailable
from uncia.settings import settings
from uncia.storage.object_keys import is_thumbnail_key
from uncia.terminal import echo, echo_json
from uncia.topics import BURST_RESOLVED, FETCH_REQUESTED, IMAGE_PREDICTED


class NothingToFetch(UnciaError):
    """No thumbnail is known by that name."""


def fetch(
    target: Annotated[str, typer.Argument(help="Id of an image (`img-…`) or a burst (`bst-…`).", show_default=False)],
    frames: Annotated[int, typer.Option(min=1, max=200, help="Of a burst: how many photographs, the best first.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per request.")] = False,
) -> None:
    """Request the whole photographs of thumbnails from a gateway behind a thin link.

    The gateway sends them as soon as its budget of bytes permits. The worker `thin-links` must be running.
    """
    requests = _of_burst(target, frames) if target.startswith("bst-") else [_of_image(target)]
    messages = [(one.camera, one.camera.encode(), one.to_bytes()) for one in requests]
    try:
        send_to_cameras(settings(), FETCH_REQUESTED, messages)
    except KafkaError as error:
        raise unavailable(settings(), error) from error
    for one in requests:
        if as_json:
            echo_json({"fetch_id": one.fetch_id, "image_id": one.image_id, "camera": one.camera, "key": one.key})
        else:
            echo(f"requested {one.image_id} of {one.camera}, which its gateway knows as {one.fetch_id}")


def _of_burst(burst_id: str, frames: int) -> list[FetchRequested]:
    found = [burst for burst in _events(BURST_RESOLVED, burst_id, BurstResolved) if burst.burst_id == burst_id]
    if not found:
        raise NothingToFetch(
            f"no burst {burst_id!r} on {BURST_RESOLVED.full_name(settings())}: see `uncia bursts list`"
        )
    burst: BurstResolved = max(found, key=lambda one: one.revision)
    if burst.status is BurstStatus.SUPERSEDED:
        successor = f": fetch {burst.superseded_by}" if burst.superseded_by else ""
        raise NothingToFetch(f"the burst {burst_id} was superseded{successor}")
    thumbnails = thumbnails_of(burst)[:frames]
    if not thumbnails:
        raise NothingToFetch(f"the burst {burst_id} has no thumbnail: its photographs are stored whole")
    now = datetime.now(UTC)
    return [build_request(burst, frame, FetchReason.PERSON, now) for frame in thumbnails]


def _of_image(image_id: str) -> FetchRequested:
    if not image_id.startswith("img-"):
        raise NothingToFetch(f"{image_id!r} is no id of an image (img-…) or burst (bst-…)")
    found: list[ImagePredicted] = [
        image for image in _events(IMAGE_PREDICTED, image_id, ImagePredicted) if image.image_id == image_id
    ]
    if not found:
        topic = IMAGE_PREDICTED.full_name(settings())
        raise NothingToFetch(f"no image {image_id!r} on {topic}: see `uncia bursts explain BURST` for the ids")
    image = max(found, key=lambda one: one.predicted_at)
    if not is_thumbnail_key(image.key):
        raise NothingToFetch(f"{image_id} is stored whole, as {image.bucket}/{image.key}")
    return FetchRequested(
        fetch_id=fetch_id(image.key),
        station=image.station,
        camera=image.camera,
        image_id=image_id,
        key=image.key,
        reason=FetchReason.PERSON,
        requested_at=datetime.now(UTC),
    )


def _events(topic: Any, wanted: str, kind: Any) -> Iterator[Any]:
    """The events of a topic in which an id occurs."""
    for message in read_topics(settings(), (topic,), from_beginning=True, until_end=True):
        if message.value is None or wanted.encode() not in message.value:
            continue
        try:
            yield kind.from_bytes(message.value)
        except PermanentError:
            continue
