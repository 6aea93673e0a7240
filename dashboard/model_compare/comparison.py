"""Compares the predictions of two versions on the same photographs; pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.events import WITHDRAWN_REASONS, ImagePredicted


@dataclass(frozen=True)
class VersionVerdict:
    """The prediction of one version for a photograph: its best class, and the focus taxa that are present."""

    label: str
    taxon: str
    score: float
    present: tuple[str, ...]
    """Focus taxa whose score reaches their threshold."""

    @property
    def compared(self) -> str:
        """The name by which two verdicts are compared: the focus taxa that are present, else the best class.

        The taxon takes precedence over the label, since labels differ between class sets.
        """
        return ", ".join(self.present) or self.taxon or self.label

    @classmethod
    def of(cls, event: ImagePredicted) -> "VersionVerdict | None":
        """None for a photograph without a prediction."""
        prediction = event.prediction
        if prediction is None or not prediction.top:
            return None
        top = prediction.top[0]
        present = tuple(sorted(focus.taxon for focus in prediction.focus if focus.present))
        return cls(top.label, top.taxon, top.score, present)


@dataclass(frozen=True)
class PredictionPair:
    """One photograph and the verdicts of both versions."""

    upload_id: str
    camera: str
    content: AssessedContent
    captured_at: datetime
    first: VersionVerdict
    second: VersionVerdict

    @property
    def differs(self) -> bool:
        """True where the best taxa differ, or a focus taxon is present for one version only."""
        return self.first.compared != self.second.compared


@dataclass
class VersionComparison:
    """All photographs that both versions predicted, and how many only one of them did."""

    first: str
    second: str
    pairs: list[PredictionPair] = field(default_factory=list)
    only_first: int = 0
    only_second: int = 0

    def different(self) -> list[PredictionPair]:
        """The pairs that differ: those with different focus taxa first, then by falling score."""
        return sorted(
            (pair for pair in self.pairs if pair.differs),
            key=lambda pair: (
                pair.first.present == pair.second.present,
                -max(pair.first.score, pair.second.score),
                pair.camera,
                pair.captured_at,
                pair.upload_id,
            ),
        )

    def table(self) -> list[tuple[str, str, int]]:
        """First verdict, second verdict, number of photographs; rows that differ first."""
        counts = Counter((pair.first.compared, pair.second.compared) for pair in self.pairs)
        rows = [(first, second, count) for (first, second), count in counts.items()]
        return sorted(rows, key=lambda row: (row[0] == row[1], -row[2], row))


def compare_versions(first: str, second: str, predictions: Iterable[ImagePredicted]) -> VersionComparison:
    """Join the predictions of two versions (`model@version`) by upload. The last prediction of a version counts.

    A rejection that withdraws an upload removes the predictions for it.
    """
    verdicts: dict[str, dict[str, VersionVerdict]] = {first: {}, second: {}}
    photographs: dict[str, tuple[str, AssessedContent, datetime]] = {}
    for event in predictions:
        if event.rejection is not None and event.rejection.reason in WITHDRAWN_REASONS:
            for by_upload in verdicts.values():
                by_upload.pop(event.upload_id, None)
            continue
        prediction = event.prediction
        name = f"{prediction.model}@{prediction.version}" if prediction else ""
        verdict = VersionVerdict.of(event)
        if name in verdicts and verdict is not None:
            verdicts[name][event.upload_id] = verdict
            photographs[event.upload_id] = (event.camera, AssessedContent.of_prediction(event), event.capture.time)
    of_first, of_second = verdicts[first], verdicts[second]
    both = sorted(of_first.keys() & of_second.keys())
    pairs = [PredictionPair(upload, *photographs[upload], of_first[upload], of_second[upload]) for upload in both]
    return VersionComparison(first, second, pairs, len(of_first) - len(both), len(of_second) - len(both))
