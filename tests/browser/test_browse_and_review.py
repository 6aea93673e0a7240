"""Browse and Review in Chromium: filters in the address, decisions by the keyboard."""

import re
from dataclasses import replace
from urllib.parse import quote

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.browser.conftest import (
    PHONE,
    WIDE,
    FoldingPublisher,
    Open,
    Site,
    decisions_by_burst,
    serious_faults,
    wait_for_script,
)
from tests.unit.dashboard.catalogue.catalogue_data import Log, revised_burst
from tests.unit.dashboard.hostile_events import NAMES, hostile_events
from tests.unit.dashboard.web.alert_data import alert_of
from tests.unit.dashboard.web.operations_data import stand_ins
from tests.unit.dashboard.web.test_alert_rules import RULES, Rules
from tests.waiting import wait_until
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.dashboard.web.accounts.roles import Role
from uncia.events import ObservationReviewed, ReviewDecision
from uncia.settings import Settings


def events(site: Site, count: int) -> list[ObservationReviewed]:
    publisher = site.services.publisher
    assert isinstance(publisher, FoldingPublisher)
    return publisher.wait_for(count)


def test_filters_are_in_the_address_and_survive_a_reload_and_the_back_button(open_page: Open) -> None:
    page = open_page("/browse")
    page.get_by_label(re.compile("^blank")).check()
    expect(page).to_have_url(re.compile(r"/browse\?category=blank$"))
    expect(page.locator("article .verdict").first).to_have_text("blank")
    page.locator("#f-from").fill("20:00")
    page.locator("#f-from").press("Tab")
    expect(page).to_have_url(re.compile(r"category=blank&from=20%3A00"))
    number = page.locator(".results h1 small").inner_text()
    page.reload()
    expect(page.locator(".results h1 small")).to_have_text(number)
    expect(page.get_by_label(re.compile("^blank"))).to_be_checked()
    expect(page.locator("#f-from")).to_have_value("20:00")
    page.go_back()
    expect(page).to_have_url(re.compile(r"/browse\?category=blank$"))
    expect(page.locator("#f-from")).to_have_value("")


def test_the_filter_by_reviewer_survives_another_filter_and_can_be_taken_off(site: Site, open_page: Open) -> None:
    page = open_page("/browse?reviewer=aigul")
    chip = page.get_by_label("Reviewed by: aigul")
    expect(chip).to_be_checked()
    page.locator("#f-category-animal").check()
    expect(page).to_have_url(re.compile(r"category=animal&.*reviewer=aigul$"))
    number = int(page.locator(".results h1 small").inner_text().split()[0])
    listed = site.services.catalogue.bursts(BurstFilter(categories=("animal",)), limit=200).rows
    assert number == sum(one.reviewer == "aigul" for one in listed)
    assert 0 < number < len(listed)
    chip.uncheck()
    expect(page).to_have_url(re.compile(r"/browse\?category=animal$"))
    expect(page.locator(".results h1 small")).to_have_text(f"{len(listed)} bursts")


def test_a_range_with_its_number_sets_the_filter_and_takes_it_off(open_page: Open) -> None:
    page = open_page("/browse?category=animal")
    everything = page.locator(".results h1 small").inner_text()
    night = page.get_by_role("link", name=re.compile("^00:00–06:00"))
    expect(night).to_be_visible()
    number = night.locator(".number").inner_text()
    night.click()
    expect(page).to_have_url(re.compile(r"/browse\?category=animal&from=00%3A00&to=06%3A00$"))
    expect(page.locator(".results h1 small")).to_have_text(f"{number} bursts")
    expect(page.locator("#f-from")).to_have_value("00:00")
    expect(night).to_have_attribute("aria-current", "true")
    night.click()
    expect(page).to_have_url(re.compile(r"/browse\?category=animal$"))
    expect(page.locator(".results h1 small")).to_have_text(everything)


def test_the_list_goes_on_while_one_scrolls(open_page: Open) -> None:
    page = open_page("/browse")
    expect(page.locator("article.burst")).to_have_count(48)
    page.locator(".more").scroll_into_view_if_needed()
    expect(page.locator("article.burst")).to_have_count(96)
    ids = page.locator("article.burst").evaluate_all("all => all.map((one) => one.id)")
    assert len(set(ids)) == 96


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_no_card_moves_on_the_screen_when_the_next_part_is_loaded(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page("/browse", Role.REVIEWER, size=size)
    held: list[Route] = []
    page.route("**/browse?after=*", lambda route: held.append(route))
    cards = page.locator("article.burst")
    with page.expect_request("**/browse?after=*"):
        page.locator(".more").scroll_into_view_if_needed()
    places = """() => [scrollY, ...[...document.querySelectorAll("article.burst")].slice(0, 48)
        .map((card) => [card.id, card.getBoundingClientRect().x, card.getBoundingClientRect().y])]"""
    before = page.evaluate(places)
    assert before[0] > 0
    expect(cards).to_have_count(48)
    held[0].continue_()
    expect(cards).to_have_count(96)
    wait_for_script(page, "[...document.images].filter((one) => one.loading != 'lazy').every((one) => one.complete)")
    assert page.evaluate(places) == before


def test_several_bursts_are_accepted_at_once_and_undone(site: Site, open_page: Open) -> None:
    page = open_page("/browse?category=animal&reviewed=no", Role.REVIEWER)
    boxes = page.locator("[data-select]")
    for at in range(3):
        boxes.nth(at).check()
    expect(page.locator("#bulk-count")).to_have_text("3 selected")
    page.locator('[data-bulk="confirm"]').click()
    expect(page.locator("#notice")).to_have_text("3 decided")
    expect(page.locator("article.decided")).to_have_count(3)
    assert [event.decision for event in events(site, 3)] == [ReviewDecision.CONFIRM] * 3
    page.locator('[data-bulk="undo"]').click()
    expect(page.locator("article.decided")).to_have_count(0)
    assert [event.decision for event in events(site, 6)[3:]] == [ReviewDecision.UNDO] * 3


def burst_on_stage(page: Page) -> str:
    expect(page.locator("#work")).to_be_visible()
    return page.locator("[data-review]").get_attribute("data-burst") or ""


def test_one_key_accepts_and_goes_on_and_undo_brings_the_burst_back(site: Site, open_page: Open) -> None:
    page = open_page("/review?category=animal", Role.REVIEWER)
    first = burst_on_stage(page)
    page.keyboard.press("Enter")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", first)
    second = burst_on_stage(page)
    page.keyboard.press("p")
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("#pending")).to_have_text("to be saved: person × 12")
    page.keyboard.press("Enter")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", second)
    third = burst_on_stage(page)
    page.keyboard.press("0")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", third)
    page.keyboard.press("z")
    expect(page.locator("[data-review]")).to_have_attribute("data-burst", third)
    expect(page.locator("#notice")).to_have_text("Undone")
    page.keyboard.press("y")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", third)
    expect(page.locator('[data-do="redo"]')).to_be_disabled()
    found = events(site, 5)
    assert decisions_by_burst(found) == {
        first: [ReviewDecision.CONFIRM],
        second: [ReviewDecision.CORRECT],
        third: [ReviewDecision.BLANK, ReviewDecision.UNDO, ReviewDecision.BLANK],
    }
    (seen,) = next(event.observations for event in found if event.burst_id == second)
    assert (seen.category.value, seen.count) == ("person", 12)
    blank, undo, _ = (event for event in found if event.burst_id == third)
    assert undo.supersedes == blank.review_id


def test_a_verdict_that_changed_after_it_was_fetched_comes_again_and_is_not_confirmed(
    site: Site, open_page: Open
) -> None:
    page = open_page("/review?taxon=Capra+sibirica", Role.REVIEWER)
    burst = burst_on_stage(page)
    expect(page.locator("#verdict")).to_contain_text("ibex")
    site.fold(revised_burst(burst))
    with page.expect_response(lambda response: f'"first":"{burst}"' in (response.request.post_data or "")):
        page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("It has a newer revision than the one on the screen.")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", burst)
    expect(page.locator('[data-do="undo"]')).to_be_disabled()

    # It is fetched anew, and comes next, or after one more where the page still reads the answer.
    def skip() -> bool:
        page.keyboard.press("s")
        return burst_on_stage(page) == burst

    wait_until(skip, 5)
    expect(page.locator("#verdict")).to_contain_text("snow leopard")
    page.keyboard.press("Enter")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", burst)
    (event,) = events(site, 1)
    assert (event.burst_id, event.observations[0].taxon) == (burst, "Panthera uncia")


def test_the_address_of_the_review_holds_the_burst_on_the_stage(site: Site, open_page: Open) -> None:
    page = open_page("/review?category=animal&queue=newest", Role.REVIEWER)
    first = burst_on_stage(page)
    page.keyboard.press("s")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", first)
    second = burst_on_stage(page)
    expect(page).to_have_url(f"{site.address}/review?category=animal&queue=newest&burst={second}")
    page.reload()
    expect(page.locator("[data-review]")).to_have_attribute("data-burst", second)
    # A colleague who opens the address meanwhile gets a notice and another burst.
    other = open_page(f"/review?category=animal&queue=newest&burst={second}", Role.REVIEWER)
    expect(other.locator("#notice")).to_have_text("Another reviewer is looking at this burst.")
    assert burst_on_stage(other) != second
    page.goto(f"{site.address}/review?category=vehicle&since=2100-01-01")
    expect(page.locator("#empty")).to_be_visible()
    expect(page).to_have_url(f"{site.address}/review?category=vehicle&since=2100-01-01")


def test_a_decision_that_is_made_again_is_sent_after_its_undo(site: Site, open_page: Open) -> None:
    page = open_page("/review?category=animal", Role.REVIEWER)
    burst = burst_on_stage(page)
    held: list[Route] = []

    def hold_the_undo(route: Route) -> None:
        if '"undo"' in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/review/decisions.json", hold_the_undo)
    page.keyboard.press("0")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", burst)
    with page.expect_request(lambda request: '"undo"' in (request.post_data or "")):
        page.keyboard.press("z")
        page.keyboard.press("y")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", burst)
    with page.expect_response(lambda response: '"blank"' in (response.request.post_data or "")):
        held[0].continue_()
    assert [event.decision for event in events(site, 3)] == [
        ReviewDecision.BLANK,
        ReviewDecision.UNDO,
        ReviewDecision.BLANK,
    ]


def test_a_box_is_drawn_and_saved_with_the_decision(site: Site, open_page: Open) -> None:
    page = open_page("/review?category=animal", Role.REVIEWER)
    burst_on_stage(page)
    wait_for_script(page, "document.querySelector('#stage img')?.complete")
    area = page.locator("#stage .picture").bounding_box()
    assert area is not None
    page.keyboard.press("n")
    page.mouse.move(area["x"] + area["width"] * 0.25, area["y"] + area["height"] * 0.25)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + area["height"] * 0.75, steps=4)
    page.mouse.up()
    expect(page.locator("#stage rect.drawn")).to_have_count(1)
    page.keyboard.press("Enter")
    (event,) = events(site, 1)
    drawn = event.observations[0].boxes[-1].box
    assert drawn == pytest.approx((0.25, 0.25, 0.25, 0.5), abs=0.02)


def test_a_favourite_is_marked_and_unmarked_during_the_review_by_button_and_by_key(site: Site, open_page: Open) -> None:
    page = open_page("/review?category=animal", Role.REVIEWER, size=PHONE)
    burst = burst_on_stage(page)
    button = page.get_by_role("button", name="Favourite")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("g")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("g")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("s")
    expect(page.locator("[data-review]")).not_to_have_attribute("data-burst", burst)
    # The mark is of that burst alone.
    expect(button).to_have_attribute("aria-pressed", "false")
    assert [event.marks for event in events(site, 3)] == [("favourite",), (), ("favourite",)]
    assert {event.decision for event in events(site, 3)} == {ReviewDecision.MARK}


def test_a_key_is_assigned_to_a_species_and_used(site: Site, open_page: Open) -> None:
    page = open_page("/review", Role.REVIEWER)
    burst_on_stage(page)
    page.locator("summary", has_text="Assign a key").click()
    page.locator("#assign [name=taxon]").fill("ibex")
    page.locator("#assign [name=key]").fill("i")
    page.locator("#assign button").click()
    expect(page.locator("#species")).to_contain_text("ibex")
    page.locator("#stage").focus()
    page.keyboard.press("Shift+I")
    (event,) = events(site, 1)
    assert event.observations[0].taxon == "Capra sibirica"


def test_the_next_picture_is_there_at_once(open_page: Open) -> None:
    page = open_page("/review", Role.REVIEWER)
    burst_on_stage(page)
    page.wait_for_load_state("networkidle")
    took = page.evaluate(
        """async () => {
            const before = document.querySelector("[data-review]").dataset.burst;
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
            await Promise.resolve();
            await new Promise(requestAnimationFrame);
            const img = document.querySelector("#stage img");
            const after = document.querySelector("[data-review]").dataset.burst;
            return [after !== before, img.complete && img.naturalWidth > 0];
        }"""
    )
    # Without waiting for the server: the burst and its picture were fetched ahead.
    assert took == [True, True]


def test_a_picture_that_is_gone_says_so_on_the_page(site: Site, open_page: Open) -> None:
    page = open_page("/browse?category=animal")
    image = page.locator("article img").first.get_attribute("src") or ""
    site.services.pictures.gone.add(image.split("/")[2])  # type: ignore[attr-defined]
    # Pictures are cached by the browser for an hour: another context has none.
    other = open_page("/browse?category=animal", Role.VIEWER)
    expect(other.locator("article .reason").first).to_have_text("no longer stored")


def test_a_picture_that_failed_before_the_scripts_ran_says_so_too(site: Site, open_page: Open) -> None:
    page = open_page("/browse?category=animal")
    image = page.locator("article img").first.get_attribute("src") or ""
    site.services.pictures.gone.add(image.split("/")[2])  # type: ignore[attr-defined]
    other = open_page("/browse?category=animal", Role.VIEWER)
    script = str(other.locator('script[src*="site."]').evaluate("script => script.src"))
    other.route("**/site.*", lambda route: route.abort())
    other.reload()
    wait_for_script(other, "(img => img.complete && !img.naturalWidth)(document.querySelector('article img'))")
    expect(other.locator("article .reason")).to_have_count(0)
    other.unroute("**/site.*")
    other.add_script_tag(url=script, type="module")
    expect(other.locator("article .reason").first).to_have_text("no longer stored")


def test_a_list_is_exported_with_its_filters(open_page: Open) -> None:
    page = open_page("/browse?category=animal&from=18:00", Role.VIEWER)
    page.get_by_role("link", name="Export").click()
    expect(page.locator(".tags")).to_contain_text("Category: animal")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as MegaDetector").click()
    assert re.fullmatch(r"uncia-megadetector-\d{4}-\d\d-\d\d\.json", download.value.suggested_filename)
    assert "category=animal" in download.value.url


PAGES = (
    *("/", "/alerts", "alert", "/alerts/rules", "/browse", "/alike", "/review", "/numbers", "/health", "/operations"),
    *("/account", "/accounts", "/sign-in", "burst", "/export?category=animal", "/browse?flag=favourite&reviewer=aigul"),
    *("/operations/dead-letters/0:17", "/operations/replays/trial", "link", "password link", "/link/used", "/nothing"),
)


def address_of(site: Site, page: str) -> str:
    """The address of one of `PAGES`; those without a slash are named after what they show."""
    accounts = site.services.accounts
    if page == "burst":
        return f"/bursts/{site.services.catalogue.bursts(limit=1).rows[0].burst_id}"
    if page == "/alerts/rules":
        path = site.services.first_link_file.with_name("rules.yaml")
        path.write_text(RULES + "    severety: critical\n")
        site.services.operations.rules = Rules(Settings(_env_file=None, alert_rules=path))
    if page == "alert":
        alert = alert_of(site.services.catalogue.bursts(limit=1).rows[0])
        site.fold(alert)
        return f"/alerts/{alert.alert_id}"
    if page == "link":
        return f"/link/{accounts.create_link(role=Role.VIEWER)}"
    if page == "password link":
        return f"/link/{accounts.create_link(account_id=accounts.create('aigul', None, Role.VIEWER).id)}"
    return page


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("look", ["wide light", "phone dark"])
def test_axe_finds_no_serious_fault_and_the_page_fits(site: Site, open_page: Open, path: str, look: str) -> None:
    size = PHONE if "phone" in look else WIDE
    site.services.operations = stand_ins()
    page = open_page(address_of(site, path), size=size, dark="dark" in look, bypass_csp=True)
    page.wait_for_load_state("load")
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_hostile_names_are_shown_and_run_nothing(site: Site, open_page: Open, name: str) -> None:
    store, log = CatalogueStore(site.engine), Log()
    records = [replace(log.append(event), generation=1) for event in hostile_events(name)]
    store.set_partitions({place: PartitionState("hostile", 1, 0) for place in log.partitions()})
    store.apply(records)
    page = open_page("/bursts/bst-hostile")
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    for path in ("/bursts/bst-hostile", "/", "/browse", "/review?burst=bst-hostile", "/numbers", "/health"):
        page.goto(site.address + path)
        page.wait_for_load_state("load")
        assert page.locator("x-evil, [data-evil]").count() == 0, path
    page.goto(f"{site.address}/browse?camera={quote(f'{name}/{name}', safe='')}")
    expect(page.locator("article.burst")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDE[0]
    assert dialogs == []
