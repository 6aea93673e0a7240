"""Who is it, on the real broker and store: proposed by the worker, decided by a person, and nobody else's business.

The animals are synthetic coats on bodies that bend (`uncia.training.individuals`); each burst shows one of them.
"""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.temporary_stack import temporary_stack
from tests.waiting import SCALE, wait_until
from uncia import ids
from uncia.errors import DependencyDown
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    DetectionCategory,
    FrameBox,
    IndividualSighted,
    SightingStatus,
    TaxonVerdict,
    Trigger,
)
from uncia.identities import Role, person_identity
from uncia.infra.local.key_management import issue
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import existing_topics, read_topics, send_to_cameras
from uncia.processors.identify.descriptions import description_key
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED
from uncia.training.individuals.bodies import Pose, View
from uncia.training.individuals.coats import ROSETTES, FloatArray, grow_coat
from uncia.training.individuals.rendering import HEIGHT, WIDTH, Conditions, render

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
)

TAXON = "Panthera uncia"
TAKEN = datetime(2026, 5, 1, 22)
CROPS = 2
"""Photographs of a burst, each of which gives one crop."""

LIMIT_S = 60
PARTS = ("kafka", "seaweedfs", "crops", "identify")


@pytest.fixture(scope="module")
def identifying() -> Iterator[Stack]:
    """A stack that identifies snow leopards."""
    folder = Path(tempfile.mkdtemp(prefix="uncia individuals "))
    switched_on = {"UNCIA_IDENTIFY_TAXA": TAXON, "UNCIA_IDENTIFY_SETTLE_S": "1"}
    with temporary_stack(folder, switched_on) as stack:
        stack.up(PARTS, timeout_s=SCALE * 120)
        yield stack


@cache
def _coat(animal: int) -> FloatArray:
    return grow_coat(animal, ROSETTES)


def photograph_of(animal: int, number: int) -> bytes:
    """A photograph by night of the left side of an animal; pose, view and noise depend on the number."""
    rng = np.random.default_rng(1000 * animal + number)
    pose = Pose(0.02, 0.0, float(rng.normal(0, 0.2)), float(rng.normal(0, 0.2)), 0.1, 0.0, int(number), 0.012)
    view = View(float(rng.normal(0, 0.12)), 0.05, 0.0, 180.0, (WIDTH / 2 - 18, HEIGHT / 2 - 25))
    conditions = Conditions(True, 1.2, 0.0, 0.6, 0.0, 0.02, 1.0, 0.0, background=7, shift=20 * (number % 5))
    file = io.BytesIO()
    crop = render(_coat(animal), right=False, pose=pose, view=view, conditions=conditions, seed=number)
    # Around it what a camera sees besides, so that the box is less than the photograph.
    photograph = Image.new("RGB", (640, 480), (70, 75, 60))
    photograph.paste(crop, (100, 100))
    photograph.save(file, "JPEG", quality=92)
    return file.getvalue()


BOX = (100 / 640, 100 / 480, WIDTH / 640, HEIGHT / 480)


class Camera:
    """A camera whose bursts a test publishes, and what the stack makes of them."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.name = name
        self._stack = stack
        self._admin = stack.admin_settings()
        self._bursts = 0

    def burst(self, animal: int) -> BurstResolved:
        """Store photographs of an animal, and publish a final burst of them, a day after the one before."""
        self._bursts += 1
        at = TAKEN + timedelta(days=self._bursts)
        frames = tuple(self._frame(animal, self._bursts * 10 + number, at) for number in range(CROPS))
        found = BurstResolved(
            burst_id=f"bst-{ids.digest(self.name, str(self._bursts))}",
            revision=2,
            status=BurstStatus.FINAL,
            station=self.name.partition("/")[0],
            camera=self.name,
            trigger=Trigger.MOTION,
            started_at=at,
            ended_at=at,
            category=BurstCategory.ANIMAL,
            verdict=TaxonVerdict(taxon=TAXON, label=TAXON, group="animal", score=0.9, certain=True),
            crops_withheld=False,
            frames=frames,
            rule="log-odds/1",
            settings="set-1",
        )
        self.publish(found)
        return found

    def publish(self, burst: BurstResolved) -> None:
        send_to_cameras(self._admin, BURST_RESOLVED, [(self.name, burst.burst_id.encode(), burst.to_bytes())])

    def _frame(self, animal: int, number: int, at: datetime) -> BurstFrame:
        data, key = photograph_of(animal, number), f"{self.name}/{number}.jpg"
        store = ObjectStore(self._admin)
        try:
            store.put(self._admin.bucket, key, data, content_type="image/jpeg")
        finally:
            store.close()
        now = datetime.now(UTC)
        return BurstFrame(
            image_id=ids.image_id(self.name, ids.content_hash(data)),
            upload_id=f"upl-{number}",
            key=key,
            bucket=self._admin.bucket,
            captured_at=at,
            uploaded_at=now,
            predicted_at=now,
            boxes=(FrameBox(category=DetectionCategory.ANIMAL, score=0.9, box=BOX),),
        )

    def sightings(self, burst: BurstResolved) -> list[IndividualSighted]:
        """All events on a burst, in the order in which they were sent."""
        messages = read_topics(self._admin, (INDIVIDUAL_SIGHTED,), from_beginning=True, until_end=True)
        events = [IndividualSighted.from_bytes(message.value) for message in messages if message.value]
        return [event for event in events if event.burst_id == burst.burst_id]

    def wait(
        self, burst: BurstResolved, test: Callable[[IndividualSighted], bool] = lambda event: len(event.crops) == CROPS
    ) -> IndividualSighted:
        """The last sighting of a burst, as soon as it has passed the test."""

        def found() -> IndividualSighted | None:
            events = self.sightings(burst)
            return events[-1] if events and test(events[-1]) else None

        return wait_until(found, LIMIT_S, f"such a sighting of {burst.burst_id}")

    def individuals(self, *arguments: str) -> str:
        """Run `uncia individuals`; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "uncia", "individuals", *arguments],
            env={**os.environ, **self._stack.environment()},
            capture_output=True,
            text=True,
            timeout=SCALE * 60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def decide_new(self, burst: BurstResolved) -> str:
        """Call the animal of a burst a new individual, as a person does; returns its code."""
        code = f"F{uuid.uuid4().hex[:6]}"
        self.individuals("decide", burst.burst_id, "--new", "--code", code, "--side", "left")
        return code

    def id_of(self, code: str) -> str:
        found = json.loads(self.individuals("show", code, "--json"))
        return str(found["individual_id"])


@pytest.fixture
def camera(identifying: Stack) -> Camera:
    return Camera(identifying, f"ridge-{uuid.uuid4().hex[:8]}/north")


def confirmed(event: IndividualSighted) -> bool:
    return event.status is SightingStatus.CONFIRMED


def test_a_decision_on_the_command_line_confirms_the_proposal_and_says_by_whom(camera: Camera) -> None:
    burst = camera.burst(1)
    proposal = camera.wait(burst)
    assert (proposal.status, proposal.taxon, proposal.individuals) == (SightingStatus.PROPOSED, TAXON, ())
    code = camera.decide_new(burst)
    event = camera.wait(burst, confirmed)
    assert event.individuals == (camera.id_of(code),)
    assert event.reviewer


def test_an_animal_that_is_seen_again_is_proposed_first(camera: Camera) -> None:
    bursts = [camera.burst(animal) for animal in (11, 12, 13)]
    for burst in bursts:
        camera.wait(burst)
    codes = [camera.decide_new(burst) for burst in bursts]
    for burst in bursts:
        camera.wait(burst, confirmed)
    best = camera.wait(camera.burst(12)).candidates[0]
    assert best.individual_id == camera.id_of(codes[1])
    assert best.points


def test_an_undone_decision_leaves_the_proposal(camera: Camera) -> None:
    burst = camera.burst(21)
    camera.wait(burst)
    camera.decide_new(burst)
    decision = camera.wait(burst, confirmed).decision_id
    assert decision
    camera.individuals("undo", decision)
    event = camera.wait(burst, lambda event: event.status is SightingStatus.PROPOSED)
    assert event.individuals == ()


def test_a_killed_worker_loses_and_repeats_no_sighting(camera: Camera, identifying: Stack) -> None:
    decided = camera.burst(31)
    camera.wait(decided)
    identifying.kill("identify", signal.SIGKILL)
    code = camera.decide_new(decided)
    bursts = [camera.burst(32 + number) for number in range(6)]
    camera.wait(decided, confirmed)
    wait_until(lambda: camera.sightings(bursts[1]), LIMIT_S, "a sighting of the second burst")
    identifying.kill("identify", signal.SIGKILL)
    for burst in bursts:
        camera.wait(burst)
    again = camera.burst(31)
    assert camera.wait(again).candidates[0].individual_id == camera.id_of(code)
    for burst in (decided, *bursts, again):
        events = camera.sightings(burst)
        last = {event.revision: event for event in events}
        # What a kill sends again has the same revision; no revision is skipped, and none says what another one said.
        assert sorted(last) == list(range(1, len(last) + 1))
        said = [event.model_copy(update={"revision": 0, "sighted_at": TAKEN}) for event in last.values()]
        assert all(one != other for one, other in pairwise(said))


def test_a_person_that_is_found_later_withdraws_the_sighting_and_its_descriptions(
    camera: Camera, identifying: Stack
) -> None:
    burst = camera.burst(41)
    crops = camera.wait(burst).crops
    camera.publish(burst.model_copy(update={"revision": 3, "status": BurstStatus.REVISED, "crops_withheld": True}))
    event = camera.wait(burst, lambda event: event.status is SightingStatus.WITHDRAWN)
    assert (event.crops, event.candidates) == ((), ())
    settings = identifying.admin_settings()
    store = ObjectStore(settings)
    try:
        keys = [description_key(camera.name, crop.crop_id) for crop in crops]
        assert [key for key in keys if list(store.history(settings.bucket, key))] == []
    finally:
        store.close()


@pytest.mark.parametrize("role", [Role.SUBSCRIBER, Role.PUBLIC])
def test_individuals_are_hidden_from_keys_of_subscribers_and_of_the_public(identifying: Stack, role: Role) -> None:
    identity = person_identity(role, f"office-{uuid.uuid4().hex[:8]}")
    issue(identifying, identity)
    keys = identifying.require_keys().environment(identity)
    names = ("security_protocol", "sasl_mechanism", "username", "password", "cafile")
    given = {f"kafka_{name}": keys[f"UNCIA_KAFKA_{name.upper()}"] or None for name in names}
    settings = Settings(_env_file=None, kafka=identifying.settings().kafka, **given)  # type: ignore[arg-type]
    # What a key may not read, the broker does not even list.
    topics = {INDIVIDUAL_SIGHTED.full_name(settings), INDIVIDUAL_DECIDED.full_name(settings)}
    assert topics <= existing_topics(identifying.admin_settings())
    assert not topics & existing_topics(settings)
    for topic in (INDIVIDUAL_SIGHTED, INDIVIDUAL_DECIDED):
        with pytest.raises(DependencyDown, match="no such topic"):
            list(read_topics(settings, (topic,), from_beginning=True, until_end=True))
