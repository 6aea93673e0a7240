"""An account without the right to see people gets blurred pictures by every address; each viewing is recorded."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine, insert, select, update

from tests.unit.dashboard.web.conftest import SignIn
from uncia.audit import AuditLog, read_audit
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.rows import BurstRow, Frame
from uncia.dashboard.catalogue.tables import burst_frames, bursts, captures, crops, explanations, observations
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.file_cache import FileCache
from uncia.dashboard.web.pictures import PictureService
from uncia.dashboard.web.services import Services
from uncia.imaging.people_blur import blurred_regions
from uncia.settings import Settings
from uncia.storage.object_store import ObjectContent, StoredObject

WIDTH, HEIGHT = 800, 600
SECRET = b"Exif\0\0 station ridge"


def picture_of_noise() -> bytes:
    """Blocks of eight pixels, which JPEG keeps; with a comment that no copy may have."""
    blocks = np.random.default_rng(5).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(out, "JPEG", quality=95, comment=SECRET)
    return out.getvalue()


class StoreOfNoise:
    """The same picture under every key, with the ETag that its upload had."""

    def __init__(self, catalogue: Engine) -> None:
        self._catalogue, self._data = catalogue, picture_of_noise()

    def read(self, bucket: str, key: str, *, max_bytes: int, version_id: str | None = None) -> ObjectContent:
        with self._catalogue.begin() as connection:
            etag = connection.execute(select(captures.c.etag).where(captures.c.key == key)).scalar()
        return ObjectContent(self._data, etag or "")

    def versions(self, bucket: str, key: str) -> Iterator[StoredObject]:
        return iter(())


@pytest.fixture
def audit(tmp_path: Path, services: Services) -> Path:
    services.audit = AuditLog(tmp_path / "audit.jsonl")
    return tmp_path / "audit.jsonl"


@pytest.fixture
def real_pictures(tmp_path: Path, config: Settings, services: Services, writable_catalogue: Engine) -> None:
    services.pictures = PictureService(
        StoreOfNoise(writable_catalogue),  # type: ignore[arg-type]
        FileCache(tmp_path / "cache", max_bytes=10_000_000),
        max_bytes=10_000_000,
        max_pixels=10_000_000,
    )


def readable(row: BurstRow) -> Frame:
    return next(frame for frame in row.frames if frame.rejection_reason is None)


@pytest.fixture
def person(catalogue: Catalogue) -> BurstRow:
    return next(
        row
        for row in catalogue.bursts(limit=200).rows
        if row.category == "person" and all(frame.rejection_reason is None for frame in row.frames)
    )


@pytest.fixture
def animal(catalogue: Catalogue) -> BurstRow:
    return next(
        row
        for row in catalogue.bursts(limit=200).rows
        if row.category == "animal" and not row.reviewed and all(f.rejection_reason is None for f in row.frames)
    )


def pixels(client: TestClient, address: str) -> np.ndarray:
    response = client.get(address)
    assert response.status_code == 200, response.text
    assert SECRET not in response.content
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGB")).astype(int)


def seen(audit: Path) -> list[tuple[str, str]]:
    return [(entry["who"], entry["what"]) for entry in read_audit(audit) if entry["action"] == "people_seen"]


@pytest.mark.parametrize("size", ["thumb", "view", "full"])
@pytest.mark.usefixtures("real_pictures")
def test_a_viewer_gets_people_blurred_and_the_rest_as_it_is(
    sign_in: SignIn, person: BurstRow, audit: Path, size: str
) -> None:
    frame = readable(person)
    address = f"/pictures/{frame.image_id}/{size}.jpg"
    plain, blurred = pixels(sign_in(Role.REVIEWER), address), pixels(sign_in(Role.VIEWER), address)
    height, width = plain.shape[:2]
    inside = np.zeros((height, width), dtype=bool)
    for box in frame.boxes or ():
        for region in blurred_regions([box["box"]], width, height):
            inside[region.top : region.bottom, region.left : region.right] = True
    # JPEG mixes blocks of 16 pixels across the border.
    edge = np.zeros_like(inside)
    for shift in ((16, 0), (-16, 0), (0, 16), (0, -16), (16, 16), (-16, -16), (16, -16), (-16, 16)):
        edge |= np.roll(inside, shift, (0, 1)) ^ inside
    assert np.abs(plain - blurred)[~inside & ~edge].mean() < 3
    within = blurred[inside & ~edge]
    assert np.abs(plain - blurred)[inside & ~edge].mean() > 20
    assert within.std() < plain[inside & ~edge].std() / 2
    assert seen(audit) == [("reviewer", f"{frame.image_id} {size}")]


@pytest.mark.usefixtures("real_pictures")
def test_the_cache_keeps_both_copies_apart(sign_in: SignIn, person: BurstRow) -> None:
    address = f"/pictures/{readable(person).image_id}/view.jpg"
    viewer, reviewer = sign_in(Role.VIEWER), sign_in(Role.REVIEWER)
    blurred, plain = viewer.get(address), reviewer.get(address)
    assert blurred.content != plain.content
    assert viewer.get(address).content == blurred.content
    assert reviewer.get(address).content == plain.content
    assert {blurred.headers["cache-control"], plain.headers["cache-control"]} == {"no-store"}


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        (Role.VIEWER, False),
        (Role.RANGER, False),
        (Role.OPERATOR, False),
        (Role.REVIEWER, True),
        (Role.ADMIN, True),
    ],
)
@pytest.mark.usefixtures("real_pictures")
def test_reviewers_and_admins_see_people_and_are_recorded(
    sign_in: SignIn, person: BurstRow, animal: BurstRow, audit: Path, role: Role, sees: bool
) -> None:
    client = sign_in(role)
    assert client.get(f"/bursts/{person.burst_id}.json").json()["people_hidden"] is not sees
    assert not client.get(f"/bursts/{animal.burst_id}.json").json()["people_hidden"]
    client.get(f"/pictures/{readable(animal).image_id}/view.jpg")
    assert seen(audit) == []
    client.get(f"/pictures/{readable(person).image_id}/view.jpg")
    assert bool(seen(audit)) is sees


@pytest.mark.usefixtures("real_pictures")
def test_a_person_that_a_reviewer_saw_without_a_box_withholds_the_photographs(
    sign_in: SignIn, animal: BurstRow, writable_catalogue: Engine
) -> None:
    with writable_catalogue.begin() as connection:
        connection.execute(
            insert(observations).values(
                burst_id=animal.burst_id, source="human", number=1, category="person", boxes=[], label="person"
            )
        )
    viewer = sign_in(Role.VIEWER)
    for frame in animal.frames:
        response = viewer.get(f"/pictures/{frame.image_id}/thumb.jpg", headers={"accept": "application/json"})
        assert response.status_code == 404
        assert "a person is in the burst" in response.json()["detail"]
    assert viewer.get(f"/bursts/{animal.burst_id}.json").json()["people_hidden"]


@pytest.mark.usefixtures("real_pictures")
def test_a_box_of_a_person_hides_it_although_the_verdict_is_an_animal(
    sign_in: SignIn, animal: BurstRow, writable_catalogue: Engine, config: Settings
) -> None:
    viewer, frame = sign_in(Role.VIEWER), readable(animal)
    address = f"/pictures/{frame.image_id}/view.jpg"
    before = viewer.get(address).content

    def show(score: float) -> bytes:
        boxes = [*(frame.boxes or ()), {"category": "person", "score": score, "box": [0.3, 0.3, 0.2, 0.4]}]
        with writable_catalogue.begin() as connection:
            own = burst_frames.c.image_id == frame.image_id
            connection.execute(update(burst_frames).where(own).values(boxes=boxes))
        return viewer.get(address).content

    assert show(config.person_threshold - 0.01) == before
    assert show(config.person_threshold) != before


@pytest.mark.usefixtures("real_pictures")
def test_a_provisional_verdict_hides_people_too(sign_in: SignIn, animal: BurstRow, writable_catalogue: Engine) -> None:
    with writable_catalogue.begin() as connection:
        connection.execute(
            update(bursts)
            .where(bursts.c.burst_id == animal.burst_id)
            .values(status="provisional", category="person", model_category="person")
        )
    response = sign_in(Role.VIEWER).get(f"/pictures/{readable(animal).image_id}/thumb.jpg")
    assert response.status_code == 404


def test_crops_and_heat_maps_of_people_are_withheld(
    sign_in: SignIn, person: BurstRow, writable_catalogue: Engine, audit: Path
) -> None:
    frame, now = readable(person), datetime.now(UTC)
    common = {"image_id": frame.image_id, "station": person.station, "camera": person.camera, "version": 1}
    with writable_catalogue.begin() as connection:
        connection.execute(
            insert(crops).values(
                crop_id="crp-people",
                burst_id=person.burst_id,
                bucket="b",
                key="k",
                sha256="0",
                size=1,
                **dict.fromkeys(("x", "y", "width", "height"), 0.1),
                crop_box=[0, 0, 1, 1],
                category="animal",
                score=0.5,
                captured_at=person.started_at,
                published_at=now,
                **common,
            )
        )
        connection.execute(
            insert(explanations).values(
                explanation_id="exp-people",
                method="lime",
                bucket="b",
                heat_map_key="k",
                boxes=[],
                seconds=1,
                explained_at=now,
                **common,
            )
        )
    parts = ("/pictures/crops/crp-people.jpg", "/pictures/explanations/exp-people.png")
    viewer, reviewer = sign_in(Role.VIEWER), sign_in(Role.REVIEWER)
    assert [viewer.get(part).status_code for part in parts] == [404, 404]
    page = viewer.get(f"/bursts/{person.burst_id}.json").json()
    assert page["crops"] == [] and [one["picture"] for one in page["explanations"] if one["picture"]] == []
    assert seen(audit) == []
    assert [reviewer.get(part).status_code for part in parts] == [200, 200]
    assert len(seen(audit)) == 2


def test_the_page_says_that_people_are_blurred(sign_in: SignIn, person: BurstRow, animal: BurstRow) -> None:
    viewer = sign_in(Role.VIEWER)
    assert "people-hidden" in viewer.get(f"/bursts/{person.burst_id}").text
    assert "people-hidden" not in viewer.get(f"/bursts/{animal.burst_id}").text
