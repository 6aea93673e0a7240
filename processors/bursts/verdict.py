"""The verdict on a burst, and the events that publish it.

1. **Focus taxa first.** Their score is the best over the frames' best windows (an animal is often in few frames of
   a burst, and the best frame finds it where the mean does not), and each frame's own calibrated threshold decides.
   The best one present is the verdict, certain, and the frames that reach the threshold are the deciding ones.
2. Otherwise the best class by the ensemble rule, certain from `certain_from` on. A focus taxon that stays below its
   threshold is never certain, whatever its score by the rule.
   Confidence is the calibrated probability that a taxon is present: of the best window of the burst's frames by the
   label set's calibration of its class, or the score of a calibrated `stacked` model; None where there is neither.
3. Rejected frames are counted, but do not contribute; a burst of rejected frames only has no verdict.

**Bursts with detections** are a statement about the burst, `categories`: animal, person, vehicle or blank, each with
its own evidence. 1 holds for them as well, and in place of 2:

- The animal's taxon is rolled up from the class vectors of its crops (`crop_taxa`) to the taxon that reaches
  `taxon_threshold`, "animal" at the least. Its score is no probability and it has no confidence.
- "animal" and "blank" have the calibrated probability of the presence model as score and confidence; that of a blank
  is 1 minus that of an animal. They are certain from `certain_probability` on.
- The verdict is, of what is in the burst: a focus taxon, person, vehicle, animal, blank. `taxa` lists all of it, then
  the most probable single taxa of an animal that was rolled up.
- A taxon that cannot occur at the camera is not reported.

Models are not mixed: classes are scored over the frames of one model version and label set, the one that scored
most frames (ties: the greatest by name); the flag `mixed-models` marks that there were others. Focus scores of all
frames count, since each carries the threshold of its own model.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.taxonomy import ROOT, TaxaAllowed
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    ClassScore,
    FocusScore,
    JoinReason,
    TaxonVerdict,
)
from uncia.events.values import Box
from uncia.processors.bursts.categories import CategoryEvaluation, evaluate_categories
from uncia.processors.bursts.class_names import ClassName, ClassNameLookup
from uncia.processors.bursts.config import BurstConfig
from uncia.processors.bursts.crop_taxa import CropClasses, CropTaxa, evaluate_crops
from uncia.processors.bursts.ensemble import LOG_ODDS, RULES, Ensemble, maximum
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.grouping import join_reasons
from uncia.processors.bursts.state import Burst
from uncia.processors.bursts.verdict_sources import VerdictSources
from uncia.serving.labels import Calibration, Group

MIXED_MODELS = "mixed-models"

GROUP_LABELS = get_args(Group)
"""Classes with these labels mean a whole group, "any animal": where the species is known too, it is the verdict."""

MAX_EVENT_BYTES = 900_000
"""Bytes of an event; its topic takes 1 MiB, key and framing included."""

_FRAME_BYTES = 900
"""Bytes of a frame in an event without its texts: names of fields, times, scores, two boxes."""

_ORDER = (BurstCategory.PERSON, BurstCategory.VEHICLE, BurstCategory.ANIMAL)
_LABELLED_RANKS = frozenset({"genus", "subgenus", "species", "subspecies", None})
"""Ranks whose taxa are called as their class is; a family that is also a class ("kite") may be many other things."""

MAX_TAXA = 5
MIN_SCORE = 0.05
"""Further taxa are listed from this score on, up to `MAX_TAXA`."""


_BOX_BYTES = 250
"""Bytes of a detection in an event."""

ROLL_UP = "roll-up/1"
"""The rule of bursts with detections. Bump when the same frames give another verdict."""

CalibrationLookup = Callable[[str, str, str], Calibration | None]
"""From label set id, taxon and label to the calibration of that class's scores."""


def no_calibration(_label_set: str, _taxon: str, _label: str) -> None:
    """A `CalibrationLookup` without any calibration."""


@dataclass
class Evaluation:
    """What the frames of a burst show together; the dicts and the set are by image id."""

    taxa: list[TaxonVerdict] = field(default_factory=list)
    """Best first; the first is the verdict."""
    deciding: set[str] = field(default_factory=set)
    """The frames that the verdict rests on."""
    found: dict[str, ClassScore | FocusScore] = field(default_factory=dict)
    """Where a frame shows the verdict's class."""
    scores: dict[str, float] = field(default_factory=dict)
    """The frame's score of the verdict's class."""
    boxes: dict[str, Box] = field(default_factory=dict)
    """Where a frame shows the verdict, in bursts with detections."""
    mixed: bool = False
    rule: str = ""
    category: CategoryEvaluation | None = None
    """None for a burst without detections."""


class VerdictBuilder:
    """Evaluates bursts and builds the events about them. Stateless apart from its configuration."""

    def __init__(
        self,
        config: BurstConfig,
        class_names: ClassNameLookup,
        ensemble: Ensemble | None = None,
        calibrations: CalibrationLookup = no_calibration,
        sources: VerdictSources | None = None,
    ) -> None:
        """`ensemble`: the rule of the stacked model file, if there is one; else `config` names one of `RULES`."""
        self._config = config
        self._class_names = class_names
        self._calibrations = calibrations
        self._ensemble = ensemble or RULES[config.ensemble]
        self._sources = sources or VerdictSources()
        self._animals: dict[str, NDArray[np.bool_]] = {}
        self._crop_classes = CropClasses(class_names, self._sources.taxonomy)

    def resolved_event(
        self, camera: str, burst: Burst, status: BurstStatus, static: Sequence[Box] = ()
    ) -> BurstResolved:
        """The event about a burst in its present state, without frames where it would be too large for its topic.

        `static`: the static objects of the camera.
        """
        evaluation = self.evaluate(burst.frames, camera, static)
        category = evaluation.category
        event = BurstResolved(
            burst_id=burst.id,
            revision=burst.revision,
            status=status,
            station=burst.station,
            camera=camera,
            trigger=burst.trigger,
            started_at=burst.frames[0].effective_time,
            ended_at=burst.frames[-1].effective_time,
            frames=tuple(map(partial(self._event_frame, evaluation), burst.frames, join_reasons(burst.frames))),
            expected_frames=burst.expected,
            unreadable=sum(not frame.readable for frame in burst.frames),
            category=category.category if category else None,
            animal_probability=category.animal_probability if category else None,
            count=category.count if category else None,
            best_crop=category.best_crop if category else None,
            crops_withheld=category.crops_withheld if category else None,
            fusion=self._sources.presence.id if category else None,
            verdict=evaluation.taxa[0] if evaluation.taxa else None,
            taxa=tuple(evaluation.taxa),
            review=burst.review,
            rule=evaluation.rule,
            models=tuple(sorted({frame.model for frame in burst.frames if frame.readable})),
            settings=self._config.digest(burst.frames[0].overrides),
            closed_by=burst.closed_by,
            closed_at=burst.closed_at,
            supersedes=burst.supersedes,
            split_from=burst.split_from,
            changes=burst.changes,
            flags=(*burst.flags, *((MIXED_MODELS,) if evaluation.mixed else ())),
        )
        return event if _surely_fits(burst.frames) else event.truncated_to(MAX_EVENT_BYTES)

    def superseded_event(self, camera: str, burst: Burst, successor: str | None) -> BurstResolved:
        """The last event of an id: its frames are in the successor now, or belong to another camera without one."""
        return BurstResolved(
            burst_id=burst.id,
            revision=burst.revision + 1,
            status=BurstStatus.SUPERSEDED,
            station=burst.station,
            camera=camera,
            trigger=burst.trigger,
            started_at=burst.frames[0].effective_time,
            ended_at=burst.frames[-1].effective_time,
            rule=self._ensemble.name,
            settings=self._config.digest(burst.frames[0].overrides),
            superseded_by=successor,
            changes=() if successor else ("its photographs belong to another camera now",),
        )

    @staticmethod
    def _event_frame(evaluation: Evaluation, frame: FrameRecord, joined: JoinReason) -> BurstFrame:
        name = frame.image_id
        found = evaluation.found.get(name)
        event_frame = frame.to_event_frame(
            joined=joined,
            deciding=name in evaluation.deciding,
            box=found.box if found else evaluation.boxes.get(name),
            score=evaluation.scores.get(name),
        )
        own = evaluation.category.frames.get(name) if evaluation.category else None
        if own is None:
            return event_frame
        return event_frame.model_copy(
            update={"category": own.category, "animal_probability": own.animal_probability, "boxes": own.boxes}
        )

    def evaluate(self, frames: Sequence[FrameRecord], camera: str = "", static: Sequence[Box] = ()) -> Evaluation:
        """Evaluate frames, in capture order, together. `static`: the static objects of the camera."""
        evaluation = Evaluation(rule=self._ensemble.name)
        readable = [frame for frame in frames if frame.readable]
        if not readable:
            return evaluation
        counts = Counter((frame.model, frame.label_set, frame.classes) for frame in readable)
        evaluation.mixed = len(counts) > 1
        model = max(counts, key=lambda key: (counts[key], key))
        voters = [frame for frame in readable if (frame.model, frame.label_set, frame.classes) == model]
        fits = self._ensemble.label_set in (None, model[1])
        ensemble = self._ensemble if fits else LOG_ODDS
        evaluation.rule = ensemble.name
        focus = self._focus(readable)
        if detected := [frame for frame in readable if frame.has_detections]:
            self._evaluate_detections(evaluation, readable, detected, focus, camera, static)
            return evaluation
        ranked = self._ranked(ensemble, voters, model[1], model[2], {taxon.taxon: taxon for taxon in focus})
        present = [taxon for taxon in focus if taxon.certain]
        evaluation.taxa = _distinct([*present, *(taxon for _, taxon in ranked)])
        if present:
            self._apply_focus(evaluation, readable)
        elif ranked:
            self._apply_rule(evaluation, voters, ranked[0][0])
        return evaluation

    def _evaluate_detections(
        self,
        evaluation: Evaluation,
        readable: list[FrameRecord],
        detected: list[FrameRecord],
        focus: list[TaxonVerdict],
        camera: str,
        static: Sequence[Box],
    ) -> None:
        """The verdict on a burst with detections; `detected` are the frames that have them."""
        sources, config = self._sources, self._config.category
        taxonomy, allowed = sources.taxonomy, sources.checklists.of(camera)
        species = [
            taxon
            for taxon in focus
            if taxon.label not in GROUP_LABELS and (allowed is None or taxonomy.permits(allowed, taxon.taxon))
        ]
        present = [taxon.model_copy(update={"rank": taxonomy.rank(taxon.taxon)}) for taxon in species if taxon.certain]
        evaluation.rule = ROLL_UP
        evaluation.category = category = evaluate_categories(
            detected,
            [self._animal_score(frame) for frame in detected],
            sources.presence,
            config,
            static,
            frozenset(taxon.taxon for taxon in present),
        )
        crops = CropTaxa()
        if BurstCategory.ANIMAL in category.found:
            shown = [
                (frame, crop)
                for frame in detected
                if category.frames[frame.image_id].is_animal
                and (crop := category.frames[frame.image_id].crop) is not None
            ]
            absent = frozenset(taxon.taxon for taxon in species if not taxon.certain)
            crops = evaluate_crops(
                shown, taxonomy, config.taxon_threshold, allowed, self._class_names, self._crop_classes, absent
            )
        others = [verdict for kind in _ORDER if kind in category.found for verdict in [self._of(kind, category, crops)]]
        if present:
            others = [verdict for verdict in others if verdict.group != "animal"]
        if not present and not others:
            others = [self._of(BurstCategory.BLANK, category, crops)]
        candidates = [] if present else self._candidates(crops, allowed)
        evaluation.taxa = _distinct([*present, *others, *candidates])
        if present:
            self._apply_focus(evaluation, readable)
        else:
            _apply_category(evaluation, category, crops, evaluation.taxa[0])

    def _of(self, kind: BurstCategory, category: CategoryEvaluation, crops: CropTaxa) -> TaxonVerdict:
        """The verdict that a category is in the burst; for an animal, the taxon that its crops support."""
        if kind in (BurstCategory.PERSON, BurstCategory.VEHICLE):
            score = category.scores[kind]
            person = kind is BurstCategory.PERSON
            return TaxonVerdict(
                taxon="Homo sapiens" if person else "",
                label=kind.value,
                group=kind.value,
                rank="species" if person else None,
                score=score,
                certain=score >= self._config.certain_from,
            )
        rolled = crops.rolled
        if kind is BurstCategory.ANIMAL and rolled is not None and rolled.taxon != ROOT:
            score = round(rolled.score, 6)
            return self._taxon(rolled.taxon, score, crops, certain=score >= self._config.certain_from)
        is_animal = kind is BurstCategory.ANIMAL
        probability = category.animal_probability if is_animal else round(1 - category.animal_probability, 6)
        return TaxonVerdict(
            taxon=ROOT if is_animal else "",
            label="animal" if is_animal else "blank",
            group="animal" if is_animal else "nothing",
            rank="kingdom" if is_animal else None,
            score=probability,
            confidence=probability,
            certain=probability >= self._config.category.certain_probability,
        )

    def _candidates(self, crops: CropTaxa, allowed: TaxaAllowed | None) -> list[TaxonVerdict]:
        """The most probable single taxa of an animal, all of them uncertain."""
        ranked = sorted(crops.scores.items(), key=lambda entry: (-entry[1], entry[0]))
        taxonomy = self._sources.taxonomy
        return [
            self._taxon(taxon, round(min(1.0, score), 6), crops, certain=False)
            for taxon, score in ranked[:MAX_TAXA]
            if score >= MIN_SCORE and taxon != ROOT and (allowed is None or taxonomy.permits(allowed, taxon))
        ]

    def _taxon(self, taxon: str, score: float, crops: CropTaxa, *, certain: bool) -> TaxonVerdict:
        taxonomy = self._sources.taxonomy
        label = taxonomy.label(taxon)
        if label == taxon and taxonomy.rank(taxon) in _LABELLED_RANKS:
            label = crops.labels.get(taxon, taxon)
        return TaxonVerdict(
            taxon=taxon, label=label, group="animal", rank=taxonomy.rank(taxon), score=score, certain=certain
        )

    def _animal_score(self, frame: FrameRecord) -> float:
        """The best animal class of the dense pass; 0 where its classes are not known."""
        animals = self._animals.get(frame.label_set)
        if animals is None or len(animals) < frame.classes:
            if self._class_names(frame.label_set, 0) is None:
                return 0.0
            names = [self._class_names(frame.label_set, index) for index in range(frame.classes)]
            animals = np.array([name is not None and name.group == "animal" for name in names], dtype=bool)
            self._animals[frame.label_set] = animals
        evidence = frame.unpacked_evidence
        return float(evidence.scores[animals[evidence.indices]].max(initial=0.0))

    def _ranked(
        self,
        ensemble: Ensemble,
        voters: list[FrameRecord],
        label_set: str,
        classes: int,
        focus: dict[str, TaxonVerdict],
    ) -> list[tuple[int, TaxonVerdict]]:
        """Class indices and their verdicts by the rule's score, best first."""
        evidence = [frame.unpacked_evidence for frame in voters]
        scores, peaks = ensemble.rule(evidence, classes), maximum(evidence, classes)
        best = np.lexsort((np.arange(classes), -peaks, -scores))[: 2 * MAX_TAXA]
        ranked = []
        for place, index in enumerate(best.tolist()):
            score = round(float(scores[index]), 6)
            if place and score < MIN_SCORE:
                break
            name = self._class_name(label_set, index, voters)
            threshold = focus[name.taxon].threshold if name.taxon in focus else None
            certain = threshold is None and score >= self._config.certain_from
            taxon = TaxonVerdict(
                taxon=name.taxon,
                label=name.label,
                group=name.group,
                score=score,
                confidence=score if ensemble.calibrated else self._confidence(label_set, name, float(peaks[index])),
                threshold=threshold,
                certain=certain,
                focus=threshold is not None,
            )
            ranked.append((index, taxon))
        return ranked

    def _class_name(self, label_set: str, index: int, voters: list[FrameRecord]) -> ClassName:
        if name := self._class_names(label_set, index):
            return name
        for frame in voters:
            for top in frame.top:
                if top.index == index:
                    return ClassName(top.label, top.taxon, top.group)
        return ClassName(f"class {index}", "", "nothing")

    @staticmethod
    def _apply_focus(evaluation: Evaluation, readable: list[FrameRecord]) -> None:
        for frame in readable:
            for score in frame.focus:
                if score.taxon == evaluation.taxa[0].taxon:
                    evaluation.found[frame.image_id] = score
                    evaluation.scores[frame.image_id] = score.score
                    if score.present:
                        evaluation.deciding.add(frame.image_id)

    @staticmethod
    def _apply_rule(evaluation: Evaluation, voters: list[FrameRecord], index: int) -> None:
        """Deciding are the frames whose own best class it is; where there is none, the one that scores it best."""
        for frame in voters:
            evidence = frame.unpacked_evidence
            where = np.flatnonzero(evidence.indices == index)
            if len(where):
                evaluation.scores[frame.image_id] = float(evidence.scores[where[0]])
                if evidence.scores[where[0]] >= evidence.scores.max():
                    evaluation.deciding.add(frame.image_id)
            for top in frame.top:
                if top.index == index:
                    evaluation.found[frame.image_id] = top
        if not evaluation.deciding and evaluation.scores:
            evaluation.deciding.add(max(evaluation.scores, key=lambda name: (evaluation.scores[name], name)))

    def _focus(self, readable: Sequence[FrameRecord]) -> list[TaxonVerdict]:
        """Every focus taxon by its best frame: those present first, species before groups, then by score."""
        best: dict[str, tuple[FocusScore, FrameRecord]] = {}
        for frame in readable:
            for score in frame.focus:
                held = best[score.taxon][0] if score.taxon in best else None
                if held is None or (score.present, score.score, score.label) > (held.present, held.score, held.label):
                    best[score.taxon] = (score, frame)
        verdicts = [
            TaxonVerdict(
                taxon=score.taxon,
                label=score.label,
                group="animal",
                score=score.score,
                confidence=self._confidence(frame.label_set, score, score.score),
                threshold=score.threshold,
                certain=score.present,
                focus=True,
            )
            for score, frame in best.values()
        ]
        return sorted(verdicts, key=_focus_order)

    def _confidence(self, label_set: str, name: ClassName | FocusScore, score: float) -> float | None:
        calibration = self._calibrations(label_set, name.taxon, name.label)
        return None if calibration is None else round(calibration.probability(score), 6)


def _apply_category(
    evaluation: Evaluation, category: CategoryEvaluation, crops: CropTaxa, verdict: TaxonVerdict
) -> None:
    """Where and how strongly each frame shows the verdict; deciding are the frames that show it."""
    for name, frame in category.frames.items():
        if verdict.group == "animal":
            if not frame.is_animal:
                continue
            place = frame.best
            score = frame.animal_probability if verdict.taxon == ROOT else crops.frame_scores.get(name)
        else:
            places = [
                at for at, box in enumerate(frame.boxes) if box.category.value == verdict.group and not box.static
            ]
            place = places[0] if places and BurstCategory(verdict.group) in frame.found else None
            score = None if place is None else frame.boxes[place].score
        if place is not None:
            evaluation.boxes[name] = frame.boxes[place].box
        if score is not None:
            evaluation.scores[name] = score
            evaluation.deciding.add(name)


def _focus_order(taxon: TaxonVerdict) -> tuple[bool, bool, float, str]:
    return (not taxon.certain, taxon.label in GROUP_LABELS, -taxon.score, taxon.taxon)


def _surely_fits(frames: Sequence[FrameRecord]) -> bool:
    """Estimate without encoding: JSON has at most six bytes for a character, and the rest of a frame is short."""
    return (
        sum(_FRAME_BYTES + _BOX_BYTES * (len(frame.boxes) + 1) + 6 * _characters(frame) for frame in frames)
        <= MAX_EVENT_BYTES
    )


def _characters(frame: FrameRecord) -> int:
    texts = [frame.image_id, frame.upload_id, frame.bucket, frame.key]
    if frame.rejection is not None:
        texts += [frame.rejection.reason, frame.rejection.message]
    if frame.top:
        texts += [frame.top[0].label, frame.top[0].taxon, frame.top[0].group]
    return sum(map(len, texts))


def _distinct(taxa: Sequence[TaxonVerdict]) -> list[TaxonVerdict]:
    distinct: dict[str, TaxonVerdict] = {}
    for taxon in taxa:
        distinct.setdefault(taxon.taxon or taxon.label, taxon)
    return list(distinct.values())[:MAX_TAXA]
