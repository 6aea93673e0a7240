"""The known individuals and the descriptions of crops, as one version of the embedder has them."""

from collections.abc import Callable

from uncia.events import IndividualCrop
from uncia.processors.identify.descriptions import DescriptionStore
from uncia.processors.identify.embedding import TaxonMatching
from uncia.processors.identify.matching.interface import Description, ReferenceIndex
from uncia.processors.identify.references import KnownIndividuals, Whereabouts
from uncia.processors.identify.sighting import TaxonMarked
from uncia.storage.object_store import ObjectStore

__all__ = ["Stage"]


class Stage:
    """Belongs to one thread. Another version of the embedder has a stage of its own."""

    def __init__(
        self,
        matching: Callable[[str], TaxonMatching],
        store: ObjectStore,
        bucket: str,
        marked: TaxonMarked,
        whereabouts: Whereabouts,
    ) -> None:
        self.matching = matching
        self._store = store
        self._bucket = bucket
        self.known = KnownIndividuals(self._new_index, self._describe, marked, whereabouts)

    def descriptions(self, taxon: str) -> DescriptionStore:
        """The descriptions of crops of a marked taxon."""
        of_taxon = self.matching(taxon)
        return DescriptionStore(self._store, self._bucket, of_taxon.matcher, of_taxon.embedding)

    def delete(self, camera: str, crop_id: str) -> None:
        """Delete the description of a crop, which is the same object whatever the taxon."""
        self.descriptions("").delete(camera, crop_id)
        self.known.forget(crop_id)

    def _new_index(self, taxon: str) -> ReferenceIndex:
        return self.matching(taxon).matcher.new_index()

    def _describe(self, taxon: str, camera: str, crop: IndividualCrop) -> Description | None:
        # What is described for a reference is not stored: the state of its burst may be another process's.
        return self.descriptions(taxon).get(camera, crop, keep=False)
