"""Reconcile on the real stack: the shared ledger, date limits, and resumed listings of the store."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.stack.conftest import KIND
from tests.stack.photographs import photograph
from uncia.events import ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.producers.reconcile.ledger_sync import open_ledger
from uncia.producers.reconcile.upload_facts import upload_key
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

Reconcile = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")


def test_the_command_and_the_supervised_part_share_one_ledger(
    stack: Stack, upload: Callable[[str, bytes], str], predicted: Callable[..., ImagePredicted], reconcile: Reconcile,
    monkeypatch: pytest.MonkeyPatch, station: str
) -> None:  # fmt: skip
    upload(f"{station}/cam/a.jpg", photograph(910))
    image = predicted(f"{station}/cam/a.jpg")
    reconcile()
    monkeypatch.setenv("UNCIA_STACK_DIR", str(stack.folder))
    ledger = open_ledger(stack.settings())
    assert ledger.path.is_relative_to(stack.folder)
    assert ledger.records([upload_key(image.upload_id)])[upload_key(image.upload_id)].answered
    ledger.close()


def test_dates_narrow_the_comparison(upload: Callable[[str, bytes], str], reconcile: Reconcile, station: str) -> None:
    upload(f"{station}/cam/a.jpg", photograph(911))
    assert reconcile("--prefix", station, "--until", "2001-01-01")[-1]["stored"] == 0
    assert reconcile("--prefix", station, "--since", "2001-01-01")[-1]["stored"] == 1


@pytest.fixture(scope="module")
def listed_bucket(admin_store: ObjectStore) -> Iterator[str]:
    """A bucket of its own, once for all cases: each bucket takes a volume of the store, whose number is limited."""
    bucket = f"listing-{uuid4().hex[:10]}"
    admin_store.ensure_bucket(bucket)
    keys = ("a", "b-1", "b/1", "b/2", "b/3/x", "c é+%/1", "c é+%/2", "d")
    for key in keys:
        admin_store.client.put_object(Bucket=bucket, Key=key, Body=b"x")
    yield bucket
    for key in keys:
        admin_store.client.delete_object(Bucket=bucket, Key=key)
    admin_store.client.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("after", ["b", "b/", "b/2", "b-1", "c é+%"])
def test_a_listing_that_starts_after_a_key_equals_the_rest_of_the_full_listing(
    admin_store: ObjectStore, listed_bucket: str, after: str
) -> None:
    all_keys = [entry.key for entry in admin_store.list(listed_bucket)]
    index = next((position for position, key in enumerate(all_keys) if key.startswith(after)), None)
    assert index is not None
    rest = [entry.key for entry in admin_store.list(listed_bucket, start_after=all_keys[index])]
    assert rest == all_keys[index + 1 :]


def test_a_photograph_that_the_store_has_lost_is_named_until_its_removal_is_accepted(
    admin_store: ObjectStore,
    settings: Settings,
    upload: Callable[[str, bytes], str],
    predicted: Callable[..., ImagePredicted],
    reconcile: Reconcile,
    station: str,
) -> None:
    kept, lost = f"{station}/cam/a.jpg", f"{station}/cam/b.jpg"
    for number, key in enumerate((kept, lost)):
        upload(key, photograph(912 + number))
        predicted(key)
    assert reconcile("--prefix", station)[-1]["zero"]
    admin_store.delete(settings.bucket, lost)

    *named, counts = reconcile("--prefix", station)
    assert named == [{"state": "vanished", "key": lost}]
    assert (counts["zero"], counts["vanished"], counts["stored"]) == (False, 1, 1)

    reconcile("--prefix", station, "--accept-vanished")
    assert reconcile("--prefix", station)[-1]["zero"]
