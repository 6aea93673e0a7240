"""Accounts for what is made from bursts: each crop and explanation of a station exists once, and nothing else does."""

from collections.abc import Iterator

from tests.recovery.observer import Station
from uncia.camtrap.taxonomy import Taxonomy
from uncia.events import CropPublished, ImageExplained, IndividualSighted, SightingStatus
from uncia.ids import content_hash
from uncia.processors.crops.manifest import Manifest
from uncia.processors.crops.selection import may_show_person, select_crops
from uncia.processors.explain.explainer import marker_key
from uncia.processors.identify.descriptions import description_key
from uncia.processors.identify.sighting import taxon_of
from uncia.processors.identify.worker import marked_taxa
from uncia.settings import Settings
from uncia.storage.object_keys import INDIVIDUALS_PREFIX
from uncia.storage.object_store import ObjectStore

_MAX_BYTES = 10_000_000


class Products:
    """What must exist of one station, by its stack's settings. Hold the observer's lock while passing `Station`."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._marked = marked_taxa(settings.identify_taxa, Taxonomy.load(settings.taxonomy_file))

    def expected_crops(self, station: Station) -> dict[str, str]:
        """Burst ids by crop id: the crops that the current bursts select."""
        return {
            wanted.crop_id: burst.burst_id
            for burst in station.current_bursts()
            for wanted in select_crops(
                burst,
                most=self._settings.crops_per_burst,
                withheld_by_person=self._settings.crops_withheld_by_person,
            ).wanted
        }

    def topic_problems(self, station: Station) -> list[str]:
        """Which crops and answers to requests are missing, doubled or left over on the topics."""
        return [
            *self._crop_problems(station),
            *self._explanation_problems(station),
            *self._sighting_problems(station),
        ]

    def are_complete(self, station: Station) -> bool:
        """Whether the topics have exactly the crops and answers that they must have."""
        return not self.topic_problems(station)

    def problems(self, station: Station) -> list[str]:
        """What is missing, doubled or left over, on the topics and in the store."""
        store = ObjectStore(self._settings)
        try:
            return [
                *self.topic_problems(station),
                *self._stored_crop_problems(station, store),
                *self._stored_explanation_problems(station, store),
                *self._stored_description_problems(station, store),
            ]
        finally:
            store.close()

    def _crop_problems(self, station: Station) -> Iterator[str]:
        expected, live = self.expected_crops(station), live_crops(station)
        if missing := expected.keys() - live.keys():
            yield f"{len(missing)} of {len(expected)} crops are missing"
        if extra := live.keys() - expected.keys():
            yield f"{len(extra)} crops of no current burst are not withdrawn"
        if moved := [crop for crop in live.values() if expected.get(crop.crop_id, crop.burst_id) != crop.burst_id]:
            yield f"{len(moved)} crops name another burst than the one that they belong to"
        different = [
            crop_id
            for crop_id, events in station.crops.items()
            if len({event.sha256 for event in events if event.withdrawn is None}) > 1
        ]
        if different:
            yield f"{len(different)} crops were published twice with different contents"

    def _explanation_problems(self, station: Station) -> Iterator[str]:
        unanswered = station.requested.keys() - station.explained.keys()
        if unanswered:
            yield f"{len(unanswered)} of {len(station.requested)} explanations are missing"
        if unrequested := station.explained.keys() - station.requested.keys():
            yield f"{len(unrequested)} explanations were never requested"
        contents = [
            {event.to_bytes() for event in events if event.rejection is None} for events in station.explained.values()
        ]
        if doubled := [versions for versions in contents if len(versions) > 1]:
            yield f"{len(doubled)} explanations were published twice with different contents"
        withheld = {
            frame.image_id for burst in station.current_bursts() if may_show_person(burst) for frame in burst.frames
        }
        live = {event.image_id for event in live_explanations(station).values()}
        if shown := live & withheld:
            yield f"{len(shown)} explanations show a burst with a person"
        answered = {station.requested[name] for name in station.requested.keys() & station.explained.keys()}
        if refused := answered - live - withheld:
            yield f"{len(refused)} explanations were refused"

    def _sighting_problems(self, station: Station) -> Iterator[str]:
        live, crops = live_sightings(station), live_crops(station)
        shown = {burst.burst_id: taxon_of(burst, self._marked) for burst in station.current_bursts()}
        expected = {crop.burst_id for crop in crops.values() if shown.get(crop.burst_id)}
        if missing := expected - live.keys():
            yield f"{len(missing)} of {len(expected)} sightings are missing"
        if extra := live.keys() - expected:
            yield f"{len(extra)} sightings of no current burst with crops are not withdrawn"
        if gone := [crop for event in live.values() for crop in event.crops if crop.crop_id not in crops]:
            yield f"{len(gone)} crops of sightings are withdrawn"
        for burst_id, events in station.sighted.items():
            by_revision: dict[int, set[bytes]] = {}
            for event in events:
                # A repetition after a kill is matched again, at another time.
                content = event.model_copy(update={"sighted_at": events[0].sighted_at}).to_bytes()
                by_revision.setdefault(event.revision, set()).add(content)
            if sorted(by_revision) != list(range(1, len(by_revision) + 1)):
                yield f"revisions {sorted(by_revision)} of the sighting of {burst_id} are not in a row"

    def _stored_description_problems(self, station: Station, store: ObjectStore) -> Iterator[str]:
        keys = {entry.key for entry in store.list(self._settings.bucket, f"{INDIVIDUALS_PREFIX}{self._name}/")}
        sighted = live_sightings(station)
        named = {description_key(event.camera, crop.crop_id) for event in sighted.values() for crop in event.crops}
        # A crop that was among the best ones of its burst before a revision may keep its description.
        permitted = {
            description_key(crop.camera, crop.crop_id)
            for crop in live_crops(station).values()
            if crop.burst_id in sighted
        }
        if orphans := keys - permitted:
            yield f"{len(orphans)} stored descriptions belong to no crop of a sighting"
        if lost := named - keys:
            yield f"{len(lost)} crops of sightings have no stored description"

    def _stored_crop_problems(self, station: Station, store: ObjectStore) -> Iterator[str]:
        bucket, live = self._settings.bucket, live_crops(station)
        keys = {entry.key for entry in store.list(bucket, f"crops/{self._name}/")}
        named = {crop.key for crop in live.values()}
        if orphans := {key for key in keys if key.endswith(".jpg")} - named:
            yield f"{len(orphans)} stored crops belong to no event"
        if lost := named - keys:
            yield f"{len(lost)} crops are not stored"
        wrong = [
            crop.key
            for crop in live.values()
            if crop.key in keys and content_hash(store.get(bucket, crop.key, max_bytes=_MAX_BYTES)) != crop.sha256
        ]
        if wrong:
            yield f"{len(wrong)} stored crops have another content than their event says"
        manifests = [
            Manifest.model_validate_json(store.get(bucket, key, max_bytes=_MAX_BYTES))
            for key in keys
            if key.endswith(".json")
        ]
        if incomplete := [manifest for manifest in manifests if not manifest.complete]:
            yield f"{len(incomplete)} manifests are incomplete"
        listed = [crop.crop_id for manifest in manifests for crop in manifest.crops]
        if sorted(listed) != sorted(live):
            yield f"the manifests list {len(listed)} crops, the events {len(live)}"

    def _stored_explanation_problems(self, station: Station, store: ObjectStore) -> Iterator[str]:
        marks = {
            marker_key(burst.camera, frame.image_id)
            for burst in station.current_bursts()
            if may_show_person(burst)
            for frame in burst.frames
        }
        keys = {entry.key for entry in store.list(self._settings.bucket, f"explanations/{self._name}/")}
        if unmarked := marks - keys:
            yield f"{len(unmarked)} photographs of bursts with a person are not marked"
        named = {
            key for event in live_explanations(station).values() for key in (event.heat_map_key, event.weights_key)
        }
        if orphans := keys - named - marks:
            yield f"{len(orphans)} stored files belong to no explanation"
        if lost := named - keys:
            yield f"{len(lost)} files of explanations are not stored"


def live_crops(station: Station) -> dict[str, CropPublished]:
    """The last event of every crop that is not withdrawn."""
    last = {crop_id: events[-1] for crop_id, events in station.crops.items()}
    return {crop_id: event for crop_id, event in last.items() if event.withdrawn is None}


def live_sightings(station: Station) -> dict[str, IndividualSighted]:
    """The last event of every burst whose sighting is not withdrawn."""
    last = {burst_id: events[-1] for burst_id, events in station.sighted.items()}
    return {burst_id: event for burst_id, event in last.items() if event.status is not SightingStatus.WITHDRAWN}


def live_explanations(station: Station) -> dict[str, ImageExplained]:
    """The last event of every explanation that was not refused or withdrawn."""
    last = {name: events[-1] for name, events in station.explained.items()}
    return {name: event for name, event in last.items() if event.rejection is None}
