"""Resolve the names of taxa: the accepted scientific name, its synonyms, and what people call it.

The project's own taxonomy and label set know common names; GBIF's backbone (`GET /v1/species/match` and
`/species/{key}/synonyms`) knows synonyms and everything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from uncia.camtrap.taxonomy import Taxonomy
from uncia.camtrap.vocabulary import normalized_label
from uncia.polite_http.client import FetchFailed, PoliteClient
from uncia.training.harvest import HarvestError
from uncia.training.harvest.query import TargetTaxon
from uncia.training.harvest.sources.page import document_of, list_of, text_of
from uncia.triton_models.recipes import imagenet

__all__ = ["GbifMatch", "TaxonRequest", "match_in_gbif", "names_in", "parse_taxon", "resolve_taxon"]

_MOST_SYNONYMS = 100


@dataclass(frozen=True)
class TaxonRequest:
    """A taxon as the user wrote it."""

    name: str
    others: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class GbifMatch:
    """A name that GBIF's backbone has."""

    key: int
    name: str
    synonyms: tuple[str, ...]


def parse_taxon(text: str) -> TaxonRequest:
    """Parse `Panthera uncia|Uncia uncia=snow leopard`: names, the first of them searched for, and a label.

    Raises `HarvestError`.
    """
    names, _, label = text.partition("=")
    found = [" ".join(name.split()) for name in names.split("|")]
    if not all(found):
        raise HarvestError(f"{text!r} is no taxon: write NAME, NAME=LABEL or NAME|SYNONYM=LABEL")
    return TaxonRequest(found[0], tuple(found[1:]), " ".join(label.split()))


def resolve_taxon(request: TaxonRequest, taxonomy: Taxonomy, client: PoliteClient | None, gbif_url: str) -> TargetTaxon:
    """The accepted name with all that is known about it; without a client, by the project's taxonomy alone.

    Raises `HarvestError` for a name that nobody knows, and `FetchFailed`.
    """
    known = _in_taxonomy(request.name, taxonomy)
    name = known or request.name
    match = match_in_gbif(name, client, gbif_url) if client is not None else None
    if match is None and known is None and client is not None:
        raise HarvestError(f"neither this project's taxonomy nor GBIF has the taxon {request.name!r}")
    accepted = match.name if match else name
    names = dict.fromkeys((name, request.name, *request.others, *(match.synonyms if match else ())))
    vernacular = [taxonomy.label(one) for one in (accepted, name) if one in taxonomy]
    vernacular += [label for taxon, label in _common_names() if taxon in (accepted, name)]
    synonyms = tuple(one for one in names if one != accepted and one not in vernacular)
    label = request.label or accepted
    return TargetTaxon(
        accepted,
        label,
        synonyms,
        tuple(dict.fromkeys(one for one in vernacular if one != accepted)),
        match.key if match else None,
    )


def _in_taxonomy(name: str, taxonomy: Taxonomy) -> str | None:
    """The scientific name that the project knows under this name or this common name."""
    wanted = normalized_label(name)
    found = [taxon for taxon in taxonomy.names if normalized_label(taxon) == wanted]
    found = found or [taxon for taxon in taxonomy.names if normalized_label(taxonomy.label(taxon)) == wanted]
    found = found or [taxon for taxon, label in _common_names() if normalized_label(label) == wanted]
    return found[0] if len(set(found)) == 1 else None


def _common_names() -> list[tuple[str, str]]:
    """Species and common name of the classes of ImageNet that are species."""
    classes = imagenet.label_set().classes
    return [(entry.taxon, entry.label) for entry in classes if entry.taxon and " " in entry.taxon]


def match_in_gbif(name: str, client: PoliteClient, url: str) -> GbifMatch | None:
    """The accepted taxon of this name in GBIF's backbone; None: it has no such animal.

    Raises `HarvestError` for a name that is nearly another one, and `FetchFailed`.
    """
    query = urlencode({"name": name, "kingdom": "Animalia"})
    found = client.get_json(f"{url}/species/match?{query}", document_of)
    kind = text_of(found, "matchType")
    if kind == "FUZZY":
        near = text_of(found, "canonicalName") or text_of(found, "scientificName")
        raise HarvestError(f"GBIF has no taxon {name!r}: did you mean {near!r}?")
    if kind != "EXACT":
        return None
    key = found.get("acceptedUsageKey") or found.get("usageKey")
    if not isinstance(key, int):
        raise FetchFailed("unexpected-form", "GBIF's match has no key", temporary=False)
    accepted = client.get_json(f"{url}/species/{key}", document_of)
    synonyms = client.get_json(f"{url}/species/{key}/synonyms?limit={_MOST_SYNONYMS}", document_of)
    own = text_of(accepted, "canonicalName") or text_of(found, "canonicalName")
    return GbifMatch(key, own, _names(synonyms, own))


def _names(document: Any, accepted: str) -> tuple[str, ...]:
    names = [text_of(one, "canonicalName") for one in list_of(document, "results")]
    return tuple(dict.fromkeys(name for name in names if name and name != accepted))


def names_in(text: str, names: Sequence[str]) -> bool:
    """Whether a text contains one of the names as whole words."""
    padded = f" {normalized_label(text)} "
    return any(f" {normalized_label(name)} " in padded for name in names if normalized_label(name))
