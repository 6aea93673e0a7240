"""The texts of the pages are all in the modules of strings, so that they can be translated."""

import ast
import re
from enum import StrEnum
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment

from tests.unit.dashboard.web.conftest import SignIn
from uncia.camtrap.public_view import Withheld
from uncia.dashboard.web import templating
from uncia.dashboard.web.strings import TEXT
from uncia.events import AlertCause, BurstCategory, BurstStatus

TEMPLATES = sorted((Path(templating.__file__).parent / "templates").glob("*.j2"))
WEB = Path(templating.__file__).parent
SHOWN = {"alt", "aria-label", "aria-description", "data-confirm", "placeholder", "title", "label"}
"""Attributes that people see or hear."""
ALLOWED = {"UTC", "PNG", "CSV", "p50", "p95", "p99"}
"""Units, formats and percentiles, which are the same in every language."""
SENTENCE = re.compile(r"[a-z]+ [a-z]+ [a-z]+")


class Words(HTMLParser):
    """Collects the words of a page outside of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        for name, value in attrs:
            if name in SHOWN:
                self._add(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._add(data)

    def _add(self, text: str) -> None:
        self.found += [word for word in re.findall(r"[A-Za-z][A-Za-z0-9]+", text) if word not in ALLOWED]


def literal_words(source: str) -> list[str]:
    """The words of a template that are neither in an expression nor in a statement of Jinja."""
    literal, inside = [], False
    for _, token, value in Environment().lex(source):
        if token in ("variable_begin", "variable_end"):
            inside = token == "variable_begin"
            # A value, so that `="{{ … }}"` stays an attribute, and words around it stay apart.
            literal.append("·" if inside else "")
        elif token == "data" and not inside:
            literal.append(value)
    words = Words()
    words.feed("".join(literal))
    words.close()
    return words.found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    assert literal_words(path.read_text(encoding="utf-8")) == []


def test_words_in_texts_and_attributes_are_found_and_those_of_scripts_are_not() -> None:
    source = """{# Not this. #}<p title="Two {{ n }} words">{% if left %}Here{% endif %} {{ "not this" }} 5 °C UTC</p>
    <script>const not_this = 1;</script><input name="neither" placeholder="Name"><br class="nor this">"""
    assert literal_words(source) == ["Two", "words", "Here", "Name"]


def sentences_raised(path: Path) -> list[str]:
    """Sentences in the errors and responses that a module makes itself."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        raised = node.exc if isinstance(node, ast.Raise) else node if isinstance(node, ast.Call) else None
        if not isinstance(raised, ast.Call):
            continue
        name = raised.func.id if isinstance(raised.func, ast.Name) else ""
        if isinstance(node, ast.Raise) or name.endswith("Response") or name == "json_error":
            constants = (
                part.value for value in raised.args for part in ast.walk(value) if isinstance(part, ast.Constant)
            )
            found += [text for text in constants if isinstance(text, str) and SENTENCE.search(text)]
    return found


MODULES = [path for path in sorted(WEB.rglob("*.py")) if path.name not in ("map_plot.py", "server.py", "tables.py")]
"""Without the errors of programmers, and those of the start of the server, which people read in the terminal."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_refuses_nothing_in_words_of_its_own(path: Path) -> None:
    assert sentences_raised(path) == []


@pytest.mark.parametrize(
    ("path", "parameter", "label"),
    [
        ("/export?confidence_min=2", "confidence_min", "Least confidence"),
        ("/export/csv?box_score=7", "box_score", "Least score of boxes"),
        ("/numbers?interval=-1", "interval", "Independent after"),
        ("/numbers?measure=weight", "measure", "Circles show"),
        ("/browse?from=25:00", "from", "After"),
    ],
)
def test_an_error_names_the_field_as_its_form_does_and_for_programs_as_the_address_does(
    sign_in: SignIn, path: str, parameter: str, label: str
) -> None:
    viewer = sign_in()
    page = viewer.get(path, headers={"accept": "text/html"})
    answer = viewer.get(path, headers={"accept": "application/json"})
    assert (page.status_code, answer.status_code) == (422, 422)
    assert f'role="alert">{label}: ' in page.text
    assert answer.json()["detail"].startswith(f"{parameter}")
    assert label in TEXT.values()


VALUES: dict[str, type[StrEnum]] = {
    "alert.cause": AlertCause,
    "public.withheld": Withheld,
    "category": BurstCategory,
    "status": BurstStatus,
}
"""Texts of which there must be one for each value that an event can have: a page with another would fail."""


@pytest.mark.parametrize("name", VALUES)
def test_each_value_has_a_text(name: str) -> None:
    assert {f"{name}.{value}" for value in VALUES[name]} <= set(TEXT)
