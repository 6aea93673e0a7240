"""The sighting of one burst: whether it is to be matched, what is published, and what a decision changes. Pure.

1. A burst is matched where its taxon is marked and no person is, or may be, in it. Whatever the setting of the crops
   says: of a burst with a person no crop is matched.
2. What is to be matched has a due time, which each further crop moves: the crops of one burst vote together.
3. A withdrawal is due at once. Crops that were withdrawn are listed until their descriptions are deleted, and so is
   every crop before it is described: whatever happens then, its description is found.
4. Decisions are not stored here. `with_decisions` applies the registry of now to what was matched, so that a sighting
   depends on these two only: an individual that was merged or removed meanwhile is resolved at publication, and is back
   when that is undone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from uncia.camtrap.hidden_people import evidence_of
from uncia.camtrap.individuals import RegistryState
from uncia.events import (
    BurstCategory,
    BurstResolved,
    BurstStatus,
    CropPublished,
    DetectionCategory,
    IndividualCandidate,
    IndividualCrop,
    IndividualSighted,
    SightingStatus,
)
from uncia.processors.crops.selection import may_show_person

__all__ = [
    "NO_CROP",
    "PERSON",
    "REMOVED",
    "SUPERSEDED",
    "Entry",
    "Match",
    "TaxonMarked",
    "after_crop",
    "after_deletion",
    "after_publication",
    "after_tombstone",
    "after_verdict",
    "before_describing",
    "candidates_of",
    "choose_crops",
    "descriptions_to_delete",
    "differs",
    "next_event",
    "taxon_of",
    "with_decisions",
]

PERSON = "a person is, or may be, in the burst"
NOT_MARKED = "the burst shows no taxon whose individuals are told apart"
SUPERSEDED = "the burst was superseded by another one"
REMOVED = "the burst was removed"
NO_CROP = "no crop of the burst is in the store"

TaxonMarked = Callable[[str], str | None]
"""The marked taxon that a taxon is, or belongs to; None: its individuals are not told apart."""


@dataclass(frozen=True)
class Entry:
    """The state of one burst. Times are in seconds since 1970."""

    burst_id: str
    partition: int
    """Of the burst, and of this state."""
    revision: int
    """Of the burst's event."""
    station: str
    camera: str
    started_at: datetime
    taxon: str
    due: float | None
    """When it is to be matched or withdrawn; None: it is done."""
    withdrawn: str | None = None
    """Why it must not be matched; None: it is."""
    gone: tuple[str, ...] = ()
    """Ids of crops that were withdrawn and whose descriptions may still be stored."""
    published: IndividualSighted | None = None
    described: tuple[str, ...] = ()
    """Ids of crops whose descriptions may be stored."""
    found: tuple[IndividualCandidate, ...] = ()
    """The candidates as they were matched; those of `published` are what the registry made of them."""


@dataclass(frozen=True)
class Match:
    """What matching a burst gave."""

    crops: tuple[IndividualCrop, ...]
    """Best first."""
    candidates: tuple[IndividualCandidate, ...] = ()
    new_score: float | None = None
    calibrated: bool = False
    matcher: str | None = None
    reason: str | None = None
    """Why nothing was compared."""


def taxon_of(burst: BurstResolved, marked: TaxonMarked) -> str | None:
    """The taxon of the burst whose individuals are told apart; None: it has none.

    After a review only what the reviewer saw counts.
    """
    review = burst.review
    if review is not None:
        seen = (review.taxon, *(one.taxon for one in review.further or ()))
    elif burst.category not in (BurstCategory.ANIMAL, None):
        return None
    else:
        seen = (burst.verdict.taxon if burst.verdict else None,)
    return next((taxon for taxon in seen if taxon and marked(taxon)), None)


def after_verdict(
    entry: Entry | None, burst: BurstResolved, partition: int, due: float, now: float, marked: TaxonMarked
) -> Entry | None:
    """The state after a verdict; the same object if nothing changes, None for a burst that is never matched."""
    if burst.status is BurstStatus.PROVISIONAL or (entry is not None and burst.revision <= entry.revision):
        return entry
    taxon = taxon_of(burst, marked)
    if burst.status is BurstStatus.SUPERSEDED:
        # One without a successor has lost all its photographs.
        why: str | None = SUPERSEDED if burst.superseded_by else REMOVED
    elif may_show_person(burst) or evidence_of(burst).says_person:
        why = PERSON
    else:
        why = None if taxon else NOT_MARKED
    if entry is None:
        if why is not None or taxon is None:
            return None
        return Entry(
            burst.burst_id,
            partition,
            burst.revision,
            burst.station,
            burst.camera,
            burst.started_at,
            taxon,
            due,
        )
    after = replace(entry, revision=burst.revision, partition=partition, withdrawn=why, taxon=taxon or entry.taxon)
    if why is not None:
        return replace(after, due=now)
    # A revision may have other crops than the one before.
    return replace(after, due=due, started_at=burst.started_at)


def after_tombstone(entry: Entry | None, now: float) -> Entry | None:
    """The state after the burst was removed from the log. What counts its revisions from 1 then is another burst.

    That it was superseded stays: exports leave it out, since its photographs are in another burst.
    """
    if entry is None:
        return None
    return replace(entry, revision=0, withdrawn=SUPERSEDED if entry.withdrawn == SUPERSEDED else REMOVED, due=now)


def after_crop(entry: Entry | None, crop: CropPublished, due: float, now: float) -> Entry | None:
    """The state after a crop was published or withdrawn."""
    if entry is None:
        return None
    if crop.withdrawn is not None:
        return replace(entry, gone=tuple(dict.fromkeys((*entry.gone, crop.crop_id))), due=now)
    gone = tuple(crop_id for crop_id in entry.gone if crop_id != crop.crop_id)
    return replace(entry, gone=gone, due=entry.due if entry.withdrawn else due)


def choose_crops(entry: Entry, listed: Sequence[CropPublished], most: int) -> tuple[CropPublished, ...]:
    """The crops that are matched, of those that the burst has: the best ones."""
    found = [
        crop
        for crop in listed
        if crop.withdrawn is None and crop.category is DetectionCategory.ANIMAL and crop.crop_id not in entry.gone
    ]
    found.sort(key=lambda crop: (-crop.score, -(crop.width or 0) * (crop.height or 0), crop.crop_id))
    return tuple(found[:most])


def before_describing(entry: Entry, chosen: Sequence[CropPublished]) -> Entry:
    """The state that is written before the first of these crops is described; the same object if nothing changes."""
    described = tuple(dict.fromkeys((*entry.described, *(crop.crop_id for crop in chosen))))
    return entry if described == entry.described else replace(entry, described=described)


def descriptions_to_delete(entry: Entry, match: Match | None) -> tuple[str, ...]:
    """Ids of the crops that were withdrawn and, where nothing was matched, of all that may be described."""
    unmatched = () if match and match.crops else entry.described
    return tuple(dict.fromkeys((*entry.gone, *unmatched)))


def after_deletion(entry: Entry, deleted: Sequence[str]) -> Entry:
    """The state after these descriptions were deleted."""
    return replace(entry, described=tuple(crop_id for crop_id in entry.described if crop_id not in deleted))


def next_event(entry: Entry, match: Match | None, state: RegistryState, now: datetime) -> IndividualSighted | None:
    """What is to be published; None: nothing, since nothing of the burst was. `match` None: nothing was matched."""
    crops = match.crops if match and entry.withdrawn is None else ()
    reason = entry.withdrawn or NO_CROP
    if not crops and (
        entry.published is None
        or (entry.published.status is SightingStatus.WITHDRAWN and entry.published.reason == reason)
    ):
        return None
    event = IndividualSighted(
        burst_id=entry.burst_id,
        revision=(entry.published.revision if entry.published else 0) + 1,
        station=entry.station,
        camera=entry.camera,
        started_at=entry.started_at,
        taxon=entry.taxon,
        status=SightingStatus.WITHDRAWN,
        reason=reason,
        sighted_at=now,
    )
    if not match or not crops:
        return event
    proposed = event.model_copy(
        update={
            "status": SightingStatus.PROPOSED,
            "crops": crops,
            "candidates": match.candidates,
            "new_score": match.new_score,
            "calibrated": match.calibrated,
            "matcher": match.matcher,
            "reason": match.reason,
        }
    )
    return with_decisions(proposed, match.candidates, state)


def candidates_of(burst_id: str, matched: Sequence[str], state: RegistryState) -> tuple[str, ...]:
    """What the registry makes of the individuals that were matched: those that exist, mergers applied, each once,
    without those of which people said that the burst does not show them."""
    known = (state.resolve(individual_id) for individual_id in matched)
    different = state.different.get(burst_id, frozenset())
    return tuple(dict.fromkeys(each for each in known if each is not None and each not in different))


def with_decisions(
    event: IndividualSighted, found: Sequence[IndividualCandidate], state: RegistryState
) -> IndividualSighted:
    """The sighting as the registry has it: what people decided, and those of the candidates `found` that exist, each
    once. With the candidates as they were matched, an undone merger or removal brings them back."""
    if event.status is SightingStatus.WITHDRAWN:
        return event
    wanted = candidates_of(event.burst_id, [candidate.individual_id for candidate in found], state)
    candidates: dict[str, IndividualCandidate] = {}
    for candidate in found:
        known = state.resolve(candidate.individual_id)
        if known in wanted and known not in candidates:
            candidates[known] = candidate.model_copy(update={"individual_id": known})
    decided = state.bursts.get(event.burst_id)
    latest = decided.latest if decided else None
    return event.model_copy(
        update={
            "status": decided.status if decided else SightingStatus.PROPOSED,
            "candidates": tuple(candidates.values()),
            "individuals": decided.individuals if decided else (),
            "decision_id": latest and latest.decision_id,
            "decision": latest and latest.decision,
            "reviewer": latest and latest.reviewer,
            "decided_at": latest and latest.decided_at,
        }
    )


def differs(event: IndividualSighted, published: IndividualSighted | None) -> bool:
    """Whether the event tells anything that is not published."""
    if published is None:
        return True
    same = {"revision": published.revision, "sighted_at": published.sighted_at}
    return event.model_copy(update=same) != published


def after_publication(entry: Entry, event: IndividualSighted | None) -> Entry | None:
    """The state after an event was published, or nothing had to be; None: it is removed."""
    published = event or entry.published
    if published is None and entry.withdrawn is not None:
        return None
    return replace(entry, published=published, due=None, gone=())
