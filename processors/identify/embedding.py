"""How the crops of a taxon are described and matched: with an embedder that serves the taxon, or without one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from uncia.camtrap.taxonomy import Taxonomy
from uncia.imaging.frames import Pixels
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.interface import Matcher
from uncia.processors.predict.live_model import LiveCard
from uncia.serving.embedder_card import EmbedderCard, read_active_embedder_card
from uncia.serving.embedder_client import EmbedderClient
from uncia.settings import Settings

__all__ = ["CropEmbedder", "Embedding", "LiveMatching", "TaxonMatching", "matching_by_taxon"]

log = structlog.get_logger("uncia")


class CropEmbedder(Protocol):
    """What is needed of `uncia.serving.embedder_client.EmbedderClient`."""

    def embed(self, card: EmbedderCard, crop: Pixels) -> NDArray[np.float32] | None:
        """The vector of a crop (H, W, 3); None where it is none. Raises `DependencyDown`."""


@dataclass(frozen=True)
class Embedding:
    """One version of an embedder, and its client."""

    card: EmbedderCard
    client: CropEmbedder

    def __call__(self, crop: Pixels) -> NDArray[np.float32] | None:
        """The vector of a crop (H, W, 3); None, and a line in the log, where the embedder returns none."""
        vector = self.client.embed(self.card, crop)
        if vector is None:
            log.warning("crop_not_embedded", embedder=self.card.name, error="NaN, infinite values or zeros alone")
        return vector


@dataclass(frozen=True)
class TaxonMatching:
    """The matcher of a taxon, and the embedder whose vectors it is given."""

    matcher: Matcher
    embedding: Embedding | None = None


def matching_by_taxon(
    card: EmbedderCard | None, client: CropEmbedder, taxonomy: Taxonomy
) -> Callable[[str], TaxonMatching]:
    """How each marked taxon is matched: with the embedder where its card lists the taxon or one above it, or none at
    all; without it elsewhere, since vectors of animals that it never learnt mean nothing."""
    without = TaxonMatching(FusedMatcher())
    if card is None:
        return lambda _: without
    with_it = TaxonMatching(FusedMatcher(card.embedder_id), Embedding(card, client))

    def of(taxon: str) -> TaxonMatching:
        lineage = (taxon, *taxonomy.ancestors(taxon)) if taxon in taxonomy else (taxon,)
        return with_it if not card.taxa or any(each in card.taxa for each in lineage) else without

    return of


class LiveMatching:
    """How each taxon is matched now, with the live version of the embedder.

    Raises `SettingsError` on creation where the settings name an embedder that the repository has not.
    """

    def __init__(self, settings: Settings, taxonomy: Taxonomy, clock: Callable[[], float] = time.monotonic) -> None:
        self._taxonomy = taxonomy
        self._client = EmbedderClient(settings)
        folder = settings.model_repository / settings.identify_embedder
        self._live = LiveCard(folder, "", lambda: read_active_embedder_card(settings), clock)
        self._card = self._live.current()
        self._matching = matching_by_taxon(self._card, self._client, taxonomy)

    def current(self) -> Callable[[str], TaxonMatching]:
        """The same object until another version is live."""
        card = self._live.current()
        if card is not self._card:
            self._card = card
            self._matching = matching_by_taxon(card, self._client, self._taxonomy)
        return self._matching
