"""Photographs that the store has lost: reported until they are stored again, or a person accepts their removal."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.producers.reconcile.world import BUCKET, World
from uncia.events.images import OBJECT_CHANGED
from uncia.producers.reconcile.comparison import PAGE_SIZE
from uncia.producers.reconcile.object_state import ObjectState

ONE, OTHER, ELSEWHERE = "ridge/cam/IMG_0001.JPG", "ridge/cam/IMG_0002.JPG", "hut/cam/IMG_0001.JPG"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def vanished(world: World) -> list[str]:
    return [key for state, key in world.reported if state is ObjectState.VANISHED]


def test_a_lost_photograph_is_reported_each_time_and_is_not_zero(world: World) -> None:
    world.put(ONE, "aaa")
    world.put(OTHER, "bbb")
    world.delete(ONE)
    for _ in range(2):
        progress = world.reconcile()
        assert (vanished(world), progress.is_zero) == ([ONE], False)
    assert world.announced == []


def test_a_removal_that_was_accepted_is_not_reported_again(world: World) -> None:
    world.put(ONE)
    world.delete(ONE)
    assert world.reconcile(accept_vanished=True).accepted == 1
    assert world.reconcile().is_zero
    assert vanished(world) == []


def test_a_photograph_that_is_stored_again_after_its_removal_was_accepted_can_vanish_again(world: World) -> None:
    world.put(ONE)
    world.delete(ONE)
    world.reconcile(accept_vanished=True)
    world.put(ONE)
    assert world.reconcile().is_zero
    world.delete(ONE)
    world.reconcile()
    assert vanished(world) == [ONE]


def test_a_photograph_that_comes_back_is_not_lost(world: World) -> None:
    world.put(ONE)
    stored = world.objects[ONE]
    world.delete(ONE)
    world.reconcile()
    world.objects[ONE] = stored
    assert world.reconcile().is_zero


@pytest.mark.parametrize("to", [OTHER, ELSEWHERE])
def test_a_photograph_that_was_renamed_is_not_lost(world: World, to: str) -> None:
    world.put(ONE)
    world.move(ONE, to)
    world.reconcile()
    assert vanished(world) == []


def test_a_photograph_that_was_moved_out_of_the_prefix_is_not_lost(world: World) -> None:
    world.put(ONE)
    world.move(ONE, ELSEWHERE)
    world.reconcile("ridge/")
    assert vanished(world) == []


def test_an_overwritten_photograph_is_not_lost(world: World) -> None:
    world.put(ONE, "aaa")
    world.put(ONE, "bbb", lost=True)
    world.reconcile()
    assert vanished(world) == []


def test_a_photograph_that_was_gone_before_it_was_read_has_a_rejection_and_is_not_reported(world: World) -> None:
    world.put(ONE, answered="object-missing")
    world.delete(ONE)
    assert world.reconcile().is_zero


def test_a_content_that_was_replaced_before_it_was_read_is_not_reported(world: World) -> None:
    world.put(ONE, "aaa", answered=OBJECT_CHANGED)
    world.put(ONE, "bbb")
    world.delete(ONE)
    world.reconcile()
    assert vanished(world) == [ONE]


def test_only_the_prefix_is_reported(world: World) -> None:
    world.put(ONE, "aaa")
    world.put(ELSEWHERE, "bbb")
    world.delete(ONE)
    world.delete(ELSEWHERE)
    world.reconcile("ridge/")
    assert vanished(world) == [ONE]


def test_photographs_of_a_bucket_that_was_used_earlier_are_not_reported(world: World) -> None:
    world.put(ONE)
    world.delete(ONE)
    world.reconcile(bucket=f"{BUCKET}-new")
    assert vanished(world) == []


def test_a_comparison_that_was_interrupted_reports_no_photograph_that_was_listed_before(world: World) -> None:
    keys = [f"ridge/cam/{number:04}.JPG" for number in range(PAGE_SIZE + 1)]
    for number, key in enumerate(keys):
        world.put(key, f"e{number}")
    world.fail_after_pages = 1
    with pytest.raises(InterruptedError):
        world.reconcile()
    world.delete(keys[-1])
    world.reconcile()
    assert vanished(world) == []
    world.reconcile()
    assert vanished(world) == [keys[-1]]


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "move", "reconcile", "accept"]),
        st.sampled_from([ONE, OTHER, ELSEWHERE]),
        st.sampled_from([OTHER, ELSEWHERE, "hut/cam/b.jpg"]),
        st.sampled_from(["aaa", "bbb", "ccc"]),
    ),
    max_size=14,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    [
        ("put", OTHER, OTHER, "bbb"),
        ("put", ELSEWHERE, OTHER, "bbb"),
        ("delete", OTHER, OTHER, "aaa"),
        ("reconcile", OTHER, OTHER, "aaa"),
        ("put", ELSEWHERE, OTHER, "aaa"),
    ]
)
@given(steps)
def test_every_content_that_is_gone_is_named_and_no_content_that_is_stored(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str, str]]
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    known: dict[str, str] = {}
    """The newest content under each key, without those that were found under another one after their removal."""
    newest: dict[str, str] = {}
    """The newest content under each key."""
    expected: set[str] = set()
    """Contents that were stored since a removal was last accepted, and were not overwritten."""
    for action, key, to, etag in steps:
        if action == "put":
            world.put(key, etag)
            known[key] = newest[key] = etag
        elif action == "delete" and key in world.objects:
            world.delete(key)
        elif action == "move" and key in world.objects and to != key:
            world.move(key, to)
            known[to] = newest[to] = known[key]
        elif action in ("reconcile", "accept"):
            world.reconcile(accept_vanished=action == "accept")
        stored = {one.etag for one in world.objects.values()}
        if action in ("reconcile", "accept"):
            # A copy elsewhere is where a removed photograph was moved to: what is overwritten there is not lost.
            known = {key: etag for key, etag in known.items() if key in world.objects or etag not in stored}
        if action == "accept":
            expected -= expected - stored
        expected = (expected | stored) & set(known.values())
    world.reconcile()
    gone = expected - {one.etag for one in world.objects.values()}
    named = {newest[key] for key in vanished(world)}
    assert not named & {one.etag for one in world.objects.values()}
    assert gone <= named
