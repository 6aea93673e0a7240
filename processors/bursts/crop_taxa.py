"""The taxon of a burst's animal, from the class vectors of its crops. Pure.

The crop of the best animal box of each frame that shows the animal counts; the vectors are averaged over those frames
only (over all frames of the burst, frames that the animal has left would dilute it), and rolled up the taxonomy. Only
classes of animals count, each by its taxon: what looks like a fence is no verdict, and the probability that a vector
gives to things is missing from every sum.

A focus taxon that stays below its own calibrated threshold in all frames is not the answer of a crop either: its
probability counts for the taxon above. "Not a snow leopard, by the threshold that was measured for it" is not
overruled by a score that was not calibrated.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from uncia.camtrap.taxonomy import ROOT, RolledUp, TaxaAllowed, Taxonomy
from uncia.processors.bursts.class_names import ClassName, ClassNameLookup
from uncia.processors.bursts.frame_record import Evidence, FrameRecord


@dataclass
class CropTaxa:
    """The summed class scores of the animal, by taxon, and what they roll up to."""

    rolled: RolledUp | None = None
    """None: no crop was classified, or not even "animal" reaches the threshold."""
    scores: dict[str, float] = field(default_factory=dict)
    """The mean score of each taxon itself, over the frames that count."""
    labels: dict[str, str] = field(default_factory=dict)
    """The class label of each taxon; that of its best class where several classes have one taxon."""
    frame_scores: dict[str, float] = field(default_factory=dict)
    """By image id: the score of the rolled-up taxon in that frame."""


def evaluate_crops(
    crops: Sequence[tuple[FrameRecord, int]],
    taxonomy: Taxonomy,
    threshold: float,
    allowed: TaxaAllowed | None,
    class_names: ClassNameLookup,
    absent: frozenset[str] = frozenset(),
) -> CropTaxa:
    """Roll up the crops. `crops`: frames in capture order, each with the index of the box that counts.

    Crops of another label set than most have are left out. `absent`: focus taxa below their thresholds.
    """
    classified = [(frame, evidence) for frame, place in crops if (evidence := frame.crop_evidence(place)) is not None]
    counts = Counter(frame.crop_label_set for frame, _ in classified)
    if not counts:
        return CropTaxa()
    label_set = max(counts, key=lambda name: (counts[name], name))
    names = _Names(label_set, class_names)
    vectors = {
        frame.image_id: _by_taxon(evidence, names, taxonomy, absent)
        for frame, evidence in classified
        if frame.crop_label_set == label_set
    }
    scores: dict[str, float] = {}
    for vector in vectors.values():
        for taxon, score in vector.items():
            scores[taxon] = scores.get(taxon, 0.0) + score / len(vectors)
    rolled = taxonomy.roll_up(scores, threshold, allowed)
    if rolled is None:
        return CropTaxa(scores=scores, labels=names.labels(scores))
    return CropTaxa(
        rolled=rolled,
        scores=scores,
        labels=names.labels(scores),
        frame_scores={
            name: round(min(1.0, taxonomy.totals(vector, allowed).get(rolled.taxon, 0.0)), 6)
            for name, vector in vectors.items()
        },
    )


class _Names:
    """The animal classes of a label set, and which class gave a taxon most."""

    def __init__(self, label_set: str, class_names: ClassNameLookup) -> None:
        self._label_set = label_set
        self._class_names = class_names
        self._best: dict[str, tuple[float, str]] = {}

    def animal(self, index: int, score: float) -> ClassName | None:
        name = self._class_names(self._label_set, index)
        if name is None or name.group != "animal":
            return None
        if (score, name.label) > self._best.get(name.taxon, (-1.0, "")):
            self._best[name.taxon] = (score, name.label)
        return name

    def labels(self, taxa: dict[str, float]) -> dict[str, str]:
        return {taxon: self._best[taxon][1] for taxon in taxa if taxon in self._best}


def _by_taxon(evidence: Evidence, names: _Names, taxonomy: Taxonomy, absent: frozenset[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for index, score in zip(evidence.indices.tolist(), evidence.scores.tolist(), strict=True):
        name = names.animal(index, score)
        if name is None:
            continue
        # A label set that knows "animal" only states no taxon.
        taxon = name.taxon or ROOT
        if taxon in absent:
            taxon = next(iter(taxonomy.ancestors(taxon)), ROOT)
        found[taxon] = found.get(taxon, 0.0) + score
    return found
