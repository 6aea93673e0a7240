"""The whole worker on a broker in memory, with a store double and the real matcher."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.agents.harness import ALL_TOPICS, MemoryTopics, Outage, closing_deployment_readers, running
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.unit.processors.identify.builders import CAMERA, TAXON, burst, coat, crop_of, decided, grass
from tests.unit.processors.predict.s3_double import S3Double, s3_double
from tests.unit.uncia.camtrap.individual_decisions import merge, undo
from uncia.events import (
    BurstResolved,
    CropPublished,
    IndividualDecided,
    IndividualDecision,
    IndividualSighted,
    SightingStatus,
)
from uncia.processors.crops.manifest import Manifest, manifest_key
from uncia.processors.identify.descriptions import description_key
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.interface import Proposal
from uncia.processors.identify.worker import create
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, CROP_PUBLISHED, INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED


class World:
    """The topics and the store, as the workers before this one fill them."""

    def __init__(self, topics: MemoryTopics, store: S3Double) -> None:
        self.topics = topics
        self.objects = store.objects
        self._store = store

    def burst(self, number: int, *pictures: bytes, revision: int = 2) -> tuple[BurstResolved, list[CropPublished]]:
        """A burst with its crops in the store, announced on both topics."""
        found = burst(number, revision=revision)
        crops = [crop_of(found, each) for each in range(1, len(pictures) + 1)]
        self.objects.update({crop.key: picture for crop, picture in zip(crops, pictures, strict=True)})
        self.manifest(found, *crops)
        self.announce(found)
        for crop in crops:
            self.topics.send(CROP_PUBLISHED, crop.camera.encode(), crop.to_bytes())
        return found, crops

    def manifest(self, found: BurstResolved, *crops: CropPublished) -> None:
        manifest = Manifest.of(found, crops, complete=True)
        self.objects[manifest_key(found.camera, found.burst_id)] = manifest.to_bytes()

    def refuse_key(self, key: str) -> None:
        """The store takes no such key."""
        self._store.faults[key] = lambda connection, _: connection.refuse(400, "KeyTooLongError")

    def announce(self, found: BurstResolved) -> None:
        self.topics.send(BURST_RESOLVED, found.camera.encode(), found.to_bytes())

    def withdraw(self, found: BurstResolved, crop: CropPublished) -> None:
        """As the worker `crops` does: the object first, then the event."""
        self.objects.pop(crop.key)
        self.manifest(found)
        gone = crop.model_copy(update={"withdrawn": "not-selected", "sha256": None})
        self.topics.send(CROP_PUBLISHED, crop.camera.encode(), gone.to_bytes())

    def decide(self, *decisions: IndividualDecided) -> None:
        for each in decisions:
            self.topics.send(INDIVIDUAL_DECIDED, each.message_key, each.to_bytes())

    def sightings(self, of: BurstResolved) -> list[IndividualSighted]:
        events = [IndividualSighted.from_bytes(message.value) for message in self.topics.read(INDIVIDUAL_SIGHTED)]
        return [event for event in events if event.burst_id == of.burst_id]

    def latest(self, of: BurstResolved) -> IndividualSighted | None:
        return max(self.sightings(of), key=lambda event: event.revision, default=None)

    def has(self, of: BurstResolved, test: Callable[[IndividualSighted], bool]) -> Callable[[], bool]:
        """A condition on the latest sighting of a burst."""
        return lambda: (event := self.latest(of)) is not None and test(event)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    broker = MemoryBroker()
    install(monkeypatch, broker)
    with s3_double() as (store, _), closing_deployment_readers(monkeypatch):
        stored = store.settings()
        settings = Settings(
            _env_file=None,
            data_dir=tmp_path,
            partitions=2,
            identify_taxa=(TAXON,),
            identify_settle_s=0,
            s3_endpoint=stored.s3_endpoint,
            s3_access_key=stored.s3_access_key,
            s3_secret_key=stored.s3_secret_key,
        )
        topics = MemoryTopics(settings, broker)
        topics.create(ALL_TOPICS)
        yield World(topics, store)


def test_an_individual_that_is_seen_again_is_the_best_candidate(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            first, crops = world.burst(1, coat(1))
            other, other_crops = world.burst(2, coat(2))
            await worker.wait_until(lambda: world.latest(first) and world.latest(other), "two proposals")
            world.decide(
                decided(0, IndividualDecision.NEW, first, "ind-a", *crops),
                decided(1, IndividualDecision.NEW, other, "ind-b", *other_crops),
            )
            await worker.wait_until(world.has(other, lambda event: event.individuals == ("ind-b",)), "a decision")
            again, _ = world.burst(5, coat(1, light=0.8, shift=20))
            await worker.wait_until(lambda: world.latest(again), "a proposal")
        event = world.latest(again)
        assert event is not None
        assert event.status is SightingStatus.PROPOSED
        assert event.candidates[0].individual_id == "ind-a"
        assert event.candidates[0].matches > 0
        assert event.candidates[0].points

    asyncio.run(scenario())


def test_decisions_confirm_and_an_undo_takes_back(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            found, crops = world.burst(1, coat(1))
            await worker.wait_until(lambda: world.latest(found), "a proposal")
            new = decided(0, IndividualDecision.NEW, found, "ind-a", *crops)
            world.decide(new)
            await worker.wait_until(
                world.has(found, lambda event: event.status is SightingStatus.CONFIRMED), "a confirmation"
            )
            world.decide(undo(1, new))
            await worker.wait_until(
                world.has(found, lambda event: event.status is SightingStatus.PROPOSED), "a proposal again"
            )
        assert [event.revision for event in world.sightings(found)] == [1, 2, 3]

    asyncio.run(scenario())


def test_a_merger_reaches_what_was_confirmed(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            one, crops = world.burst(1, coat(1))
            other, others = world.burst(2, coat(2))
            world.decide(
                decided(0, IndividualDecision.NEW, one, "ind-a", *crops),
                decided(1, IndividualDecision.NEW, other, "ind-b", *others),
                merge(2, "ind-a", "ind-b"),
            )
            await worker.wait_until(world.has(one, lambda event: event.individuals == ("ind-b",)), "the merger")

    asyncio.run(scenario())


def test_a_withdrawn_crop_withdraws_the_sighting_and_its_description(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            found, (crop,) = world.burst(1, coat(1))
            await worker.wait_until(lambda: world.latest(found), "a proposal")
            assert description_key(CAMERA, crop.crop_id) in world.objects
            world.withdraw(found, crop)
            await worker.wait_until(
                world.has(found, lambda event: event.status is SightingStatus.WITHDRAWN), "a withdrawal"
            )
        assert description_key(CAMERA, crop.crop_id) not in world.objects

    asyncio.run(scenario())


def test_a_person_that_is_found_later_withdraws_the_sighting_although_the_crops_are_there(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            found, (crop,) = world.burst(1, coat(1))
            await worker.wait_until(lambda: world.latest(found), "a proposal")
            world.announce(burst(1, revision=3, crops_withheld=True))
            await worker.wait_until(
                world.has(found, lambda event: event.status is SightingStatus.WITHDRAWN), "a withdrawal"
            )
        assert description_key(CAMERA, crop.crop_id) not in world.objects

    asyncio.run(scenario())


def test_a_description_that_was_stored_before_anything_was_published_is_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        outage = Outage.of(INDIVIDUAL_SIGHTED.full_name(world.topics.settings), monkeypatch)
        async with running(create, world.topics.settings) as worker:
            _, (crop,) = world.burst(1, coat(1))
            await worker.wait_until(lambda: outage.refused > 0, "an attempt to publish")
        key = description_key(CAMERA, crop.crop_id)
        assert key in world.objects
        outage.active = False
        world.announce(burst(1, revision=3, crops_withheld=True))
        async with running(create, world.topics.settings) as worker:
            await worker.wait_until(lambda: key not in world.objects, "the deletion")

    asyncio.run(scenario())


def test_a_reference_whose_burst_was_not_matched_leaves_no_description(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            known = burst(1)
            crop = crop_of(known)
            world.objects[crop.key] = coat(1)
            world.decide(decided(0, IndividualDecision.NEW, known, "ind-a", crop))
            found, _ = world.burst(2, coat(1))
            await worker.wait_until(
                world.has(found, lambda event: bool(event.candidates)), "a candidate whose burst was not matched"
            )
        assert description_key(CAMERA, crop.crop_id) not in world.objects

    asyncio.run(scenario())


def test_a_burst_whose_keys_the_store_does_not_take_is_passed_over(world: World) -> None:
    async def scenario() -> None:
        world.refuse_key(manifest_key(CAMERA, burst(1).burst_id))
        async with running(create, world.topics.settings) as worker:
            refused, _ = world.burst(1, coat(1))
            found, _ = world.burst(2, coat(2))
            await worker.wait_until(lambda: world.latest(found), "a proposal")
        assert world.latest(refused) is None

    asyncio.run(scenario())


def test_a_withdrawn_reference_is_no_candidate(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            found, (crop,) = world.burst(1, coat(1))
            world.decide(decided(0, IndividualDecision.NEW, found, "ind-a", crop))
            await worker.wait_until(world.has(found, lambda event: bool(event.individuals)), "a confirmation")
            world.withdraw(found, crop)
            await worker.wait_until(
                world.has(found, lambda event: event.status is SightingStatus.WITHDRAWN), "a withdrawal"
            )
        async with running(create, world.topics.settings) as worker:
            again, _ = world.burst(2, coat(1))
            await worker.wait_until(lambda: world.latest(again), "a proposal")
        event = world.latest(again)
        assert event is not None
        assert event.candidates == ()

    asyncio.run(scenario())


def test_what_was_not_published_before_a_kill_is_published_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        outage = Outage.of(INDIVIDUAL_SIGHTED.full_name(world.topics.settings), monkeypatch)
        async with running(create, world.topics.settings) as worker:
            found, _ = world.burst(1, coat(1))
            await worker.wait_until(lambda: outage.refused > 0, "an attempt to publish")
        assert world.latest(found) is None
        outage.active = False
        async with running(create, world.topics.settings) as worker:
            await worker.wait_until(lambda: world.latest(found), "a proposal")

    asyncio.run(scenario())


def test_a_burst_of_another_taxon_and_messages_that_cannot_be_read_are_passed_over(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            fox = burst(3, taxon="Vulpes vulpes")
            world.announce(fox)
            world.topics.send(BURST_RESOLVED, CAMERA.encode(), b"not an event")
            world.topics.send(CROP_PUBLISHED, CAMERA.encode(), None)
            found, _ = world.burst(1, coat(1))
            await worker.wait_until(lambda: world.latest(found), "a proposal")
        assert world.latest(fox) is None

    asyncio.run(scenario())


def test_a_black_crop_is_a_sighting_with_a_reason(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            found, _ = world.burst(1, coat(1, light=0.0))
            await worker.wait_until(lambda: world.latest(found), "a sighting")
        event = world.latest(found)
        assert event is not None
        assert event.reason == "The crop is black."
        assert (event.candidates, event.new_score) == ((), None)

    asyncio.run(scenario())


def test_a_crop_without_an_animal_is_probably_none_of_the_known_individuals(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            for number in (1, 2):
                known, crops = world.burst(number, coat(number))
                world.decide(decided(number, IndividualDecision.NEW, known, f"ind-{number}", *crops))
                await worker.wait_until(world.has(known, lambda event: bool(event.individuals)), "a decision")
            found, _ = world.burst(3, grass(3))
            await worker.wait_until(lambda: world.latest(found), "a sighting")
        event = world.latest(found)
        assert event is not None
        assert event.status is SightingStatus.PROPOSED
        assert event.new_score is not None
        assert event.new_score > 0.5

    asyncio.run(scenario())


def test_the_same_picture_of_two_individuals_is_in_the_log(world: World) -> None:
    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            first, crops = world.burst(1, coat(1))
            other, other_crops = world.burst(2, coat(1))
            await worker.wait_until(lambda: world.latest(first) and world.latest(other), "two proposals")
            # The worker may compare its references as soon as the second decision is there, or with the next burst.
            with capture_logs() as logs:
                world.decide(
                    decided(0, IndividualDecision.NEW, first, "ind-a", *crops),
                    decided(1, IndividualDecision.NEW, other, "ind-b", *other_crops),
                )
                await worker.wait_until(world.has(other, lambda event: bool(event.individuals)), "a decision")
                again, _ = world.burst(3, coat(3))
                await worker.wait_until(lambda: world.latest(again), "a proposal")
        logged = {tuple(sorted(line["crop_ids"])) for line in logs if line["event"] == "picture_of_two_individuals"}
        assert logged == {tuple(sorted(crop.crop_id for crop in (*crops, *other_crops)))}

    asyncio.run(scenario())


def test_an_individual_that_is_removed_while_it_is_matched_is_no_candidate(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose = FusedMatcher.propose

    async def scenario() -> None:
        async with running(create, world.topics.settings) as worker:
            known, crops = world.burst(1, coat(1))
            made = decided(0, IndividualDecision.NEW, known, "ind-a", *crops)
            world.decide(made)
            await worker.wait_until(world.has(known, lambda event: bool(event.individuals)), "a decision")

            def removed_meanwhile(*arguments: Any, **keywords: Any) -> Proposal:
                proposal = propose(*arguments, **keywords)
                world.decide(undo(1, made))
                return proposal

            monkeypatch.setattr(FusedMatcher, "propose", removed_meanwhile)
            again, _ = world.burst(2, coat(1))
            await worker.wait_until(world.has(again, lambda event: event.candidates == ()), "no candidate")
            await worker.wait_until(world.has(known, lambda event: event.individuals == ()), "the removal")

    asyncio.run(scenario())
