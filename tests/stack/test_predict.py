"""Uploads become answers, by the real model in the real Triton."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest

from tests.paths import SHARED
from tests.stack.photographs import photograph
from tests.stack.witness import Witness
from uncia import ids
from uncia.events import CaptureTimeSource, ImagePredicted, Trigger
from uncia.serving.model_card import read_active_card
from uncia.settings import Settings

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]

SAMPLES = SHARED / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not here")


def test_a_prediction_names_its_model_version_and_settings(
    upload: Upload, predicted: Predicted, settings: Settings, station: str
) -> None:
    data = photograph(200)
    upload(f"{station}/cam/x.jpg", data)

    answer = predicted(f"{station}/cam/x.jpg")
    card = read_active_card(settings)
    assert answer.sha256 == ids.content_hash(data)
    assert answer.image_id == ids.image_id(f"{station}/cam", answer.sha256)
    assert answer.prediction is not None
    assert (answer.prediction.model, answer.prediction.label_set) == (card.model, card.labels.id)
    assert answer.prediction.version in card.versions
    assert answer.prediction.settings.startswith("set-")
    assert answer.uploaded_at <= answer.prediction.asked_at <= answer.predicted_at


def test_the_whole_vectors_travel_along(upload: Upload, predicted: Predicted, station: str) -> None:
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


def test_the_capture_is_the_cameras_own_word(upload: Upload, predicted: Predicted, station: str) -> None:
    upload(f"{station}/cam/x.jpg", photograph(203, time="2026:05:01 10:11:12", make="Bushnell"))

    capture = predicted(f"{station}/cam/x.jpg").capture
    assert (capture.time, capture.time_source) == (datetime(2026, 5, 1, 10, 11, 12), CaptureTimeSource.EXIF)
    assert (capture.make, capture.width, capture.height) == ("Bushnell", 1024, 768)


def test_many_at_once_are_each_answered_under_their_own_name(
    upload: Upload, predicted: Predicted, witness: Witness, station: str
) -> None:
    keys = [f"{station}/cam/{number:02}.jpg" for number in range(20)]
    for number, key in enumerate(keys):
        upload(key, photograph(210 + number))

    answers = [predicted(key) for key in keys]
    assert len({answer.image_id for answer in answers}) == len(keys)
    assert {answer.camera for answer in answers} == {f"{station}/cam"}


@needs_samples
def test_a_genuine_burst_of_snow_leopards_is_found_in_every_frame(
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
def test_a_genuine_reconyx_tells_sequence_trigger_and_temperature(
    upload: Upload, predicted: Predicted, station: str
) -> None:
    frame = sorted((SAMPLES / "heron_burst").glob("*.JPG"))[3]
    upload(f"{station}/cam/{frame.name}", frame.read_bytes())

    answer = predicted(f"{station}/cam/{frame.name}")
    capture = answer.capture
    assert (capture.sequence, capture.sequence_length, capture.trigger) == (4, 10, Trigger.MOTION)
    assert (capture.temperature_c, capture.infrared, capture.serial) == (2.0, True, "H2RXEM06043616")
    assert answer.prediction is not None
    assert not answer.prediction.focus[0].present
