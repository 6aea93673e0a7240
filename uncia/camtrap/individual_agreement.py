"""Which decisions on bursts count where several reviewers have to agree; pure.

Each reviewer has one opinion of each crop of a burst: the latest decision that names it. It counts when as many
reviewers as are needed give the same answer: the same individual (mergers applied), "a new one", "cannot be told", or
"unsure". Of several that create an individual for the same crops, the earliest one counts, and stands for the others:
later decisions that name theirs are about it. Decisions that were imported, and those about individuals as such
(mergers, splits, renames), count at once.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from uncia.events import IndividualCrop, IndividualDecided, IndividualDecision

__all__ = ["Agreement", "agreed"]

_OPINIONS = {
    IndividualDecision.SAME,
    IndividualDecision.NEW,
    IndividualDecision.UNSURE,
    IndividualDecision.REJECT,
}
_JOIN = {IndividualDecision.MERGE, IndividualDecision.LINK}
_WHOLE_BURST = ""

_Answer = tuple[IndividualDecision, str]


@dataclass(frozen=True)
class Agreement:
    """What counts."""

    decisions: tuple[IndividualDecided, ...]
    """The earliest first; crops on which there is no agreement are left out of them."""
    opinions: Mapping[str, Mapping[str, IndividualDecided]] = field(default_factory=dict)
    """By burst and reviewer, the latest decision of each."""


def agreed(decisions: Sequence[IndividualDecided], reviewers: int = 1) -> Agreement:
    """Those of the decisions that count, where `reviewers` have to agree.

    `decisions`: those that are not undone, the earliest first.
    """
    opinions: dict[str, dict[str, IndividualDecided]] = defaultdict(dict)
    for each in decisions:
        if each.burst_id is not None and each.decision in _OPINIONS and each.source is None:
            opinions[each.burst_id][each.reviewer] = each
    if reviewers < 2:
        return Agreement(tuple(decisions), opinions)
    stands_for, crops = _agreements(decisions, reviewers)
    counting = []
    for each in decisions:
        if (
            each.source is None
            and each.burst_id is not None
            and each.decision in {*_OPINIONS, IndividualDecision.DIFFERENT}
        ):
            if each.decision_id not in crops:
                continue
            named = crops[each.decision_id]
            kept: tuple[IndividualCrop, ...] = tuple(crop for crop in each.crops if crop.crop_id in named)
            each = each.model_copy(update={"crops": kept})
        counting.append(_renamed(each, stands_for))
    return Agreement(tuple(counting), opinions)


def _agreements(decisions: Sequence[IndividualDecided], reviewers: int) -> tuple[dict[str, str], dict[str, set[str]]]:
    """For each individual that another one stands for, that one; and by decision that counts, the crops that it is
    about (the empty text for a burst as a whole)."""
    joined = _Joined(decisions)
    latest: dict[tuple[str, str, str], dict[str, IndividualDecided]] = defaultdict(dict)
    for each in decisions:
        if each.burst_id is None or each.source is not None:
            continue
        about = "" if each.decision in _OPINIONS else joined.root(each.individual_id or "")
        if each.decision in _OPINIONS or each.decision is IndividualDecision.DIFFERENT:
            for crop_id in [crop.crop_id for crop in each.crops] or [_WHOLE_BURST]:
                latest[each.burst_id, crop_id, about][each.reviewer] = each
    stands_for: dict[str, str] = {}
    crops: dict[str, set[str]] = defaultdict(set)
    for (_, crop_id, _), by_reviewer in latest.items():
        groups: dict[_Answer, list[IndividualDecided]] = defaultdict(list)
        for each in sorted(by_reviewer.values(), key=lambda one: (one.decided_at, one.decision_id)):
            named = joined.root(each.individual_id or "") if each.decision is IndividualDecision.SAME else ""
            groups[each.decision, named].append(each)
        for group in groups.values():
            if len(group) < reviewers:
                continue
            first = group[0]
            crops[first.decision_id].add(crop_id)
            if first.decision is IndividualDecision.NEW:
                others = {each.individual_id for each in group} - {first.individual_id, None}
                stands_for.update({str(other): first.individual_id or "" for other in others})
    return stands_for, crops


def _renamed(decision: IndividualDecided, stands_for: Mapping[str, str]) -> IndividualDecided:
    named = {"individual_id": decision.individual_id, "other_id": decision.other_id}
    update = {name: stands_for[value] for name, value in named.items() if value is not None and value in stands_for}
    return decision.model_copy(update=update) if update else decision


class _Joined:
    """Individuals by mergers and links, whatever their order."""

    def __init__(self, decisions: Sequence[IndividualDecided]) -> None:
        self._parents: dict[str, str] = {}
        for each in decisions:
            if each.decision in _JOIN and each.individual_id and each.other_id:
                one, other = self.root(each.individual_id), self.root(each.other_id)
                if one != other:
                    self._parents[one] = other

    def root(self, individual_id: str) -> str:
        """What an individual is after all mergers."""
        while individual_id in self._parents:
            individual_id = self._parents[individual_id]
        return individual_id
