"""The taxon of a burst's animal, from the class vectors of its crops. Pure.

The crop of the best animal box of each frame that shows the animal counts; the vectors are averaged over those frames
only (over all frames of the burst, frames that the animal has left would dilute it), and rolled up the taxonomy.

The presence model has already decided that an animal is there. So the scores are those **given an animal**: only
classes of animals that camera traps record count, each by its taxon, and they sum to one. A stock classifier gives half
of its probability to things (a fence, a tripod), and where it has no idea it gives every animal next to nothing;
`CLASS_PRIOR` keeps such a crop from naming whatever has the most of that.

A focus taxon that stays below its own calibrated threshold in all frames is not the answer of a crop either: its
probability counts for the taxon above. "Not a snow leopard, by the threshold that was measured for it" is not
overruled by a score that was not calibrated.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from uncia.camtrap.taxonomy import RANKS, ROOT, RolledUp, TaxaAllowed, Taxonomy
from uncia.processors.bursts.class_names import ClassName, ClassNameLookup
from uncia.processors.bursts.frame_record import Evidence, FrameRecord

CLASS_PRIOR = 0.001
"""Added to the mean score of each class before the scores are divided by their sum. Chosen, with the default of
`taxon_threshold`, on 63 sequences of 20 species (Missouri Camera Traps, stock ImageNet classes): 42 were named a class
of animals, 41 of them rightly; without it 58, 47 of them rightly. Not measured on other data."""

MIN_ANIMAL_SCORE = 0.05
"""Below this share of the classifier's probability for all animals together, a crop names no taxon."""

_MOST_CLASSES = 65_535

LAND_VERTEBRATES = frozenset({"Mammalia", "Aves", "Reptilia", "Amphibia"})
"""The classes of animals that a detector of camera traps finds: a crop is no fish and no worm."""


@dataclass
class CropTaxa:
    """The summed class scores of the animal, by taxon, and what they roll up to."""

    rolled: RolledUp | None = None
    """None: no crop was classified, or not even "animal" reaches the threshold."""
    scores: dict[str, float] = field(default_factory=dict)
    """The score of each taxon itself, given an animal: the mean over the frames that count."""
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
    classes: "CropClasses",
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
    prior = classes.prior(label_set, absent)
    mean: dict[str, float] = {}
    for vector in vectors.values():
        for taxon, score in vector.items():
            mean[taxon] = mean.get(taxon, 0.0) + score / len(vectors)
    if sum(mean.values()) < MIN_ANIMAL_SCORE:
        return CropTaxa()
    scores = _given_an_animal(mean, prior)
    # "Chordata" says no more than "animal" to a ranger.
    thresholds = {rank: threshold for rank in RANKS if rank != "phylum"}
    rolled = taxonomy.roll_up(scores, thresholds, allowed)
    if rolled is None:
        return CropTaxa(scores=scores, labels=names.labels(scores))
    return CropTaxa(
        rolled=rolled,
        scores=scores,
        labels=names.labels(scores),
        frame_scores={
            name: round(min(1.0, taxonomy.total(_given_an_animal(vector, prior), rolled.taxon, allowed)), 6)
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
        if name is not None and _can_be_in_a_crop(name.taxon, taxonomy):
            taxon = _counted_as(name.taxon, taxonomy, absent)
            found[taxon] = found.get(taxon, 0.0) + score
    return found


class CropClasses:
    """The classes of each label set that a crop can show: how many of them have each taxon. Computed once."""

    def __init__(self, class_names: ClassNameLookup, taxonomy: Taxonomy) -> None:
        self._class_names = class_names
        self._taxonomy = taxonomy
        self._counts: dict[str, dict[str, int]] = {}

    def prior(self, label_set: str, absent: frozenset[str]) -> dict[str, float]:
        """The prior of each taxon: that of all its classes. Empty where this process does not have the label set."""
        prior: dict[str, float] = {}
        for taxon, classes in self._counts_of(label_set).items():
            counted = _counted_as(taxon, self._taxonomy, absent)
            prior[counted] = prior.get(counted, 0.0) + classes * CLASS_PRIOR
        return prior

    def _counts_of(self, label_set: str) -> dict[str, int]:
        if label_set not in self._counts:
            counts: Counter[str] = Counter()
            for name in takewhile(bool, (self._class_names(label_set, index) for index in range(_MOST_CLASSES))):
                if name is not None and name.group == "animal" and _can_be_in_a_crop(name.taxon, self._taxonomy):
                    counts[name.taxon] += 1
            if not counts:
                return {}
            self._counts[label_set] = dict(counts)
        return self._counts[label_set]


def _counted_as(taxon: str, taxonomy: Taxonomy, absent: frozenset[str]) -> str:
    # A label set that knows "animal" only states no taxon.
    taxon = taxon or ROOT
    return next(iter(taxonomy.ancestors(taxon)), ROOT) if taxon in absent else taxon


def _can_be_in_a_crop(taxon: str, taxonomy: Taxonomy) -> bool:
    """Whether a taxon is a land vertebrate, a taxon above them, or one of which the taxonomy knows nothing."""
    lineage = {taxon or ROOT, *taxonomy.ancestors(taxon)} - {ROOT, "Chordata"}
    return bool(lineage & LAND_VERTEBRATES) or not any(taxonomy.rank(node) for node in lineage)


def _given_an_animal(vector: Mapping[str, float], prior: Mapping[str, float]) -> dict[str, float]:
    """The same with the prior, divided by the sum."""
    added = {taxon: vector.get(taxon, 0.0) + prior.get(taxon, 0.0) for taxon in {**prior, **vector}}
    total = sum(added.values())
    return {taxon: score / total for taxon, score in added.items() if total > 0}
