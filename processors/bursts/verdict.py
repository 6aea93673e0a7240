"""What a burst shows, and the event that says so.

1. **Focus taxa first.** Their score is the best over the frames' best windows (an animal is often in few frames of
   a burst, and the best frame finds it where the mean does not), and each frame's own calibrated threshold decides.
   The best one present is the verdict, certain, and the frames that reached the threshold are the deciding ones.
2. Otherwise the best class by the ensemble rule, certain from `certain_from` on. A focus taxon that stays below its
   threshold is never certain, whatever the rule gives it.
   Confidence is the calibrated probability that a taxon is there: of the best window of the burst's frames by the
   label set's calibration of its class, or the score of a calibrated `stacked` model; None where there is neither.
3. Rejected frames are counted, and judge nothing; without any other there is no verdict.

Models are not mixed: classes are scored over the frames of one model version and label set, the one that judged
most frames (then the greatest by name); the flag `mixed-models` says that there were others. Focus scores of all
frames count, since each carries the threshold of its own model.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

import numpy as np

from uncia.events import BurstFrame, BurstResolved, BurstStatus, ClassScore, FocusScore, JoinReason, TaxonVerdict
from uncia.processors.bursts.config import BurstRules
from uncia.processors.bursts.ensemble import LOG_ODDS, RULES, Ensemble, greatest
from uncia.processors.bursts.frames import Frame
from uncia.processors.bursts.grouping import joins
from uncia.processors.bursts.state import Burst
from uncia.serving.labels import Calibration, Group

MIXED = "mixed-models"

WHOLE = get_args(Group)
"""Classes called so mean a whole group, "any animal at all": where the kind is known too, the kind is the verdict."""

MOST_BYTES = 900_000
"""Of an event; its topic takes 1 MiB, key and framing included."""

_BYTES_OF_FRAME = 900
"""What a frame takes in the event beside its texts: names of fields, times, scores, two boxes."""

MOST_TAXA = 5
LEAST_SCORE = 0.05
"""Further taxa are named from this score on, and so many at most."""


@dataclass(frozen=True)
class ClassName:
    """What a class is called."""

    label: str
    taxon: str
    group: str


ClassNames = Callable[[str, int], ClassName | None]
"""Label set id and class index to its name; None where this process does not have that label set."""

Calibrations = Callable[[str, str, str], Calibration | None]
"""Label set id, taxon and label to what is known of that class's scores."""


def uncalibrated(_label_set: str, _taxon: str, _label: str) -> None:
    """Nothing is known."""


@dataclass
class Judgement:
    """What the frames show together. `seen` says, by image id, how the verdict's class was seen in a frame."""

    taxa: list[TaxonVerdict] = field(default_factory=list)
    deciding: set[str] = field(default_factory=set)
    seen: dict[str, ClassScore | FocusScore] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    mixed: bool = False
    rule: str = ""


class Verdicts:
    """Judges bursts and words the events about them."""

    def __init__(
        self,
        rules: BurstRules,
        names: ClassNames,
        ensemble: Ensemble | None = None,
        calibrations: Calibrations = uncalibrated,
    ) -> None:
        """`ensemble` is what the rules' model file gives; without it they name one of `RULES`."""
        self._rules = rules
        self._names = names
        self._calibrations = calibrations
        self._ensemble = ensemble or RULES[rules.ensemble]

    def resolved(self, camera: str, burst: Burst, status: BurstStatus) -> BurstResolved:
        """The event for a burst as it stands; frames are left out of it where it would outgrow its topic."""
        judged = self.judge(burst.frames)
        event = BurstResolved(
            burst_id=burst.id,
            revision=burst.revision,
            status=status,
            station=burst.station,
            camera=camera,
            trigger=burst.trigger,
            started_at=burst.frames[0].at,
            ended_at=burst.frames[-1].at,
            frames=tuple(map(partial(self._shown, judged), burst.frames, joins(burst.frames))),
            expected_frames=burst.expected,
            unreadable=sum(not frame.readable for frame in burst.frames),
            verdict=judged.taxa[0] if judged.taxa else None,
            taxa=tuple(judged.taxa),
            rule=judged.rule,
            models=tuple(sorted({frame.model for frame in burst.frames if frame.readable})),
            settings=self._rules.digest(burst.frames[0].overrides),
            closed_by=burst.closed_by,
            closed_at=burst.closed_at,
            supersedes=burst.supersedes,
            split_from=burst.split_from,
            changes=burst.changes,
            flags=(*burst.flags, *((MIXED,) if judged.mixed else ())),
        )
        return event if _surely_fits(burst.frames) else event.truncated_to(MOST_BYTES)

    def superseded(self, camera: str, burst: Burst, heir: str | None) -> BurstResolved:
        """The last event of an id: its frames are the heir's now, or belong to another camera where there is none."""
        return BurstResolved(
            burst_id=burst.id,
            revision=burst.revision + 1,
            status=BurstStatus.SUPERSEDED,
            station=burst.station,
            camera=camera,
            trigger=burst.trigger,
            started_at=burst.frames[0].at,
            ended_at=burst.frames[-1].at,
            rule=self._ensemble.name,
            settings=self._rules.digest(burst.frames[0].overrides),
            superseded_by=heir,
            changes=() if heir else ("its photographs belong to another camera now",),
        )

    @staticmethod
    def _shown(judged: Judgement, frame: Frame, joined: JoinReason) -> BurstFrame:
        name = frame.image_id
        return frame.on_the_wire(
            joined=joined,
            deciding=name in judged.deciding,
            seen=judged.seen.get(name),
            score=judged.scores.get(name),
        )

    def judge(self, frames: Sequence[Frame]) -> Judgement:
        """What these frames, in capture order, show together."""
        judged = Judgement(rule=self._ensemble.name)
        readable = [frame for frame in frames if frame.readable]
        if not readable:
            return judged
        counts = Counter((frame.model, frame.label_set, frame.classes) for frame in readable)
        judged.mixed = len(counts) > 1
        model = max(counts, key=lambda each: (counts[each], each))
        voters = [frame for frame in readable if (frame.model, frame.label_set, frame.classes) == model]
        made_for_it = self._ensemble.label_set in (None, model[1])
        ensemble = self._ensemble if made_for_it else LOG_ODDS
        judged.rule = ensemble.name
        focus = self._focus(readable)
        ranked = self._ranked(ensemble, voters, model[1], model[2], {each.taxon: each for each in focus})
        present = [each for each in focus if each.certain]
        judged.taxa = _distinct([*present, *(taxon for _, taxon in ranked)])
        if present:
            self._by_focus(judged, readable)
        elif ranked:
            self._by_rule(judged, voters, ranked[0][0])
        return judged

    def _ranked(
        self, ensemble: Ensemble, voters: list[Frame], label_set: str, classes: int, focus: dict[str, TaxonVerdict]
    ) -> list[tuple[int, TaxonVerdict]]:
        """Classes by the rule's score, best first."""
        evidence = [frame.unpacked for frame in voters]
        scores, peaks = ensemble.rule(evidence, classes), greatest(evidence, classes)
        best = np.lexsort((np.arange(classes), -peaks, -scores))[: 2 * MOST_TAXA]
        ranked = []
        for place, index in enumerate(int(each) for each in best):
            score = round(float(scores[index]), 6)
            if place and score < LEAST_SCORE:
                break
            name = self._name(label_set, index, voters)
            threshold = focus[name.taxon].threshold if name.taxon in focus else None
            certain = threshold is None and score >= self._rules.certain_from
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

    def _name(self, label_set: str, index: int, voters: list[Frame]) -> ClassName:
        if name := self._names(label_set, index):
            return name
        for frame in voters:
            for top in frame.top:
                if top.index == index:
                    return ClassName(top.label, top.taxon, top.group)
        return ClassName(f"class {index}", "", "nothing")

    @staticmethod
    def _by_focus(judged: Judgement, readable: list[Frame]) -> None:
        for frame in readable:
            for score in frame.focus:
                if score.taxon == judged.taxa[0].taxon:
                    judged.seen[frame.image_id] = score
                    judged.scores[frame.image_id] = score.score
                    if score.present:
                        judged.deciding.add(frame.image_id)

    @staticmethod
    def _by_rule(judged: Judgement, voters: list[Frame], index: int) -> None:
        """The frames whose own best class it is decided; where none has it, the one that scores it best."""
        for frame in voters:
            evidence = frame.unpacked
            where = np.flatnonzero(evidence.indices == index)
            if len(where):
                judged.scores[frame.image_id] = float(evidence.scores[where[0]])
                if evidence.scores[where[0]] >= evidence.scores.max():
                    judged.deciding.add(frame.image_id)
            for top in frame.top:
                if top.index == index:
                    judged.seen[frame.image_id] = top
        if not judged.deciding and judged.scores:
            judged.deciding.add(max(judged.scores, key=lambda name: (judged.scores[name], name)))

    def _focus(self, readable: Sequence[Frame]) -> list[TaxonVerdict]:
        """Every focus taxon by its best frame: those present first, kinds before whole groups, then by score."""
        best: dict[str, tuple[FocusScore, Frame]] = {}
        for frame in readable:
            for score in frame.focus:
                held = best[score.taxon][0] if score.taxon in best else None
                if held is None or (score.present, score.score, score.label) > (held.present, held.score, held.label):
                    best[score.taxon] = (score, frame)
        verdicts = [
            TaxonVerdict(
                taxon=each.taxon,
                label=each.label,
                group="animal",
                score=each.score,
                confidence=self._confidence(frame.label_set, each, each.score),
                threshold=each.threshold,
                certain=each.present,
                focus=True,
            )
            for each, frame in best.values()
        ]
        return sorted(verdicts, key=lambda each: (not each.certain, each.label in WHOLE, -each.score, each.taxon))

    def _confidence(self, label_set: str, name: ClassName | FocusScore, score: float) -> float | None:
        calibration = self._calibrations(label_set, name.taxon, name.label)
        return None if calibration is None else round(calibration.probability(score), 6)


def _surely_fits(frames: Sequence[Frame]) -> bool:
    """Told without writing the event: JSON has at most six bytes for a character, and the rest of a frame is short."""
    return sum(_BYTES_OF_FRAME + 6 * _characters(frame) for frame in frames) <= MOST_BYTES


def _characters(frame: Frame) -> int:
    texts = [frame.image_id, frame.upload_id, frame.bucket, frame.key]
    if frame.rejection is not None:
        texts += [frame.rejection.reason, frame.rejection.message]
    if frame.top:
        texts += [frame.top[0].label, frame.top[0].taxon, frame.top[0].group]
    return sum(map(len, texts))


def _distinct(taxa: Sequence[TaxonVerdict]) -> list[TaxonVerdict]:
    kept: dict[str, TaxonVerdict] = {}
    for each in taxa:
        kept.setdefault(each.taxon or each.label, each)
    return list(kept.values())[:MOST_TAXA]
