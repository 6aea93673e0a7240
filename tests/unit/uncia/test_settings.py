"""Settings: read once, checked at the start, and a wrong one is named."""

from pathlib import Path

import pytest

from uncia.errors import SettingsError
from uncia.settings import Settings, read_settings, stack_dir


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from the environment of the test run."""
    for field in Settings.model_fields:
        monkeypatch.delenv(f"UNCIA_{field.upper()}", raising=False)
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    monkeypatch.delenv("UNCIA_SECRETS_DIR", raising=False)


def test_the_environment_wins_over_the_stacks_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stack.env").write_text("UNCIA_KAFKA=file:1\nUNCIA_BUCKET=of-the-file\n", encoding="utf-8")
    monkeypatch.setenv("UNCIA_KAFKA", "environment:2")
    assert read_settings().kafka == "environment:2"
    assert read_settings().bucket == "of-the-file"


def test_a_file_in_the_folder_of_secrets_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "UNCIA_TRITON_INFERENCE_KEY").write_text("of-a-file\n", encoding="utf-8")
    (tmp_path / "UNCIA_BUCKET").write_text("of-a-file", encoding="utf-8")
    monkeypatch.setenv("UNCIA_SECRETS_DIR", str(tmp_path))
    key = read_settings().triton_inference_key
    assert key is not None and key.get_secret_value() == "of-a-file"
    assert read_settings().bucket == "of-a-file"


def test_the_environment_wins_over_the_folder_of_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "UNCIA_BUCKET").write_text("of-a-file", encoding="utf-8")
    monkeypatch.setenv("UNCIA_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("UNCIA_BUCKET", "of-the-environment")
    assert read_settings().bucket == "of-the-environment"


def test_a_folder_of_secrets_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNCIA_SECRETS_DIR", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match=r"UNCIA_SECRETS_DIR=.*missing is not a folder"):
        read_settings()


def test_an_unset_variable_has_its_default() -> None:
    assert read_settings() == Settings(_env_file=None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("UNCIA_PARTITIONS", "none"),
        ("UNCIA_PARTITIONS", "0"),
        ("UNCIA_NAMESPACE", "Not Allowed"),
        ("UNCIA_ENSEMBLE_RULE", "median"),
        ("UNCIA_STATION_FOCUS_TAXA", '{"ridge": 7}'),
        ("UNCIA_WEB_PORT", "70000"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        read_settings()


def test_all_wrong_values_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_PARTITIONS", "0")
    monkeypatch.setenv("UNCIA_BURST_GAP_S", "-1")
    with pytest.raises(SettingsError, match=r"UNCIA_PARTITIONS.*UNCIA_BURST_GAP_S"):
        read_settings()


@pytest.mark.parametrize(("pattern", "what"), [("(", "not a regular expression"), ("(?P<station>.*)", "named groups")])
def test_a_key_pattern_that_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch, pattern: str, what: str) -> None:
    monkeypatch.setenv("UNCIA_KEY_PATTERN", pattern)
    with pytest.raises(SettingsError, match=what):
        read_settings()


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_FOCUS_TAXA", "Panthera uncia, Ursus arctos,")
    assert read_settings().focus_taxa == ("Panthera uncia", "Ursus arctos")


def test_a_station_may_have_other_focus_taxa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_STATION_FOCUS_TAXA", '{"ridge": ["Ursus arctos"]}')
    assert read_settings().focus_taxa_of("ridge") == ("Ursus arctos",)
    assert read_settings().focus_taxa_of("valley") == ("Panthera uncia",)


def test_the_secret_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_S3_ACCESS_KEY", "ali-baba")
    monkeypatch.setenv("UNCIA_S3_SECRET_KEY", "open-sesame")
    assert "open-sesame" not in repr(read_settings()) + str(read_settings())


def test_the_stack_folder_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNCIA_STACK_DIR")
    assert stack_dir() == Path(".local/stack")


@pytest.mark.parametrize(
    ("given", "missing"),
    [("UNCIA_S3_ACCESS_KEY", "UNCIA_S3_SECRET_KEY"), ("UNCIA_S3_SECRET_KEY", "UNCIA_S3_ACCESS_KEY")],
)
@pytest.mark.parametrize("other", [None, "", " "])
def test_half_of_a_pair_of_keys_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, given: str, missing: str, other: str | None
) -> None:
    monkeypatch.setenv(given, "hunter2")
    if other is not None:
        monkeypatch.setenv(missing, other)
    with pytest.raises(SettingsError, match=f"{given} is set without {missing}") as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)
    assert "UNCIA_:" not in str(caught.value)


def test_empty_keys_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNCIA_S3_ACCESS_KEY", "UNCIA_S3_SECRET_KEY", "UNCIA_S3_ENDPOINT"):
        monkeypatch.setenv(name, "")
    found = read_settings()
    assert (found.s3_access_key, found.s3_secret_key, found.s3_endpoint) == (None, None, None)


@pytest.mark.parametrize("address", ["store:8333", "//store", "http://", "ftp://store", "http://store:port"])
def test_what_is_no_address_of_a_store_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("UNCIA_S3_ENDPOINT", address)
    with pytest.raises(SettingsError, match=r"UNCIA_S3_ENDPOINT.*http://host:port"):
        read_settings()


def test_what_should_be_json_and_is_none_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_STATION_FOCUS_TAXA", "ridge: Ursus arctos")
    with pytest.raises(SettingsError, match="UNCIA_STATION_FOCUS_TAXA"):
        read_settings()


def test_a_file_of_settings_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "stack.env").write_bytes(b"\xff\xfe\x00UNCIA")
    with pytest.raises(SettingsError, match=r"stack\.env"):
        read_settings()
