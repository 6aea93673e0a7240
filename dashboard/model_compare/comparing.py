"""Two versions' words on the same photographs; pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from uncia.dashboard.contact_sheet.thumbnails import JudgedContent
from uncia.events import WITHDRAWN_REASONS, ImagePredicted


@dataclass(frozen=True)
class Word:
    """What one version says of a photograph: its best class, and the focus taxa that it sees."""

    label: str
    taxon: str
    score: float
    present: tuple[str, ...]
    """Focus taxa at or above their threshold."""

    @property
    def said(self) -> str:
        """As it is compared: a focus taxon that is there, else the best class; taxa, since labels differ by set."""
        return ", ".join(self.present) or self.taxon or self.label

    @classmethod
    def of(cls, event: ImagePredicted) -> "Word | None":
        """None for a photograph that was not judged."""
        prediction = event.prediction
        if prediction is None or not prediction.top:
            return None
        top = prediction.top[0]
        present = tuple(sorted(focus.taxon for focus in prediction.focus if focus.present))
        return cls(top.label, top.taxon, top.score, present)


@dataclass(frozen=True)
class Pair:
    """One photograph, and what each version says of it."""

    upload_id: str
    camera: str
    content: JudgedContent
    taken: datetime
    first: Word
    second: Word

    @property
    def differs(self) -> bool:
        """Another taxon, or a focus taxon that only one of them sees."""
        return self.first.said != self.second.said


@dataclass
class Comparison:
    """Everything that both said, and how much only one of them did."""

    first: str
    second: str
    pairs: list[Pair] = field(default_factory=list)
    only_first: int = 0
    only_second: int = 0

    def different(self) -> list[Pair]:
        """Focus taxa first, then the surest; those that differ alone."""
        found = [pair for pair in self.pairs if pair.differs]
        return sorted(
            found,
            key=lambda pair: (
                pair.first.present == pair.second.present,
                -max(pair.first.score, pair.second.score),
                pair.camera,
                pair.taken,
                pair.upload_id,
            ),
        )

    def table(self) -> list[tuple[str, str, int]]:
        """What the first and the second say, and of how many photographs; what differs first."""
        counts = Counter((pair.first.said, pair.second.said) for pair in self.pairs)
        rows = [(first, second, count) for (first, second), count in counts.items()]
        return sorted(rows, key=lambda row: (row[0] == row[1], -row[2], row))


def compared(first: str, second: str, answers: Iterable[ImagePredicted]) -> Comparison:
    """Join what versions `first` and `second` (`model@version`) said; the last word on a photograph counts."""
    words: dict[str, dict[str, Word]] = {first: {}, second: {}}
    places: dict[str, tuple[str, JudgedContent, datetime]] = {}
    for event in answers:
        if event.rejection is not None and event.rejection.reason in WITHDRAWN_REASONS:
            for said in words.values():
                said.pop(event.upload_id, None)
            continue
        prediction = event.prediction
        name = f"{prediction.model}@{prediction.version}" if prediction else ""
        word = Word.of(event)
        if name in words and word is not None:
            words[name][event.upload_id] = word
            places[event.upload_id] = (event.camera, JudgedContent.of_prediction(event), event.capture.time)
    ours, theirs = words[first], words[second]
    both = sorted(ours.keys() & theirs.keys())
    pairs = [Pair(upload_id, *places[upload_id], ours[upload_id], theirs[upload_id]) for upload_id in both]
    return Comparison(first, second, pairs, len(ours) - len(both), len(theirs) - len(both))
