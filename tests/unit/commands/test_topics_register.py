"""`uncia topics register` with a registry over HTTP; `tests/recipes/test_schema_registry.py` has a real one."""

import base64
import json
from collections.abc import Iterator

import jsonschema
import pytest
from typer.testing import CliRunner

from tests.paths import EVENT_SAMPLES
from tests.registry_server import Registry, registry_server
from uncia.commands.topics import app
from uncia.errors import DependencyDown, SettingsError
from uncia.topics import TOPICS

SUBJECTS = [f"{topic.name}-value" for topic in TOPICS if topic.event is not None]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with registry_server() as registry:
        monkeypatch.setenv("UNCIA_SCHEMA_REGISTRY", registry.address)
        yield registry


def run(*arguments: str, status: int = 0) -> list[str]:
    result = CliRunner().invoke(app, ["register", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output.splitlines()


def test_every_topic_with_events_is_a_subject_whose_schema_its_samples_match(registry: Registry) -> None:
    run()
    assert list(registry.subjects) == SUBJECTS
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    for subject, (schema,) in registry.subjects.items():
        validator = jsonschema.Draft7Validator(json.loads(schema), format_checker=checker)
        samples = list(EVENT_SAMPLES.glob(f"{subject.removesuffix('-value')}*.json"))
        assert samples or subject == "camera.image.backfilled.v1-value"
        for sample in samples:
            validator.validate(json.loads(sample.read_text(encoding="utf-8")))


def test_topics_of_a_namespace_are_subjects_of_it(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_NAMESPACE", "east")
    run()
    assert list(registry.subjects) == [f"east.{subject}" for subject in SUBJECTS]


def test_a_registered_schema_is_left_as_it_is(registry: Registry) -> None:
    assert {line.split()[0] for line in run()} == {"registered"}
    changes = list(registry.changes)
    assert {line.split()[0] for line in run()} == {"present"}
    assert registry.changes == changes


def test_the_level_is_set_before_the_schema_is_registered(registry: Registry) -> None:
    run()
    assert registry.levels == dict.fromkeys(SUBJECTS, "FORWARD")
    assert registry.changes[:2] == [f"level {SUBJECTS[0]}", f"schema {SUBJECTS[0]}"]


def test_the_level_of_the_registry_can_be_kept(registry: Registry) -> None:
    run("--compatibility", "keep")
    assert registry.levels == {}
    assert list(registry.subjects) == SUBJECTS


def test_check_changes_nothing_and_reports_what_is_missing(registry: Registry) -> None:
    assert run("--check", status=1) == [f"missing     {subject}" for subject in SUBJECTS]
    assert registry.changes == []
    run()
    run("--check")


def test_a_refused_schema_is_named_and_the_others_are_registered(registry: Registry) -> None:
    registry.incompatible.add("camera.burst.resolved.v1-value")
    refused = [line for line in run(status=1) if not line.startswith("registered")]
    (line,) = refused
    assert line.startswith("refused     camera.burst.resolved.v1-value")
    assert "PROPERTY_REMOVED" in line
    assert set(registry.subjects) == set(SUBJECTS) - registry.incompatible


def test_json_has_versions_and_ids(registry: Registry) -> None:
    results = json.loads("\n".join(run("--json")))
    assert [result["subject"] for result in results] == SUBJECTS
    # The two topics of uploads have the same schema, and a registry gives a schema one id.
    assert len({result["id"] for result in results}) == len(SUBJECTS) - 1
    assert {result["version"] for result in results} == {1}


def test_the_url_on_the_command_line_precedes_the_setting(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_SCHEMA_REGISTRY", "http://127.0.0.1:1")
    run(registry.address)
    assert list(registry.subjects) == SUBJECTS


def test_a_key_is_sent_and_a_refused_one_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.authorization = "Basic " + base64.b64encode("reader:früh".encode()).decode()
    with pytest.raises(SettingsError, match="UNCIA_SCHEMA_REGISTRY_USERNAME"):
        run()
    monkeypatch.setenv("UNCIA_SCHEMA_REGISTRY_USERNAME", "reader")
    with pytest.raises(SettingsError, match="set both"):
        run()
    monkeypatch.setenv("UNCIA_SCHEMA_REGISTRY_PASSWORD", "früh")
    run()
    registry.authorization = "Bearer t0k3n"
    monkeypatch.setenv("UNCIA_SCHEMA_REGISTRY_TOKEN", "t0k3n")
    with pytest.raises(SettingsError, match="exclude each other"):
        run()
    monkeypatch.delenv("UNCIA_SCHEMA_REGISTRY_USERNAME")
    monkeypatch.delenv("UNCIA_SCHEMA_REGISTRY_PASSWORD")
    run("--check")


def test_what_is_no_registry_is_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no schema registry with Confluent's API"):
        run(f"{registry.address}/somewhere")
    with pytest.raises(DependencyDown, match="cannot be reached"):
        run("http://127.0.0.1:1")
    for wrong in ("registry:8081", "http://reader:secret@127.0.0.1:1"):
        with pytest.raises(SettingsError, match="UNCIA_SCHEMA_REGISTRY: not the URL") as raised:
            run(wrong)
        assert "secret" not in str(raised.value)
    monkeypatch.delenv("UNCIA_SCHEMA_REGISTRY")
    with pytest.raises(SettingsError, match="set UNCIA_SCHEMA_REGISTRY"):
        run()
