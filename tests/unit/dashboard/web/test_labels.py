"""Flags and filters have names for people on pages; JSON and addresses keep their ids."""

import pytest

from tests.unit.dashboard.web.conftest import SignIn
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.labels import filter_label, filter_value, flag_name
from uncia.dashboard.web.pages.export import ExportQuery
from uncia.processors.bursts.lifecycle import CLOCK_JUMP, LATE, TWO_CAMERAS
from uncia.processors.bursts.verdict import MIXED_MODELS


@pytest.mark.parametrize("flag", [CLOCK_JUMP, LATE, TWO_CAMERAS, MIXED_MODELS, "favourite"])
def test_each_flag_has_a_name(flag: str) -> None:
    assert flag_name(flag) not in ("", f"flag.{flag}")
    assert "-" not in flag_name(flag)


def test_a_mark_of_a_persons_own_words_is_its_own_name() -> None:
    assert flag_name("look again") == filter_value("flag", "look again") == "look again"


@pytest.mark.parametrize("name", [*ExportQuery.model_fields, "interval", "measure", "days", "gap", "queue", "burst"])
def test_each_parameter_of_the_addresses_has_a_label(name: str) -> None:
    field = ExportQuery.model_fields.get(name)
    parameter = (field.alias if field is not None else None) or name
    assert filter_label(parameter) != parameter
    assert "_" not in filter_label(parameter)


def test_pages_show_the_name_of_a_flag_and_json_its_id(sign_in: SignIn) -> None:
    viewer = sign_in()
    burst = viewer.get("/browse.json?flag=clock-jump").json()["bursts"][0]
    assert viewer.get("/browse.json").json()["facets"]["flag"]["clock-jump"] > 0
    assert viewer.get(f"{burst['href']}.json").json()["flags"]["model"] == ["clock-jump"]
    page = viewer.get(burst["href"]).text
    assert '<span class="tag">clock jump</span>' in page
    assert "clock-jump" not in page
    form = viewer.get("/browse?flag=clock-jump&flag=none-has-this").text
    assert '<span class="name">clock jump</span>' in form
    assert 'value="clock-jump"' in form
    assert '<span class="name">none-has-this</span>' in form


@pytest.mark.parametrize("path", ["/export", "/numbers"])
def test_filters_are_listed_with_their_labels(sign_in: SignIn, path: str) -> None:
    query = BurstQuery(
        hours_from="18:00", category=("animal",), flag=("clock-jump",), called="-", confidence_min=0.5, reviewed="no"
    )
    page = sign_in().get(query.address(path)).text
    for text in (
        "After: 18:00",
        "Category: animal",
        "Flag or mark: clock jump",
        "Called: none named",
        "Least confidence: 0.5",
        "Review: not reviewed",
    ):
        assert text in page, text
