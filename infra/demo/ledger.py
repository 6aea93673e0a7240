"""What went in and what came out; pure.

A file is accounted for when its gateway confirmed it (or called it an exact duplicate of one that it confirmed),
an answer stands on the topic, a prediction or a rejection, and a settled burst holds the photograph.
"""

import statistics
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from uncia.events import BurstResolved, BurstStatus, ImagePredicted
from uncia.ids import upload_id
from uncia.storage.photograph_names import is_unreadable_photograph


@dataclass(frozen=True)
class Upload:
    """One confirmed upload."""

    key: str
    put_at: datetime


@dataclass
class Ledger:
    """Counts both sides. Safe to feed from several threads."""

    expected: set[str] = field(default_factory=set)
    """Paths of the files that were there to be played."""

    uploads: dict[str, Upload] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)
    confirmed_paths: set[str] = field(default_factory=set)
    answers: dict[str, ImagePredicted] = field(default_factory=dict)
    bursts: dict[str, BurstResolved] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take_gateway(self, event: dict[str, Any]) -> None:
        """One line of a gateway's `--json`."""
        with self._lock:
            if event["event"] == "uploaded":
                identity = upload_id(event["bucket"], event["key"], event["etag"])
                began = event.get("started_at") or event["confirmed_at"]
                self.uploads.setdefault(identity, Upload(event["key"], datetime.fromisoformat(began)))
                self.confirmed_paths.add(event["path"])
            elif event["event"] == "duplicate":
                self.duplicates.add(event["path"])

    def take_answer(self, image: ImagePredicted) -> None:
        """One prediction event; repetitions change nothing."""
        with self._lock:
            self.answers.setdefault(image.upload_id, image)

    def take_burst(self, burst: BurstResolved) -> None:
        """One burst event; the highest revision counts."""
        with self._lock:
            known = self.bursts.get(burst.burst_id)
            if known is None or burst.revision >= known.revision:
                self.bursts[burst.burst_id] = burst

    def progress(self) -> tuple[int, ...]:
        """Changes whenever anything moved on."""
        with self._lock:
            revisions = sum(burst.revision for burst in self.bursts.values())
            return (len(self.confirmed_paths), len(self.duplicates), len(self.answers), revisions)

    def played(self) -> bool:
        """Every file was confirmed or is a duplicate."""
        with self._lock:
            return self.expected <= self.confirmed_paths | self.duplicates

    def settled_bursts(self) -> list[BurstResolved]:
        """Bursts that stand: final or revised."""
        return [b for b in self.bursts.values() if b.status in (BurstStatus.FINAL, BurstStatus.REVISED)]

    def unaccounted(self) -> dict[str, list[str]]:
        """What is missing, by kind; empty lists when nothing is."""
        with self._lock:
            in_bursts = {frame.image_id for burst in self.settled_bursts() for frame in burst.frames}
            answered = [self.answers[identity] for identity in self.uploads if identity in self.answers]
            return {
                "not uploaded": sorted(self.expected - self.confirmed_paths - self.duplicates),
                "not answered": sorted(up.key for i, up in self.uploads.items() if i not in self.answers),
                "in no settled burst": sorted(a.key for a in answered if _belongs(a) and a.image_id not in in_bursts),
            }

    def summary(self) -> dict[str, Any]:
        """The demo's closing line as values. Rates over the time from the first PUT to the last answer."""
        missing = sum(len(names) for names in self.unaccounted().values())
        with self._lock:
            pairs = [(up, self.answers[i]) for i, up in self.uploads.items() if i in self.answers]
            waits = sorted(max(0.0, (answer.predicted_at - up.put_at).total_seconds()) for up, answer in pairs)
            span = (
                (max(answer.predicted_at for _, answer in pairs) - min(up.put_at for up, _ in pairs)).total_seconds()
                if pairs
                else 0.0
            )
            rejected = sum(1 for _, answer in pairs if answer.rejection is not None)
            return {
                "uploaded": len(self.uploads),
                "duplicates": len(self.duplicates),
                "predicted": len(pairs) - rejected,
                "rejected": rejected,
                "bursts": len(self.settled_bursts()),
                "unaccounted": missing,
                "images_per_s": round(len(pairs) / span, 1) if span > 0 else 0.0,
                "p50_ms": round(1000 * statistics.median(waits)) if waits else 0,
                "p95_ms": round(1000 * waits[min(len(waits) - 1, int(0.95 * len(waits)))]) if waits else 0,
            }


def closing_line(summary: dict[str, Any]) -> str:
    """`uploaded=… predicted=… rejected=… bursts=… unaccounted=… images_per_s=… p50_ms=… p95_ms=…`."""
    names = ("uploaded", "predicted", "rejected", "bursts", "unaccounted", "images_per_s", "p50_ms", "p95_ms")
    return " ".join(f"{name}={summary[name]}" for name in names)


def _belongs(answer: ImagePredicted) -> bool:
    """It is a photograph, so a burst must hold it."""
    return answer.rejection is None or is_unreadable_photograph(answer.key, answer.rejection.reason)
