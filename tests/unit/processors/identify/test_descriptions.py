"""Descriptions are computed once, and are stored by who deletes them only."""

import pytest

from tests.unit.processors.identify.builders import CAMERA, burst, coat, crop_of
from tests.unit.processors.predict.s3_double import BUCKET, Connection, s3_double
from uncia.events import AnimalSide, IndividualCrop
from uncia.processors.identify.descriptions import DescriptionStore, description_key
from uncia.processors.identify.matching.description import Side
from uncia.processors.identify.matching.fused_matcher import FusedMatcher

CROP = IndividualCrop(crop_id="crp-1", bucket=BUCKET, key=crop_of(burst(1)).key)
KEY = description_key(CAMERA, CROP.crop_id)


def sided(side: AnimalSide) -> IndividualCrop:
    return CROP.model_copy(update={"side": side})


def side_of(descriptions: DescriptionStore, side: AnimalSide) -> Side:
    found = descriptions.get(CAMERA, sided(side))
    assert found is not None
    return found.quality.side


def test_what_is_not_kept_is_computed_and_not_stored() -> None:
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        descriptions = DescriptionStore(client, BUCKET, FusedMatcher())
        assert descriptions.get(CAMERA, CROP, keep=False) is not None
        assert KEY not in store.objects


def test_another_side_is_applied_to_the_description_that_is_stored() -> None:
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        descriptions = DescriptionStore(client, BUCKET, FusedMatcher())
        assert side_of(descriptions, AnimalSide.LEFT) is Side.LEFT
        assert side_of(descriptions, AnimalSide.RIGHT) is Side.RIGHT
        assert side_of(descriptions, AnimalSide.UNKNOWN) is Side.UNKNOWN
        assert store.written == [KEY]


def test_a_description_of_another_embedder_is_computed_again() -> None:
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        other = FusedMatcher("another@1")
        DescriptionStore(client, BUCKET, other).get(CAMERA, CROP)
        found = DescriptionStore(client, BUCKET, FusedMatcher()).get(CAMERA, CROP)
        assert found is not None
        assert found.embedder == FusedMatcher().embedder
        assert store.written == [KEY, KEY]


def refuse_key(connection: Connection, _: bytes) -> None:
    connection.refuse(400, "KeyTooLongError")


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes no key of a description."""

    def refuse(connection: Connection) -> None:
        connection.rfile.read(int(connection.headers.get("Content-Length") or 0))
        refuse_key(connection, b"")

    monkeypatch.setattr(Connection, "do_PUT", refuse)
    monkeypatch.setattr(Connection, "do_DELETE", refuse)


@pytest.mark.usefixtures("strict")
def test_a_key_that_the_store_does_not_take_ends_nothing() -> None:
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        store.faults[KEY] = refuse_key
        descriptions = DescriptionStore(client, BUCKET, FusedMatcher())
        assert descriptions.get(CAMERA, CROP) is not None
        descriptions.delete(CAMERA, CROP.crop_id)
