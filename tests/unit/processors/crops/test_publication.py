"""Crops in the store and on the topic: repeated, interrupted, withdrawn, and of photographs that are gone."""

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.unit.processors.crops.builders import BOX, CAMERA, animal, burst, frame, jpeg, key, person
from tests.unit.processors.predict.s3_double import BUCKET, S3Double, s3_double
from uncia import ids
from uncia.events import BurstResolved, BurstStatus, CropPublished
from uncia.processors.crops.publication import CropPublisher
from uncia.storage.object_keys import is_derived_key
from uncia.storage.object_store import ObjectStore

REVISED, SUPERSEDED = BurstStatus.REVISED, BurstStatus.SUPERSEDED
OTHER_BURST = "bst-" + "b" * 24


class Killed(BaseException):
    """The process ended here."""


class System:
    """A store and a topic."""

    def __init__(self, server: S3Double, store: ObjectStore) -> None:
        self.server, self.store = server, store
        self.events: list[CropPublished] = []
        self.settings = server.settings()
        server.objects.update({key(number): jpeg(number) for number in (1, 2, 3)})

    def apply(self, *bursts: BurstResolved, kill_after: int | None = None, **settings: Any) -> list[CropPublished]:
        """Process bursts with a new worker; returns what it published. `kill_after`: writes until it is killed."""
        before, left = len(self.events), kill_after

        def write() -> None:
            nonlocal left
            if left is not None:
                left -= 1
                if left < 0:
                    raise Killed

        class Store(ObjectStore):
            def put(self, *arguments: Any, **options: Any) -> str:
                write()
                return super().put(*arguments, **options)

            def delete_with_versions(self, *arguments: Any) -> None:
                write()
                super().delete_with_versions(*arguments)

        async def publish(event: CropPublished) -> None:
            write()
            self.events.append(CropPublished.from_bytes(event.to_bytes()))

        async def run() -> None:
            configured = self.settings.model_copy(update=settings)
            publisher = CropPublisher(configured, Store(configured, timeout_s=1, attempts=1), publish)
            for event in bursts:
                await publisher.apply(event)

        asyncio.run(run())
        return self.events[before:]

    @property
    def crops(self) -> dict[str, bytes]:
        """The crops in the store by id."""
        return {
            name.rpartition("/")[2].removesuffix(".jpg"): data
            for name, data in self.server.objects.items()
            if name.startswith("crops/") and name.endswith(".jpg")
        }

    @property
    def current(self) -> dict[str, CropPublished]:
        """The crops of the topic by id, as a subscriber has them that follows it."""
        last = {event.crop_id: event for event in self.events}
        return {crop_id: event for crop_id, event in last.items() if event.withdrawn is None}


@pytest.fixture
def system() -> Iterator[System]:
    with s3_double() as (server, store):
        yield System(server, store)


TWO = burst([frame(1, animal()), frame(2, animal(0.6))])


def test_crops_are_stored_and_announced(system: System) -> None:
    published = system.apply(TWO)
    assert [event.image_id for event in published] == [one.image_id for one in TWO.frames]
    for event in published:
        data = system.server.objects[event.key]
        assert event.key == f"crops/{CAMERA}/{event.crop_id}.jpg"
        assert (event.bucket, event.sha256, event.size) == (BUCKET, ids.content_hash(data), len(data))
        picture = Image.open(io.BytesIO(data))
        # 160 x 240 pixels, and a tenth of the longer side around them.
        assert picture.size == (event.width, event.height) == (208, 288)
        assert (event.box, event.crop_box) == (BOX, (0.2125, 0.2, 0.325, 0.6))


def test_a_crop_holds_no_metadata_of_the_photograph(system: System) -> None:
    system.apply(TWO)
    for data in system.crops.values():
        picture = Image.open(io.BytesIO(data))
        assert not picture.getexif()
        assert "comment" not in picture.info
        assert b"place" not in data


def test_everything_below_crops_is_known_as_no_upload(system: System) -> None:
    system.apply(TWO)
    written = [name for name in system.server.objects if name.startswith("crops/")]
    assert len(written) == 3
    assert all(is_derived_key(name) for name in written)


def test_a_repeated_burst_publishes_nothing_and_keeps_every_byte(system: System) -> None:
    system.apply(TWO)
    before = dict(system.server.objects)
    assert system.apply(TWO, TWO) == []
    assert system.server.objects == before


def test_the_same_photograph_gives_the_same_bytes_and_key_in_a_new_store(system: System) -> None:
    system.apply(TWO)
    first = system.crops
    for name in [name for name in system.server.objects if name.startswith("crops/")]:
        del system.server.objects[name]
    system.apply(TWO)
    assert system.crops == first


@pytest.mark.parametrize("kill_after", range(6))
def test_a_worker_killed_at_any_write_loses_and_doubles_no_crop(system: System, kill_after: int) -> None:
    with pytest.raises(Killed):
        system.apply(TWO, kill_after=kill_after)
    system.apply(TWO)
    assert set(system.crops) == set(system.current) == {event.crop_id for event in system.events}
    assert len(system.crops) == 2
    manifest = json.loads(system.server.objects[f"crops/{CAMERA}/{TWO.burst_id}.json"])
    assert manifest["complete"] is True


@pytest.mark.parametrize("kill_after", [None, *range(6)])
def test_a_person_in_a_revision_withdraws_the_crops(system: System, kill_after: int | None) -> None:
    system.apply(TWO)
    revised = burst([*TWO.frames, frame(3, person())], revision=3, status=REVISED)
    if kill_after is not None:
        with pytest.raises(Killed):
            system.apply(revised, kill_after=kill_after)
    system.apply(revised)
    assert not system.crops
    assert not system.current
    assert {event.withdrawn for event in system.events[2:]} == {"person-in-burst"}
    gone = system.events[-1]
    assert (gone.sha256, gone.size, gone.width) == (None, 0, None)


def test_an_older_revision_that_is_read_again_brings_no_crop_back(system: System) -> None:
    revised = burst([*TWO.frames, frame(3, person())], revision=3, status=REVISED)
    system.apply(TWO, revised)
    assert system.apply(TWO, revised) == []
    assert system.crops == {}


@pytest.mark.parametrize("held", [1, 2])
def test_a_write_that_timed_out_and_is_carried_out_later_brings_no_manifest_back(system: System, held: int) -> None:
    system.server.hold = held
    system.apply(TWO)
    (manifest,) = [name for name in system.server.objects if name.endswith(".json") and name.startswith("crops/")]
    stored = system.server.objects[manifest]
    assert json.loads(stored)["complete"] is True

    assert system.server.carry_out_held() == [False] * held
    assert system.server.objects[manifest] == stored


def test_a_write_that_was_carried_out_and_seemed_to_fail_is_taken_for_done(system: System) -> None:
    system.server.unanswered = 1
    system.apply(TWO)
    (manifest,) = {name for name in system.server.written if name.endswith(".json")}
    assert system.server.written.count(manifest) == 2
    assert json.loads(system.server.objects[manifest])["complete"] is True


def test_a_person_withholds_crops_from_the_start(system: System) -> None:
    assert system.apply(burst([frame(1, animal()), frame(2, person())])) == []
    assert system.crops == {}


def test_a_better_frame_takes_the_place_of_a_crop(system: System) -> None:
    system.apply(TWO, crops_per_burst=2)
    better = burst([*TWO.frames, frame(3, animal(0.9))], revision=3, status=REVISED)
    published = system.apply(better, crops_per_burst=2)
    assert [event.withdrawn for event in published] == ["not-selected", None]
    assert set(system.crops) == set(system.current)
    assert {event.image_id for event in system.current.values()} == {frame(1).image_id, frame(3).image_id}


@pytest.mark.parametrize("successor_first", [True, False])
def test_a_superseded_burst_leaves_its_crops_to_its_successor(system: System, successor_first: bool) -> None:
    system.apply(TWO)
    successor = burst([TWO.frames[0]], burst_id=OTHER_BURST, supersedes=(TWO.burst_id,))
    superseded = burst(revision=3, status=SUPERSEDED, superseded_by=OTHER_BURST)
    system.apply(*((successor, superseded) if successor_first else (superseded, successor)))
    assert set(system.crops) == set(system.current)
    assert [(event.image_id, event.burst_id) for event in system.current.values()] == [
        (TWO.frames[0].image_id, OTHER_BURST)
    ]


def test_a_superseded_burst_without_a_successor_leaves_nothing(system: System) -> None:
    system.apply(TWO, burst(revision=3, status=SUPERSEDED))
    assert not system.crops
    assert not system.current


def test_a_frame_that_moves_to_another_burst_and_back_has_its_crop(system: System) -> None:
    other = burst([TWO.frames[1]], burst_id=OTHER_BURST)
    system.apply(TWO, other, burst([TWO.frames[0]], revision=3, status=REVISED))
    assert len(system.crops) == 2
    system.apply(
        burst(TWO.frames, revision=4, status=REVISED), burst(burst_id=OTHER_BURST, revision=3, status=SUPERSEDED)
    )
    assert set(system.crops) == set(system.current)
    assert {event.burst_id for event in system.current.values()} == {TWO.burst_id}
    assert len(system.crops) == 2


def test_a_photograph_that_is_gone_or_changed_costs_its_own_crop_only(system: System) -> None:
    del system.server.objects[key(1)]
    system.server.objects[key(2)] = jpeg(77)
    event = burst([frame(1, animal()), frame(2, animal()), frame(3, animal())])
    assert [crop.image_id for crop in system.apply(event)] == [event.frames[2].image_id]


def test_a_photograph_that_cannot_be_decoded_costs_its_own_crop_only(system: System) -> None:
    broken = jpeg(1)[:3000]
    system.server.objects[key(1)] = broken
    bad = frame(1, animal()).model_copy(update={"image_id": ids.image_id(CAMERA, ids.content_hash(broken))})
    event = burst([bad, frame(2, animal())])
    assert [crop.image_id for crop in system.apply(event)] == [event.frames[1].image_id]


def test_a_box_of_two_by_two_pixels_gets_no_crop(system: System) -> None:
    tiny = animal(0.9, (0.5, 0.5, 2 / 640, 2 / 480))
    assert system.apply(burst([frame(1, tiny)])) == []
    assert system.crops == {}


def test_a_manifest_that_cannot_be_read_is_replaced(system: System) -> None:
    system.server.objects[f"crops/{CAMERA}/{TWO.burst_id}.json"] = b"{"
    assert len(system.apply(TWO)) == 2
    assert len(system.crops) == 2
