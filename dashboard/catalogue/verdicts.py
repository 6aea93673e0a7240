"""What a burst shows: by its models, and after reviews; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from uncia.camtrap.frame_agreement import shown_categories, taxa_contradict
from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.page_parts.verdict_text import verdict_taxon
from uncia.events import BurstCategory, BurstResolved, BurstStatus, ReviewDecision, TaxonVerdict

__all__ = ["Shown", "counting_review", "marks_of", "shown_by_model", "shown_by_review", "subject_of", "uncertainty_of"]


@dataclass(frozen=True)
class Shown:
    """Category, taxon and count of a burst. Category None: nothing could be read, or the reviewer cannot tell."""

    category: str | None
    taxon: str | None
    label: str | None
    rank: str | None
    count: int | None
    confidence: float | None
    """Of the taxon if one is named, else of the category: the calibrated probability, else the score."""


def named_taxon(burst: BurstResolved) -> TaxonVerdict | None:
    """The taxon that the models call the burst; of an event without a category, its best class."""
    if burst.category is None:
        return burst.verdict
    return verdict_taxon(burst)


def shown_by_model(burst: BurstResolved) -> Shown:
    """What the models say."""
    taxon = named_taxon(burst)
    category = burst.category.value if burst.category else _category_of(taxon)
    if taxon is None:
        return Shown(category, None, None, None, burst.count, _confidence_of(burst))
    confidence = taxon.score if taxon.confidence is None else taxon.confidence
    return Shown(category, taxon.taxon or None, taxon.label, taxon.rank, burst.count, confidence)


_CONTRADICTION = 0.8
"""Uncertainty, at least, where one frame shows an animal and another a vehicle, or two frames two taxa."""
_PARTLY_BLANK = 0.5
"""At least, where some frames are blank: the animal may have left, or something moved that is none."""


def uncertainty_of(burst: BurstResolved) -> float:
    """How much a review would help, 0 to 1: an animal or not, and which, and whether the frames disagree."""
    probability = burst.animal_probability
    doubt = 0.0 if probability is None else 1 - abs(2 * probability - 1)
    taxon = named_taxon(burst)
    if taxon is not None and not taxon.certain:
        doubt = max(doubt, 1 - (taxon.score if taxon.confidence is None else taxon.confidence))
    categories = shown_categories(burst.frames)
    if len(categories - {BurstCategory.BLANK}) > 1 or taxa_contradict(burst.frames):
        doubt = max(doubt, _CONTRADICTION)
    elif len(categories) > 1:
        doubt = max(doubt, _PARTLY_BLANK)
    return round(min(max(doubt, 0.0), 1.0), 6)


def subject_of(status: str, shown: Shown) -> str | None:
    """What independent detections are counted by: taxon, else label, else category. None for what is not counted."""
    if status == BurstStatus.SUPERSEDED.value or shown.category in (None, BurstCategory.BLANK.value, "nothing"):
        return None
    return shown.taxon or shown.label or shown.category


def counting_review(reviews: Iterable[Row]) -> Row | None:
    """The review that decides what the burst shows; None where there is none that is not undone."""
    return max(
        (review for review in _in_force(reviews) if review["decision"] not in _NO_VERDICT), key=_order, default=None
    )


def marks_of(reviews: Iterable[Row]) -> tuple[str, ...]:
    """The marks of the burst, sorted."""
    marked = [review for review in _in_force(reviews) if review["marks"] is not None]
    return tuple(sorted(set(max(marked, key=_order)["marks"]))) if marked else ()


def shown_by_review(review: Row) -> Shown:
    """What the reviewer says. Counts as certain."""
    seen: Sequence[dict[str, Any]] = review["observations"]
    # Earlier dashboards published a confirmed blank as a confirmation of nothing.
    blank = review["decision"] == ReviewDecision.CONFIRM.value and not seen
    if blank or review["decision"] == ReviewDecision.BLANK.value:
        return Shown(BurstCategory.BLANK.value, None, None, None, None, 1.0)
    if review["decision"] == ReviewDecision.UNKNOWN.value or not seen:
        return Shown(None, None, None, None, None, None)
    main = seen[0]
    return Shown(main["category"], main.get("taxon"), main.get("label"), main.get("rank"), main.get("count"), 1.0)


_NO_VERDICT = (ReviewDecision.MARK.value, ReviewDecision.UNDO.value)


def _in_force(reviews: Iterable[Row]) -> list[Row]:
    """Without those that a later review replaces or undoes. What an undone undo had undone counts again."""
    replaced: set[str] = set()
    in_force = []
    for review in sorted(reviews, key=_order, reverse=True):
        if review["review_id"] not in replaced:
            in_force.append(review)
            replaced.add(review["supersedes"] or "")
    return in_force


def _order(review: Row) -> tuple[Any, str]:
    return review["reviewed_at"], review["review_id"]


def _category_of(taxon: TaxonVerdict | None) -> str | None:
    """The category of an event without one, from the group of its best class."""
    if taxon is None:
        return None
    return BurstCategory.BLANK.value if taxon.group == "nothing" else taxon.group


def _confidence_of(burst: BurstResolved) -> float | None:
    """The confidence of the category alone."""
    if burst.category in (BurstCategory.PERSON, BurstCategory.VEHICLE):
        return max(
            (
                box.score
                for frame in burst.frames
                for box in frame.boxes or ()
                if box.category.value == burst.category.value
            ),
            default=None,
        )
    if burst.animal_probability is None or burst.category is None:
        return None
    return burst.animal_probability if burst.category is BurstCategory.ANIMAL else 1 - burst.animal_probability
