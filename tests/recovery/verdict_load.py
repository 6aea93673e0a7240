"""Verdicts for the workers `alerts` and `redact`: on encounters, and on bursts that the public can tell apart."""

import contextlib
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.recovery.verdict_stack import PLACES
from tests.unit.processors.alerts import builders
from tests.unit.processors.redact import simulated
from uncia.camtrap.public_view import public_view
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.events import BurstCategory, BurstResolved, BurstStatus, PublicBurstResolved, ReviewDecision
from uncia.kafka.broker import CameraProducer
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED

TAXA = SensitiveTaxa.load()
_DEPLOYMENTS = simulated.known(*PLACES)
_EVERY_S = 0.2


def view(burst: BurstResolved) -> PublicBurstResolved | None:
    """What the public is to see of a verdict, without an id."""
    return public_view(burst, _DEPLOYMENTS, TAXA)


class EncounterLoad:
    """Verdicts on random bursts of some cameras: first ones, revisions, reviews, and bursts that were superseded."""

    def __init__(self, seed: int, cameras: int = 30) -> None:
        self._random = random.Random(seed)
        self._cameras = [f"{'peak' if number % 3 else 'hut'}/cam-{number}" for number in range(cameras)]
        self._revisions: dict[str, tuple[int, str, float]] = {}
        self.verdicts = 0
        """Number of verdicts so far."""

    def next(self) -> BurstResolved:
        """A verdict on a new burst, or the next revision of an earlier one."""
        chance = self._random
        if self._revisions and chance.random() < 0.4:
            name = chance.choice(list(self._revisions)[-200:])
            revision, camera, minute = self._revisions[name]
            revision += 1
        else:
            name, revision = f"bst-e{len(self._revisions)}", 1
            camera, minute = chance.choice(self._cameras), chance.randrange(20 * 24 * 12) * 5.0
        self._revisions[name] = (revision, camera, minute)
        self.verdicts += 1
        return self._verdict(name, revision, camera, minute)

    def _verdict(self, name: str, revision: int, camera: str, minute: float) -> BurstResolved:
        values: dict[str, Any] = {"station": camera.partition("/")[0], "camera": camera, "minute": minute}
        match self._random.randrange(8):
            case 0:
                values |= {"category": BurstCategory.PERSON, "status": BurstStatus.PROVISIONAL}
            case 1:
                values |= {"category": BurstCategory.BLANK, "taxon": None}
            case 2:
                values |= {"review": builders.reviewed(ReviewDecision.BLANK)}
            case 3:
                # As secret as the snow leopard: the public sees nothing of these bursts.
                values |= {"taxon": "Panthera tigris"}
            case 4 if revision > 1:
                values |= {"status": BurstStatus.SUPERSEDED, "superseded_by": f"{name}-next"}
        return builders.burst(name, revision=revision, **values)

    @contextlib.contextmanager
    def publishing(self, settings: Settings, per_s: float) -> Iterator[None]:
        """Publish verdicts at this rate while the context is entered."""
        stop, failures = threading.Event(), list[Exception]()

        def publish() -> None:
            producer = CameraProducer(settings)
            try:
                while not stop.wait(_EVERY_S):
                    bursts = [self.next() for _ in range(round(per_s * _EVERY_S))]
                    producer.send((BURST_RESOLVED, one.camera, one.burst_id.encode(), one.to_bytes()) for one in bursts)
            except Exception as error:  # raised below
                failures.append(error)
            finally:
                producer.close()

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if failures:
            raise failures[0]


@dataclass
class PublicLoad:
    """Bursts each of which has a day and taxa that no other burst has, so that its public events can be found."""

    seed: int
    newest: dict[str, BurstResolved] = field(default_factory=dict)
    """The last verdict on each burst."""
    seen: dict[str, list[PublicBurstResolved | None]] = field(default_factory=dict)
    """What the public would have seen of each burst, verdict by verdict."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._pairs = _pairs()

    def first(self, count: int) -> list[BurstResolved]:
        """First verdicts on new bursts. One of eight is a secret, one a person, one provisional."""
        known = len(self.newest)
        return [self._next(f"bst-p{known + number}", self._random.randrange(8)) for number in range(count)]

    def changed(self, names: list[str]) -> list[BurstResolved]:
        """The next verdicts on bursts: corrections, and what withdraws them."""
        return [self._next(name, self._random.randrange(8)) for name in names]

    def owners(self) -> dict[tuple[str, str], str]:
        """The burst of each period and taxon."""
        return {
            (event.period, event.taxon): name
            for name, events in self.seen.items()
            for event in events
            if event is not None
        }

    def wanted(self) -> dict[str, PublicBurstResolved]:
        """What the public is to see in the end."""
        return {name: event for name, burst in self.newest.items() if (event := view(burst)) is not None}

    def _next(self, name: str, kind: int) -> BurstResolved:
        number, before = int(name.removeprefix("bst-p")), self.newest.get(name)
        first, second = self._pairs[number % len(self._pairs)]
        values: dict[str, Any] = {
            "revision": before.revision + 1 if before else 1,
            "at": simulated.FIRST_DAY + timedelta(days=number % 300, hours=12, seconds=number),
            "taxon": first,
        }
        if before is not None:
            values["status"] = BurstStatus.REVISED
        match kind:
            case 0 if before is None:
                values |= {"status": BurstStatus.PROVISIONAL}
            case 0:
                values |= {"status": BurstStatus.SUPERSEDED}
            case 1:
                values |= {"category": BurstCategory.PERSON}
            case 2:
                values |= {"review": simulated.review(ReviewDecision.CORRECT, "Panthera uncia")}
            case 3 if before is not None:
                values |= {"review": simulated.review(ReviewDecision.BLANK, category=None)}
            case 4 | 5:
                values |= {"taxon": second}
        burst = simulated.burst(name, PLACES[number % len(PLACES)].camera, **values)
        self.newest[name] = burst
        self.seen.setdefault(name, []).append(view(burst))
        return burst


def _pairs() -> list[tuple[str, str]]:
    """Taxa whose day and cell are published, by twos; a prime number of pairs, which shares no factor with the days."""
    names = [
        name
        for name in sorted(TAXA.taxonomy.names)
        if (event := view(simulated.burst(taxon=name))) and "W" not in event.period and event.taxon == name
    ]
    assert len(names) >= 298
    return list(zip(names[:149], names[149:298], strict=True))
