"""What a worker knows of its cameras' deployments after each message."""

from datetime import UTC, datetime
from typing import Any

import pytest

from uncia.camtrap import deployments as module
from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.errors import DependencyDown
from uncia.events import DeploymentChanged
from uncia.kafka import topic_follower
from uncia.kafka.broker import Message
from uncia.settings import Settings


def deployment(name: str, start: int, end: int | None, camera: str = "ridge/north", **more: Any) -> DeploymentChanged:
    """A deployment from one day of May 2026 to another."""
    return DeploymentChanged(
        deployment_id=name,
        camera=camera,
        start=datetime(2026, 5, start, tzinfo=UTC),
        end=None if end is None else datetime(2026, 5, end, tzinfo=UTC),
        latitude=28.2,
        longitude=83.9,
        **{"utc_offset_minutes": 0, **more},
    )


def known(*loaded: DeploymentChanged) -> Deployments:
    deployments = Deployments()
    for deployment in loaded:
        deployments.apply(deployment.message_key, deployment.to_bytes())
    return deployments


def at(deployments: Deployments, day: int, camera: str = "ridge/north") -> str | None:
    found = deployments.at(camera, datetime(2026, 5, day, 12))
    return found.deployment_id if found else None


def test_a_camera_of_which_nothing_was_loaded_has_no_deployment() -> None:
    assert at(Deployments(), 1) is None


def test_the_time_chooses_the_deployment() -> None:
    deployments = known(deployment("a", 1, 10), deployment("b", 10, None))
    assert [at(deployments, day) for day in (9, 10, 30)] == ["a", "b", "b"]


def test_between_two_deployments_there_is_none() -> None:
    assert at(known(deployment("a", 1, 5), deployment("b", 10, 20)), 7) is None


def test_another_cameras_deployment_is_not_mine() -> None:
    assert at(known(deployment("a", 1, 10)), 5, "ridge/south") is None


def test_the_latest_load_counts() -> None:
    deployments = known(deployment("a", 1, 10), deployment("a", 1, 10, burst_gap_s=60))
    found = deployments.at("ridge/north", datetime(2026, 5, 5))
    assert found is not None
    assert found.burst_gap_s == 60
    assert len(deployments.of("ridge/north")) == 1


def test_a_cameras_deployment_is_found_in_every_unicode_form() -> None:
    deployments = known(deployment("a", 1, 10, camera="h\u00f6he/n"), deployment("b", 10, 20, camera="ho\u0308he/n"))
    assert [at(deployments, day, "ho\u0308he/n") for day in (5, 15)] == ["a", "b"]
    assert [at(deployments, day, "h\u00f6he/n") for day in (5, 15)] == ["a", "b"]


def test_a_message_without_value_takes_its_deployment_out() -> None:
    deployments = known(deployment("a", 1, 10), deployment("b", 10, 20))
    deployments.apply(deployment("a", 1, 10).message_key, None)
    assert [at(deployments, day) for day in (5, 15)] == [None, "b"]


def test_where_two_overlap_the_one_that_began_last_counts() -> None:
    assert at(known(deployment("late", 5, 20), deployment("early", 1, 10)), 7) == "late"


def test_what_is_no_deployment_changes_nothing() -> None:
    deployments = known(deployment("a", 1, 10))
    deployments.apply(deployment("a", 1, 10).message_key, b"{nonsense")
    deployments.apply(None, b"{nonsense")
    assert at(deployments, 5) == "a"


def test_memory_is_bounded_however_often_a_camera_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PER_CAMERA", 3)
    deployments = known(*(deployment(f"d{day}", day, day + 1) for day in range(1, 20)))
    assert [found.deployment_id for found in deployments.of("ridge/north")] == ["d19", "d18", "d17"]


def test_a_worker_starts_with_all_deployments_on_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [
        Message("t", 0, offset, 0, event.message_key, event.to_bytes(), [])
        for offset, event in enumerate((deployment("a", 1, 10), deployment("b", 10, None)))
    ]

    def read_topics(*_: Any, until_end: bool, stop: Any, **__: Any) -> Any:
        if until_end:
            yield from messages
        else:
            stop.wait(10)

    monkeypatch.setattr(topic_follower, "read_topics", read_topics)
    reader = DeploymentReader(Settings())
    try:
        deployments = reader.start()
        assert [at(deployments, day) for day in (5, 15)] == ["a", "b"]
    finally:
        reader.close()


def test_a_broker_that_does_not_answer_in_time_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_topics(*_: Any, **__: Any) -> Any:
        raise DependencyDown("no broker")

    monkeypatch.setattr(topic_follower, "read_topics", read_topics)
    reader = DeploymentReader(Settings())
    with pytest.raises(DependencyDown, match="could not be read"):
        reader.start(timeout_s=0.05)
    reader.close()
