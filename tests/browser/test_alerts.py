"""Alerts in Chromium: they arrive without a reload, are acknowledged and muted, and are withdrawn in place."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Open, Site
from tests.unit.dashboard.web.alert_data import alert_of, silence_of
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.web.accounts.roles import Role
from uncia.events import AlertAction, AlertHandled, AlertState


def animal(site: Site, number: int = 0) -> BurstRow:
    return site.services.catalogue.bursts(BurstFilter(categories=("animal",))).rows[number]


def handled(site: Site) -> list[AlertHandled]:
    return [event for event in site.services.publisher.events if isinstance(event, AlertHandled)]  # type: ignore[attr-defined]


def test_an_alert_arrives_on_the_live_page_and_is_withdrawn_in_place(site: Site, open_page: Open) -> None:
    page = open_page("/", Role.VIEWER)
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")
    badge = page.locator("[data-open-alerts]")
    expect(badge).to_be_hidden()
    alert = alert_of(animal(site))
    site.fold(alert)
    expect(badge).to_have_text("1")
    expect(page.locator(".banner")).to_contain_text(alert.summary)
    expect(page.locator("#notice")).to_contain_text("New alert")
    page.get_by_role("link", name="1 open alert").click()
    row = page.locator(f"#alert-{alert.alert_id}")
    expect(row).to_contain_text("critical")
    site.fold(alert_of(animal(site), revision=2, state=AlertState.WITHDRAWN))
    expect(row).to_have_class(re.compile("withdrawn"))
    expect(badge).to_be_hidden()


def test_a_ranger_acknowledges_with_a_note_by_the_keyboard_and_takes_it_back(site: Site, open_page: Open) -> None:
    alert = alert_of(animal(site))
    site.fold(alert)
    other = open_page("/alerts", Role.VIEWER)
    page = open_page(f"/alerts/{alert.alert_id}", Role.RANGER, size=PHONE)
    page.locator("#note").focus()
    page.keyboard.type("I ride up tomorrow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("Acknowledged.")
    expect(other.locator(f"#alert-{alert.alert_id}")).to_contain_text("acknowledged by ranger")
    expect(other.locator("[data-open-alerts]")).to_be_hidden()
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("open again")
    expect(other.locator("[data-open-alerts]")).to_have_text("1")
    assert [event.action for event in handled(site)] == [AlertAction.ACKNOWLEDGED, AlertAction.UNACKNOWLEDGED]
    assert handled(site)[0].note == "I ride up tomorrow"


def test_the_second_of_two_people_is_told_of_the_first(site: Site, open_page: Open) -> None:
    alert = alert_of(animal(site))
    site.fold(alert)
    second = open_page(f"/alerts/{alert.alert_id}", Role.REVIEWER)
    second.locator("#note").fill("mine")
    first = open_page(f"/alerts/{alert.alert_id}", Role.RANGER)
    first.get_by_role("button", name="Acknowledge").click()
    expect(first.get_by_role("status").first).to_have_text("Acknowledged.")
    # The note that is being written stays, and the page of the second says who was first.
    expect(second.locator('[data-live-part="facts"]')).to_contain_text("acknowledged by ranger")
    expect(second.locator("#note")).to_have_value("mine")
    second.get_by_role("button", name="Acknowledge").click()
    expect(second.get_by_role("alert")).to_contain_text("has acknowledged this alert meanwhile")
    assert len(handled(site)) == 1


def test_a_mute_holds_an_alert_back_until_it_is_ended(site: Site, open_page: Open) -> None:
    alert = alert_of(animal(site))
    site.fold(alert)
    page = open_page(f"/alerts/{alert.alert_id}", Role.OPERATOR)
    page.locator("#mute-what").select_option("rule")
    page.get_by_role("button", name="Mute", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("Muted.")
    expect(page.locator("[data-open-alerts]")).to_be_hidden()
    expect(page.locator("h1 + .tags")).to_contain_text("muted until")
    page.get_by_role("button", name="End the mute").click()
    expect(page.get_by_role("status").first).to_contain_text("has ended")
    expect(page.locator("[data-open-alerts]")).to_have_text("1")


def test_a_viewer_sees_no_form(site: Site, open_page: Open) -> None:
    alert = alert_of(animal(site))
    site.fold(alert)
    page = open_page(f"/alerts/{alert.alert_id}", Role.VIEWER)
    expect(page.get_by_role("heading", level=1)).to_contain_text(alert.camera)
    assert page.locator("main form").count() == 0


def test_the_address_holds_the_filters(site: Site, open_page: Open) -> None:
    site.fold(alert_of(animal(site)))
    site.fold(silence_of("ridge/north"))
    page = open_page("/alerts")
    everything = page.locator(".alert").count()
    page.get_by_label("info").check()
    expect(page).to_have_url(re.compile(r"/alerts\?severity=info$"))
    expect(page.locator(".alert")).to_have_count(1)
    page.go_back()
    expect(page.locator(".alert")).to_have_count(everything)
    silent = page.locator(".alert.severity-info a.verdict")
    silent.click()
    expect(page.locator("main")).to_contain_text("has no bursts")


@pytest.mark.parametrize("path", ["/alerts", "alert"])
def test_it_fits_a_phone(site: Site, open_page: Open, path: str) -> None:
    alert = alert_of(animal(site))
    site.fold(alert)
    page = open_page(path if path.startswith("/") else f"/alerts/{alert.alert_id}", size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
