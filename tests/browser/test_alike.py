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
