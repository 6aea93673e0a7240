"""`make docs` builds without warnings, and the site loads nothing from another host."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.paths import ROOT

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class _Resources(HTMLParser):
    """Collects the addresses of everything that a browser loads with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address:
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    foreign = {}
    for page in site.rglob("*.html"):
        parser = _Resources()
        parser.feed(page.read_text(encoding="utf-8"))
        if addresses := [address for address in parser.addresses if re.match(r"(?:[a-z]+:)?//", address)]:
            foreign[page.name] = addresses
    assert not foreign


def test_no_style_sheet_imports_from_another_host(site: Path) -> None:
    sheets = {sheet.name: sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css")}
    assert sheets
    assert not [name for name, text in sheets.items() if re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", text)]


def test_the_reference_documents_the_kernel(site: Path) -> None:
    assert "create_topics" in (site / "api" / "kafka.html").read_text(encoding="utf-8")
    assert "ImagePredicted" in (site / "api" / "events.html").read_text(encoding="utf-8")
