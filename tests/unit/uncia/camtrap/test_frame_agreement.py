"""Frames disagree by their categories and by the taxa of which they are confident."""

import pytest

from tests.agents.workers import RESOLVED
from uncia.camtrap.frame_agreement import shown_categories, taxa_contradict
from uncia.events import BurstCategory, BurstFrame, ClassScore, Rejection

ANIMAL, BLANK, PERSON = BurstCategory.ANIMAL, BurstCategory.BLANK, BurstCategory.PERSON
REJECTION = Rejection(reason="image-empty", message="")


def frame(
    taxon: str = "",
    score: float = 0.9,
    category: BurstCategory | None = ANIMAL,
    group: str = "animal",
    rejection: Rejection | None = None,
) -> BurstFrame:
    top = ClassScore(index=0, label=taxon or "web site", taxon=taxon, group=group, score=score)
    changes = {"top": top, "category": category, "rejection": rejection}
    shown: BurstFrame = RESOLVED.frames[0].model_copy(update=changes)
    return shown


def test_categories_are_those_of_readable_frames() -> None:
    frames = [frame(), frame(category=BLANK), frame(category=None), frame(category=PERSON, rejection=REJECTION)]
    assert shown_categories(frames) == {ANIMAL, BLANK}


@pytest.mark.parametrize("others", [frame("Ovis ammon"), frame("Aves", category=None)])
def test_two_confident_taxa_contradict_each_other(others: BurstFrame) -> None:
    assert taxa_contradict([frame("Panthera uncia"), frame("Panthera uncia"), others])


@pytest.mark.parametrize(
    "other",
    [
        frame("Panthera uncia"),
        frame("Felidae"),
        frame("Ovis ammon", 0.49),
        frame("Ovis ammon", category=BLANK),
        frame("Homo sapiens", category=PERSON),
        frame("Ovis ammon", rejection=REJECTION),
        frame("Ovis ammon", group="nothing"),
        frame(""),
    ],
)
def test_these_do_not(other: BurstFrame) -> None:
    assert not taxa_contradict([frame("Panthera uncia"), other])
    assert not taxa_contradict([])
