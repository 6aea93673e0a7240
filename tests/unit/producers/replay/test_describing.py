"""What a replay is called, what its workers are told, and where that is kept."""

import os
from pathlib import Path

import pytest

from uncia.errors import SettingsError, UnciaError
from uncia.producers.replay.description import (
    GENTLE,
    Plan,
    Replay,
    all_replays,
    checked,
    drawn_name,
    find,
    is_secret,
    load,
    variables_of,
)
from uncia.producers.replay.selection import Selection
from uncia.settings import Settings

LIVE = Settings(_env_file=None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("UNCIA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    return tmp_path


def test_it_lives_in_a_namespace_of_its_own() -> None:
    replay = Replay.make("trial", Plan(model="m", model_version="2"), {})
    assert replay.settings(LIVE).namespace == "replay-trial"
    assert replay.settings(LIVE.model_copy(update={"namespace": "north"})).namespace == "north-replay-trial"


def test_its_workers_ask_the_model_and_version_of_the_plan() -> None:
    settings = Replay.make("trial", Plan(model="m", model_version="2"), {}).settings(LIVE)
    assert (settings.model, settings.model_version) == ("m", "2")


def test_without_a_model_its_workers_ask_the_live_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_MODEL", "of_live")
    assert Replay.make("trial", Plan(), {}).settings(LIVE).model == "of_live"


def test_its_workers_take_small_bites_unless_the_plan_says_otherwise() -> None:
    assert GENTLE.items() <= Replay.make("a", Plan(), {}).variables(LIVE).items()
    asked = Plan(settings={"UNCIA_DECODE_THREADS": "8"})
    assert Replay.make("b", asked, {}).settings(LIVE).decode_threads == 8


def test_reading_its_settings_leaves_the_environment_as_it_was() -> None:
    before = dict(os.environ)
    Replay.make("trial", Plan(settings={"UNCIA_BURST_GAP_S": "3"}), {}).settings(LIVE)
    assert dict(os.environ) == before


def test_what_is_saved_is_read_back() -> None:
    replay = Replay.make("trial", Plan(selection=Selection(cameras=("ridge/*",))), {"topic": {0: 7}})
    replay.save()
    assert load("trial") == replay
    assert all_replays() == [replay]


def test_a_name_that_nobody_knows_is_answered_with_those_there_are() -> None:
    Replay.make("trial", Plan(), {}).save()
    assert find("other") is None
    with pytest.raises(UnciaError, match="there are: trial"):
        load("other")


def test_a_description_of_another_version_is_refused_by_name(folder: Path) -> None:
    (folder / "replays" / "odd").mkdir(parents=True)
    (folder / "replays" / "odd" / "replay.json").write_text('{"from": "the future"}')
    with pytest.raises(UnciaError, match="not written by this version"):
        load("odd")


def test_one_command_at_a_time_has_it_in_hands() -> None:
    replay = Replay.make("trial", Plan(), {})
    with replay.alone():
        assert replay.runs
        with pytest.raises(UnciaError, match="another command"), replay.alone():
            pass
    assert not replay.runs


def test_the_same_plan_gives_the_same_name_and_another_plan_another() -> None:
    plan = Plan(model="Species_Classifier", model_version="2")
    assert drawn_name(plan) == drawn_name(Plan(model="Species_Classifier", model_version="2"))
    assert drawn_name(plan) != drawn_name(Plan(model="Species_Classifier", model_version="3"))
    assert checked(drawn_name(plan)).startswith("species-classifier-2-")


@pytest.mark.parametrize("name", ["", "Trial", "a.b", "-a", "a/b", "x" * 41])
def test_a_name_that_cannot_be_part_of_a_topic_is_refused(name: str) -> None:
    with pytest.raises(SettingsError):
        checked(name)


def test_settings_may_be_written_short_or_whole() -> None:
    assert variables_of(["burst_gap_s=3", "UNCIA_ENSEMBLE_RULE = mean"]) == {
        "UNCIA_BURST_GAP_S": "3",
        "UNCIA_ENSEMBLE_RULE": "mean",
    }


@pytest.mark.parametrize(
    ("assignment", "why"),
    [
        ("burst_gap_s", "NAME=value"),
        ("burst_gape_s=3", "NAME=value"),
        ("burst_gap_s=wide", "UNCIA_BURST_GAP_S"),
        ("kafka=elsewhere:9092", "has its own"),
        ("model=other", "--model"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_name(assignment: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        variables_of([assignment])


@pytest.mark.parametrize(
    "assignment",
    [
        "s3_secret_key=hunter2",
        "UNCIA_S3_ACCESS_KEY=hunter2",
        "s3_secret_ky=hunter2",
        "s3_endpoint=http://me:hunter2@store:8333",
        "some_password=hunter2",
    ],
)
def test_a_secret_is_refused_and_repeated_nowhere(assignment: str) -> None:
    with pytest.raises(SettingsError) as caught:
        variables_of([assignment])
    assert "hunter2" not in str(caught.value)


def test_every_secret_among_the_settings_is_known_as_one() -> None:
    assert {name for name in Settings.model_fields if is_secret(name)} == {"s3_access_key", "s3_secret_key"}


def test_a_setting_that_changes_nothing_in_a_replay_is_refused() -> None:
    for name in ("reconcile_every_s", "key_pattern", "backfill_after_s"):
        with pytest.raises(SettingsError, match="no effect"):
            variables_of([f"{name}=1"])


def test_a_secret_in_the_description_of_an_earlier_version_is_not_shown() -> None:
    plan = Plan(settings={"UNCIA_S3_SECRET_KEY": "hunter2", "UNCIA_BURST_GAP_S": "3"})
    assert "hunter2" not in plan.words()
    assert "UNCIA_BURST_GAP_S=3" in plan.words()


def test_the_reason_why_it_could_not_go_on_needs_no_new_room_on_the_disk() -> None:
    replay = Replay.make("trial", Plan(), {})
    replay.save()
    path = replay.folder / "reason"
    before = path.stat()
    replay.note_reason("the disk is full: é\n" * 1000)
    after = path.stat()
    assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)
    assert replay.reason.startswith("the disk is full: é")
    replay.note_reason("")
    assert replay.reason == ""
