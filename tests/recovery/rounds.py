"""One round: photographs pour in, something fails, everything must be as on a quiet day."""

import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from tests.recovery.faults import BESIDE, Fault, Field
from tests.recovery.field_day import FieldDay
from tests.recovery.observer import Observer, Station
from tests.recovery.photographs import Photograph
from tests.recovery.uploaders import Uploader, uploading
from uncia.errors import UnciaError
from uncia.events import BurstStatus
from uncia.ids import image_id, upload_id
from uncia.storage.object_store import ObjectStore

SETTLES_S = 150
"""How long after the last upload everything may take."""

Verdicts = dict[frozenset[str], str]
"""The bursts of a round: their frames by name, and what they are said to show."""


@dataclass
class Outcome:
    """What a round showed."""

    fault: str
    uploads: int = 0
    photographs: int = 0
    answered: int = 0
    bursts: int = 0
    by_reconcile: int = 0
    """Uploads that reconcile announced."""
    silence_s: float | None = None
    """From the strike to the first new answer (of the worker `bursts`: verdict), where one can say so."""
    after_heal_s: float | None = None
    """The same from the end of the fault on."""
    seconds: float = 0
    missed: int = -1
    verdicts: Verdicts = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Round:
    """Plays `day` under a station of its own, with one fault amid it (None: a quiet day)."""

    def __init__(self, place: Field, observer: Observer, day: FieldDay, *, seed: int, per_s: float = 16) -> None:
        self._place = place
        self._observer = observer
        self._day = day
        self._order = random.Random(seed)
        self._per_s = per_s
        self._struck = self._healed = 0.0
        self._station = f"st-{uuid.uuid4().hex[:8]}"
        self._names = {image_id(f"{self._station}/{each.camera}", each.sha256): each.name for each in day.photographs}

    def play(self, fault: Fault | None, reference: Verdicts | None = None) -> Outcome:
        """The whole round. `reference`: what a quiet round ended in."""
        outcome, began = Outcome(fault.name if fault else "none"), time.monotonic()
        arrivals = list(self._day.arrivals(self._order))
        outcome.photographs = len(self._day.photographs)
        outcome.uploads = len(arrivals) + len(self._day.stragglers)
        spool = fault.prepare(self._place) if fault else None
        try:
            with uploading(self._place, self._station, spool) as uploader:
                self._stream(fault, arrivals, uploader, outcome)
        except (TimeoutError, UnciaError) as error:
            outcome.problems.append(f"the round broke off: {error}")
        finally:
            if fault is not None:
                fault.tidy(self._place)
        self._judge(outcome, reference)
        outcome.seconds = time.monotonic() - began
        return outcome

    def _stream(
        self, fault: Fault | None, arrivals: list[tuple[Photograph, str]], uploader: Uploader, outcome: Outcome
    ) -> None:
        trouble = threading.Thread(target=self._trouble, args=(fault, uploader, len(arrivals) // 3, outcome))
        trouble.start()
        # The last third comes when the fault is over: somebody has to notice that the stream goes on.
        until_then = len(arrivals) * 2 // 3
        uploader.upload(arrivals[:until_then], self._per_s)
        trouble.join()
        uploader.upload(arrivals[until_then:], self._per_s)
        self._wait_for(self._day.groups_before_stragglers, "before the stragglers", outcome)
        if fault is not None and self._healed:
            self._measure(fault, outcome)
        if fault is not None and fault.part == "bursts":
            # What it knows must stand in the log, not only in its memory.
            self._place.stack.kill("bursts", 9)
        uploader.upload([(each, "") for each in self._day.stragglers], self._per_s)
        self._wait_for(self._day.groups, "at the end", outcome)

    def _trouble(self, fault: Fault | None, uploader: Uploader, after: int, outcome: Outcome) -> None:
        if fault is None:
            return
        _until(lambda: uploader.confirmed >= after, 120)
        struck = time.time()
        try:
            fault.strike(self._place)
            time.sleep(fault.lasts_s)
            healed = time.time()
            fault.heal(self._place)
        except Exception as error:  # the round goes on, and fails by this
            outcome.problems.append(f"the fault itself failed: {error!r}")
            return
        self._struck, self._healed = struck, healed

    def _measure(self, fault: Fault, outcome: Outcome) -> None:
        """How long it took until the stream went on. Without the parts `BESIDE` it never stands still."""
        if fault.part in BESIDE:
            return
        verdicts = fault.part == "bursts"
        if fault.kill:
            outcome.silence_s = self._silence(self._struck, verdicts)
        else:
            outcome.after_heal_s = self._first_after(self._healed, verdicts)

    def _moments(self, verdicts: bool) -> list[float]:
        with self._observer.lock:
            station = self._observer.station(self._station)
            return sorted(station.resolved_at if verdicts else station.answered_at)

    def _silence(self, struck: float, verdicts: bool) -> float | None:
        """Seconds from the strike to the end of the longest silence that began about then."""
        moments = self._moments(verdicts)
        gaps = [
            (after - before, after) for before, after in pairwise(moments) if after >= struck and before <= struck + 2
        ]
        # Answers that were under way may still arrive within a moment of the strike.
        return max(gaps)[1] - struck if gaps else None

    def _first_after(self, healed: float, verdicts: bool) -> float | None:
        return next((moment - healed for moment in self._moments(verdicts) if moment > healed), None)

    def _wait_for(self, groups: set[frozenset[str]], when: str, outcome: Outcome) -> None:
        if _until(lambda: set(self._settled()) == groups, SETTLES_S):
            return
        settled = set(self._settled())
        outcome.problems.append(
            f"{when}: {len(groups - settled)} bursts are missing, e.g. {_some(groups - settled)}; "
            f"{len(settled - groups)} should not be, e.g. {_some(settled - groups)}"
        )

    def _settled(self) -> Verdicts:
        """Bursts that stand, none of them open; empty while one is."""
        with self._observer.lock:
            standing = self._observer.station(self._station).standing()
            if any(burst.status is BurstStatus.PROVISIONAL for burst in standing):
                return {}
            return {
                frozenset(self._names.get(frame.image_id, frame.key) for frame in burst.frames): (
                    burst.verdict.label if burst.verdict else "none"
                )
                for burst in standing
            }

    def _judge(self, outcome: Outcome, reference: Verdicts | None) -> None:
        """Everything that must hold after a round."""
        outcome.missed = self._reconcile()
        if outcome.missed:
            outcome.problems.append(f"reconcile found {outcome.missed} that nobody announced")
        with self._observer.lock:
            said = self._observer.station(self._station)
            outcome.by_reconcile = said.announced_by_reconcile
            self._judge_answers(said, outcome)
            frames = [frame.image_id for burst in said.standing() for frame in burst.frames]
            if len(frames) != len(set(frames)):
                outcome.problems.append(f"{len(frames) - len(set(frames))} photographs stand in two bursts")
            if said.contradictions:
                outcome.problems.append(f"{len(said.contradictions)} revisions were said twice, differently")
            if self._observer.dead_letters:
                outcome.problems.append(f"{len(self._observer.dead_letters)} dead letters")
                self._observer.dead_letters.clear()
        outcome.verdicts = self._settled()
        outcome.bursts = len(outcome.verdicts)
        if reference is not None and outcome.verdicts != reference:
            other = [group for group in reference if outcome.verdicts.get(group) != reference[group]]
            outcome.problems.append(f"{len(other)} bursts are not those of a quiet day, e.g. {_some(set(other))}")

    def _judge_answers(self, said: Station, outcome: Outcome) -> None:
        settings = self._place.stack.settings()
        store = ObjectStore(settings)
        stored = list(store.list(settings.bucket, f"{self._station}/"))
        store.client.close()
        ids = {upload_id(settings.bucket, each.key, each.etag) for each in stored}
        outcome.answered = len(ids & set(said.answers))
        if ids - set(said.answers):
            outcome.problems.append(f"{len(ids - set(said.answers))} stored photographs were never answered")
        if set(said.answers) - ids:
            outcome.problems.append(f"{len(set(said.answers) - ids)} answers to what is not stored")
        reasons = {self._names.get(image, image): reason for image, reason in said.answers.values()}
        wrong = [each.name for each in self._day.photographs if reasons.get(each.name, "never seen") != each.rejection]
        if wrong:
            outcome.problems.append(f"{len(wrong)} photographs were not answered as they should be, e.g. {wrong[0]}")

    def _reconcile(self) -> int:
        """How many photographs `uncia reconcile` still has to announce."""
        command = [sys.executable, "-m", "uncia", "reconcile", "--json", "--prefix", f"{self._station}/"]
        environment = {**self._place.environment(), "UNCIA_RECONCILE_AFTER_S": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        try:
            return int(json.loads(done.stdout.strip().splitlines()[-1])["missed"])
        except (ValueError, KeyError, IndexError):
            raise RuntimeError(f"reconcile said {done.stdout!r} {done.stderr[-2000:]!r}") from None


def _until(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def _some(groups: set[frozenset[str]]) -> str:
    return ", ".join(sorted(next(iter(groups)))) if groups else "none"
