"""Individuals in Chromium: a whole decision by the keyboard, with the matched points drawn, its undo and its redo."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, FoldingPublisher, Open, Site, serious_faults
from tests.unit.dashboard.catalogue.individual_data import candidate_of, created, crop_event, crop_of, sighted
from tests.unit.dashboard.web.conftest import FakePictures
from tests.unit.processors.identify.builders import coat
from tests.waiting import wait_until
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.web.accounts.roles import Role
from uncia.events import AnimalSide, IndividualDecided, IndividualDecision

SHIFT = 40
"""Pixels by which the query shows the coat of F01 further to the left."""
POINTS = [(x, y, x + SHIFT, y) for x, y in ((60, 80), (150, 60), (240, 200), (330, 120), (400, 290), (110, 260))]


class Coats(FakePictures):
    """Crops with the coats of two animals."""

    def __init__(self, seeds: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self._coats = {key: coat(seed, shift=shift) for key, (seed, shift) in seeds.items()}

    def crop(self, bucket: str, key: str, sha256: str | None) -> bytes:
        return self._coats[key]


@pytest.fixture
def bursts(site: Site) -> list[BurstRow]:
    """F01 and F02 are known from the first two bursts; the third shows F01, the fourth nobody known."""
    rows = list(site.services.catalogue.bursts(BurstFilter(categories=("animal",)), limit=4).rows)
    f1, f2 = created(rows[0], "F01"), created(rows[1], "F02", AnimalSide.RIGHT)
    crops = [crop_of(row) for row in rows]
    seeds = ((1, 0), (2, 0), (1, SHIFT), (3, 0))
    site.services.pictures = Coats({crop.key: seed for crop, seed in zip(crops, seeds, strict=True)})
    for row, crop in zip(rows, crops, strict=True):
        site.fold(crop_event(row, crop))
    first = (candidate_of(f1, crops[2], 0.55, POINTS), candidate_of(f2, crops[2], 0.3))
    second = (candidate_of(f2, crops[3], 0.1),)
    for event in (f1, f2, sighted(rows[2], *first), sighted(rows[3], *second, new_score=0.9)):
        site.fold(event)
    return rows


@pytest.fixture
def page(open_page: Open, bursts: list[BurstRow]) -> Iterator[Page]:
    opened = open_page("/individuals/review", Role.REVIEWER)
    shows(opened, bursts[2])
    yield opened


def shows(page: Page, burst: BurstRow) -> None:
    expect(page.locator("[data-match]")).to_have_attribute("data-burst", burst.burst_id)


def decisions(site: Site, count: int) -> list[tuple[str, str | None]]:
    """Decision and individual of each event, as soon as there are `count`."""
    publisher = site.services.publisher
    assert isinstance(publisher, FoldingPublisher)

    def found() -> list[IndividualDecided]:
        return [event for event in publisher.events if isinstance(event, IndividualDecided)]

    wait_until(lambda: len(found()) >= count, 20, "the decisions")
    return [(event.decision.value, event.individual_id) for event in found()]


def shown_bursts(site: Site, individual: str) -> set[str]:
    return {one.burst_id for one in site.services.individuals.state().individuals[individual].sightings}


def test_a_whole_decision_is_made_undone_and_made_again_by_the_keyboard(
    site: Site, page: Page, bursts: list[BurstRow]
) -> None:
    burst = bursts[2].burst_id
    page.keyboard.press("l")
    page.keyboard.press("s")
    shows(page, bursts[3])
    assert decisions(site, 1) == [("same", "ind-f01")]
    assert burst in shown_bursts(site, "ind-f01")
    page.keyboard.press("z")
    shows(page, bursts[2])
    assert decisions(site, 2)[1:] == [("undo", None)]
    assert burst not in shown_bursts(site, "ind-f01")
    page.keyboard.press("y")
    shows(page, bursts[3])
    assert decisions(site, 3)[2:] == [("same", "ind-f01")]
    assert burst in shown_bursts(site, "ind-f01")
    page.goto(f"{site.address}/individuals/ind-f01")
    expect(page.locator(f"#sighting-{burst}")).to_contain_text(bursts[2].camera)


def test_who_is_different_makes_room_for_the_next_candidate_and_an_undo_brings_it_back(
    site: Site, page: Page, bursts: list[BurstRow]
) -> None:
    page.keyboard.press("d")
    expect(page.locator("[data-match]")).to_have_attribute("data-candidate", "ind-f02")
    page.keyboard.press("d")
    expect(page.locator("#note")).to_contain_text("No known individual is left")
    page.keyboard.press("z")
    expect(page.locator("[data-match]")).to_have_attribute("data-candidate", "ind-f02")
    page.keyboard.press("z")
    expect(page.locator("[data-match]")).to_have_attribute("data-candidate", "ind-f01")
    assert sorted(decisions(site, 4)) == [
        ("different", "ind-f01"),
        ("different", "ind-f02"),
        ("undo", None),
        ("undo", None),
    ]
    wait_until(lambda: not site.services.individuals.state().different, 20, "both undos")


def test_a_new_individual_gets_its_code_and_the_last_burst_ends_the_queue(
    site: Site, page: Page, bursts: list[BurstRow]
) -> None:
    page.keyboard.press("u")
    shows(page, bursts[3])
    page.locator('#names [name="code"]').fill("M03")
    page.keyboard.press("Enter")
    expect(page.locator("#empty")).to_be_visible()
    assert [decision for decision, _ in decisions(site, 2)] == [
        IndividualDecision.UNSURE.value,
        IndividualDecision.NEW.value,
    ]
    page.goto(f"{site.address}/individuals")
    expect(page.get_by_role("link", name="M03")).to_be_visible()


def ends_of_lines(page: Page) -> list[list[float]]:
    """The ends of each line, in pixels of the two pictures as they are stored."""
    found: list[list[float]] = page.evaluate(
        """() => {
          const around = document.getElementById("pair").getBoundingClientRect();
          const place = (id) => {
            const img = document.querySelector(`#${id} img`), box = img.getBoundingClientRect();
            const scale = Math.min(box.width / img.naturalWidth, box.height / img.naturalHeight);
            return [box.left + (box.width - img.naturalWidth * scale) / 2 - around.left,
                    box.top + (box.height - img.naturalHeight * scale) / 2 - around.top, scale];
          };
          const [qx, qy, qs] = place("query"), [rx, ry, rs] = place("reference");
          const at = (line, name) => Number(line.getAttribute(name));
          return [...document.querySelectorAll("#matches line")].map((line) => [
            (at(line, "x1") - qx) / qs, (at(line, "y1") - qy) / qs,
            (at(line, "x2") - rx) / rs, (at(line, "y2") - ry) / rs]);
        }"""
    )
    return found


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_lines_join_the_points_that_match(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    expect(page.locator("#matches line")).to_have_count(len(POINTS))

    def joined() -> bool:
        drawn = sorted(tuple(round(value) for value in ends) for ends in ends_of_lines(page))
        return drawn == sorted(POINTS)

    wait_until(joined, 10, "lines between the points")
    page.keyboard.press("p")
    expect(page.locator("#matches")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("path", ["/individuals/review", "/individuals", "/individuals/ind-f01"])
@pytest.mark.parametrize("look", ["wide light", "phone dark"])
def test_axe_finds_no_serious_fault_and_the_page_fits(
    open_page: Open, bursts: list[BurstRow], path: str, look: str
) -> None:
    size = PHONE if "phone" in look else WIDE
    page = open_page(path, size=size, dark="dark" in look, bypass_csp=True)
    expect(page.locator("main img").first).to_be_visible()
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
