"""Which whole photographs a verdict asks for. Pure: events in, requests out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError
from uncia.events import BurstCategory, BurstResolved, BurstStatus, FetchReason, FetchRequested
from uncia.fetch_requests import build_request, thumbnails_of
from uncia.storage.object_keys import is_thumbnail_key

_SETTLED = (BurstStatus.FINAL, BurstStatus.REVISED)


@dataclass(frozen=True)
class FetchRules:
    """The settings `UNCIA_FETCH_…`."""

    is_wanted: Callable[[str], bool]
    """Whether a taxon is one of `UNCIA_FETCH_TAXA`, or below one."""
    uncertain: bool
    frames: int


def wanted_taxa(taxa: tuple[str, ...], taxonomy: Taxonomy) -> Callable[[str], bool]:
    """Whether a taxon is one of `taxa` or below one. Raises `SettingsError` for one that the taxonomy does not have."""
    if unknown := [taxon for taxon in taxa if taxon not in taxonomy]:
        raise SettingsError(f"UNCIA_FETCH_TAXA: the taxonomy has no {unknown[0]!r}; UNCIA_TAXONOMY_FILE adds taxa")
    wanted = frozenset(taxa)
    return lambda taxon: not wanted.isdisjoint((taxon, *(taxonomy.ancestors(taxon) if taxon in taxonomy else ())))


def find_reason(burst: BurstResolved, rules: FetchRules) -> FetchReason | None:
    """Why whole photographs of a burst are wanted; None where they are not, or the burst is not settled.

    What a person decided counts instead of the verdict, and is never uncertain.
    """
    if burst.status not in _SETTLED:
        return None
    if burst.review is not None:
        taxa = [burst.review.taxon, *(one.taxon for one in burst.review.further or ())]
        return FetchReason.TAXON if any(taxon and rules.is_wanted(taxon) for taxon in taxa) else None
    if burst.category not in (None, BurstCategory.ANIMAL):
        return None
    verdict = burst.verdict
    if verdict is not None and rules.is_wanted(verdict.taxon):
        return FetchReason.TAXON
    if rules.uncertain and burst.category is BurstCategory.ANIMAL and (verdict is None or not verdict.certain):
        return FetchReason.UNCERTAIN
    return None


def requests_of_rules(burst: BurstResolved, rules: FetchRules, now: datetime) -> list[FetchRequested]:
    """The requests of a verdict: so many that `UNCIA_FETCH_FRAMES` whole photographs of the burst are stored."""
    reason = find_reason(burst, rules)
    if reason is None:
        return []
    whole = sum(frame.rejection is None and not is_thumbnail_key(frame.key) for frame in burst.frames)
    return [build_request(burst, frame, reason, now) for frame in thumbnails_of(burst)[: max(0, rules.frames - whole)]]
