"""`uncia sounds` on topics of plain values."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.paths import EVENT_SAMPLES
from uncia.camtrap.audubon_core import MEDIA_COLUMNS, REGION_COLUMNS
from uncia.commands import sounds as command
from uncia.errors import UnciaError
from uncia.events import BurstCategory, RecordingAnalysed, SoundHeard
from uncia.kafka import sound_events
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import RECORDING_ANALYSED, SOUND_HEARD

CALL = SoundHeard.from_bytes((EVENT_SAMPLES / "camera.sound.heard.v1.json").read_bytes())
RECORDING = RecordingAnalysed.from_bytes((EVENT_SAMPLES / "camera.recording.analysed.v1.json").read_bytes())
VOICE = CALL.model_copy(update={"call_id": "cal-voice", "category": BurstCategory.PERSON})


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[SoundHeard | RecordingAnalysed | bytes]:
    """The events on both topics; bytes are a call that cannot be decoded."""
    events: list[SoundHeard | RecordingAnalysed | bytes] = []

    def read(settings: Settings, *_: object, **__: object) -> list[Message]:
        return [
            Message(
                (RECORDING_ANALYSED if isinstance(event, RecordingAnalysed) else SOUND_HEARD).full_name(settings),
                *(0, offset, 0, b"k"),
                event if isinstance(event, bytes) else event.to_bytes(),
                [],
            )
            for offset, event in enumerate(events)
        ]

    monkeypatch.setattr(command, "settings", lambda: Settings(_env_file=None))
    monkeypatch.setattr(sound_events, "read_topics", read)
    return events


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or ()), list(reader)


Events = list[SoundHeard | RecordingAnalysed | bytes]


def test_nothing_heard_is_said(published: Events) -> None:
    published.append(RECORDING)
    assert run("list") == "nothing was heard yet\n"


def test_a_call_is_listed_with_its_recorder_label_and_seconds(published: Events) -> None:
    published.extend([CALL, RECORDING])
    printed = run("list")
    assert [part in printed for part in (CALL.camera, CALL.verdict.label, "12.0 s", "16.5 s")] == [True] * 4


@pytest.mark.parametrize(("certain", "marked"), [(True, False), (False, True)])
def test_a_score_without_a_calibrated_threshold_has_a_question_mark(
    published: Events, certain: bool, marked: bool
) -> None:
    verdict = CALL.verdict.model_copy(update={"certain": certain})
    published.extend([CALL.model_copy(update={"verdict": verdict}), RECORDING])
    assert ("?" in run("list")) == marked


def test_the_json_of_a_call_is_its_event(published: Events) -> None:
    published.extend([CALL, RECORDING])
    (listed,) = json.loads(run("list", "--json"))
    assert SoundHeard.model_validate(listed) == CALL


def test_an_event_that_cannot_be_decoded_is_skipped(published: Events) -> None:
    published.extend([b"no event", CALL, RECORDING])
    assert len(json.loads(run("list", "--json"))) == 1


@pytest.mark.parametrize(
    ("camera", "count"), [(CALL.camera, 1), (CALL.station, 1), ("elsewhere", 0), (f"{CALL.station}/other", 0)]
)
def test_calls_of_one_recorder_or_station_are_listed(published: Events, camera: str, count: int) -> None:
    published.extend([CALL, RECORDING])
    assert len(json.loads(run("list", "--json", "--camera", camera))) == count


def test_both_tables_are_exported(published: Events, tmp_path: Path) -> None:
    published.extend([CALL, RECORDING])
    run("export", "--out", str(tmp_path / "tables"))
    columns, media = table(tmp_path / "tables" / "media.csv")
    assert (columns, [row["dcterms:identifier"] for row in media]) == (list(MEDIA_COLUMNS), [RECORDING.recording_id])
    columns, regions = table(tmp_path / "tables" / "regions_of_interest.csv")
    assert (columns, [row["dcterms:identifier"] for row in regions]) == (list(REGION_COLUMNS), [CALL.call_id])


def test_an_export_leaves_voices_out(published: Events, tmp_path: Path) -> None:
    published.extend([VOICE, CALL, RECORDING])
    assert "wrote 1 recording and 1 call to" in run("export", "--out", str(tmp_path / "tables"))
    _, regions = table(tmp_path / "tables" / "regions_of_interest.csv")
    assert [row["dcterms:identifier"] for row in regions] == [CALL.call_id]


def test_an_export_never_overwrites_a_folder(published: Events, tmp_path: Path) -> None:
    published.extend([CALL, RECORDING])
    with pytest.raises(UnciaError, match="exists"):
        run("export", "--out", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
