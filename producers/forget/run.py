"""Carries out a plan, step by step. Each step may be repeated, and a killed run is resumed by running the plan again.

0. The command waits until the workers have read what is there; until then nothing is begun and nothing is stored.
1. The rejections of the uploads, and the withdrawals of crops and explanations, are published.
2. When the workers have read them, bursts that still list a photograph are revised: those that the bursts worker holds
   no more. Bursts without a photograph left are removed by a tombstone.
3. When the workers have read that, too, every version of the objects is deleted: no worker can store a crop again.
4. Store, topics and catalogue are searched for what is left.

Crops and explanations are searched again before each step: the workers make some of photographs that are still there.
Sound recordings are uploads like photographs; their results and calls are withdrawn in step 1, and their spectrograms
deleted in step 3. While one of them has no result yet, step 0 waits for `listen`, too, if a process of it runs.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import BurstResolved, CropPublished, ImageExplained
from uncia.kafka.broker import CameraProducer, read_topics
from uncia.kafka.sound_events import SoundEvents, read_sound_events
from uncia.kafka.stream_status import StreamStatus, stream_status
from uncia.producers.forget.events import forgotten_prediction, lists_any, removable_bursts, without_images
from uncia.producers.forget.plan import ForgetPlan
from uncia.producers.forget.recordings import (
    HeardRecordings,
    heard_recordings,
    planned_recordings,
    still_heard,
    withdrawn_results,
)
from uncia.producers.forget.removal import StoreRemoval
from uncia.settings import Settings
from uncia.topics import (
    BURST_RESOLVED,
    CROP_PUBLISHED,
    IMAGE_EXPLAINED,
    IMAGE_PREDICTED,
    RECORDING_ANALYSED,
    SOUND_HEARD,
    Topic,
)

__all__ = ["ForgetResult", "Forgetting", "Search", "check_nothing_left", "newest_bursts", "not_settled"]

_CHUNK = 500
_BEFORE = ("intake", "predict", "predict-backfill")
"""The parts that must have no backlog at the start: a later prediction would describe the photograph again."""

_LISTEN = "listen"
"""Optional, and of low priority: it may be days behind. A process that is stopped finds no content later on."""

_FOLLOWERS = ("bursts", "crops", "explain", "catalogue")
"""The parts that must have read the events before the next step."""

_POLL_S = 1.0
_MOST_SEARCHES = 5
"""Of what is made while the command runs; what is left then is named at the end."""

Messages = Iterable[tuple[Topic, str, bytes, bytes | None]]


@dataclass(frozen=True)
class Search:
    """What the catalogue knows about a plan's photographs now."""

    plan: ForgetPlan
    """With everything that was found, withdrawn or not."""
    crops: tuple[CropPublished, ...] = ()
    """The withdrawals of those that are still shown."""
    explanations: tuple[ImageExplained, ...] = ()
    """Likewise."""
    still_known: list[str] = field(default_factory=list)
    """What it still says, in words."""


@dataclass(frozen=True)
class ForgetResult:
    """What a run has done, and what it still found afterwards."""

    photographs: int
    bursts_revised: int
    bursts_removed: int
    versions_deleted: int
    left_in_store: list[str] = field(default_factory=list)
    left_on_topics: list[str] = field(default_factory=list)
    left_in_catalogue: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Keys under which the same content stays."""

    @property
    def complete(self) -> bool:
        """Whether nothing was found."""
        return not (self.left_in_store or self.left_on_topics or self.left_in_catalogue)


@dataclass(frozen=True)
class Forgetting:
    """One plan and what it is carried out with. Raises `UnciaError`."""

    settings: Settings
    plan: ForgetPlan
    removal: StoreRemoval
    begin: Callable[[], None]
    """Stores the plan; called before the first message."""
    search: Callable[[ForgetPlan], Search]
    """Searches the catalogue again."""
    wait_s: float
    progress: Callable[[str], None]
    read_status: Callable[[Settings], StreamStatus] = stream_status
    read_sounds: Callable[[Settings], SoundEvents] = read_sound_events

    def run(self) -> ForgetResult:
        """All steps. Raises `DependencyDown` when the workers do not follow within `wait_s`: run it again."""
        unheard = heard_recordings(self.plan, self._sounds(self.plan)).unheard
        self._wait((*_BEFORE, *([_LISTEN] if unheard else ())), then="nothing was begun, run it again")
        self.begin()
        plan = self.search(self.plan).plan
        self.progress("publishing that the photographs are forgotten")
        self._send(_rejections(plan))
        self._withdraw_sounds(plan)
        self._send(_withdrawals(plan.crops, plan.explanations))
        self._wait()
        plan = self._withdraw_late(plan)
        self.progress("revising the bursts that list them")
        revised, ended = self._revise_bursts(plan)
        self._wait()
        plan = self._withdraw_late(plan)
        self.progress("deleting all versions from the store")
        deleted = self.removal.remove(plan, ended, self._heard(plan).spectrograms)
        self.progress("searching for what is left")
        found = self.search(plan)
        newest = newest_bursts(self.settings)
        sounds = self._sounds(plan)
        return ForgetResult(
            len(plan.photographs),
            revised,
            len(ended),
            deleted,
            self.removal.left(found.plan, heard_recordings(plan, sounds).spectrograms),
            [
                *(name for name, burst in newest.items() if lists_any(burst, found.plan.images, found.plan.copies)),
                *still_heard(plan, sounds),
            ],
            found.still_known,
            [one.key for one in found.plan.kept],
        )

    def _sounds(self, plan: ForgetPlan) -> SoundEvents:
        return self.read_sounds(self.settings) if planned_recordings(plan) else SoundEvents()

    def _heard(self, plan: ForgetPlan) -> HeardRecordings:
        return heard_recordings(plan, self._sounds(plan))

    def _withdraw_sounds(self, plan: ForgetPlan) -> None:
        events, now = self._sounds(plan), datetime.now(UTC)
        results = withdrawn_results(plan, events, now)
        calls = heard_recordings(plan, events).withdrawn_calls(now)
        self._send((RECORDING_ANALYSED, one.camera, one.camera.encode(), one.to_bytes()) for one in results)
        self._send((SOUND_HEARD, one.camera, one.camera.encode(), one.to_bytes()) for one in calls)

    def _withdraw_late(self, plan: ForgetPlan) -> ForgetPlan:
        """Withdraw what was made since the last search. Returns the plan with it."""
        for _ in range(_MOST_SEARCHES):
            found = self.search(plan)
            plan = found.plan
            if not found.crops and not found.explanations:
                break
            self.progress(f"withdrawing {len(found.crops)} crops and {len(found.explanations)} explanations made since")
            self._send(_withdrawals(found.crops, found.explanations))
            self._wait()
        return plan

    def _revise_bursts(self, plan: ForgetPlan) -> tuple[int, set[tuple[str, str]]]:
        """Returns how many bursts were revised, and camera and id of those that were removed."""
        newest = newest_bursts(self.settings)
        messages: list[tuple[Topic, str, bytes, bytes | None]] = []
        planned = {burst_id: camera for camera, burst_id in plan.bursts}
        for burst_id, burst in newest.items():
            if lists_any(burst, plan.images, plan.copies):
                newest[burst_id] = event = without_images(burst, plan.images, plan.copies)
                messages.append((BURST_RESOLVED, event.camera, burst_id.encode(), event.to_bytes()))
                planned[burst_id] = event.camera
        revised = len(messages)
        # The event before a tombstone is for subscribers that keep bursts and disregard tombstones.
        removed = removable_bursts(planned, newest)
        messages += [(BURST_RESOLVED, newest[name].camera, name.encode(), None) for name in removed]
        self._send(messages)
        ended = {(newest[name].camera, name) for name in removed}
        # After a kill the tombstone may be on the topic already; the manifests are deleted all the same.
        ended |= {(camera, name) for name, camera in planned.items() if name not in newest}
        return revised, ended

    def _send(self, messages: Messages) -> None:
        producer = CameraProducer(self.settings, linger_ms=5)
        try:
            waiting: list[tuple[Topic, str, bytes, bytes | None]] = []
            for message in messages:
                waiting.append(message)
                if len(waiting) == _CHUNK:
                    producer.send(waiting)
                    waiting = []
            producer.send(waiting)
        except KafkaError as error:
            raise DependencyDown(f"Kafka did not take all messages ({error}): run the command again") from error
        finally:
            producer.close()

    def _wait(self, parts: Sequence[str] = _FOLLOWERS, then: str = "`uncia forget --resume --yes` continues") -> None:
        deadline = time.monotonic() + self.wait_s
        while behind := not_settled(self.read_status(self.settings), parts):
            if time.monotonic() > deadline:
                raise DependencyDown(f"not complete: after {self.wait_s:.0f} s {behind}; {then}")
            time.sleep(_POLL_S)


def _rejections(plan: ForgetPlan) -> Messages:
    now = datetime.now(UTC)
    for photograph in plan.photographs:
        value = forgotten_prediction(photograph, now).to_bytes()
        yield IMAGE_PREDICTED, photograph.camera, photograph.camera.encode(), value


def _withdrawals(crops: Iterable[CropPublished], explanations: Iterable[ImageExplained]) -> Messages:
    for crop in crops:
        yield CROP_PUBLISHED, crop.camera, crop.camera.encode(), crop.to_bytes()
    for explanation in explanations:
        yield IMAGE_EXPLAINED, explanation.camera, explanation.camera.encode(), explanation.to_bytes()


def not_settled(status: StreamStatus, parts: Sequence[str] = _FOLLOWERS) -> str:
    """Which parts have not read all messages yet, in words; empty: none."""
    if status.problem:
        return status.problem
    behind: dict[str, int] = {}
    for lag in status.lag:
        if lag.worker == _LISTEN and _LISTEN in status.stopped:
            continue
        if lag.worker in parts and lag.messages:
            behind[lag.worker] = behind.get(lag.worker, 0) + lag.messages
    return ", ".join(f"{worker} is {messages} messages behind" for worker, messages in sorted(behind.items()))


def newest_bursts(settings: Settings) -> dict[str, BurstResolved]:
    """The newest event of every burst whose key was not removed. Raises `DependencyDown`."""
    found: dict[str, BurstResolved] = {}
    for message in read_topics(settings, (BURST_RESOLVED,), from_beginning=True, until_end=True):
        name = (message.key or b"").decode(errors="replace")
        if message.value is None:
            found.pop(name, None)
            continue
        try:
            burst = BurstResolved.from_bytes(message.value)
        except PermanentError:
            continue
        known = found.get(burst.burst_id)
        if known is None or burst.revision >= known.revision:
            found[burst.burst_id] = burst
    return found


def check_nothing_left(result: ForgetResult) -> None:
    """Raises `UnciaError` where something is left."""
    if not result.complete:
        left = [*result.left_in_store, *result.left_on_topics, *result.left_in_catalogue]
        raise UnciaError(f"not complete, {len(left)} things are left: {', '.join(left[:5])}; run the command again")
