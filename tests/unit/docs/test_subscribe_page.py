"""The programs on the page "Subscribe in ten lines" are those in `examples/`, which the tests of the stack run."""

import re

import pytest

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "subscribe.md").read_text(encoding="utf-8")
PROGRAMS = {
    "subscriber.py": "python",
    "subscriber-js/subscriber.mjs": "javascript",
    "subscriber-java/Subscriber.java": "java",
    "subscriber-kcat.sh": "bash",
    "dashboard_events.py": "python",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_page_shows_the_program_as_it_is(name: str) -> None:
    program = (ROOT / "examples" / name).read_text(encoding="utf-8")
    assert f"```{PROGRAMS[name]}\n{program}```" in PAGE


def test_the_page_shows_no_other_program() -> None:
    assert len(re.findall(r"^```\w+$", PAGE, re.MULTILINE)) == len(PROGRAMS)
