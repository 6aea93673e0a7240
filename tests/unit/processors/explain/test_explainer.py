"""A request becomes two objects and an event, or a rejection; what is stored is not computed again."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from tests.agents.doubles import servers
from tests.agents.workers import explanation_request, key
from tests.stack.photographs import png
from tests.unit.processors.predict.s3_double import S3Double
from tests.unit.uncia.serving.fake_triton import FakeTriton
from uncia import ids
from uncia.events import ExplanationMethod, ExplanationRequested, ImageExplained
from uncia.processors.explain.explainer import Explainer, object_keys
from uncia.processors.predict.live_model import LiveModel
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

REQUEST = explanation_request(1)
HEAT_MAP, WEIGHTS = object_keys(REQUEST)


class World:
    """An explainer between the doubles."""

    def __init__(self, settings: Settings, store: S3Double, triton: FakeTriton) -> None:
        self.settings = settings
        self.store = store
        self.triton = triton
        self.withheld: set[str] = set()

    def explain(self, request: ExplanationRequested) -> ImageExplained:
        async def scenario() -> ImageExplained:
            client = ObjectStore(self.settings, timeout_s=5, attempts=1)
            explainer = Explainer(self.settings, LiveModel(self.settings), client, self.withheld.__contains__)
            try:
                return await explainer.explain(request)
            finally:
                await explainer.close()
                client.close()

        return asyncio.run(scenario())

    def withdraw(self, request: ExplanationRequested) -> list[ImageExplained]:
        """The events that say it."""
        published: list[ImageExplained] = []

        async def publish(event: ImageExplained) -> None:
            published.append(event)

        async def scenario() -> None:
            client = ObjectStore(self.settings, timeout_s=5, attempts=1)
            explainer = Explainer(self.settings, LiveModel(self.settings), client, self.withheld.__contains__)
            try:
                await asyncio.wait_for(explainer.withdraw(request.camera, request.image_id, publish), 60)
            finally:
                await explainer.close()
                client.close()

        asyncio.run(scenario())
        return published

    def reason(self, request: ExplanationRequested) -> str:
        event = self.explain(request)
        assert event.rejection is not None
        assert (event.explanation_id, event.heat_map_key) == (request.explanation_id, None)
        return event.rejection.reason


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with servers(tmp_path) as (addresses, store, triton):
        yield World(Settings(_env_file=None, **addresses), store, triton)


def test_heat_map_and_weights_are_stored_under_keys_of_the_request(world: World) -> None:
    event = world.explain(REQUEST)
    assert (event.heat_map_key, event.weights_key) == (HEAT_MAP, WEIGHTS)
    assert f"explanations/{REQUEST.camera}/{REQUEST.explanation_id}.png" == HEAT_MAP
    assert world.store.written == [HEAT_MAP, WEIGHTS]
    assert Image.open(io.BytesIO(world.store.objects[HEAT_MAP])).size == (640, 480)
    weights = json.loads(world.store.objects[WEIGHTS])
    assert len(weights["segments"]) == event.superpixels
    assert ImageExplained.from_bytes(world.store.objects[WEIGHTS]) == event
    assert event.rejection is None
    assert event.samples == world.settings.explanation_samples


def test_requests_to_triton_are_small_and_of_low_priority(world: World) -> None:
    world.explain(REQUEST)
    assert set(world.triton.priorities) == {2}
    assert len(world.triton.calls) == world.settings.explanation_samples / 2


def test_a_stored_explanation_is_returned_without_a_call_to_the_model(world: World) -> None:
    first = world.explain(REQUEST)
    calls = len(world.triton.calls)
    assert world.explain(REQUEST) == first
    assert len(world.triton.calls) == calls
    assert world.store.written == [HEAT_MAP, WEIGHTS]


def test_a_run_that_ended_before_the_weights_were_stored_is_repeated(world: World) -> None:
    world.explain(REQUEST)
    del world.store.objects[WEIGHTS]
    assert world.explain(REQUEST).rejection is None
    assert world.store.written == [HEAT_MAP, WEIGHTS] * 2


def test_weights_that_cannot_be_read_are_computed_again(world: World) -> None:
    world.store.objects[WEIGHTS] = b"{"
    assert world.explain(REQUEST).rejection is None
    assert world.store.written == [HEAT_MAP, WEIGHTS]


def test_a_photograph_that_is_gone_is_a_rejection(world: World) -> None:
    del world.store.objects[key(1)]
    assert world.reason(REQUEST) == "object-missing"
    assert world.store.written == []


def test_other_content_under_the_key_is_a_rejection(world: World) -> None:
    world.store.objects[key(1)] = world.store.objects[key(2)]
    assert world.reason(REQUEST) == "object-changed"


def test_a_file_that_is_no_photograph_is_a_rejection(world: World) -> None:
    world.store.objects[key(1)] = png()
    image = ids.image_id(REQUEST.camera, ids.content_hash(png()))
    assert world.reason(REQUEST.model_copy(update={"image_id": image})) == "image-not-jpeg"


def test_a_class_that_the_model_lacks_is_a_rejection(world: World) -> None:
    assert world.reason(REQUEST.model_copy(update={"class_index": 3})) == "class-unknown"


def test_a_class_activation_map_is_a_rejection_that_names_the_command(world: World) -> None:
    request = REQUEST.model_copy(update={"method": ExplanationMethod.CLASS_ACTIVATION})
    assert world.reason(request) == "method-not-served"


def test_the_best_class_is_explained_where_none_is_named(world: World) -> None:
    event = world.explain(REQUEST.model_copy(update={"class_index": None}))
    assert event.class_index == int(np.argmax(world.triton.windows))


def test_a_model_that_returns_nan_is_a_rejection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.triton.windows = np.full(3, np.nan, dtype=np.float32)
    monkeypatch.setattr("uncia.processors.explain.explainer.UNSOUND_RETRY_S", 0.0)
    assert world.reason(REQUEST) == "model-unsound"


def test_a_triton_that_is_down_for_a_while_is_waited_for(world: World) -> None:
    failures = iter([True, True])

    def behaviour(context: grpc.ServicerContext) -> None:
        if next(failures, False):
            context.abort(grpc.StatusCode.UNAVAILABLE, "it starts")

    world.triton.behaviour = behaviour
    assert world.explain(REQUEST).rejection is None


def test_nothing_of_a_burst_with_a_person_is_stored(world: World) -> None:
    assert world.reason(REQUEST.model_copy(update={"person_in_burst": True})) == "person-in-burst"
    world.withheld.add(REQUEST.image_id)
    assert world.reason(REQUEST) == "person-in-burst"
    assert world.store.written == []
    world.settings = world.settings.model_copy(update={"crops_withheld_by_person": False})
    assert world.explain(REQUEST).rejection is None


def test_a_person_who_is_found_meanwhile_withholds_the_explanation(world: World) -> None:
    world.triton.behaviour = lambda context: world.withheld.add(REQUEST.image_id)
    assert world.reason(REQUEST) == "person-in-burst"
    assert world.store.written == []


def test_a_key_that_may_not_list_versions_withdraws_what_is_stored(world: World) -> None:
    world.explain(REQUEST)
    world.store.refuses_versions = True
    (event,) = world.withdraw(REQUEST)
    assert event.explanation_id == REQUEST.explanation_id
    assert not {HEAT_MAP, WEIGHTS} & set(world.store.objects)
