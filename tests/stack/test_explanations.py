"""Requested explanations are computed with the real model in the real Triton, and stored."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from PIL import Image

from tests.stack.photographs import photograph
from tests.stack.result_consumer import messages_of_uncia
from uncia import ids
from uncia.events import DetectionCategory, ExplanationReason, ExplanationRequested, ImageExplained, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import send_to_cameras
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import EXPLANATION_REQUESTED, IMAGE_EXPLAINED

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]
WaitFor = Callable[..., list[ImageExplained]]

LIMIT_S = 240
"""Three hundred pictures on a busy machine."""


def explained(settings: Settings, explanation_id: str) -> list[ImageExplained]:
    messages = messages_of_uncia(settings, IMAGE_EXPLAINED)
    events = [ImageExplained.from_bytes(message.value) for message in messages]
    return [event for event in events if event.explanation_id == explanation_id]


def knows_persons(image: ImagePredicted) -> bool:
    return image.detection is not None and DetectionCategory.PERSON in (image.detection.categories or ())


def test_an_explanation_that_a_person_requests_is_published_and_stored(
    upload: Upload,
    predicted: Predicted,
    wait_for: WaitFor,
    settings: Settings,
    store: ObjectStore,
    stack: Stack,
    station: str,
) -> None:
    upload(f"{station}/cam/x.jpg", photograph(901))
    image = predicted(f"{station}/cam/x.jpg")
    if not knows_persons(image):
        pytest.skip("the installed detector knows no persons: nothing of any photograph is stored")
    uncia = [sys.executable, "-m", "uncia", "explain", image.image_id, "--stream", "--json"]
    done = subprocess.run(uncia, env={**os.environ, **stack.environment()}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    requested = json.loads(done.stdout)["explanation_id"]
    event = wait_for(lambda: explained(settings, requested), LIMIT_S, "an explanation")[0]
    assert event.rejection is None
    assert (event.image_id, event.camera) == (image.image_id, f"{station}/cam")
    assert event.samples == settings.explanation_samples
    assert event.heat_map_key is not None
    assert event.weights_key is not None
    heat_map = store.get(settings.bucket, event.heat_map_key, max_bytes=10_000_000)
    assert Image.open(io.BytesIO(heat_map)).size == (640, 480)
    weights = store.get(settings.bucket, event.weights_key, max_bytes=10_000_000)
    assert ImageExplained.from_bytes(weights) == event


def test_a_photograph_that_is_gone_is_answered_with_a_rejection(
    wait_for: WaitFor, settings: Settings, station: str
) -> None:
    camera, image = f"{station}/cam", ids.image_id(f"{station}/cam", "0" * 64)
    request = ExplanationRequested(
        explanation_id=ids.explanation_id(image, "species_classifier@1", None, "lime"),
        image_id=image,
        upload_id="upl-gone",
        station=station,
        camera=camera,
        bucket=settings.bucket,
        key=f"{camera}/gone.jpg",
        etag="",
        reason=ExplanationReason.PERSON,
        requested_at=datetime.now(UTC),
    )
    send_to_cameras(settings, EXPLANATION_REQUESTED, [(camera, camera.encode(), request.to_bytes())])
    event = wait_for(lambda: explained(settings, request.explanation_id), LIMIT_S, "a rejection")[0]
    assert event.rejection is not None
    assert event.rejection.reason == "object-missing"
