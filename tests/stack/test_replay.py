"""Replays on the real stack: parallel to live, resumed after a kill, promoted once, dropped completely."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import TopicAuthorizationFailedError

from tests.free_ports import free_port
from tests.stack.containers import ContainerStack
from tests.stack.dashboard_client import follow_link
from tests.stack.deployments import load_deployment
from tests.stack.photographs import photograph
from tests.stack.result_consumer import messages_of_uncia
from tests.waiting import SCALE, wait_until
from uncia.events import BurstCategory, BurstResolved, BurstStatus, ImagePredicted
from uncia.identities import replay_identity
from uncia.ids import content_hash
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import existing_topics
from uncia.kafka.connection import client_options, connect_admin, connect_producer
from uncia.kafka.refusal import refusal
from uncia.processors.crops.selection import select_crops
from uncia.producers.replay.compare import HoldReason
from uncia.producers.replay.kafka_log import connect_to_log
from uncia.producers.replay.worker_processes import MARK_VARIABLE
from uncia.serving.labels import LabelSet
from uncia.serving.model_versions import read_version_state
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectStore
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED

START = datetime(2026, 5, 1, 10)
LIMIT_S = 120


class Commands:
    """`uncia replay …` as an operator types it, on this stack."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.environment = {**os.environ, **stack.environment(), "COLUMNS": "200"}
        self.folder = folder

    def __call__(self, *arguments: str) -> str:
        """Run a command that must succeed; returns what it prints."""
        environment = self.environment
        if arguments[0] == "promote":
            # Live may revise a burst for a quarter of an hour; no test waits that long.
            environment = {**environment, "UNCIA_BURST_LATENESS_S": "0"}
        done = subprocess.run(
            self.line(*arguments), capture_output=True, text=True, timeout=SCALE * LIMIT_S, env=environment, check=False
        )
        assert done.returncode == 0, f"uncia replay {' '.join(arguments)}: {done.stderr[-3000:]}"
        return done.stdout

    def run_refused(self, *arguments: str) -> str:
        """Run a command that must fail; returns its output and errors."""
        done = subprocess.run(
            self.line(*arguments),
            capture_output=True,
            text=True,
            timeout=SCALE * LIMIT_S,
            env=self.environment,
            check=False,
        )
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        """Run a command with `--json`; returns its decoded output."""
        return json.loads(self(*arguments, "--json"))

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a replay without waiting for its end."""
        with (self.folder / "start.log").open("ab") as log:
            return subprocess.Popen(self.line("start", *arguments), env=self.environment, stdout=log, stderr=log)

    @staticmethod
    def line(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "uncia", "replay", *arguments]


@pytest.fixture
def name() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def replay(stack: Stack | ContainerStack, tmp_path: Path, name: str) -> Iterator[Commands]:
    """The commands; the replay of a failed test is dropped."""
    if not isinstance(stack, Stack):
        pytest.skip("a replay runs its workers as processes of this machine")
    commands = Commands(stack, tmp_path)
    yield commands
    if name in {row["replay"] for row in commands.json("list")}:
        commands("drop", name)


@pytest.fixture
def other_model(settings: Settings) -> Iterator[str]:
    """The same network under another name, with other labels."""
    name = f"test_{uuid.uuid4().hex[:8]}"
    folder = settings.model_repository / name
    try:
        shutil.copytree(settings.model_repository / settings.model, folder)
        config = folder / "config.pbtxt"
        config.write_text(config.read_text().replace(f'"{settings.model}"', f'"{name}"'))
        version = folder / read_version_state(folder).live
        labels = json.loads((version / "labels.json").read_text())
        for entry in labels["classes"]:
            entry["label"] = f"other {entry['label']}"
        (version / "labels.json").write_text(json.dumps(labels))
        card = json.loads((version / "model.json").read_text())
        card |= {"model": name, "label_set": LabelSet.model_validate(labels).id}
        (version / "model.json").write_text(json.dumps(card))
        yield name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def other_detector(settings: Settings) -> Iterator[str]:
    """The same detector under another name."""
    if not (settings.model_repository / settings.detector).is_dir():
        pytest.skip("no detector is installed")
    name = f"test_{uuid.uuid4().hex[:8]}"
    folder = settings.model_repository / name
    try:
        shutil.copytree(settings.model_repository / settings.detector, folder)
        config = folder / "config.pbtxt"
        config.write_text(config.read_text().replace(f'"{settings.detector}"', f'"{name}"'))
        path = folder / read_version_state(folder).live / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model": name}))
        yield name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def upload_bursts(upload: Callable[[str, bytes], str], station: str, bursts: int, frames: int) -> None:
    """Upload bursts of a camera, an hour apart, under keys like the gateway's.

    Seeds of different runs differ in multiples of 360, so that the pictures look the same: a detector takes some
    rotations of the gradient for an animal and others for nothing.
    """
    for number in range(bursts * frames):
        taken = START + timedelta(hours=number // frames, seconds=number % frames)
        data = photograph(hash(station) % 10_000 * 360 + 40 + number, f"{taken:%Y:%m:%d %H:%M:%S}")
        upload(f"{station}/north/{taken:%Y/%m/%d/%Y%m%dT%H%M%S}-{content_hash(data)[:16]}.jpg", data)


def namespaced(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"namespace": f"replay-{name}"})


def predictions_in(settings: Settings) -> list[ImagePredicted]:
    """The predictions, in their order."""
    messages = messages_of_uncia(settings, IMAGE_PREDICTED)
    return [ImagePredicted.from_bytes(message.value) for message in messages]


def bursts_in(settings: Settings) -> dict[str, BurstResolved]:
    """The newest revision of each burst."""
    newest: dict[str, BurstResolved] = {}
    for message in messages_of_uncia(settings, BURST_RESOLVED):
        burst = BurstResolved.from_bytes(message.value)
        if burst.revision >= (newest[burst.burst_id].revision if burst.burst_id in newest else 0):
            newest[burst.burst_id] = burst
    return newest


def processes_of(mark: str) -> list[int]:
    """Pids of a replay's workers."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK_VARIABLE}={mark}".encode() in (entry / "environ").read_bytes():
                pids.append(int(entry.name))
        except OSError:
            continue
    return pids


def test_changed_bursts_of_a_replay_are_shown_promoted_once_and_dropped(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    wait_for: Callable[..., object],
    tmp_path: Path,
) -> None:
    upload_bursts(upload, station, bursts=3, frames=4)
    live = {burst.burst_id: burst for burst in settled(f"{station}/north", 3, 120)}
    until = START + timedelta(hours=1, minutes=30)

    done = replay.json("start", name, "--station", station, "--until", f"{until:%Y-%m-%dT%H:%M:%S}",
                       "--settings", "animal_threshold=1")  # fmt: skip
    assert (done["copied"], done["bursts"], done["open"], done["dead_letters"]) == (8, 2, 0, 0)

    page = tmp_path / "page.html"
    diff = replay.json("diff", name, "--output", str(page))
    assert {kind: count for kind, count in diff["kinds"].items() if count} == {"relabelled": 2}
    assert page.read_text().count("data:image/jpeg") == 8
    assert "relabelled" in replay("diff", name)
    assert bursts_in(settings).items() >= live.items()

    wait_for(lambda: replay.json("promote", name, "--dry-run")["promoted"] == 2, 120, "live to release its bursts")
    assert replay.json("promote", name)["events"] == 2
    after = bursts_in(settings)
    changed = {burst_id for burst_id, burst in live.items() if after[burst_id] != burst}
    assert len(changed) == 2
    for burst_id in changed:
        assert after[burst_id].revision == live[burst_id].revision + 1
        assert after[burst_id].status is BurstStatus.REVISED
        assert after[burst_id].category is BurstCategory.BLANK
        assert name in after[burst_id].changes[0]
    assert replay.json("promote", name)["events"] == 0
    assert not replay.json("diff", name)["changes"]

    replay("drop", name)
    assert not [topic for topic in existing_topics(settings) if name in topic]
    with connect_to_log(namespaced(settings, name)) as log:
        assert log.groups() == []
    assert name not in {row["replay"] for row in replay.json("list")}


def test_the_workers_of_a_replay_have_a_key_for_its_topics_alone_which_ends_with_it(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    stack: Stack,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
) -> None:
    upload_bursts(upload, station, bursts=2, frames=3)
    settled(f"{station}/north", 2, 120)
    process, users = replay.start(name, "--station", station), set[str]()
    while process.poll() is None:
        path = stack.folder / "replays" / name / "replay.json"
        mark = json.loads(path.read_text())["mark"] if path.exists() else ""
        for pid in processes_of(mark) if mark else []:
            with contextlib.suppress(OSError):
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                users |= {
                    line.partition(b"=")[2].decode() for line in variables if line.startswith(b"UNCIA_KAFKA_USER")
                }
    assert process.returncode == 0, (replay.folder / "start.log").read_text()
    assert users == {f"replay-{name}"}

    identity = replay_identity(name)
    own = stack.settings(identity)
    assert namespaced(own, name).s3_access_key == stack.require_keys().credentials[identity.name].access_key
    assert len(predictions_in(namespaced(own, name))) == 6
    producer = connect_producer(own)
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            producer.send(BURST_RESOLVED.full_name(own), value=b"forged").get(SCALE * 30)
        with pytest.raises(TopicAuthorizationFailedError):
            producer.send(BURST_RESOLVED.full_name(namespaced(own, f"{name}-2")), value=b"forged").get(SCALE * 30)
    finally:
        producer.close()
    store = ObjectStore(own, attempts=1)
    try:
        assert next(store.list(settings.bucket, f"{station}/"), None) is not None
        with pytest.raises(AccessRefused):
            store.put(settings.bucket, f"{station}/north/x.jpg", b"forged", content_type="image/jpeg")
    finally:
        store.close()

    replay("drop", name)
    assert "refuses the user" in (refusal(own, client_options(own)) or "")


@pytest.fixture
def impatient_dashboard(stack: Stack, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a second dashboard, for which live bursts are final at once: no test waits a quarter hour."""
    environment = {
        **os.environ,
        **stack.environment(),
        "UNCIA_BURST_LATENESS_S": "0",
        "UNCIA_DASHBOARD_PORT": str(free_port()),
        "UNCIA_DASHBOARD_DIR": str(tmp_path / "dashboard"),
        "UNCIA_READY_FILE": str(tmp_path / "ready"),
    }
    with (tmp_path / "dashboard.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uncia", "dashboard"], env=environment, stdout=log, stderr=log
        )
    try:
        wait_until((tmp_path / "ready").exists, 60, "the dashboard")
        yield environment
    finally:
        process.terminate()
        process.wait(SCALE * 20)


@pytest.mark.thorough
def test_a_replay_is_promoted_and_dropped_on_the_dashboard(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    impatient_dashboard: dict[str, str],
) -> None:
    upload_bursts(upload, station, bursts=2, frames=2)
    live = {burst.burst_id: burst for burst in settled(f"{station}/north", 2, 120)}
    replay.json("start", name, "--station", station, "--settings", "animal_threshold=1")
    operator = follow_link(impatient_dashboard, "operator", station)
    try:
        address = f"/operations/replays/{name}"
        diff = wait_until(
            lambda: (page := operator.read(address)["diff"])["to_promote"] and page, 60, "the differences"
        )
        assert (diff["kinds"], diff["to_promote"]) == ({"relabelled": 2}, 2)
        operator.open(address)
        assert operator.send(f"{address}/promote", fingerprint="of other changes").status_code == 409
        assert operator.send(f"{address}/promote", fingerprint=diff["fingerprint"]).status_code == 303
        after = bursts_in(settings)
        assert [after[burst_id].revision - burst.revision for burst_id, burst in live.items()] == [1, 1]
        operator.open(address)
        assert operator.send(f"{address}/drop").status_code == 303
        assert name not in {row["name"] for row in operator.read("/operations")["replays"]["replays"]}
    finally:
        operator.close()
    assert not [topic for topic in existing_topics(settings) if name in topic]


@pytest.mark.thorough
def test_a_killed_replay_resumes_and_loses_nothing(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    other_model: str,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    stack: Stack,
) -> None:
    upload_bursts(upload, station, bursts=6, frames=6)
    live = {burst.burst_id: burst for burst in settled(f"{station}/north", 6, 120)}
    arguments = (name, "--camera", f"{station}/*", "--model", f"{other_model}@1",
                 "--settings", "animal_threshold=1")  # fmt: skip

    process = replay.start(*arguments)
    deadline = time.monotonic() + SCALE * LIMIT_S
    with connect_to_log(namespaced(settings, name)) as log:
        while not (log.groups() and log.count((IMAGE_PREDICTED,))):
            assert process.poll() is None, (replay.folder / "start.log").read_text()
            assert time.monotonic() < deadline, "the replay predicted nothing"
    process.kill()
    process.wait()
    mark = json.loads((stack.folder / "replays" / name / "replay.json").read_text())["mark"]
    for pid in processes_of(mark):
        os.kill(pid, signal.SIGKILL)
    assert replay.json("status", name)["state"] == "stopped"

    done = replay.json("start", name)
    assert (done["copied"], done["bursts"], done["open"]) == (36, 6, 0)
    assert processes_of(mark) == []
    predictions = predictions_in(namespaced(settings, name))
    assert len({image.upload_id for image in predictions}) == 36
    assert {image.prediction.model for image in predictions if image.prediction} == {other_model}
    diff = replay.json("diff", name)
    blank = sum(burst.category is BurstCategory.BLANK for burst in live.values())
    assert (diff["kinds"]["relabelled"], diff["kinds"]["same"]) == (6 - blank, blank)
    assert {row["replay"].rstrip("?") for row in diff["confusion"]} == {"blank"}
    assert bursts_in(settings).items() >= live.items()
    assert json.loads(replay("drop", name, "--json"))["model"] == other_model


def test_a_replay_with_another_detector_keeps_the_classifier_and_the_crops(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    other_detector: str,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
) -> None:
    upload_bursts(upload, station, bursts=2, frames=3)
    live = {burst.burst_id: burst for burst in settled(f"{station}/north", 2, 120)}

    done = replay.json("start", name, "--station", station, "--model", other_detector)
    assert (done["copied"], done["bursts"], done["dead_letters"]) == (6, 2, 0)
    messages = messages_of_uncia(namespaced(settings, name), IMAGE_PREDICTED)
    images = [ImagePredicted.from_bytes(message.value) for message in messages]
    assert {image.detection and image.detection.model for image in images} == {other_detector}
    assert {image.prediction and image.prediction.model for image in images} == {settings.model}

    # The same network finds the same boxes: nothing changes, and every crop has its id.
    assert not replay.json("diff", name)["changes"]
    replayed = bursts_in(namespaced(settings, name))
    current = {name: burst for name, burst in replayed.items() if burst.status is not BurstStatus.SUPERSEDED}
    assert {burst_id: crop_ids(burst) for burst_id, burst in current.items()} == {
        burst_id: crop_ids(burst) for burst_id, burst in live.items()
    }
    assert json.loads(replay("drop", name, "--json"))["model"] == other_detector


def crop_ids(burst: BurstResolved) -> list[str]:
    """The ids of the crops that the burst selects."""
    return [wanted.crop_id for wanted in select_crops(burst, most=100, withheld_by_person=False).wanted]


@pytest.fixture
def bucket_versions(request: pytest.FixtureRequest, admin_store: ObjectStore, settings: Settings) -> Iterator[None]:
    """The bucket keeps versions during the test, or keeps none; it keeps them afterwards."""
    admin_store.keep_versions(settings.bucket, on=request.param)
    yield
    admin_store.keep_versions(settings.bucket, on=True)


@pytest.mark.parametrize(
    ("bucket_versions", "reasons"),
    # With versions the replay reads those that live judged. The later content may then take the place of the earlier
    # one, if it comes before the replay closes the burst: that is held, too.
    [(True, set()), (False, {HoldReason.OBJECT_CHANGED, HoldReason.OBJECT_GONE})],
    ids=["versions kept", "no versions"],
    indirect=["bucket_versions"],
)
@pytest.mark.usefixtures("bucket_versions")
@pytest.mark.timeout(1200)
def test_bursts_with_overwritten_or_deleted_photographs_keep_their_verdict(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    admin_store: ObjectStore,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    wait_for: Callable[..., object],
    tmp_path: Path,
    reasons: set[HoldReason],
) -> None:
    camera = f"{station}/north"
    # A second after a close live revises nothing any more; until then the new content would take the place of the
    # old one by itself.
    load_deployment(replay.environment, tmp_path, station, "north", burstLateness=1, since=2010)
    keys = [f"{camera}/IMG_{number:04}.JPG" for number in range(8)]
    for number, key in enumerate(keys):
        taken = datetime(2014, 5, 1, 10 + number // 4, 0, number % 4)
        upload(key, photograph(hash(station) % 1000 * 1000 + number, f"{taken:%Y:%m:%d %H:%M:%S}"))
    closed = [burst.closed_at for burst in settled(camera, 2, 120) if burst.closed_at]
    wait_for(lambda: datetime.now(UTC) > max(closed) + timedelta(seconds=5), 120, "live to release the bursts")
    # A photograph of 2017 under a key of 2014, and one of the other burst deleted, as retention does.
    upload(keys[0], photograph(hash(station) % 1000 * 1000 + 99, "2017:05:01 10:00:00"))
    wait_for(lambda: any(b.started_at.year == 2017 for b in of_station(settings, station).values()), 120, "2017")
    admin_store.client.delete_object(Bucket=settings.bucket, Key=keys[5])

    replay.json("start", name, "--station", station)
    wait_for(
        lambda: HoldReason.RECENT not in replay.json("promote", name, "--dry-run")["held"],
        120,
        "live to release its bursts",
    )
    before = of_station(settings, station)
    for _ in range(2):
        promoted = replay.json("promote", name)
        assert promoted["events"] == 0
        held = {row["why"] for row in promoted["held_changes"]}
        assert held - {str(HoldReason.UNANSWERED)} == {str(reason) for reason in reasons}
    assert of_station(settings, station) == before
    assert sum(burst.started_at.year == 2014 for burst in before.values()) >= 2
    assert all(str(reason) in replay("status", name) for reason in reasons)
    assert set(replay.json("status", name)["held"]) >= {str(reason) for reason in reasons}


def of_station(settings: Settings, station: str) -> dict[str, BurstResolved]:
    """The newest revision of each burst of a station, without superseded bursts."""
    bursts = bursts_in(settings).items()
    return {name: b for name, b in bursts if b.station == station and b.status is not BurstStatus.SUPERSEDED}


@pytest.mark.timeout(1200)
def test_a_start_that_is_refused_leaves_nothing(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    stack: Stack,
) -> None:
    upload_bursts(upload, station, bursts=1, frames=2)
    settled(f"{station}/north", 1, 120)
    replays_folder = stack.folder / "replays"
    folders = set(replays_folder.glob("*"))
    for arguments, reason in {
        ("--station", station[:-1]): f"did you mean {station}/",
        ("--station", station, "--since", "2026-05-02", "--until", "2026-05-01"): "is not before",
        ("--station", station, "--since", "2026-05-01T12:00:00"): "from 2026-05-01 10:00:00",
        ("--station", station, "--since", "2026-05-01T00:00:00Z"): "time zone",
        ("--station", station, "--model", "no_such_model@1"): "no_such_model",
        ("--station", station, "--settings", "s3_secret_key=hunter2"): "secrets are refused",
        # Only the worker itself can detect this; it reports it before the first prediction.
        ("--station", station, "--settings", "ensemble_rule=stacked",
         "--settings", "ensemble_weights=/no/file"): "the worker bursts does not start",
    }.items():  # fmt: skip
        output = replay.run_refused("start", name, *arguments)
        assert reason in output, output
        assert "Traceback" not in output
        assert "hunter2" not in output
        assert not [topic for topic in existing_topics(settings) if name in topic]
        with connect_to_log(namespaced(settings, name)) as log:
            assert log.groups() == []
        assert set(replays_folder.glob("*")) == folders
        assert name not in {row["replay"] for row in replay.json("list")}


def test_since_and_until_select_by_capture_time_and_not_by_key(
    replay: Commands,
    name: str,
    station: str,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
) -> None:
    for number in range(4):
        day = 1 + number // 2
        upload(f"{station}/north/DSC{number}.JPG", photograph(hash(station) % 1000 * 1000 + number,
                                                            f"2026:05:0{day} 23:59:5{number}"))  # fmt: skip
    settled(f"{station}/north", 2, 120)
    done = replay.json("start", name, "--station", station, "--since", "2026-05-01", "--until", "2026-05-02")
    assert done["copied"] == 2


def test_a_replay_whose_topic_is_deleted_fails_with_the_reason(
    replay: Commands,
    name: str,
    station: str,
    settings: Settings,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
) -> None:
    upload_bursts(upload, station, bursts=2, frames=2)
    settled(f"{station}/north", 2, 120)
    process = replay.start(name, "--station", station)
    deadline = time.monotonic() + SCALE * LIMIT_S
    with connect_to_log(namespaced(settings, name)) as log:
        while not log.groups():
            assert process.poll() is None, (replay.folder / "start.log").read_text()
            assert time.monotonic() < deadline, "the replay does not start"
    deleted = IMAGE_PREDICTED.full_name(namespaced(settings, name))
    admin = connect_admin(settings)
    admin.delete_topics([deleted])
    admin.close()
    assert process.wait(SCALE * LIMIT_S) == 1
    status = replay.json("status", name)
    assert status["state"] == "failed"
    assert f"the topic {deleted} was deleted" in status["reason"]
    assert f"the topic {deleted} was deleted" in replay("status", name)
