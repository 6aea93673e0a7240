"""A run searches again for what the workers make meanwhile, and begins nothing while they are behind."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.unit.producers.forget.test_events import PHOTOGRAPH
from tests.unit.producers.forget.test_removal import BUCKET, CAMERA, removal
from tests.unit.producers.forget.versioned_store import NOW, VersionedStore
from uncia.errors import DependencyDown
from uncia.events import CropPublished, DetectionCategory
from uncia.kafka.sound_events import SoundEvents
from uncia.kafka.stream_status import Lag, StreamStatus
from uncia.producers.forget import run as module
from uncia.producers.forget.plan import ForgetPlan, pending_plans
from uncia.producers.forget.run import Forgetting, Search
from uncia.settings import Settings
from uncia.topics import CROP_PUBLISHED, Topic


def crop(name: str) -> CropPublished:
    return CropPublished(
        crop_id=name,
        burst_id="bst-1",
        image_id=PHOTOGRAPH.image_id,
        station="s",
        camera=CAMERA,
        bucket=BUCKET,
        key=f"crops/{CAMERA}/{name}.jpg",
        box=(0, 0, 1, 1),
        crop_box=(0, 0, 1, 1),
        category=DetectionCategory.ANIMAL,
        score=0.9,
        captured_at=NOW.replace(tzinfo=None),
        published_at=NOW,
        withdrawn="image-forgotten",
    )


@dataclass
class Stage:
    """The parts around a run. `made_at`: by the number of the search, the crop that a worker has made before it."""

    made_at: dict[int, str]
    store: VersionedStore = field(default_factory=VersionedStore)
    sent: list[tuple[Topic, bytes]] = field(default_factory=list)
    shown: dict[str, CropPublished] = field(default_factory=dict)
    searches: int = 0

    def search(self, plan: ForgetPlan) -> Search:
        self.searches += 1
        if name := self.made_at.get(self.searches):
            self.shown[name] = crop(name)
            self.store.put(crop(name).key, b"a crop")
        shown = tuple(self.shown.values())
        known = [f"crop {one.crop_id}" for one in shown]
        return Search(plan.renewed((), (), shown, ()), shown, (), known)

    def take(self, messages: Iterable[tuple[Topic, str, bytes, bytes | None]]) -> None:
        for topic, _, _, value in messages:
            self.sent.append((topic, value or b""))
            if topic is CROP_PUBLISHED:
                self.shown.pop(CropPublished.from_bytes(value).crop_id, None)

    def withdrawn(self) -> list[str]:
        return [CropPublished.from_bytes(value).crop_id for topic, value in self.sent if topic is CROP_PUBLISHED]


def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, **values: Any) -> module.ForgetResult:
    class Producer:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.send = stage.take

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(module, "CameraProducer", Producer)
    monkeypatch.setattr(module, "newest_bursts", lambda _: {})
    plan = ForgetPlan(what="", made_at=NOW, photographs=(PHOTOGRAPH,))
    whole: dict[str, Any] = {
        "settings": Settings(_env_file=None),
        "plan": plan,
        "removal": removal(stage.store),
        "begin": lambda: None,
        "search": stage.search,
        "wait_s": 0,
        "progress": lambda _: None,
        "read_status": lambda _: StreamStatus(),
        "read_sounds": lambda _: SoundEvents(),
    }
    return Forgetting(**{**whole, **values}).run()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_crop_that_was_made_after_the_plan_is_withdrawn_and_deleted(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage({number: "crp-late"})
    result = run(stage, monkeypatch)
    assert result.complete
    assert stage.withdrawn() == ["crp-late"]
    assert not any(stage.store.keys.values())


def test_a_crop_that_is_found_by_the_last_search_makes_the_command_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage({4: "crp-last"})
    result = run(stage, monkeypatch)
    assert not result.complete
    assert result.left_in_catalogue == ["crop crp-last"]
    assert [line.partition(" ")[0] for line in result.left_in_store] == [crop("crp-last").key]
    # The next run finds it at the beginning.
    assert run(Stage({}, stage.store, shown=stage.shown), monkeypatch).complete


@pytest.mark.parametrize("behind", ["intake", "predict", "predict-backfill"])
def test_nothing_is_begun_while_the_workers_are_behind(
    behind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage = Stage({})
    plan = ForgetPlan(what="", made_at=NOW, photographs=(PHOTOGRAPH,))
    with pytest.raises(DependencyDown, match=f"{behind} is 3 messages behind; nothing was begun"):
        run(
            stage,
            monkeypatch,
            begin=lambda: plan.store(tmp_path),
            read_status=lambda _: StreamStatus(lag=(Lag(behind, "a", 3),)),
        )
    assert stage.sent == [] and not list(pending_plans(tmp_path))
