"""Rotating the keys of running parts loses and doubles nothing."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from tests.waiting import SCALE
from uncia.errors import UnciaError
from uncia.events import BurstResolved
from uncia.identities import gateway_identity
from uncia.infra.local.credentials import write_credential
from uncia.infra.local.key_management import issue_gateway, rotate
from uncia.infra.local.seaweedfs import IDENTITIES_FILE
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import client_options
from uncia.kafka.refusal import refusal
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
)


@pytest.mark.parametrize("name", ["intake", "predict", "bursts", "crops", "object-store"])
def test_photographs_that_arrive_while_a_key_is_rotated_are_predicted_once_and_settled(
    stack: Stack,
    store: ObjectStore,
    settings: Settings,
    station: str,
    results: ResultConsumer,
    settled: Callable[..., list[BurstResolved]],
    name: str,
) -> None:
    before = stack.require_keys().credentials[name]
    pictures = {f"{station}/north/{number}.jpg": photograph(number) for number in range(6)}
    keys = list(pictures)
    for key in keys[:3]:
        store.put(settings.bucket, key, pictures[key], content_type="image/jpeg")
    rotate(stack, name)
    for key in keys[3:]:
        store.put(settings.bucket, key, pictures[key], content_type="image/jpeg")

    def predicted() -> bool:
        return all(results.predictions(key) for key in keys)

    results.wait_for(predicted, SCALE * 60, "a prediction of each photograph")
    settled(f"{station}/north", 1, 120)
    assert [len({image.upload_id for image in results.predictions(key)}) for key in keys] == [1] * len(keys)
    assert stack.require_keys().credentials[name].kafka_password != before.kafka_password
    old = settings.model_copy(update={"kafka_username": name})
    old = Settings(_env_file=None, **{**old.model_dump(), "kafka_password": before.kafka_password})
    assert "refuses the user" in (refusal(old, client_options(old)) or "")


def test_rotating_the_key_of_a_gateway_of_an_earlier_version_changes_no_file_of_a_part(
    stack: Stack, station: str
) -> None:
    """Such a key has no password for the broker."""
    known = issue_gateway(stack, station)
    write_credential(stack.folder, gateway_identity(station).name, replace(known, kafka_password=""))
    files = [path for path in (stack.folder / "run").iterdir() if path.name != IDENTITIES_FILE]
    before = {path: path.read_bytes() for path in files}
    rotate(stack, gateway_identity(station).name)
    assert {path: path.read_bytes() for path in files} == before


def test_the_store_refuses_the_old_secret_of_a_part(stack: Stack, settings: Settings) -> None:
    before = stack.require_keys().credentials["reconcile"]
    rotate(stack, "reconcile")
    update = {"s3_access_key": before.access_key, "s3_secret_key": before.secret_key}
    store = ObjectStore(Settings(_env_file=None, **{**settings.model_dump(), **update}), attempts=1)
    try:
        with pytest.raises(UnciaError):
            store.check_bucket(settings.bucket)
    finally:
        store.close()
