"""The store's notifications become upload events, whichever S3 client uploaded the object."""

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from boto3.s3.transfer import TransferConfig

from tests.stack.conftest import KIND
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer, messages_of_uncia
from uncia import ids
from uncia.events import BurstResolved, ImagePredicted, ImageUploaded
from uncia.identities import PART_IDENTITIES
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_UPLOADED, STORAGE_CHANGED

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]


@pytest.fixture
def announced(settings: Settings, results: ResultConsumer) -> Callable[[str], list[tuple[int, ImageUploaded]]]:
    """Upload events of a station so far, with their partitions; waits for the first."""

    def read(station: str) -> list[tuple[int, ImageUploaded]]:
        messages = messages_of_uncia(settings, IMAGE_UPLOADED)
        events = [
            (message.partition, ImageUploaded.from_bytes(message.value))
            for message in messages
            if (message.key or b"").startswith(station.encode())
        ]
        return [(partition, event) for partition, event in events if event.station == station]

    return lambda station: results.wait_for(lambda: read(station), 30, f"an announcement of {station}")


def test_an_upload_is_announced_as_the_store_holds_it(
    upload: Upload, announced: Callable[..., list[tuple[int, ImageUploaded]]], settings: Settings, station: str
) -> None:
    data = photograph(100)
    etag = upload(f"{station}/cam 1/x.jpg", data)

    partition, event = announced(station)[0]
    assert (event.camera, event.bucket, event.key) == (
        f"{station}/cam 1",
        settings.bucket,
        f"{station}/cam 1/x.jpg",
    )
    assert (event.etag, event.size) == (etag, len(data))
    assert event.upload_id == ids.upload_id(event.bucket, event.key, event.etag)
    assert event.announced_by in ("notification", "reconcile")
    assert abs(event.uploaded_at - datetime.now(UTC)) < timedelta(minutes=2)
    assert partition == partition_of(event.camera, settings.partitions)


def test_a_multipart_upload_is_announced_once_with_the_etag_that_s3_gives(
    store: ObjectStore,
    announced: Callable[..., list[tuple[int, ImageUploaded]]],
    predicted: Predicted,
    settings: Settings,
    station: str,
) -> None:
    key = f"{station}/cam/large.jpg"
    data = photograph(101) + bytes(11 * 1_048_576)
    parts = TransferConfig(multipart_threshold=5 * 1_048_576, multipart_chunksize=5 * 1_048_576)
    store.client.upload_fileobj(io.BytesIO(data), settings.bucket, key, Config=parts)

    image = predicted(key)
    assert image.etag == store.etag(settings.bucket, key)
    assert image.etag.endswith("-3")
    assert {event.key for _, event in announced(station)} == {key}


@pytest.mark.skipif(KIND != "embedded", reason="containers have no key of the store's own for Kafka")
def test_a_notification_that_is_sent_again_with_the_key_of_the_store_is_the_same_upload(
    stack: Stack,
    upload: Upload,
    predicted: Predicted,
    settled: Callable[..., list[BurstResolved]],
    results: ResultConsumer,
    announced: Callable[..., list[tuple[int, ImageUploaded]]],
    settings: Settings,
    station: str,
) -> None:
    key = f"{station}/cam/x.jpg"
    upload(key, photograph(112))
    predicted(key)
    sent = [
        message
        for message in messages_of_uncia(settings, STORAGE_CHANGED)
        if station.encode() in (message.value or b"")
    ]
    producer = connect_producer(stack.settings(PART_IDENTITIES["object-store"]), acks="all")
    try:
        for message in (*sent, *sent):
            producer.send(message.topic, key=message.key, value=message.value, partition=message.partition).get(60)
    finally:
        producer.close()
    results.wait_for(lambda: len(announced(station)) >= 3, 30, "the announcements of the repeated notifications")
    assert len({event.upload_id for _, event in announced(station)}) == 1
    upload(f"{station}/cam/marker.jpg", photograph(113))
    predicted(f"{station}/cam/marker.jpg")
    (burst,) = settled(f"{station}/cam")
    assert [frame.key for frame in burst.frames].count(key) == 1
    assert len(results.predictions(key)) == 1


def test_an_overwritten_object_is_another_upload(upload: Upload, results: ResultConsumer, station: str) -> None:
    key = f"{station}/cam/x.jpg"
    upload(key, photograph(102))
    results.wait_for(lambda: results.predictions(key), 30, "the first prediction")
    upload(key, photograph(103))

    images_by_upload = results.wait_for(
        lambda: images if len(images := {a.upload_id: a for a in results.predictions(key)}) == 2 else None,
        30,
        "the second prediction",
    )
    assert len({image.image_id for image in images_by_upload.values()}) == 2


def test_an_exact_copy_under_another_name_is_the_same_image(upload: Upload, predicted: Predicted, station: str) -> None:
    for name in ("one.jpg", "two.jpg"):
        upload(f"{station}/cam/{name}", photograph(104))

    first, second = predicted(f"{station}/cam/one.jpg"), predicted(f"{station}/cam/two.jpg")
    assert first.image_id == second.image_id
    assert first.upload_id != second.upload_id


def test_objects_in_other_buckets_are_not_predicted(
    admin_store: ObjectStore,
    upload: Upload,
    predicted: Predicted,
    results: ResultConsumer,
    settings: Settings,
    station: str,
) -> None:
    for bucket in (settings.own_buckets[0], f"other-{station}"):
        admin_store.ensure_bucket(bucket)
        admin_store.client.put_object(Bucket=bucket, Key=f"{station}/cam/ours.jpg", Body=photograph(105))
    upload(f"{station}/cam/marker.jpg", photograph(106))

    predicted(f"{station}/cam/marker.jpg")
    assert results.predictions(f"{station}/cam/ours.jpg") == []


def test_a_deletion_is_not_an_upload(
    admin_store: ObjectStore,
    upload: Upload,
    predicted: Predicted,
    results: ResultConsumer,
    settings: Settings,
    station: str,
) -> None:
    key = f"{station}/cam/short-lived.jpg"
    upload(key, photograph(107))
    predicted(key)
    admin_store.client.delete_object(Bucket=settings.bucket, Key=key)
    upload(f"{station}/cam/marker.jpg", photograph(108))

    predicted(f"{station}/cam/marker.jpg")
    assert len({image.upload_id for image in results.predictions(key)}) == 1


def test_an_upload_is_predicted_within_seconds(upload: Upload, predicted: Predicted, station: str) -> None:
    started = time.monotonic()
    upload(f"{station}/cam/quick.jpg", photograph(109))
    predicted(f"{station}/cam/quick.jpg")
    assert time.monotonic() - started < 15
