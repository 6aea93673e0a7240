"""`uncia forget`: what a choice means, and which choices are refused. The stack tests carry plans out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Engine, func, insert, make_url, select, update
from typer.testing import CliRunner

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from uncia.commands import forget as command
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.forgetting import Choice, photographs_of
from uncia.dashboard.catalogue.tables import burst_frames, bursts, captures, detections, observations
from uncia.errors import UnciaError
from uncia.producers.forget.plan import pending_plans, plans_folder
from uncia.settings import Settings


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    sqlite_catalogue(folder, 80).dispose()
    return folder / "catalogue.sqlite"


@pytest.fixture
def config(tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "catalogue.sqlite").write_bytes(filled.read_bytes())
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path / "no-stack"))
    config = Settings(
        _env_file=None, catalogue_url=f"sqlite:///{tmp_path}/catalogue.sqlite", data_dir=tmp_path / "data"
    )
    monkeypatch.setattr(command, "settings", lambda: config)
    return config


@pytest.fixture
def database(config: Settings) -> Engine:
    assert config.catalogue_url is not None
    return open_database(make_url(config.catalogue_url.get_secret_value()))


def forget(*arguments: str) -> dict[str, Any]:
    app = typer.Typer()
    app.command()(command.forget)
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def scalars(database: Engine, statement: Any) -> list[Any]:
    with database.begin() as connection:
        return list(connection.execute(statement).scalars())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing is chosen"),
        (["img-unknown"], "knows no photograph img-unknown"),
        (["--camera", "ridge/cam-11"], "did you mean ridge/cam-1"),
        (["--camera", "nowhere"], "there is no camera 'nowhere'"),
        (["--camera", "ridge/cam-1", "--from", "2026-05-01T00:00:00Z"], "names a time zone"),
        (["--camera", "ridge/cam-1", "--until", "2026-05-01T00:00+06:00"], "names a time zone"),
        (["--camera", "ridge/cam-1", "--until", "May"], "is not a time"),
        (["--from", "2026-05-01"], "a period needs --camera or --people"),
        (["--expired"], "no retention is set"),
        (["--resume", "--people"], "takes no photographs"),
        (["--people", "--yes"], "administrative key"),
        (["--people", "--yes", "--store-keys", "/dev/null"], "administrative key"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_begun(config: Settings, arguments: list[str], words: str) -> None:
    with pytest.raises(UnciaError, match=words):
        forget(*arguments)
    assert not list(pending_plans(plans_folder(config)))


def test_a_camera_and_a_period_mean_what_was_taken_then(database: Engine) -> None:
    (day,) = set(scalars(database, select(func.min(captures.c.captured_on)).where(captures.c.camera == "ridge/cam-1")))
    plan = forget("--camera", "ridge/cam-1", "--from", str(day), "--until", str(day))["plan"]
    taken = select(captures.c.key).where(captures.c.camera == "ridge/cam-1", captures.c.captured_on == day)
    assert sorted(plan["keys"]) == sorted(scalars(database, taken))
    whole = forget("--camera", "ridge/cam-1")["plan"]
    assert len(whole["keys"]) > len(plan["keys"]) > 0


def test_a_photograph_is_one_whatever_its_keys(database: Engine) -> None:
    image, name = scalars(database, select(captures.c.image_id).limit(1))[0], "upl-copy"
    with database.begin() as connection:
        row = connection.execute(select(captures).where(captures.c.image_id == image)).mappings().one()
        connection.execute(insert(captures).values(**{**row, "upload_id": name, "key": "copy.jpg"}))
    assert set(forget(image)["plan"]["keys"]) == {row["key"], "copy.jpg"}


def people(database: Engine) -> set[str]:
    with database.begin() as connection:
        return {row["image_id"] for row in photographs_of(connection, Choice(people=True), 0.4)}


def test_people_means_all_photographs_of_bursts_with_a_person(database: Engine) -> None:
    of_person = select(burst_frames.c.image_id).join(bursts, bursts.c.burst_id == burst_frames.c.burst_id)
    expected = set(scalars(database, of_person.where(bursts.c.category == "person")))
    assert expected and people(database) == expected
    assert set(forget("--people")["plan"]["images"]) == expected

    first, second, third = scalars(database, select(bursts.c.burst_id).where(bursts.c.category == "blank").limit(3))
    weak = {"category": "person", "score": 0.3, "box": [0.1, 0.1, 0.2, 0.2]}
    with database.begin() as connection:
        connection.execute(
            insert(observations).values(burst_id=first, source="human", number=1, category="person", boxes=[])
        )
        for burst, box in ((second, {**weak, "score": 0.4}), (third, weak)):
            own = burst_frames.c.burst_id == burst
            connection.execute(update(burst_frames).where(own, burst_frames.c.number == 0).values(boxes=[box]))
    frames = select(burst_frames.c.image_id).where(burst_frames.c.burst_id.in_((first, second)))
    assert people(database) == expected | set(scalars(database, frames))


def test_people_means_a_prediction_that_no_burst_lists_yet(database: Engine) -> None:
    before = people(database)
    with database.begin() as connection:
        rows = connection.execute(select(captures).where(captures.c.rejection_reason.is_(None))).all()
        upload, image = next((row.upload_id, row.image_id) for row in rows if row.image_id not in before)
        connection.execute(burst_frames.delete().where(burst_frames.c.upload_id == upload))
        connection.execute(
            insert(detections).values(
                upload_id=upload, number=90, category="person", score=0.9, x=0, y=0, width=0.1, height=0.1
            )
        )
    assert people(database) == before | {image}


def test_retention_counts_from_the_upload_and_a_burst_with_a_person_is_one_of_persons(database: Engine) -> None:
    latest = datetime(2100, 1, 1, tzinfo=UTC)

    def old(**before: datetime) -> set[str]:
        with database.begin() as connection:
            return {row["image_id"] for row in photographs_of(connection, Choice(expired=before), 0.4)}

    persons = people(database)
    assert old(person=latest) == persons
    assert old(blank=latest) and not old(blank=latest) & persons
    assert old(animal=latest) and not old(animal=latest) & old(blank=latest)
    (uploaded,) = scalars(database, select(func.min(captures.c.uploaded_at)))
    assert old(person=uploaded, blank=uploaded, animal=uploaded, vehicle=uploaded) == set()
    assert old(person=latest, blank=latest) == persons | old(blank=latest)


def test_expired_takes_the_days_of_the_settings(
    config: Settings, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uploaded,) = scalars(database, select(func.max(captures.c.uploaded_at)))
    age = (datetime.now(UTC) - uploaded) / timedelta(days=1)
    for days, expected in ((max(1, int(age) - 1), True), (30_000, False)):
        chosen = config.model_copy(update={"retention_person_days": days})
        monkeypatch.setattr(command, "settings", lambda chosen=chosen: chosen)
        assert bool(forget("--expired")["plan"]["images"]) is expected


def test_a_forgotten_photograph_is_not_planned_again(database: Engine) -> None:
    image = scalars(database, select(captures.c.image_id).limit(1))[0]
    with database.begin() as connection:
        own = captures.c.image_id == image
        connection.execute(update(captures).where(own).values(rejection_reason="image-forgotten"))
    with pytest.raises(UnciaError, match="knows no photograph"):
        forget(image)
