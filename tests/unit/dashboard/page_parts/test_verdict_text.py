"""Verdicts in words: a score is never printed as a probability."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dashboard.contact_sheet.test_contact_sheet import frame
from tests.unit.dashboard.watch.test_rows import burst
from uncia.dashboard.page_parts.verdict_text import (
    describe_burst,
    describe_evidence,
    describe_frame,
    describe_verdict,
    percent,
)
from uncia.dashboard.watch.rows import render_line
from uncia.events import BurstCategory, TaxonVerdict

CAT = TaxonVerdict(taxon="Felis catus", label="cat", group="animal", score=0.42, certain=False)
FELIDAE = TaxonVerdict(taxon="Felidae", label="Felidae", group="animal", rank="family", score=0.7, certain=True)
MAMMAL = TaxonVerdict(taxon="Mammalia", label="mammal", group="animal", rank="class", score=0.42, certain=False)
HAY = TaxonVerdict(taxon="", label="hay", group="nothing", score=0.87, certain=False)


@pytest.mark.parametrize(
    ("changes", "verdict", "evidence"),
    [
        (
            {"category": BurstCategory.ANIMAL, "animal_probability": 0.97, "count": 2, "verdict": FELIDAE},
            "animal, 2 seen, Felidae (family)",
            "animal 97 %, Felidae (score 0.70)",
        ),
        (
            {"category": BurstCategory.ANIMAL, "animal_probability": 0.97, "count": 1, "verdict": CAT},
            "animal, cat?",
            "animal 97 %, cat? (score 0.42)",
        ),
        (
            {
                "category": BurstCategory.ANIMAL,
                "verdict": FELIDAE.model_copy(update={"rank": "species", "label": "lynx", "confidence": 0.914}),
            },
            "animal, lynx",
            "lynx 91 %",
        ),
        ({"category": BurstCategory.ANIMAL, "verdict": HAY}, "animal", ""),
        ({"category": BurstCategory.BLANK, "animal_probability": 0.02, "verdict": HAY}, "blank 98 %", ""),
        ({"category": BurstCategory.BLANK, "verdict": None}, "blank", ""),
        ({"category": BurstCategory.PERSON, "verdict": CAT}, "person", ""),
        ({"category": BurstCategory.VEHICLE, "verdict": None}, "vehicle", ""),
        ({"verdict": CAT}, "cat?", "0.42"),
        ({"verdict": None}, "nothing could be read", ""),
    ],
)
def test_a_verdict_is_described_in_words(changes: dict[str, Any], verdict: str, evidence: str) -> None:
    assert (describe_verdict(burst(**changes)), describe_evidence(burst(**changes))) == (verdict, evidence)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"category": BurstCategory.ANIMAL, "animal_probability": 0.97, "count": 2, "verdict": FELIDAE},
            "animal 97 %, 2 seen, Felidae (family, score 0.70)",
        ),
        (
            {"category": BurstCategory.ANIMAL, "animal_probability": 0.999, "count": 1, "verdict": MAMMAL},
            "animal > 99 %, mammal? (taxonomic class, score 0.42)",
        ),
        (
            {
                "category": BurstCategory.ANIMAL,
                "verdict": FELIDAE.model_copy(update={"rank": "species", "label": "lynx", "confidence": 0.914}),
            },
            "animal, lynx 91 %",
        ),
        ({"category": BurstCategory.ANIMAL, "animal_probability": 0.8, "verdict": HAY}, "animal 80 %"),
        ({"category": BurstCategory.BLANK, "animal_probability": 0.02, "verdict": HAY}, "blank 98 %"),
        ({"category": BurstCategory.PERSON, "animal_probability": 0.9, "count": 2, "verdict": CAT}, "person, 2 seen"),
        ({"verdict": CAT}, "cat?  0.42"),
    ],
)
def test_a_line_describes_verdict_and_evidence_once(changes: dict[str, Any], words: str) -> None:
    assert describe_burst(burst(**changes)) == words


def test_the_line_of_a_blank_names_no_class() -> None:
    line = render_line(burst(category=BurstCategory.BLANK, animal_probability=0.02, verdict=HAY))
    assert "blank 98 %" in line
    assert "hay" not in line


@pytest.mark.parametrize(
    ("category", "probability", "words"),
    [
        (BurstCategory.ANIMAL, 0.97, "animal 97 %"),
        (BurstCategory.BLANK, 0.03, "blank 97 %"),
        (BurstCategory.PERSON, 0.9, "person"),
        (BurstCategory.ANIMAL, None, "animal"),
        (None, None, ""),
    ],
)
def test_a_frame_says_what_it_shows_by_itself(
    category: BurstCategory | None, probability: float | None, words: str
) -> None:
    shown = frame(0).model_copy(update={"category": category, "animal_probability": probability})
    assert describe_frame(shown) == words


@given(st.floats(0, 1))
def test_no_probability_is_printed_as_certain(probability: float) -> None:
    assert percent(probability) not in ("0 %", "100 %")


@given(st.floats(0, 1), st.booleans())
def test_an_uncalibrated_score_is_never_a_percentage(score: float, certain: bool) -> None:
    taxon = CAT.model_copy(update={"score": score, "certain": certain})
    found = burst(category=BurstCategory.ANIMAL, verdict=taxon)
    assert "%" not in describe_verdict(found) + describe_evidence(found) + describe_burst(found)
