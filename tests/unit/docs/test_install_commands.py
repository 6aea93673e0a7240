"""Pages and messages name installations that work: Uncia is on no package index."""

import re
import subprocess

from tests.paths import ROOT

_FROM_AN_INDEX = re.compile(r"(?:pip|pipx|uv)(?: tool)?(?: pip)? (?:install|add)\b[^\n`]*\s['\"]?uncia(?![\w./-])")


def test_nothing_is_said_to_be_installed_from_an_index_by_the_name_of_uncia() -> None:
    assert _FROM_AN_INDEX.search("pip install uncia")
    assert _FROM_AN_INDEX.search("pip install 'uncia[parquet]'")
    assert not _FROM_AN_INDEX.search("pip install uncia-0.1.0-py3-none-any.whl or uncia.tar.gz or '.[local]'")
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "*.py", "*.toml", "*.sh", "*.yml", "*.html", "*.j2", "Makefile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = [
        f"{name}: {match[0]}"
        for name in listed
        if name != "tests/unit/docs/test_install_commands.py" and (ROOT / name).is_file()
        for match in _FROM_AN_INDEX.finditer((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert len(listed) > 500
    assert found == []
