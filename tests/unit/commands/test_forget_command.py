"""`uncia forget`: what a choice means, and which choices are refused. The stack tests carry plans out."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Engine, delete, func, insert, make_url, select, update
from typer.testing import CliRunner

from tests.paths import EVENT_SAMPLES
from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from uncia.audit import audit_file_of_process, read_audit
from uncia.commands import forget as command
from uncia.commands.forget_plan import make_plan, search_again
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.forgetting import Choice, photographs_of
from uncia.dashboard.catalogue.tables import (
    burst_frames,
    bursts,
    captures,
    crops,
    detections,
    explanations,
    observations,
)
from uncia.errors import DependencyDown, UnciaError
from uncia.events import BurstCategory, RecordingAnalysed, SoundHeard
from uncia.kafka.sound_events import SoundEvents
from uncia.kafka.stream_status import Lag, StreamStatus
from uncia.producers.forget.plan import ForgetPlan, pending_plans, plans_folder
from uncia.producers.forget.run import Forgetting
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
    monkeypatch.setattr(command, "read_sound_events", lambda _: SoundEvents())
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


CALL = SoundHeard.from_bytes((EVENT_SAMPLES / "camera.sound.heard.v1.json").read_bytes())
RESULT = RecordingAnalysed.from_bytes((EVENT_SAMPLES / "camera.recording.analysed.v1.json").read_bytes())
VOICE = CALL.model_copy(update={"category": BurstCategory.PERSON})


@pytest.fixture
def recording(database: Engine, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of a recording in the catalogue with a voice, as the worker of photographs answers it."""
    with database.begin() as connection:
        row = connection.execute(select(captures).limit(1)).mappings().one()
        own = {"upload_id": RESULT.upload_id, "image_id": "img-of-the-upload", "key": RESULT.key}
        rejected = {"state": "rejected", "rejection_reason": "sound-recording"}
        connection.execute(insert(captures).values(**{**row, **own, **rejected}))
    monkeypatch.setattr(command, "read_sound_events", lambda _: SoundEvents((RESULT,), (VOICE,)))
    return RESULT.key


@pytest.mark.parametrize("arguments", [[RESULT.recording_id], ["--people"]])
def test_a_recording_is_found_by_its_id_and_by_a_voice(recording: str, arguments: list[str]) -> None:
    plan = forget(*arguments)["plan"]
    assert (recording in plan["keys"], plan["recordings"], plan["calls"]) == (True, 1, 1)


def printed(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(command.forget)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_plan_of_one_recording_calls_it_a_recording(recording: str) -> None:
    shown = printed(RESULT.recording_id)
    assert "1 sound recording of 1 recorder, with 1 call\n" in shown
    assert "photograph" not in shown


def test_a_plan_of_one_photograph_has_the_singular(database: Engine) -> None:
    statement = select(burst_frames.c.image_id).group_by(burst_frames.c.image_id).having(func.count() == 1)
    assert "1 photograph of 1 camera, in 1 burst, with " in printed(scalars(database, statement.limit(1))[0])


def test_a_recording_without_a_voice_is_not_one_of_people(recording: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "read_sound_events", lambda _: SoundEvents((RESULT,), (CALL,)))
    assert recording not in forget("--people")["plan"]["keys"]


def test_a_recording_with_a_voice_has_the_retention_of_persons(recording: str, database: Engine) -> None:
    choice = Choice(expired={"person": datetime(2100, 1, 1, tzinfo=UTC)})
    plan = make_plan(database, choice, "", 0.4, SoundEvents((RESULT,), (VOICE,)))
    assert recording in {one.key for one in plan.photographs}


def test_a_recording_that_the_catalogue_does_not_know_is_named(database: Engine) -> None:
    with pytest.raises(UnciaError, match="knows no photograph rec-unknown"):
        forget("rec-unknown")


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


def copy_of(database: Engine, image: str, **values: Any) -> str:
    """The key of another upload of the same content."""
    with database.begin() as connection:
        row = connection.execute(select(captures).where(captures.c.image_id == image)).mappings().first()
        assert row is not None
        connection.execute(insert(captures).values(**{**row, "upload_id": "upl-copy", "key": "copy.jpg", **values}))
        return str(row["key"])


@pytest.fixture
def expiring(config: Settings, database: Engine, monkeypatch: pytest.MonkeyPatch) -> str:
    """A photograph of a person, of which all are older than their retention."""
    (uploaded,) = scalars(database, select(func.max(captures.c.uploaded_at)))
    days = max(1, int((datetime.now(UTC) - uploaded) / timedelta(days=1)) - 1)
    chosen = config.model_copy(update={"retention_person_days": days})
    monkeypatch.setattr(command, "settings", lambda: chosen)
    return min(people(database))


def test_each_key_of_a_photograph_has_its_own_retention(database: Engine, expiring: str) -> None:
    before = forget("--expired")["plan"]
    key = copy_of(database, expiring, uploaded_at=datetime.now(UTC))
    plan = forget("--expired")["plan"]
    assert key in plan["keys"] and "copy.jpg" not in plan["keys"]
    assert plan["kept"] == ["copy.jpg"]
    # What is derived from the content stays with it.
    assert set(before["images"]) - set(plan["images"]) == {expiring}
    assert plan["crops"] <= before["crops"] and plan["explanations"] <= before["explanations"]


def test_a_key_that_expired_too_goes_with_the_first(database: Engine, expiring: str) -> None:
    key = copy_of(database, expiring)
    plan = forget("--expired")["plan"]
    assert {key, "copy.jpg"} <= set(plan["keys"]) and plan["kept"] == []


def test_a_key_in_a_burst_of_another_rule_is_kept_by_that_rule(database: Engine, expiring: str) -> None:
    copy_of(database, expiring)
    with database.begin() as connection:
        blank = connection.execute(select(bursts.c.burst_id).where(bursts.c.category == "blank")).scalars().first()
        frame = connection.execute(select(burst_frames).where(burst_frames.c.image_id == expiring)).mappings().first()
        assert frame is not None
        other = {**frame, "burst_id": blank, "number": 99, "upload_id": "upl-copy", "category": None, "boxes": None}
        connection.execute(insert(burst_frames).values(**other))
    plan = forget("--expired")["plan"]
    assert frame["key"] in plan["keys"] and plan["kept"] == ["copy.jpg"]


def test_the_proof_is_complete_although_a_copy_stays(database: Engine, expiring: str) -> None:
    copy_of(database, expiring, uploaded_at=datetime.now(UTC))
    plan = make_plan(database, Choice(expired={"person": datetime.now(UTC) - timedelta(hours=1)}), "", 0.4)
    assert [one.key for one in plan.kept] == ["copy.jpg"]
    known = search_again(database, plan).still_known
    own = next(one.upload_id for one in plan.photographs if one.image_id == expiring)
    assert f"capture {own}" in known and "capture upl-copy" not in known
    assert any(line.startswith("frame of") for line in known)
    with database.begin() as connection:
        gone = captures.c.upload_id.in_(plan.uploads)
        connection.execute(update(captures).where(gone).values(rejection_reason="image-forgotten"))
        connection.execute(burst_frames.delete().where(burst_frames.c.image_id.in_(plan.images)))
        own_frame = burst_frames.c.upload_id == own
        connection.execute(update(burst_frames).where(own_frame).values(upload_id="upl-copy", key="copy.jpg"))
        connection.execute(update(crops).where(crops.c.image_id.in_(plan.images)).values(withdrawn="image-forgotten"))
        drawn = explanations.c.image_id.in_(plan.images)
        connection.execute(update(explanations).where(drawn).values(heat_map_key=None))
    assert search_again(database, plan).still_known == []


def test_an_upload_without_a_prediction_is_found_by_its_burst(database: Engine) -> None:
    image = min(people(database))
    with database.begin() as connection:
        (row,) = connection.execute(select(captures).where(captures.c.image_id == image)).mappings()
        own = captures.c.upload_id == row["upload_id"]
        connection.execute(update(captures).where(own).values(image_id=None, captured_at=None, captured_on=None))
    day = str(row["captured_on"])
    for arguments in ([image], ["--people"], ["--camera", row["camera"], "--from", day, "--until", day]):
        plan = forget(*arguments)["plan"]
        assert row["key"] in plan["keys"] and image in plan["images"]


def test_crops_and_explanations_that_were_made_after_the_plan_are_found(database: Engine) -> None:
    with database.begin() as connection:
        crop = connection.execute(select(crops).where(crops.c.withdrawn.is_(None))).mappings().first()
        drawn = (
            connection.execute(select(explanations).where(explanations.c.heat_map_key.is_not(None))).mappings().first()
        )
        assert crop is not None and drawn is not None
        images = (crop["image_id"], drawn["image_id"])
    plan = make_plan(database, Choice(images=images), "", 0.4)
    with database.begin() as connection:
        connection.execute(insert(crops).values(**{**crop, "crop_id": "crp-late", "key": "crops/late.jpg"}))
        connection.execute(insert(explanations).values(**{**drawn, "explanation_id": "exp-late"}))
        connection.execute(
            insert(crops).values(**{**crop, "crop_id": "crp-old", "key": "crops/old.jpg", "withdrawn": "not-selected"})
        )
    found = search_again(database, plan)
    assert {one.crop_id for one in found.plan.crops} == {one.crop_id for one in plan.crops} | {"crp-late", "crp-old"}
    assert "crp-late" in {one.crop_id for one in found.crops} and "crp-old" not in {one.crop_id for one in found.crops}
    assert "exp-late" in {one.explanation_id for one in found.explanations}
    assert {"crop crp-late", "explanation exp-late"} <= set(found.still_known)


def test_a_run_that_began_nothing_stores_no_plan(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_admin_store", lambda *_: None)
    behind = StreamStatus(lag=(Lag("intake", "camera.storage.changed", 3),))
    monkeypatch.setattr(command, "Forgetting", partial(Forgetting, read_status=lambda _: behind))
    with pytest.raises(DependencyDown, match="nothing was begun"):
        forget("--people", "--yes", "--wait", "1")
    assert not list(pending_plans(plans_folder(config)))


@pytest.fixture
def stored(config: Settings, database: Engine) -> ForgetPlan:
    """The plan of an interrupted run, which withdrew one of its photographs."""
    plan = make_plan(database, Choice(people=True), "people", 0.4)
    plan.store(plans_folder(config))
    with database.begin() as connection:
        own = captures.c.upload_id == plan.photographs[0].upload_id
        connection.execute(update(captures).where(own).values(rejection_reason="image-forgotten"))
    return plan


def test_a_new_command_names_a_stored_plan(stored: ForgetPlan) -> None:
    app = typer.Typer()
    app.command()(command.forget)
    shown = CliRunner().invoke(app, ["--camera", "ridge/cam-1"], catch_exceptions=False)
    assert f"interrupted earlier: {stored.name}" in shown.stdout
    assert f"--discard {stored.name}" in shown.stdout.replace("\n", " ")
    assert forget("--resume")["interrupted"][0]["name"] == stored.name


def test_a_stored_plan_is_discarded_by_its_name_and_only_with_yes(config: Settings, stored: ForgetPlan) -> None:
    folder = plans_folder(config)
    withdrawn = [stored.photographs[0].key]
    shown = forget("--discard", stored.name)
    assert (shown["discarded"], shown["withdrawn"]) == (False, withdrawn)
    assert list(pending_plans(folder))
    with pytest.raises(UnciaError, match=f"stored are {stored.name}"):
        forget("--discard", "fgt-other", "--yes")
    with pytest.raises(UnciaError, match="leave them out"):
        forget("--discard", stored.name, "--people", "--yes")
    done = forget("--discard", stored.name, "--yes")
    assert (done["discarded"], done["withdrawn"]) == (True, withdrawn)
    assert not list(pending_plans(folder))
    (record,) = read_audit(audit_file_of_process(config.data_dir))
    assert (record["action"], record["plan"]) == ("forget_discarded", stored.name)
    with pytest.raises(UnciaError, match="none is stored"):
        forget("--discard", stored.name, "--yes")


def test_a_damaged_plan_can_be_discarded(config: Settings) -> None:
    folder = plans_folder(config)
    folder.mkdir(parents=True)
    (folder / "fgt-damaged.json").write_text("{")
    with pytest.raises(UnciaError, match="fgt-damaged"):
        forget("--people")
    assert forget("--discard", "fgt-damaged", "--yes")["discarded"]
    assert forget("--people")["plan"]["images"]


def test_a_forgotten_photograph_is_not_planned_again(database: Engine) -> None:
    image = scalars(database, select(captures.c.image_id).limit(1))[0]
    with database.begin() as connection:
        own = captures.c.image_id == image
        connection.execute(update(captures).where(own).values(rejection_reason="image-forgotten"))
    with pytest.raises(UnciaError, match="knows no photograph"):
        forget(image)


def test_a_person_in_a_photograph_that_no_burst_lists_expires(database: Engine) -> None:
    with database.begin() as connection:
        query = select(detections.c.upload_id).join(captures, captures.c.upload_id == detections.c.upload_id)
        upload = connection.execute(query.limit(1)).scalar_one()
        # As in a burst with more photographs than its event lists.
        connection.execute(delete(burst_frames).where(burst_frames.c.upload_id == upload))
        person = update(detections).where(detections.c.upload_id == upload)
        connection.execute(person.values(category="person", score=0.97))
        choice = Choice(expired={"person": datetime(2100, 1, 1, tzinfo=UTC)})
        assert upload in {row["upload_id"] for row in photographs_of(connection, choice, 0.2)}
