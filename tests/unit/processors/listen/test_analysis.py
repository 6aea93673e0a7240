"""A recording becomes calls and a result, whatever its format; a bad one becomes a rejection."""

import io
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.processors.listen.builders import HIGH, KEY, LOW, RATE, VOICE, ListeningStation, field
from tests.unit.uncia.sound.recordings import recorded
from uncia.events import SoundHeard
from uncia.processors.listen import analysis
from uncia.processors.listen.analysis import RULE

TWO_CALLS = field(8, [(2.1, 0.3, LOW), (5.1, 0.3, HIGH)])


@pytest.fixture
def station(tmp_path: Path) -> ListeningStation:
    return ListeningStation(tmp_path)


def spans(calls: list[SoundHeard]) -> list[tuple[str, float, float]]:
    return [(call.verdict.label, call.start_s, call.end_s) for call in calls]


def test_each_call_is_published_with_its_start_and_end(station: ListeningStation) -> None:
    station.analyse(recorded(TWO_CALLS, RATE))
    assert spans(station.heard) == [("low caller", 1.5, 3.0), ("high caller", 4.5, 6.0)]


def test_the_clock_of_the_recorder_gives_the_time_of_a_call(station: ListeningStation) -> None:
    station.analyse(recorded(TWO_CALLS, RATE))
    assert station.heard[0].started_at == datetime(2026, 3, 14, 5, 15, 1, 500_000)


def test_a_verdict_is_certain_only_with_a_threshold_of_the_label_set(station: ListeningStation) -> None:
    station.analyse(recorded(TWO_CALLS, RATE))
    low, high = (call.verdict for call in station.heard)
    assert (low.taxon, low.rank, low.certain, low.threshold) == ("Strix aluco", "species", True, 0.6)
    assert (high.certain, high.threshold) == (False, None)


def test_the_spectrogram_of_a_call_is_stored(station: ListeningStation) -> None:
    station.analyse(recorded(TWO_CALLS, RATE))
    spectrogram = station.heard[0].spectrogram
    assert spectrogram is not None
    assert (
        spectrogram.key == f"spectrograms/ridge/audio-02/{station.heard[0].recording_id}/{station.heard[0].call_id}.png"
    )
    assert Image.open(io.BytesIO(station.store.objects[spectrogram.key])).format == "PNG"


def test_the_result_says_what_was_analysed(station: ListeningStation) -> None:
    result = station.analyse(recorded(TWO_CALLS, RATE))
    assert (result.duration_s, result.sample_rate_hz, result.channels) == (8.0, RATE, 1)
    assert (result.windows, result.calls, result.model) == (15, 2, "audio_classifier@1")
    assert result.rejection is None


def test_nothing_is_heard_in_noise_and_the_result_says_so(station: ListeningStation) -> None:
    result = station.analyse(recorded(field(4, []), RATE))
    assert (result.calls, station.heard) == (0, [])


def test_digital_silence_is_not_classified(station: ListeningStation) -> None:
    result = station.analyse(recorded(np.zeros(4 * RATE, np.float32), RATE))
    assert (result.windows, station.classifier.windows) == (0, 0)


def test_a_repetition_gives_the_same_calls(station: ListeningStation) -> None:
    for _ in range(2):
        station.analyse(recorded(TWO_CALLS, RATE))
    first, second = station.heard[:2], station.heard[2:]
    assert [call.model_copy(update={"heard_at": None}) for call in first] == [
        call.model_copy(update={"heard_at": None}) for call in second
    ]


def test_the_number_of_windows_in_a_request_does_not_matter(
    station: ListeningStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.analyse(recorded(TWO_CALLS, RATE))
    monkeypatch.setattr(analysis, "_BATCH", 3)
    station.analyse(recorded(TWO_CALLS, RATE))
    assert [call.call_id for call in station.heard[:2]] == [call.call_id for call in station.heard[2:]]


def test_no_spectrogram_shows_a_window_with_a_voice(station: ListeningStation) -> None:
    station.analyse(recorded(field(4, [(1.1, 0.3, VOICE), (1.2, 0.3, LOW)]), RATE))
    assert sorted(call.category.value for call in station.heard) == ["animal", "person"]
    assert {call.spectrogram for call in station.heard} == {None}
    assert list(station.store.objects) == [KEY]


@pytest.mark.parametrize("low_at", [1.6, 3.1], ids=["before the voice", "after the voice"])
def test_no_spectrogram_shows_a_window_that_overlaps_one_with_a_voice(station: ListeningStation, low_at: float) -> None:
    # The voice is in the windows from 1.5 s to 3 s; the best window of the other call is a neighbour of them.
    station.analyse(recorded(field(5, [(2.1, 0.3, VOICE), (low_at, 0.3, LOW)]), RATE))
    assert sorted(call.category.value for call in station.heard) == ["animal", "person"]
    assert {call.spectrogram for call in station.heard} == {None}
    assert list(station.store.objects) == [KEY]


@pytest.mark.parametrize(
    ("format", "subtype"), [("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("FLAC", "PCM_16")]
)
def test_the_same_calls_are_heard_in_every_format(station: ListeningStation, format: str, subtype: str) -> None:
    station.analyse(recorded(TWO_CALLS, RATE, format, subtype))
    assert spans(station.heard) == [("low caller", 1.5, 3.0), ("high caller", 4.5, 6.0)]


def test_the_same_calls_are_heard_in_stereo(station: ListeningStation) -> None:
    station.analyse(recorded(np.stack([TWO_CALLS, TWO_CALLS], axis=1), RATE))
    assert spans(station.heard) == [("low caller", 1.5, 3.0), ("high caller", 4.5, 6.0)]


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_the_same_calls_are_heard_at_another_sample_rate(station: ListeningStation, rate: int) -> None:
    station.analyse(recorded(field(8, [(2.1, 0.3, LOW), (5.1, 0.3, HIGH)], rate), rate))
    assert spans(station.heard) == [("low caller", 1.5, 3.0), ("high caller", 4.5, 6.0)]


def test_what_is_there_of_a_truncated_recording_is_analysed(station: ListeningStation) -> None:
    data = recorded(TWO_CALLS, RATE)
    result = station.analyse(data[: len(data) // 2])
    assert spans(station.heard) == [("low caller", 1.5, 3.0)]
    assert "ends early" in result.warnings[0]


def test_calls_around_values_that_are_no_numbers_are_heard(station: ListeningStation) -> None:
    samples = TWO_CALLS.copy()
    samples[7 * RATE : 7 * RATE + 5] = np.nan
    result = station.analyse(recorded(samples, RATE, subtype="FLOAT"))
    assert spans(station.heard) == [("low caller", 1.5, 3.0), ("high caller", 4.5, 6.0)]
    assert len(result.warnings) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "recording-empty"),
        (recorded(np.zeros(0, np.float32), RATE), "recording-empty"),
        (recorded(np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT"), "recording-not-finite"),
        (b"\xff\xd8\xff a photograph", "recording-unreadable"),
        (recorded(TWO_CALLS, RATE, "OGG"), "recording-format"),
        (recorded(np.zeros(800_000, np.int16), RATE), "recording-too-large"),
        (None, "object-missing"),
    ],
    ids=["empty", "no samples", "NaN", "photograph", "Ogg", "large", "missing"],
)
def test_a_recording_that_cannot_be_analysed_is_rejected(tmp_path: Path, data: bytes | None, reason: str) -> None:
    station = ListeningStation(tmp_path, listen_max_mb=1)
    result = station.analyse(data)
    assert result.rejection is not None
    assert (result.rejection.reason, result.calls, station.heard) == (reason, None, [])


def test_the_calls_of_a_recording_count_from_one_version(station: ListeningStation) -> None:
    station.classifier.fails_once_and_then_replaced = True
    result = station.analyse(recorded(np.tile(TWO_CALLS, 2), RATE))
    assert result.model == "audio_classifier@2"
    assert {call.model for call in station.heard[-4:]} == {"audio_classifier@2"}


def test_a_recording_on_which_a_working_model_fails_is_rejected(station: ListeningStation) -> None:
    station.classifier.unsound = True
    result = station.analyse(recorded(TWO_CALLS, RATE), limit_s=60)
    assert result.rejection is not None
    assert result.rejection.reason == "model-unsound"
    assert result.sha256 is not None


def test_listen_waits_for_a_broken_model(station: ListeningStation) -> None:
    station.classifier.unsound, station.classifier.self_test_is_sound = True, False
    with pytest.raises(TimeoutError):
        station.analyse(recorded(TWO_CALLS, RATE), limit_s=3)


def test_an_event_names_its_rule(station: ListeningStation) -> None:
    station.analyse(recorded(TWO_CALLS, RATE))
    assert {call.rule for call in station.heard} == {RULE}


def test_no_file_is_left_behind(station: ListeningStation, tmp_path: Path) -> None:
    station.analyse(recorded(TWO_CALLS, RATE))
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
