"""Accounts for every photograph of the demo. Pure: no Kafka and no files.

A file is accounted for when three things have happened: its gateway confirmed the upload (or reported the file as an
exact duplicate of a confirmed one), the topic has a prediction or a rejection for it, and a settled burst contains it.
"""

import statistics
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from uncia.events import BurstCategory, BurstResolved, BurstStatus, ImagePredicted
from uncia.ids import upload_id
from uncia.storage.photograph_names import is_unreadable_photograph


@dataclass(frozen=True)
class Upload:
    """One confirmed upload."""

    key: str
    put_at: datetime


@dataclass
class Ledger:
    """Compares uploads with predictions and bursts. Thread-safe."""

    expected: set[str] = field(default_factory=set)
    """Paths of all files that the gateways must upload."""

    uploads: dict[str, Upload] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)
    confirmed_paths: set[str] = field(default_factory=set)
    predictions: dict[str, ImagePredicted] = field(default_factory=dict)
    bursts: dict[str, BurstResolved] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record_gateway_event(self, event: dict[str, Any]) -> None:
        """Record one decoded line of a gateway's `--json` output."""
        with self._lock:
            if event["event"] == "uploaded":
                identity = upload_id(event["bucket"], event["key"], event["etag"])
                began = event.get("started_at") or event["confirmed_at"]
                self.uploads.setdefault(identity, Upload(event["key"], datetime.fromisoformat(began)))
                self.confirmed_paths.add(event["path"])
            elif event["event"] == "duplicate":
                self.duplicates.add(event["path"])

    def record_prediction(self, image: ImagePredicted) -> None:
        """Record a prediction or rejection. Idempotent by upload id."""
        with self._lock:
            self.predictions.setdefault(image.upload_id, image)

    def record_burst(self, burst: BurstResolved) -> None:
        """Record a burst; a lower revision than the known one is ignored."""
        with self._lock:
            known = self.bursts.get(burst.burst_id)
            if known is None or burst.revision >= known.revision:
                self.bursts[burst.burst_id] = burst

    def progress(self) -> tuple[int, ...]:
        """Counters that change whenever anything is recorded; compare two values to detect a stalled stream."""
        with self._lock:
            revisions = sum(burst.revision for burst in self.bursts.values())
            return (len(self.confirmed_paths), len(self.duplicates), len(self.predictions), revisions)

    def all_uploaded(self) -> bool:
        """True when every expected file was confirmed or is a duplicate."""
        with self._lock:
            return self.expected <= self.confirmed_paths | self.duplicates

    def burst_lines(self) -> str:
        """The last event of every burst as JSON, one a line, in the order of camera and start."""
        with self._lock:
            bursts = sorted(self.bursts.values(), key=lambda burst: (burst.camera, burst.started_at, burst.burst_id))
            return "".join(burst.to_bytes().decode() + "\n" for burst in bursts)

    def burst_to_explain(self) -> str | None:
        """The id of the settled burst that most surely shows an animal, focus taxa first; None: no burst shows one."""
        with self._lock:
            animals = [
                burst
                for burst in self.settled_bursts()
                if burst.category is BurstCategory.ANIMAL and burst.verdict is not None and not burst.crops_withheld
            ]
            best = max(animals, key=_certainty, default=None)
            return best.burst_id if best else None

    def settled_bursts(self) -> list[BurstResolved]:
        """Bursts whose status is final or revised."""
        return [b for b in self.bursts.values() if b.status in (BurstStatus.FINAL, BurstStatus.REVISED)]

    def unaccounted(self) -> dict[str, list[str]]:
        """Names of missing items by stage: paths (not uploaded) or keys (not answered, in no settled burst)."""
        with self._lock:
            in_bursts = {frame.image_id for burst in self.settled_bursts() for frame in burst.frames}
            predicted = [self.predictions[i] for i in self.uploads if i in self.predictions]
            return {
                "not uploaded": sorted(self.expected - self.confirmed_paths - self.duplicates),
                "not answered": sorted(up.key for i, up in self.uploads.items() if i not in self.predictions),
                "in no settled burst": sorted(p.key for p in predicted if _belongs(p) and p.image_id not in in_bursts),
            }

    def summary(self) -> dict[str, Any]:
        """The values of the demo's closing line. The rate covers the time from the first PUT to the last prediction."""
        missing = sum(len(names) for names in self.unaccounted().values())
        with self._lock:
            pairs = [(up, self.predictions[i]) for i, up in self.uploads.items() if i in self.predictions]
            latencies = sorted(max(0.0, (image.predicted_at - up.put_at).total_seconds()) for up, image in pairs)
            span = (
                (max(image.predicted_at for _, image in pairs) - min(up.put_at for up, _ in pairs)).total_seconds()
                if pairs
                else 0.0
            )
            rejected = sum(1 for _, image in pairs if image.rejection is not None)
            return {
                "uploaded": len(self.uploads),
                "duplicates": len(self.duplicates),
                "predicted": len(pairs) - rejected,
                "rejected": rejected,
                "bursts": len(self.settled_bursts()),
                "unaccounted": missing,
                "images_per_s": round(len(pairs) / span, 1) if span > 0 else 0.0,
                "p50_ms": round(1000 * statistics.median(latencies)) if latencies else 0,
                "p95_ms": round(1000 * latencies[int(0.95 * len(latencies))]) if latencies else 0,
            }


def closing_line(summary: dict[str, Any]) -> str:
    """`uploaded=… predicted=… rejected=… bursts=… unaccounted=… images_per_s=… p50_ms=… p95_ms=…`."""
    names = ("uploaded", "predicted", "rejected", "bursts", "unaccounted", "images_per_s", "p50_ms", "p95_ms")
    return " ".join(f"{name}={summary[name]}" for name in names)


def _belongs(image: ImagePredicted) -> bool:
    """True when the object is a photograph, readable or not, so that some burst must contain it."""
    return image.rejection is None or is_unreadable_photograph(image.key, image.rejection.reason)


def _certainty(burst: BurstResolved) -> tuple[bool, float, str]:
    assert burst.verdict is not None
    return burst.verdict.focus and burst.verdict.certain, burst.animal_probability or 0.0, burst.burst_id
