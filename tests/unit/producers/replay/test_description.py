"""The name, the settings and the stored description of a replay."""

import os
from pathlib import Path

import pytest

from uncia.errors import SettingsError, UnciaError
from uncia.producers.replay.description import (
    LOW_PRIORITY,
    Replay,
    ReplayPlan,
    all_replays,
    check_name,
    default_name,
    find_replay,
    load_replay,
)
from uncia.producers.replay.selection import Selection
from uncia.producers.replay.setting_overrides import is_secret, parse_overrides
from uncia.settings import Settings

LIVE = Settings(_env_file=None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("UNCIA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    return tmp_path


def test_a_replay_has_a_namespace_of_its_own() -> None:
    replay = Replay.create("trial", ReplayPlan(model="m", model_version="2"), {})
    assert replay.settings(LIVE).namespace == "replay-trial"
    assert replay.settings(LIVE.model_copy(update={"namespace": "north"})).namespace == "north-replay-trial"


def test_its_workers_use_the_model_and_version_of_the_plan() -> None:
    settings = Replay.create("trial", ReplayPlan(model="m", model_version="2"), {}).settings(LIVE)
    assert (settings.model, settings.model_version) == ("m", "2")


def test_a_replay_with_a_detector_keeps_the_live_classifier() -> None:
    plan = ReplayPlan(model=LIVE.detector, model_version="2")
    settings = Replay.create("trial", plan, {}).settings(LIVE)
    assert (settings.detector, settings.detector_version) == (LIVE.detector, "2")
    assert (settings.model, settings.model_version) == (LIVE.model, LIVE.model_version)


@pytest.mark.parametrize("name", ["detector=other", "detector_version=2", "model=other"])
def test_models_are_not_chosen_by_settings(name: str) -> None:
    with pytest.raises(SettingsError, match="--model chooses"):
        parse_overrides([name])


def test_without_a_model_its_workers_use_the_live_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_MODEL", "of_live")
    assert Replay.create("trial", ReplayPlan(), {}).settings(LIVE).model == "of_live"


def test_its_workers_have_small_windows_unless_the_plan_overrides_them() -> None:
    assert LOW_PRIORITY.items() <= Replay.create("a", ReplayPlan(), {}).variables(LIVE).items()
    plan = ReplayPlan(settings={"UNCIA_DECODE_THREADS": "8"})
    assert Replay.create("b", plan, {}).settings(LIVE).decode_threads == 8


def test_reading_its_settings_leaves_the_environment_as_it_was() -> None:
    before = dict(os.environ)
    Replay.create("trial", ReplayPlan(settings={"UNCIA_BURST_GAP_S": "3"}), {}).settings(LIVE)
    assert dict(os.environ) == before


def test_a_saved_replay_is_loaded_unchanged() -> None:
    replay = Replay.create("trial", ReplayPlan(selection=Selection(cameras=("ridge/*",))), {"topic": {0: 7}})
    replay.save()
    assert load_replay("trial") == replay
    assert all_replays() == [replay]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    Replay.create("trial", ReplayPlan(), {}).save()
    assert find_replay("other") is None
    with pytest.raises(UnciaError, match="there are: trial"):
        load_replay("other")


def test_a_description_of_another_version_is_refused_with_its_path(folder: Path) -> None:
    (folder / "replays" / "odd").mkdir(parents=True)
    (folder / "replays" / "odd" / "replay.json").write_text('{"from": "the future"}')
    with pytest.raises(UnciaError, match="not written by this version"):
        load_replay("odd")


def test_one_command_at_a_time_locks_a_replay() -> None:
    replay = Replay.create("trial", ReplayPlan(), {})
    with replay.locked():
        assert replay.is_locked
        with pytest.raises(UnciaError, match="another command"), replay.locked():
            pass
    assert not replay.is_locked


def test_the_same_plan_gives_the_same_name_and_another_plan_another() -> None:
    plan = ReplayPlan(model="Species_Classifier", model_version="2")
    assert default_name(plan) == default_name(ReplayPlan(model="Species_Classifier", model_version="2"))
    assert default_name(plan) != default_name(ReplayPlan(model="Species_Classifier", model_version="3"))
    assert check_name(default_name(plan)).startswith("species-classifier-2-")


@pytest.mark.parametrize("name", ["", "Trial", "a.b", "-a", "a/b", "x" * 41])
def test_a_name_that_cannot_be_part_of_a_topic_is_refused(name: str) -> None:
    with pytest.raises(SettingsError):
        check_name(name)


def test_the_prefix_of_a_setting_is_optional() -> None:
    assert parse_overrides(["burst_gap_s=3", "UNCIA_ENSEMBLE_RULE = mean"]) == {
        "UNCIA_BURST_GAP_S": "3",
        "UNCIA_ENSEMBLE_RULE": "mean",
    }


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("burst_gap_s", "NAME=value"),
        ("burst_gape_s=3", "NAME=value"),
        ("burst_gap_s=wide", "UNCIA_BURST_GAP_S"),
        ("kafka=elsewhere:9092", "has its own"),
        ("kafka_username=fox", "has its own"),
        ("model=other", "--model"),
    ],
)
def test_an_invalid_setting_is_refused_with_a_reason(assignment: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_overrides([assignment])


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
def test_a_secret_is_refused_and_never_repeated(assignment: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_overrides([assignment])
    assert "hunter2" not in str(caught.value)


def test_every_secret_setting_is_recognised() -> None:
    assert {name for name in Settings.model_fields if is_secret(name)} == {
        "catalogue_url",
        "dashboard_accounts",
        "dashboard_proxy_secret",
        "kafka_password",
        "kafka_token_file",
        "kafka_token_url",
        "pseudonym_key",
        "s3_access_key",
        "s3_secret_key",
        "schema_registry_password",
        "schema_registry_token",
        "triton_control_key",
        "triton_inference_key",
    }


def test_a_setting_without_effect_on_a_replay_is_refused() -> None:
    for name in ("reconcile_every_s", "key_pattern", "backfill_after_s"):
        with pytest.raises(SettingsError, match="no effect"):
            parse_overrides([f"{name}=1"])


def test_a_secret_in_the_description_of_an_earlier_version_is_not_shown() -> None:
    plan = ReplayPlan(settings={"UNCIA_S3_SECRET_KEY": "hunter2", "UNCIA_BURST_GAP_S": "3"})
    assert "hunter2" not in plan.describe()
    assert "UNCIA_BURST_GAP_S=3" in plan.describe()


def test_saving_a_reason_needs_no_additional_disk_space() -> None:
    replay = Replay.create("trial", ReplayPlan(), {})
    replay.save()
    path = replay.folder / "reason"
    before = path.stat()
    replay.save_reason("the disk is full: é\n" * 1000)
    after = path.stat()
    assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)
    assert replay.reason.startswith("the disk is full: é")
    replay.save_reason("")
    assert replay.reason == ""
