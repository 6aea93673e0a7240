"""Look-alikes in Chromium: select all, leave one out, accept, undo, by mouse and by keyboard."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Open, Site
from tests.browser.test_browse_and_review import events
from uncia.dashboard.web.accounts.roles import Role
from uncia.events import ReviewDecision


def test_look_alikes_are_accepted_at_one_glance_but_for_the_one_left_out_and_taken_back_together(
    site: Site, open_page: Open
) -> None:
    page = open_page("/browse?taxon=Capra+sibirica&reviewed=no", Role.REVIEWER)
    page.get_by_role("link", name="Sort look-alikes").click()
    expect(page).to_have_url(re.compile(r"/alike\?taxon=Capra\+sibirica&reviewed=no$"))
    tiles = page.locator(".tile:visible")
    shown = tiles.count()
    assert shown > 5
    alike = page.locator("[data-group=alike] .tile")
    chosen = alike.count() - 1
    page.get_by_label(re.compile("^Select all look-alikes")).check()
    alike.nth(1).locator(".picture").click()
    left_out = alike.nth(1).get_attribute("data-burst")
    button = page.locator("#accept")
    expect(button).to_have_text(re.compile(f"Accept {chosen} as ibex"))
    button.click()
    expect(page.locator("#notice")).to_have_text(f"{chosen} accepted")
    expect(tiles).to_have_count(shown - chosen)
    accepted = events(site, chosen)
    assert {event.decision for event in accepted} == {ReviewDecision.CONFIRM}
    assert len({event.burst_id for event in accepted}) == chosen
    assert left_out not in {event.burst_id for event in accepted}
    page.keyboard.press("z")
    expect(page.locator("#notice")).to_have_text(f"{chosen} taken back")
    expect(tiles).to_have_count(shown)
    undone = events(site, 2 * chosen)[chosen:]
    assert {event.supersedes for event in undone} == {event.review_id for event in accepted}
    # As before the decision, selection included.
    expect(button).to_have_text(re.compile(f"Accept {chosen} as ibex"))


def test_the_selected_are_called_by_a_species_key_of_the_reviewer_and_taken_back_together(
    site: Site, open_page: Open
) -> None:
    page = open_page("/review", Role.REVIEWER)
    expect(page.locator("#work")).to_be_visible()
    page.locator("summary", has_text="Assign a key").click()
    page.locator("#assign [name=taxon]").fill("ibex")
    page.locator("#assign [name=key]").fill("i")
    page.locator("#assign button").click()
    expect(page.locator("#species")).to_contain_text("ibex")
    page.goto(f"{site.address}/alike?taxon=Ovis")
    tiles = page.locator(".tile:visible")
    shown = tiles.count()
    ibex = page.get_by_role("button", name=re.compile("^ibex"))
    expect(ibex).to_be_disabled()
    boxes = page.locator("[data-group=alike] [data-select]")
    for at in range(2):
        boxes.nth(at).check()
    ibex.click()
    expect(page.locator("#notice")).to_have_text("2 saved as ibex")
    expect(tiles).to_have_count(shown - 2)
    found = events(site, 2)
    assert {(event.decision, event.observations[0].taxon) for event in found} == {
        (ReviewDecision.CORRECT, "Capra sibirica")
    }
    page.keyboard.press("z")
    expect(page.locator("#notice")).to_have_text("2 taken back")
    expect(tiles).to_have_count(shown)
    undone = events(site, 4)[2:]
    assert {event.supersedes for event in undone} == {event.review_id for event in found}
    # They are selected again. The letter alone selects or does nothing; with Shift it decides.
    page.keyboard.press("i")
    page.keyboard.press("Shift+I")
    expect(page.locator("#notice")).to_have_text("2 saved as ibex")
    assert {event.decision for event in events(site, 6)[4:]} == {ReviewDecision.CORRECT}


def test_the_keyboard_alone_suffices(site: Site, open_page: Open) -> None:
    page = open_page("/alike?category=animal", Role.REVIEWER, size=PHONE, dark=True)
    boxes = page.locator("[data-group=alike] [data-select]")
    page.keyboard.press("a")
    expect(page.locator("#select-all")).to_be_checked()
    page.keyboard.press("a")
    expect(page.locator("#accept")).to_be_disabled()
    boxes.first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#select-all")).to_have_js_property("indeterminate", True)
    page.keyboard.press("ArrowDown")
    expect(boxes.nth(1)).not_to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("2 accepted")
    assert len(events(site, 2)) == 2
