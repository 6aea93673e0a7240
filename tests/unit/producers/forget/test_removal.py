"""Every version of a photograph is removed, and nothing that replaced it under the same key, or that it replaced."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.producers.forget.versioned_store import NOW, Killed, VersionedStore
from uncia import ids
from uncia.events import CropPublished, DetectionCategory
from uncia.producers.forget.plan import ForgetPlan, PlannedPhotograph
from uncia.producers.forget.removal import StoreRemoval
from uncia.storage.object_store import StoredVersion

BUCKET, CAMERA = "b", "s/c"


def photograph(key: str, data: bytes, store: VersionedStore) -> PlannedPhotograph:
    return PlannedPhotograph(
        upload_id=ids.upload_id(BUCKET, key, store.etag(data)) if not store.parts else "upl-parts",
        image_id=ids.image_id(CAMERA, ids.content_hash(data)),
        station="s",
        camera=CAMERA,
        bucket=BUCKET,
        key=key,
        etag=store.etag(data),
        size=len(data),
        uploaded_at=NOW,
    )


def removal(store: VersionedStore) -> StoreRemoval:
    return StoreRemoval(store, BUCKET, 1_000_000)  # type: ignore[arg-type]


def plan_of_crop(crop_id: str) -> ForgetPlan:
    crop = CropPublished(
        crop_id=crop_id,
        burst_id="bst-1",
        image_id="img-1",
        station="s",
        camera=CAMERA,
        bucket=BUCKET,
        key=f"crops/{CAMERA}/{crop_id}.jpg",
        box=(0.1, 0.1, 0.8, 0.8),
        crop_box=(0.0, 0.0, 1.0, 1.0),
        category=DetectionCategory.ANIMAL,
        score=0.9,
        captured_at=datetime(2026, 5, 1),
        published_at=NOW,
        withdrawn="image-forgotten",
    )
    return ForgetPlan(what="", made_at=NOW, photographs=(), crops=(crop,))


WANTED = b"a person"
contents = st.sampled_from([WANTED, b"a leopard", b"a goat", None])


@settings(max_examples=200, deadline=None)
@given(st.lists(contents, min_size=1, max_size=8), st.booleans(), st.integers(0, 8))
def test_no_version_of_it_is_left_and_every_other_one_is(
    history: list[bytes | None], parts: bool, killed_after: int
) -> None:
    store = VersionedStore(parts=parts)
    for data in history:
        store.put("s/c/1.jpg", data)
    store.put("s/c/1.jpg.json", b"longer key")
    plan = ForgetPlan(what="", made_at=NOW, photographs=(photograph("s/c/1.jpg", WANTED, store),))
    before = store.current("s/c/1.jpg")
    # A kill after some deletions: the next run completes them.
    for version in [one for one in store.history(BUCKET, "s/c/1.jpg") if not one.is_marker][:killed_after]:
        if store.keys["s/c/1.jpg"].get(version.object.version_id or "") == WANTED and before != WANTED:
            store.delete_version(BUCKET, version)
    removal(store).remove(plan, ())
    assert removal(store).left(plan) == []
    left = [data for data in store.keys["s/c/1.jpg"].values() if data is not None]
    assert left == [data for data in history if data not in (None, WANTED)]
    if before == WANTED:
        # What it had replaced does not appear as a new photograph.
        assert store.current("s/c/1.jpg") is None
    elif left:
        assert store.current("s/c/1.jpg") == before
    assert store.current("s/c/1.jpg.json") == b"longer key"
    assert removal(store).remove(plan, ()) == 0 or not left


def test_a_content_that_stays_under_another_key_keeps_its_explanations() -> None:
    store = VersionedStore()
    for key in ("s/c/1.jpg", "s/c/copy.jpg"):
        store.put(key, WANTED)
    wanted, copy = (photograph(key, WANTED, store) for key in store.keys)
    explanation = f"explanations/{CAMERA}/{ids.explanation_prefix(wanted.image_id)}abc.png"
    store.put(explanation, b"1")
    plan = ForgetPlan(what="", made_at=NOW, photographs=(wanted,), kept=(copy,))
    removal(store).remove(plan, ())
    assert removal(store).left(plan) == []
    assert [key for key, versions in store.keys.items() if versions] == ["s/c/copy.jpg", explanation]


@settings(max_examples=200, deadline=None)
@given(st.lists(contents, min_size=1, max_size=8), st.integers(1, 9))
def test_a_kill_at_any_point_shows_no_other_photograph(history: list[bytes | None], killed_at: int) -> None:
    store = VersionedStore(killed_at=killed_at)
    for data in history:
        store.put("s/c/1.jpg", data)
    before = store.current("s/c/1.jpg")
    plan = ForgetPlan(what="", made_at=NOW, photographs=(photograph("s/c/1.jpg", WANTED, store),))
    with contextlib.suppress(Killed):
        removal(store).remove(plan, ())
    assert store.current("s/c/1.jpg") in (before, None)
    removal(store).remove(plan, ())
    assert removal(store).left(plan) == []
    assert store.current("s/c/1.jpg") == (None if before == WANTED else before)


def test_explanations_and_manifests_go_with_their_versions() -> None:
    store = VersionedStore()
    store.put("s/c/1.jpg", WANTED)
    wanted = photograph("s/c/1.jpg", WANTED, store)
    prefix = f"explanations/{CAMERA}/{ids.explanation_prefix(wanted.image_id)}"
    store.put(f"{prefix}abc.png", b"1")
    store.put(f"{prefix}abc.png", None)
    store.put(f"explanations/{CAMERA}/{ids.explanation_prefix('img-other')}abc.png", b"2")
    store.put(f"crops/{CAMERA}/bst-1.json", b"3")
    store.put(f"crops/{CAMERA}/bst-2.json", b"4")
    plan = ForgetPlan(what="", made_at=NOW, photographs=(wanted,))
    assert len(removal(store).left(plan)) == 3
    removal(store).remove(plan, {(CAMERA, "bst-1")})
    assert removal(store).left(plan) == []
    assert [data for key in sorted(store.keys) for data in store.keys[key].values()] == [b"4", b"2"]


def test_descriptions_of_crops_go_with_their_versions() -> None:
    store = VersionedStore()
    for crop_id in ("crp-1", "crp-10"):
        store.put(f"individuals/{CAMERA}/{crop_id}.description", b"1")
    removal(store).remove(plan_of_crop("crp-1"), ())
    assert removal(store).left(plan_of_crop("crp-1")) == []
    assert [key for key, versions in store.keys.items() if versions] == [f"individuals/{CAMERA}/crp-10.description"]


def test_a_description_that_is_left_is_named_and_the_marker_of_a_later_deletion_is_not() -> None:
    store = VersionedStore()
    key = f"individuals/{CAMERA}/crp-1.description"
    store.put(key, None)
    assert removal(store).left(plan_of_crop("crp-1")) == []
    store.put(key, b"1")
    assert removal(store).left(plan_of_crop("crp-1")) == [f"{key} (version v002)"]


class UploadedAgainInParts(VersionedStore):
    """Its second version is an upload in parts of the same content, which has another ETag."""

    def history(self, bucket: str, prefix: str) -> Iterator[StoredVersion]:
        for one in super().history(bucket, prefix):
            again = one.object.version_id == "v002"
            yield replace(one, object=replace(one.object, etag="e5d2-2")) if again else one


def test_the_same_content_that_was_uploaded_again_and_stays_is_not_removed() -> None:
    store = UploadedAgainInParts()
    for _ in range(2):
        store.put("s/c/1.jpg", WANTED)
    old = photograph("s/c/1.jpg", WANTED, store)
    again = old.model_copy(update={"upload_id": ids.upload_id(BUCKET, "s/c/1.jpg", "e5d2-2"), "etag": "e5d2-2"})
    plan = ForgetPlan(what="", made_at=NOW, photographs=(old,), kept=(again,))
    removal(store).remove(plan, ())
    assert store.keys["s/c/1.jpg"] == {"v002": WANTED}
