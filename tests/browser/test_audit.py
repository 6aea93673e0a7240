"""Audit in Chromium: rates by month and camera, and reviews that hide the verdict."""

import re
from datetime import date

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, WIDE, FoldingPublisher, Open, Site, decisions_by_burst
from tests.unit.dashboard.catalogue.catalogue_data import newest_burst
from tests.unit.dashboard.verdict_audit.test_queries import animal, review
from tests.unit.dashboard.web.test_audit import drift_of
from tests.waiting import wait_until
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.verdict_audit.sample import AuditSample
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.pages import audit
from uncia.events import ReviewDecision


@pytest.fixture(autouse=True)
def _audited(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the blanks and most confident animals are sampled, and twelve blanks of the sample are reviewed."""
    monkeypatch.setattr(audit, "first_month", lambda *_: date(2026, 1, 1))
    site.services.verdict_audit.sample = AuditSample("1", 0.8, 0.8, 0.9)
    blanks = site.services.verdict_audit.queue(BurstFilter(categories=("blank",)), 12)
    for number, burst in enumerate(blanks):
        decision, seen = (ReviewDecision.CORRECT, (animal(),)) if number < 2 else (ReviewDecision.BLANK, ())
        site.fold(review(newest_burst(burst), decision, *seen))
    site.fold(drift_of("ridge/cam-1"))


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_page_shows_rates_with_intervals_and_drifted_cameras(
    open_page: Open, site: Site, size: tuple[int, int]
) -> None:
    page = open_page("/audit", Role.VIEWER, size=size)
    error = site.services.verdict_audit.rates().total.blank.error
    assert error is not None
    sums = page.locator("#months tbody tr").last
    expect(sums).to_contain_text(f"{100 * error.value:.1f} %")
    expect(sums).to_contain_text(f"{100 * error.low:.1f} to {100 * error.high:.1f} %")
    expect(page.locator("#cameras tbody tr").first).to_contain_text("too few reviews")
    expect(page.locator("#drift")).to_contain_text("ridge/cam-1: scores have drifted <since> yesterday")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_one_camera_is_a_click_away(open_page: Open) -> None:
    page = open_page("/audit", Role.VIEWER)
    camera = page.locator("#cameras tbody a").first.inner_text()
    page.locator("#cameras tbody a").first.click()
    expect(page.locator("#months h2")).to_have_text(f"By month: {camera}")
    expect(page.locator("select[name=camera]")).to_have_value(camera)
    expect(page.locator("#cameras")).to_have_count(0)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_sample_is_reviewed_without_the_verdict(open_page: Open, site: Site, size: tuple[int, int]) -> None:
    queue = site.services.verdict_audit.queue(BurstFilter(), 3)
    publisher = site.services.publisher
    assert isinstance(publisher, FoldingPublisher)
    page = open_page("/audit", Role.REVIEWER, size=size)
    page.get_by_role("link", name="Review the sample").click()
    expect(page.locator("#verdict")).to_have_text("What do you see?")
    expect(page.locator("#evidence")).to_have_text("The verdict of the models is hidden.")
    expect(page.locator("#stage .box")).to_have_count(0)
    expect(page.locator("#suggestions button")).to_have_text(
        [re.compile(name) for name in ("animal", "person", "vehicle")]
    )
    page.keyboard.press("Enter")
    expect(page.locator("[data-review]")).to_have_attribute("data-burst", queue[0])
    page.locator("#suggestions button").first.click()
    page.keyboard.press("Enter")
    expect(page.locator("[data-review]")).to_have_attribute("data-burst", queue[1])
    page.keyboard.press("0")
    expect(page.locator("[data-review]")).to_have_attribute("data-burst", queue[2])
    assert decisions_by_burst(publisher.wait_for(2)) == {
        queue[0]: [ReviewDecision.CORRECT],
        queue[1]: [ReviewDecision.BLANK],
    }
    wait_until(lambda: site.services.verdict_audit.queue(BurstFilter(), 1) == [queue[2]], 5)
