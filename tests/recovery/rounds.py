"""One round: photographs are uploaded, a fault is injected, and the result must equal that of a round without one."""

import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TypeVar

from kafka.errors import KafkaError

from tests.recovery.faults import OFF_LIVE_PATH, Fault, FaultContext
from tests.recovery.observer import Boxes, Observer, Station
from tests.recovery.photographs import Photograph
from tests.recovery.products import Products, live_crops, live_explanations, live_sightings
from tests.recovery.scenario import Scenario
from tests.recovery.uploaders import Uploader, uploading
from tests.waiting import SCALE
from uncia.errors import UnciaError
from uncia.events import BurstStatus, ExplanationReason, ExplanationRequested, ImagePredicted
from uncia.ids import explanation_id, image_id, upload_id
from uncia.kafka.broker import send_to_cameras
from uncia.processors.crops.selection import may_show_person
from uncia.storage.object_store import ObjectStore
from uncia.topics import EXPLANATION_REQUESTED

SETTLES_S = 150
"""Limit on settling all bursts after the last upload, in seconds on an idle machine."""

T = TypeVar("T")

EXPLAINED = 2
"""Photographs of a round that are explained on request."""

Verdicts = dict[frozenset[str], str]
"""The bursts of a round: label of the verdict by the names of the frames."""


@dataclass
class Results:
    """What must be the same with a fault and without one."""

    verdicts: Verdicts = field(default_factory=dict)
    detections: dict[str, set[Boxes]] = field(default_factory=dict)
    """By the name of the photograph."""
    crops: set[tuple[str, str]] = field(default_factory=set)
    """Name of the photograph and content hash of each crop that is not withdrawn."""
    sightings: dict[frozenset[str], int] = field(default_factory=dict)
    """Number of crops of each sighting, by the names of the frames of its burst."""


@dataclass
class Outcome:
    """Result of a round; part of `results.json`."""

    fault: str
    uploads: int = 0
    photographs: int = 0
    answered: int = 0
    bursts: int = 0
    by_reconcile: int = 0
    """Uploads that reconcile announced."""
    silence_s: float | None = None
    """Seconds from the injection of a kill to the first new prediction (for `bursts`: verdict), if measurable."""
    after_heal_s: float | None = None
    """The same from the end of the fault."""
    seconds: float = 0
    missed: int = -1
    crops: int = 0
    """Crops that are not withdrawn."""
    explained: int = 0
    """Explanations that are not withdrawn."""
    sighted: int = 0
    """Sightings that are not withdrawn."""
    results: Results = field(default_factory=Results)
    problems: list[str] = field(default_factory=list)


class Round:
    """Runs a scenario under a new station, with one fault, or none."""

    def __init__(
        self, context: FaultContext, observer: Observer, scenario: Scenario, *, seed: int, per_s: float = 16
    ) -> None:
        self._context = context
        self._observer = observer
        self._scenario = scenario
        self._order = random.Random(seed)
        self._per_s = per_s
        self._injected_at = self._reverted_at = 0.0
        self._station = f"st-{uuid.uuid4().hex[:8]}"
        self._products = Products(context.stack.settings(), self._station)
        self._names = {
            image_id(f"{self._station}/{photo.camera}", photo.sha256): photo.name for photo in scenario.photographs
        }

    def play(self, fault: Fault | None, reference: Results | None = None) -> Outcome:
        """Run the round. `reference` are the results of a round without a fault."""
        outcome, started = Outcome(fault.name if fault else "none"), time.monotonic()
        arrivals = list(self._scenario.arrivals(self._order))
        outcome.photographs = len(self._scenario.photographs)
        outcome.uploads = len(arrivals) + len(self._scenario.late_frames)
        spool = fault.prepare(self._context) if fault else None
        try:
            with uploading(self._context, self._station, spool) as uploader:
                self._stream(fault, arrivals, uploader, outcome)
        except (TimeoutError, UnciaError) as error:
            outcome.problems.append(f"the round was aborted: {error}")
        finally:
            if fault is not None:
                fault.clean_up(self._context)
        self._check(outcome, reference)
        outcome.seconds = time.monotonic() - started
        return outcome

    def _stream(
        self, fault: Fault | None, arrivals: list[tuple[Photograph, str]], uploader: Uploader, outcome: Outcome
    ) -> None:
        request_thread = threading.Thread(target=self._request_first_explanations, args=(outcome,))
        request_thread.start()
        fault_thread = threading.Thread(target=self._inject_fault, args=(fault, uploader, len(arrivals) // 3, outcome))
        fault_thread.start()
        # The last third is uploaded after the fault, to show that the stream continues.
        first_part = len(arrivals) * 2 // 3
        uploader.upload(arrivals[:first_part], self._per_s)
        fault_thread.join()
        uploader.upload(arrivals[first_part:], self._per_s)
        request_thread.join()
        self._wait_for(self._scenario.groups_before_late_frames, "before the late frames", outcome)
        if fault is not None and self._reverted_at:
            self._measure(fault, outcome)
        if fault is not None and fault.part == "bursts":
            # Its state must be in the changelog, not only in memory.
            self._context.stack.kill("bursts", 9)
        uploader.upload([(photo, "") for photo in self._scenario.late_frames], self._per_s)
        self._wait_for(self._scenario.groups, "at the end", outcome)
        _until(lambda: self._observed(self._products.are_complete), SETTLES_S)
        # A person was found in its burst, maybe by a process that was killed since.
        self._request_explanations(self._observed(_withheld)[:1])
        _until(lambda: self._observed(self._products.are_complete), SETTLES_S)
        # What is announced may not be recorded in the store yet.
        _until(lambda: not self._observed(self._products.problems), SETTLES_S)

    def _observed(self, question: Callable[[Station], T]) -> T:
        with self._observer.lock:
            return question(self._observer.station(self._station))

    def _request_first_explanations(self, outcome: Outcome) -> None:
        """Request explanations of the photographs that were predicted first, as soon as they are and Kafka responds."""
        _until(lambda: len(self._observed(_explainable)) >= EXPLAINED, 120)
        images = self._observed(_explainable)[:EXPLAINED]

        def sent() -> bool:
            try:
                self._request_explanations(images)
            except (UnciaError, KafkaError):
                return False
            return True

        if not _until(sent, 120):
            outcome.problems.append("no explanations could be requested")

    def _request_explanations(self, images: list[ImagePredicted]) -> None:
        """Request an explanation of each photograph; that of the first one twice."""
        requests = [_request(image) for image in images]
        settings, messages = self._context.stack.settings(), [*requests, *requests[:1]]
        sent = [(request.camera, request.camera.encode(), request.to_bytes()) for request in messages]
        send_to_cameras(settings, EXPLANATION_REQUESTED, sent)

    def _wait_until_busy(self, part: str) -> None:
        """Wait until parts that are not on the live path have work: the other ones have some from the first upload."""
        if part in ("crops", "explain"):
            _until(lambda: self._observed(lambda station: bool(station.crops and station.requested)), 60)
        if part == "identify":
            _until(lambda: self._observed(lambda station: bool(station.sighted)), 60)

    def _inject_fault(self, fault: Fault | None, uploader: Uploader, after: int, outcome: Outcome) -> None:
        if fault is None:
            return
        _until(lambda: uploader.confirmed >= after, 120)
        self._wait_until_busy(fault.part)
        injected_at = time.time()
        try:
            fault.inject(self._context)
            time.sleep(fault.lasts_s)
            reverted_at = time.time()
            fault.revert(self._context)
        except Exception as error:  # the round continues and fails because of this
            outcome.problems.append(f"the fault itself failed: {error!r}")
            return
        self._injected_at, self._reverted_at = injected_at, reverted_at

    def _measure(self, fault: Fault, outcome: Outcome) -> None:
        """Measure the recovery time. Faults of parts in `OFF_LIVE_PATH` never stop the live stream."""
        if fault.part in OFF_LIVE_PATH:
            return
        verdicts = fault.part == "bursts"
        if fault.kill:
            outcome.silence_s = self._silence(self._injected_at, verdicts)
        else:
            outcome.after_heal_s = self._first_after(self._reverted_at, verdicts)

    def _moments(self, verdicts: bool) -> list[float]:
        with self._observer.lock:
            station = self._observer.station(self._station)
            return sorted(station.resolved_at if verdicts else station.predicted_at)

    def _silence(self, injected_at: float, verdicts: bool) -> float | None:
        """Seconds from the injection to the end of the longest gap between events that began at about that time."""
        moments = self._moments(verdicts)
        gaps = [
            (after - before, after)
            for before, after in pairwise(moments)
            if after >= injected_at and before <= injected_at + 2
        ]
        # Predictions that were in flight may still arrive shortly after the injection.
        return max(gaps)[1] - injected_at if gaps else None

    def _first_after(self, reverted_at: float, verdicts: bool) -> float | None:
        return next((moment - reverted_at for moment in self._moments(verdicts) if moment > reverted_at), None)

    def _wait_for(self, groups: set[frozenset[str]], when: str, outcome: Outcome) -> None:
        if _until(lambda: set(self._settled()) == groups, SETTLES_S):
            return
        settled = set(self._settled())
        outcome.problems.append(
            f"{when}: {len(groups - settled)} bursts are missing, e.g. {_some(groups - settled)}; "
            f"{len(settled - groups)} should not be, e.g. {_some(settled - groups)}"
        )

    def _settled(self) -> Verdicts:
        """The current bursts; empty while any of them is provisional."""
        with self._observer.lock:
            current = self._observer.station(self._station).current_bursts()
            if any(burst.status is BurstStatus.PROVISIONAL for burst in current):
                return {}
            return {
                frozenset(self._names.get(frame.image_id, frame.key) for frame in burst.frames): (
                    burst.verdict.label if burst.verdict else "none"
                )
                for burst in current
            }

    def _results(self) -> Results:
        verdicts = self._settled()
        with self._observer.lock:
            station = self._observer.station(self._station)
            return Results(
                verdicts,
                {self._names.get(image, image): boxes for image, boxes in station.detections.items()},
                {(self._names[crop.image_id], crop.sha256 or "") for crop in live_crops(station).values()},
                {
                    frozenset(self._names.get(frame.image_id, frame.key) for frame in burst.frames): len(sighted.crops)
                    for burst in station.current_bursts()
                    if (sighted := live_sightings(station).get(burst.burst_id)) is not None
                },
            )

    def _check(self, outcome: Outcome, reference: Results | None) -> None:
        """Check everything that must hold after a round."""
        outcome.missed = self._reconcile()
        if outcome.missed:
            outcome.problems.append(f"reconcile found {outcome.missed} uploads that were never announced")
        with self._observer.lock:
            station = self._observer.station(self._station)
            outcome.by_reconcile = station.announced_by_reconcile
            self._check_predictions(station, outcome)
            frames = [frame.image_id for burst in station.current_bursts() for frame in burst.frames]
            if len(frames) != len(set(frames)):
                outcome.problems.append(f"{len(frames) - len(set(frames))} photographs are in two bursts")
            if station.contradictions:
                outcome.problems.append(
                    f"{len(station.contradictions)} revisions were published twice with different contents"
                )
            if self._observer.dead_letters:
                outcome.problems.append(f"{len(self._observer.dead_letters)} dead letters")
                self._observer.dead_letters.clear()
            outcome.problems += self._products.problems(station)
            outcome.crops, outcome.explained = len(live_crops(station)), len(live_explanations(station))
            outcome.sighted = len(live_sightings(station))
        outcome.results = self._results()
        outcome.bursts = len(outcome.results.verdicts)
        if reference is not None:
            outcome.problems += _differences(outcome.results, reference)

    def _check_predictions(self, station: Station, outcome: Outcome) -> None:
        settings = self._context.stack.settings()
        store = ObjectStore(settings)
        stored = list(store.list(settings.bucket, f"{self._station}/"))
        store.client.close()
        ids = {upload_id(settings.bucket, entry.key, entry.etag) for entry in stored}
        outcome.answered = len(ids & set(station.results))
        if ids - set(station.results):
            outcome.problems.append(f"{len(ids - set(station.results))} stored photographs have no prediction")
        if set(station.results) - ids:
            outcome.problems.append(f"{len(set(station.results) - ids)} predictions of objects that are not stored")
        reasons = {self._names.get(image, image): reason for image, reason in station.results.values()}
        photographs = self._scenario.photographs
        wrong = [photo.name for photo in photographs if reasons.get(photo.name, "missing") != photo.rejection]
        if wrong:
            outcome.problems.append(f"{len(wrong)} photographs have a wrong result, e.g. {wrong[0]}")

    def _reconcile(self) -> int:
        """Number of uploads that `uncia reconcile` still finds and announces."""
        command = [sys.executable, "-m", "uncia", "reconcile", "--json", "--prefix", f"{self._station}/"]
        environment = {**self._context.environment(), "UNCIA_RECONCILE_AFTER_S": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
        try:
            return int(json.loads(done.stdout.strip().splitlines()[-1])["missed"])
        except (ValueError, KeyError, IndexError):
            raise RuntimeError(f"reconcile printed {done.stdout!r} {done.stderr[-2000:]!r}") from None


def _differences(results: Results, reference: Results) -> Iterator[str]:
    different = {group for group in reference.verdicts if results.verdicts.get(group) != reference.verdicts[group]}
    if results.verdicts != reference.verdicts:
        yield f"{len(different)} bursts differ from those without a fault, e.g. {_some(different)}"
    names = {name for name in reference.detections if results.detections.get(name) != reference.detections[name]}
    if results.detections != reference.detections:
        yield f"detections of {len(names)} photographs differ from those without a fault, e.g. {min(names, default='')}"
    if unequal := results.crops ^ reference.crops:
        yield f"{len(unequal)} crops differ from those without a fault, e.g. of {min(unequal)[0]}"
    if results.sightings != reference.sightings:
        yield f"{len(results.sightings)} sightings, and {len(reference.sightings)} without a fault"


def _explainable(station: Station) -> list[ImagePredicted]:
    return [image for image in station.uploads.values() if image.prediction is not None]


def _withheld(station: Station) -> list[ImagePredicted]:
    """The predictions of the photographs in whose bursts a person was found."""
    bursts = [burst for burst in station.current_bursts() if may_show_person(burst)]
    return [station.uploads[frame.image_id] for burst in bursts for frame in burst.frames if frame.rejection is None]


def _request(image: ImagePredicted) -> ExplanationRequested:
    assert image.prediction is not None
    model = f"{image.prediction.model}@{image.prediction.version}"
    return ExplanationRequested(
        explanation_id=explanation_id(image.image_id, model, None, "lime"),
        image_id=image.image_id,
        upload_id=image.upload_id,
        station=image.station,
        camera=image.camera,
        bucket=image.bucket,
        key=image.key,
        etag=image.etag,
        reason=ExplanationReason.PERSON,
        requested_at=datetime.now(UTC),
    )


def _until(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + SCALE * limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def _some(groups: set[frozenset[str]]) -> str:
    return ", ".join(sorted(next(iter(groups)))) if groups else "none"
