"""Uploads are predicted by the real model in the real Triton."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest

from tests.paths import SHARED
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from uncia import ids
from uncia.events import CaptureTimeSource, ImagePredicted, Trigger
from uncia.serving.model_card import read_active_card
from uncia.settings import Settings

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]

SAMPLES = SHARED / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not available")


def test_a_prediction_names_its_model_version_and_settings(
    upload: Upload, predicted: Predicted, settings: Settings, station: str
) -> None:
    data = photograph(200)
    upload(f"{station}/cam/x.jpg", data)

    image = predicted(f"{station}/cam/x.jpg")
    card = read_active_card(settings)
    assert image.sha256 == ids.content_hash(data)
    assert image.image_id == ids.image_id(f"{station}/cam", image.sha256)
    assert image.prediction is not None
    assert (image.prediction.model, image.prediction.label_set) == (card.model, card.labels.id)
    assert image.prediction.version in card.versions
    assert image.prediction.settings.startswith("set-")
    assert image.uploaded_at <= image.prediction.asked_at <= image.predicted_at


def test_the_event_has_the_full_score_vectors(upload: Upload, predicted: Predicted, station: str) -> None:
    upload(f"{station}/cam/x.jpg", photograph(201))

    prediction = predicted(f"{station}/cam/x.jpg").prediction
    assert prediction is not None
    whole, windows = prediction.whole.unpack(), prediction.windows.unpack()
    assert whole.shape == windows.shape == (1000,)
    assert whole.sum() == pytest.approx(1, abs=0.01)
    assert prediction.top[0].index == int(np.argmax(windows))
    assert prediction.top[0].score == pytest.approx(float(windows.max()), abs=0.001)
    assert all(entry.box is not None for entry in prediction.top)


def test_the_focus_taxon_is_reported_even_when_it_is_absent(upload: Upload, predicted: Predicted, station: str) -> None:
    upload(f"{station}/cam/x.jpg", photograph(202))

    prediction = predicted(f"{station}/cam/x.jpg").prediction
    assert prediction is not None
    assert [(focus.taxon, focus.present) for focus in prediction.focus] == [("Panthera uncia", False)]


def test_capture_time_and_make_are_from_exif(upload: Upload, predicted: Predicted, station: str) -> None:
    upload(f"{station}/cam/x.jpg", photograph(203, time="2026:05:01 10:11:12", make="Bushnell"))

    capture = predicted(f"{station}/cam/x.jpg").capture
    assert (capture.time, capture.time_source) == (datetime(2026, 5, 1, 10, 11, 12), CaptureTimeSource.EXIF)
    assert (capture.make, capture.width, capture.height) == ("Bushnell", 1024, 768)


def test_simultaneous_uploads_each_get_their_own_prediction(
    upload: Upload, predicted: Predicted, results: ResultConsumer, station: str
) -> None:
    keys = [f"{station}/cam/{number:02}.jpg" for number in range(20)]
    for number, key in enumerate(keys):
        upload(key, photograph(210 + number))

    images = [predicted(key) for key in keys]
    assert len({image.image_id for image in images}) == len(keys)
    assert {image.camera for image in images} == {f"{station}/cam"}


@needs_samples
def test_the_snow_leopard_is_detected_in_every_frame_of_a_real_burst(
    upload: Upload, predicted: Predicted, station: str
) -> None:
    frames = sorted((SAMPLES / "snow_leopard_burst").glob("*.JPG"))
    for frame in frames:
        upload(f"{station}/cam/{frame.name}", frame.read_bytes())

    for frame in frames:
        prediction = predicted(f"{station}/cam/{frame.name}").prediction
        assert prediction is not None
        assert prediction.focus[0].present


@needs_samples
def test_sequence_trigger_and_temperature_are_read_from_a_real_reconyx_photograph(
    upload: Upload, predicted: Predicted, station: str
) -> None:
    frame = sorted((SAMPLES / "heron_burst").glob("*.JPG"))[3]
    upload(f"{station}/cam/{frame.name}", frame.read_bytes())

    image = predicted(f"{station}/cam/{frame.name}")
    capture = image.capture
    assert (capture.sequence, capture.sequence_length, capture.trigger) == (4, 10, Trigger.MOTION)
    assert (capture.temperature_c, capture.infrared, capture.serial) == (2.0, True, "H2RXEM06043616")
    assert image.prediction is not None
    assert not image.prediction.focus[0].present
