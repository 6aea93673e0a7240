"""docs/settings.md is generated from the settings, and no secret is ever shown."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.paths import ROOT
from uncia.commands.settings import app
from uncia.reference import settings_page
from uncia.settings import Settings


def test_the_committed_page_is_current() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page.settings_page()


def test_every_setting_is_on_the_page_once() -> None:
    variables = [setting.variable for setting in settings_page.all_settings()]
    assert variables == [f"UNCIA_{name.upper()}" for name in Settings.model_fields]


@pytest.mark.parametrize("setting", settings_page.all_settings(), ids=lambda setting: setting.variable)
def test_every_setting_has_a_section_a_type_and_a_meaning(setting: settings_page.Setting) -> None:
    assert setting.section
    assert len(setting.section.split()) <= 3
    assert setting.kind
    assert setting.meaning


def test_sections_come_in_one_piece() -> None:
    sections = [setting.section for setting in settings_page.all_settings()]
    changes = [one for one, before in zip(sections, [None, *sections], strict=False) if one != before]
    assert len(changes) == len(set(changes))


def test_no_cell_breaks_its_table() -> None:
    rows = [line for line in settings_page.settings_page().splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}


def test_a_secret_is_not_shown() -> None:
    shown = settings_page.settings_in_force(
        Settings(_env_file=None, s3_access_key="ali-baba", s3_secret_key="open-sesame")
    )
    assert shown["UNCIA_S3_SECRET_KEY"] == "(set, not shown)"
    assert "open-sesame" not in json.dumps(shown)


def test_check_fails_and_writes_nothing_when_the_page_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["docs", "--folder", str(tmp_path), "--check"])
    assert result.exit_code == 1
    assert not list(tmp_path.iterdir())


def test_docs_writes_what_check_accepts(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["docs", "--folder", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(app, ["docs", "--folder", str(tmp_path), "--check"]).exit_code == 0
