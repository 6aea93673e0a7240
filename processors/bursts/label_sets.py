"""What the classes of every installed version of every model are called, by the id of their label set.

Frames of two versions may stand in one burst, and a version may be installed while this process runs: an id that
nobody knows is looked for again, though not for every frame.
"""

import time
from collections.abc import Callable
from pathlib import Path

from uncia.errors import SettingsError
from uncia.processors.bursts.verdict import ClassName
from uncia.serving.labels import Calibration, LabelSet, load_label_set
from uncia.serving.model_versions import LABELS_FILE

LOOK_AGAIN_S = 5.0


class LabelSets:
    """The label sets of a repository; each file is read once."""

    def __init__(self, repository: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._repository = repository
        self._clock = clock
        self._known: dict[str, LabelSet] = {}
        self._calibrations: dict[str, dict[tuple[str, str], Calibration | None]] = {}
        self._read: set[tuple[Path, int]] = set()
        self._looked = float("-inf")

    def find(self, name: str) -> LabelSet | None:
        """The label set of that id; None where no installed version has it."""
        if name not in self._known and self._clock() - self._looked >= LOOK_AGAIN_S:
            self._looked = self._clock()
            self._look()
        return self._known.get(name)

    def name(self, label_set: str, index: int) -> ClassName | None:
        """What a class is called."""
        labels = self.find(label_set)
        if labels is None or index >= len(labels.classes):
            return None
        entry = labels.classes[index]
        return ClassName(entry.label, entry.taxon, entry.group)

    def calibration(self, label_set: str, taxon: str, label: str) -> Calibration | None:
        """What its label set knows of a class's scores."""
        labels = self.find(label_set)
        if labels is None:
            return None
        if label_set not in self._calibrations:
            self._calibrations[label_set] = {(each.taxon, each.label): each.calibration for each in labels.classes}
        return self._calibrations[label_set].get((taxon, label))

    def _look(self) -> None:
        for path in sorted(self._repository.glob(f"[!.]*/[1-9]*/{LABELS_FILE}")):
            try:
                here = (path, path.stat().st_mtime_ns)
                if here in self._read:
                    continue
                labels = load_label_set(path)
            except (OSError, SettingsError):
                # Removed meanwhile, or not ours: predictions name their best classes themselves.
                continue
            self._read.add(here)
            self._known[labels.id] = labels
