"""The verdict on a burst, and the events that publish it.

1. **Focus taxa first.** Their score is the best over the frames' best windows (an animal is often in few frames of
   a burst, and the best frame finds it where the mean does not), and each frame's own calibrated threshold decides.
   The best one present is the verdict, certain, and the frames that reach the threshold are the deciding ones.
2. Otherwise the best class by the ensemble rule, certain from `certain_from` on. A focus taxon that stays below its
   threshold is never certain, whatever its score by the rule.
   Confidence is the calibrated probability that a taxon is present: of the best window of the burst's frames by the
   label set's calibration of its class, or the score of a calibrated `stacked` model; None where there is neither.
3. Rejected frames are counted, but do not contribute; a burst of rejected frames only has no verdict.

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

from uncia.events import BurstFrame, BurstResolved, BurstStatus, ClassScore, FocusScore, JoinReason, TaxonVerdict
from uncia.processors.bursts.config import BurstConfig
from uncia.processors.bursts.ensemble import LOG_ODDS, RULES, Ensemble, maximum
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.grouping import join_reasons
from uncia.processors.bursts.state import Burst
from uncia.serving.labels import Calibration, Group

MIXED_MODELS = "mixed-models"

GROUP_LABELS = get_args(Group)
"""Classes with these labels mean a whole group, "any animal": where the species is known too, it is the verdict."""

MAX_EVENT_BYTES = 900_000
"""Bytes of an event; its topic takes 1 MiB, key and framing included."""

_FRAME_BYTES = 900
"""Bytes of a frame in an event without its texts: names of fields, times, scores, two boxes."""

MAX_TAXA = 5
MIN_SCORE = 0.05
"""Further taxa are listed from this score on, up to `MAX_TAXA`."""


@dataclass(frozen=True)
class ClassName:
    """The names of a class."""

    label: str
    taxon: str
    group: str


ClassNameLookup = Callable[[str, int], ClassName | None]
"""From label set id and class index to its names; None where this process does not have that label set."""

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
    mixed: bool = False
    rule: str = ""


class VerdictBuilder:
    """Evaluates bursts and builds the events about them. Stateless apart from its configuration."""

    def __init__(
        self,
        config: BurstConfig,
        class_names: ClassNameLookup,
        ensemble: Ensemble | None = None,
        calibrations: CalibrationLookup = no_calibration,
    ) -> None:
        """`ensemble`: the rule of the stacked model file, if there is one; else `config` names one of `RULES`."""
        self._config = config
        self._class_names = class_names
        self._calibrations = calibrations
        self._ensemble = ensemble or RULES[config.ensemble]

    def resolved_event(self, camera: str, burst: Burst, status: BurstStatus) -> BurstResolved:
        """The event about a burst in its present state, without frames where it would be too large for its topic."""
        evaluation = self.evaluate(burst.frames)
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
            verdict=evaluation.taxa[0] if evaluation.taxa else None,
            taxa=tuple(evaluation.taxa),
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
        return frame.to_event_frame(
            joined=joined,
            deciding=name in evaluation.deciding,
            found=evaluation.found.get(name),
            score=evaluation.scores.get(name),
        )

    def evaluate(self, frames: Sequence[FrameRecord]) -> Evaluation:
        """Evaluate frames, in capture order, together."""
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
        ranked = self._ranked(ensemble, voters, model[1], model[2], {taxon.taxon: taxon for taxon in focus})
        present = [taxon for taxon in focus if taxon.certain]
        evaluation.taxa = _distinct([*present, *(taxon for _, taxon in ranked)])
        if present:
            self._apply_focus(evaluation, readable)
        elif ranked:
            self._apply_rule(evaluation, voters, ranked[0][0])
        return evaluation

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


def _focus_order(taxon: TaxonVerdict) -> tuple[bool, bool, float, str]:
    return (not taxon.certain, taxon.label in GROUP_LABELS, -taxon.score, taxon.taxon)


def _surely_fits(frames: Sequence[FrameRecord]) -> bool:
    """Estimate without encoding: JSON has at most six bytes for a character, and the rest of a frame is short."""
    return sum(_FRAME_BYTES + 6 * _characters(frame) for frame in frames) <= MAX_EVENT_BYTES


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
