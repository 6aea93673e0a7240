"""Sound recordings on the real stack: trained, installed, uploaded, heard, drawn, exported and forgotten.

The calls are synthesised, and so are the recordings that the model learns them from.
"""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
from PIL import Image

from tests.stack.conftest import KIND
from tests.waiting import SCALE, wait_until
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.sounds import SoundFilter, Sounds
from uncia.dashboard.web.recordings import RecordingService
from uncia.events import IMAGE_FORGOTTEN, RecordingAnalysed, SoundHeard
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.kafka.sound_events import SoundEvents, read_sound_events
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.training.sound.recordings import TRUTH_FILE, write_field_recordings, write_training_recordings

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="starts an embedded stack with settings of its own")

PARTS = ("kafka", "seaweedfs", "triton", "intake", "predict", "bursts", "listen", "catalogue")
STATION = "ridge"
SECONDS = 15
QUICK_TRAINING = ("--sample-rate", "16000", "--high", "8000", "--epochs", "14")


@dataclass(frozen=True)
class ListeningStack:
    """A stack with an audio classifier, and the recordings that were uploaded to it."""

    stack: Stack
    truth: list[dict[str, Any]]
    """File, label, start and end of each call that was drawn."""

    def run(self, *arguments: str) -> str:
        """Run a command of `uncia` as the operator; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "uncia", *arguments],
            env={**os.environ, **self.stack.environment(), "UNCIA_STACK_DIR": str(self.stack.folder)},
            capture_output=True,
            text=True,
            timeout=SCALE * 180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def heard(self, recorder: str) -> list[SoundHeard]:
        """What `uncia sounds list` lists of a recorder."""
        return [
            SoundHeard.model_validate(call)
            for call in json.loads(self.run("sounds", "list", "--json", "--camera", f"{STATION}/{recorder}"))
        ]

    def events(self, recorder: str) -> SoundEvents:
        """All events of a recorder."""
        events, camera = read_sound_events(self.stack.settings()), f"{STATION}/{recorder}"
        return SoundEvents(
            tuple(one for one in events.results if one.camera == camera),
            tuple(one for one in events.calls if one.camera == camera),
        )

    @contextmanager
    def sounds(self) -> Iterator[Sounds]:
        """The calls in the catalogue, as the dashboard lists them."""
        engine = open_database(catalogue_url(self.stack.settings()), read_only=True)
        yield Sounds(engine)
        engine.dispose()

    @contextmanager
    def store(self) -> Iterator[ObjectStore]:
        """The object store, with its administrative key."""
        with closing(ObjectStore(self.stack.admin_settings())) as opened:
            yield opened


@pytest.fixture(scope="module")
def listening() -> Iterator[ListeningStack]:
    """The stack, to which two recorders have uploaded one recording each, and which has analysed both."""
    pytest.importorskip("torch")
    folder = Path(tempfile.mkdtemp(prefix="uncia sound "))
    models = Path(shutil.copytree(Settings().model_repository, folder / "models"))
    write_training_recordings(folder / "calls", 8, 4, 12, 1)
    write_field_recordings(folder / "field", 1, 2, SECONDS, 9)
    truth = json.loads((folder / "field" / TRUTH_FILE).read_text())
    package, train = folder / "audio_classifier", [sys.executable, "-m", "uncia", "train", "sound"]
    stack = Stack(folder / "stack")
    listening = ListeningStack(stack, truth)
    try:
        subprocess.run([*train, str(folder / "calls"), "--out", str(package), *QUICK_TRAINING], check=True)
        with pytest.MonkeyPatch.context() as patch, stop_on_exit(stack, repository=models):
            patch.setenv("UNCIA_LISTEN", "true")
            subprocess.run([sys.executable, "-m", "uncia", "models", "install", str(package)], check=True)
            stack.up(PARTS, timeout_s=SCALE * 120)
            with listening.store() as store:
                store.keep_versions(stack.settings().bucket, on=True)
            spool = ["--spool", str(folder / "spool.sqlite")]
            listening.run("gateway", "card", str(folder / "field"), "--station", STATION, "--recordings", *spool)

            def analysed() -> list[RecordingAnalysed]:
                found = [*listening.events("audio-01").results, *listening.events("audio-02").results]
                return found if len({one.key for one in found}) == 2 else []

            wait_until(analysed, 90, "the results of both recordings")
            yield listening
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_every_call_is_listed_with_its_species_start_and_end(listening: ListeningStack) -> None:
    heard = listening.heard("audio-01")
    drawn = [call for call in listening.truth if call["file"].startswith("audio-01/")]
    assert drawn
    for call in drawn:
        same = [one for one in heard if one.verdict.label == call["label"]]
        assert any(one.start_s <= call["end_s"] and one.end_s >= call["start_s"] for one in same), (call, same)
    assert all(0 <= one.start_s < one.end_s <= SECONDS and one.verdict.certain for one in heard)


def test_the_spectrogram_of_each_call_is_in_the_store(listening: ListeningStack) -> None:
    with listening.store() as store:
        for call in listening.heard("audio-01"):
            drawn = call.spectrogram
            assert drawn is not None and drawn.key.startswith(f"spectrograms/{call.camera}/{call.recording_id}/")
            assert Image.open(io.BytesIO(store.get(drawn.bucket, drawn.key, max_bytes=drawn.size))).format == "PNG"


def test_the_catalogue_lists_the_same_calls_as_the_command(listening: ListeningStack) -> None:
    heard = {call.call_id: (call.start_s, call.end_s, call.verdict.label) for call in listening.heard("audio-01")}

    def listed() -> dict[str, tuple[float, float, str]]:
        with listening.sounds() as sounds:
            rows = sounds.page(SoundFilter(cameras=(f"{STATION}/audio-01",)), limit=1000).rows
        return {row.call_id: (row.start_s, row.end_s, row.label) for row in rows}

    wait_until(lambda: listed() == heard, 60, "the calls in the catalogue")


def test_a_call_is_cut_out_of_the_stored_recording(listening: ListeningStack) -> None:
    call = listening.heard("audio-01")[0]
    with listening.sounds() as sounds:
        found = wait_until(lambda: sounds.call(call.call_id), 60, "the call in the catalogue")
    with listening.store() as store:
        data = RecordingService(store).excerpt(found.recording, call.start_s, call.end_s)
        stored = store.get(call.bucket, call.key, max_bytes=1 << 30)
    whole, rate = soundfile.read(io.BytesIO(stored), always_2d=True)
    part, part_rate = soundfile.read(io.BytesIO(data))
    assert part_rate == rate
    begin = round(call.start_s * rate)
    assert len(part) == pytest.approx((call.end_s - call.start_s) * rate, abs=2)
    assert part == pytest.approx(whole.mean(axis=1)[begin : begin + len(part)], abs=1e-3)


def test_the_calls_are_exported_as_regions_of_their_recording(listening: ListeningStack, tmp_path: Path) -> None:
    listening.run("sounds", "export", "--out", str(tmp_path / "tables"), "--camera", f"{STATION}/audio-01")
    rows = [
        list(csv.DictReader(io.StringIO((tmp_path / "tables" / name).read_text(encoding="utf-8"))))
        for name in ("media.csv", "regions_of_interest.csv")
    ]
    assert {row["ac:isROIOf"] for row in rows[1]} == {row["dcterms:identifier"] for row in rows[0]}
    assert len(rows[1]) == len(listening.heard("audio-01"))


def test_a_forgotten_recording_leaves_no_call_and_no_spectrogram(listening: ListeningStack) -> None:
    camera, settings = f"{STATION}/audio-02", listening.stack.settings()
    before = listening.heard("audio-02")
    assert before

    def planned() -> bool:
        # The catalogue learns of the upload by the message of another topic.
        command = [sys.executable, "-m", "uncia", "forget", before[0].recording_id, "--json"]
        environment = {**os.environ, **listening.stack.environment(), "UNCIA_STACK_DIR": str(listening.stack.folder)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 0 and json.loads(done.stdout)["plan"]["calls"] == len(before)

    wait_until(planned, 60, "the recording in the catalogue")
    listening.run("forget", before[0].recording_id, "--yes", "--json", "--wait", str(SCALE * 60))
    assert listening.heard("audio-02") == []
    with listening.sounds() as sounds:
        assert sounds.page(SoundFilter(cameras=(camera,))).rows == ()
        assert camera not in sounds.recorders()
    events = listening.events("audio-02")
    assert events.results[-1].rejection is not None
    assert events.results[-1].rejection.reason == IMAGE_FORGOTTEN
    assert {call.call_id for call in events.calls if call.withdrawn} == {call.call_id for call in before}
    with listening.store() as store:
        assert list(store.history(settings.bucket, f"{camera}/")) == []
        assert list(store.history(settings.bucket, f"spectrograms/{camera}/")) == []
    assert listening.heard("audio-01")
