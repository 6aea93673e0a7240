"""`uncia sensitivity`: the levels, and mistakes in a table."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from uncia.commands.sensitivity import app
from uncia.errors import SettingsError


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).output


def test_the_table_of_the_package_is_listed() -> None:
    assert "Panthera uncia" in run("list")
    assert '"extreme"' in run("list", "Panthera uncia", "--json")


def test_a_taxon_that_is_not_listed_has_no_level() -> None:
    assert '"none"' in run("list", "Capra sibirica", "--json")


def test_a_mistake_names_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "taxa.csv"
    file.write_text("taxon,sensitivity\nCapra,highest\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="line 2, column 2"):
        run("check", str(file))


def test_a_name_that_the_taxonomy_does_not_have_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "taxa.csv"
    file.write_text("taxon,sensitivity\nCapra,high\nNosuchia,low\n", encoding="utf-8")
    output = run("check", str(file))
    assert "note: Nosuchia" in output
    assert "2 taxa, no mistake" in output
