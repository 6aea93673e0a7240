"""Class names and calibrations of every installed version of every model, by the id of their label set.

Frames of two versions may be in one burst, and a version may be installed while this process runs: an unknown id makes
the repository be read again, at most every `RESCAN_S` seconds.
"""

import time
from collections.abc import Callable
from pathlib import Path

from uncia.errors import SettingsError
from uncia.processors.bursts.class_names import ClassName
from uncia.serving.labels import Calibration, LabelSet, load_label_set
from uncia.serving.model_versions import LABELS_FILE

RESCAN_S = 5.0


class LabelSets:
    """The label sets of a model repository; each file is read once."""

    def __init__(self, repository: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._repository = repository
        self._clock = clock
        self._known: dict[str, LabelSet] = {}
        self._calibrations: dict[str, dict[tuple[str, str], Calibration | None]] = {}
        self._read: set[tuple[Path, int]] = set()
        self._scanned = float("-inf")

    def find(self, label_set: str) -> LabelSet | None:
        """The label set with this id; None where no installed version has it."""
        if label_set not in self._known and self._clock() - self._scanned >= RESCAN_S:
            self._scanned = self._clock()
            self._scan()
        return self._known.get(label_set)

    def class_name(self, label_set: str, index: int) -> ClassName | None:
        """The name of a class; None where the label set is not installed or has no such class."""
        labels = self.find(label_set)
        if labels is None or index >= len(labels.classes):
            return None
        entry = labels.classes[index]
        return ClassName(entry.label, entry.taxon, entry.group)

    def calibration(self, label_set: str, taxon: str, label: str) -> Calibration | None:
        """The calibration of a class's scores; None where its label set has none."""
        labels = self.find(label_set)
        if labels is None:
            return None
        if label_set not in self._calibrations:
            self._calibrations[label_set] = {(entry.taxon, entry.label): entry.calibration for entry in labels.classes}
        return self._calibrations[label_set].get((taxon, label))

    def _scan(self) -> None:
        for path in sorted(self._repository.glob(f"[!.]*/[1-9]*/{LABELS_FILE}")):
            try:
                version = (path, path.stat().st_mtime_ns)
                if version in self._read:
                    continue
                labels = load_label_set(path)
            except (OSError, SettingsError):
                # Removed in between, or not ours: predictions carry the names of their best classes themselves.
                continue
            self._read.add(version)
            self._known[labels.id] = labels
