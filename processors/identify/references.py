"""The crops of known individuals, in an index for each marked taxon, kept equal to the registry."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog

from uncia.camtrap.individuals import Individual, RegistryState, Sighting
from uncia.events import AnimalSide, IndividualCrop
from uncia.processors.identify.matching.description import Description
from uncia.processors.identify.matching.interface import Position, Reference, ReferenceIndex

__all__ = ["PER_SIDE", "KnownIndividuals", "Whereabouts", "wanted_references"]

PER_SIDE = 6
"""Crops of an individual that are compared, for each side: the latest ones. A coat does not change, and the time of a
query grows with every crop."""

IMPORTED = "imported"
"""In place of the camera of an imported picture whose camera is unknown."""

Whereabouts = Callable[[str, datetime], tuple[datetime | None, Position | None]]
"""For a camera and a time by its clock: the time with its UTC offset, and the position; None where unknown."""

log = structlog.get_logger("uncia")


@dataclass(frozen=True)
class WantedReference:
    """One crop that is to be in an index."""

    taxon: str
    """The marked taxon, which names the index."""
    sighting: Sighting
    crop: IndividualCrop

    @property
    def camera(self) -> str:
        """The camera, in whose folder the description is."""
        return self.sighting.camera or IMPORTED


def wanted_references(
    state: RegistryState, marked: Callable[[str], str | None], withdrawn: Collection[str]
) -> dict[str, WantedReference]:
    """By crop id, what is compared: the latest crops of each side of each individual of a marked taxon.

    `withdrawn`: ids of bursts whose sighting is withdrawn, which are left out.
    """
    found = {}
    for individual in state.current():
        taxon = marked(individual.taxon) if individual.taxon else None
        if taxon is None:
            continue
        for sighting, crop in _latest(individual, withdrawn):
            found[crop.crop_id] = WantedReference(taxon, sighting, crop)
    return found


def _latest(individual: Individual, withdrawn: Collection[str]) -> Iterator[tuple[Sighting, IndividualCrop]]:
    room = dict.fromkeys(AnimalSide, PER_SIDE)
    for sighting in reversed(individual.sightings):
        if sighting.burst_id in withdrawn:
            continue
        for crop in sighting.crops:
            if room[crop.side]:
                room[crop.side] -= 1
                yield sighting, crop


class KnownIndividuals:
    """The indices. Belongs to one thread: the registry changes in another.

    `new_index` makes the index of a marked taxon. `describe` gives the description of a crop by its taxon and camera,
    or None where the crop is gone; what it raises ends `update`, which continues where it was when it is called again.
    """

    def __init__(
        self,
        new_index: Callable[[str], ReferenceIndex],
        describe: Callable[[str, str, IndividualCrop], Description | None],
        marked: Callable[[str], str | None],
        whereabouts: Whereabouts,
    ) -> None:
        self._new_index = new_index
        self._describe = describe
        self._marked = marked
        self._whereabouts = whereabouts
        self._indices: dict[str, ReferenceIndex] = {}
        self._known: dict[str, WantedReference] = {}
        self._without: dict[str, WantedReference] = {}
        """Crops that could not be described."""

    def update(self, state: RegistryState, withdrawn: Collection[str]) -> None:
        """Make the indices hold what the registry knows."""
        wanted = wanted_references(state, self._marked, withdrawn)
        for crop_id in [crop_id for crop_id, known in self._known.items() if wanted.get(crop_id) != known]:
            self._indices[self._known.pop(crop_id).taxon].remove(crop_id)
        self._without = {crop_id: one for crop_id, one in self._without.items() if wanted.get(crop_id) == one}
        for crop_id, one in wanted.items():
            if crop_id in self._known or crop_id in self._without:
                continue
            described = self._describe(one.taxon, one.camera, one.crop)
            if described is None:
                self._without[crop_id] = one
                continue
            self._add(crop_id, one, described)

    def forget(self, crop_id: str) -> None:
        """Drop a crop whose description was deleted; `update` looks for it again."""
        known = self._known.pop(crop_id, None)
        if known is not None:
            self._indices[known.taxon].remove(crop_id)

    def index(self, taxon: str) -> ReferenceIndex:
        """The index of a marked taxon."""
        if taxon not in self._indices:
            self._indices[taxon] = self._new_index(taxon)
        return self._indices[taxon]

    def crop(self, crop_id: str) -> IndividualCrop | None:
        """The crop of a reference."""
        found = self._known.get(crop_id)
        return found.crop if found else None

    def _add(self, crop_id: str, one: WantedReference, described: Description) -> None:
        sighting = one.sighting
        moment, position = None, None
        if sighting.camera and sighting.captured_at:
            moment, position = self._whereabouts(sighting.camera, sighting.captured_at)
        reference = Reference(
            reference_id=crop_id,
            individual_id=sighting.individual_id,
            encounter_id=sighting.burst_id,
            camera=one.camera,
            captured_at=moment,
            position=position,
            description=described,
        )
        for same in self.index(one.taxon).add(reference):
            # The same picture under two individuals: a person must find out which one is wrong.
            log.warning("picture_of_two_individuals", crop_ids=[same.first_reference_id, same.second_reference_id])
        self._known[crop_id] = one
