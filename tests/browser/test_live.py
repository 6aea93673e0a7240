"""The live page in Chromium: verdicts change in place, and nothing is missed over a restart."""

import io
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Open, Site
from tests.unit.dashboard.catalogue.catalogue_data import ProjectEvents
from uncia.dashboard.web.accounts.roles import Role
from uncia.events import (
    BurstCategory,
    BurstResolved,
    BurstStatus,
    ImagePredicted,
    ObservationReviewed,
    ReviewDecision,
    TaxonVerdict,
)
from uncia.infra.demo.screenshot import MAX_BYTES, compressed, photograph_live_page

NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)

LEOPARD = TaxonVerdict(
    taxon="Panthera uncia", label="snow leopard", group="animal", rank="species", score=0.9, certain=True, focus=True
)


def new_burst(name: str = "bst-new", revision: int = 1, **changes: object) -> BurstResolved:
    """A burst that has just been revised."""
    found = next(event for event in ProjectEvents(40, seed=9) if isinstance(event, BurstResolved) and event.frames)
    now = datetime.now(UTC) + timedelta(seconds=revision)
    frames = tuple(frame.model_copy(update={"predicted_at": now}) for frame in found.frames)
    return found.model_copy(
        update={
            "burst_id": name,
            "revision": revision,
            "status": BurstStatus.PROVISIONAL,
            "category": BurstCategory.BLANK,
            "animal_probability": 0.3,
            "verdict": None,
            "taxa": (),
            "count": None,
            "closed_by": None,
            "closed_at": None,
            "started_at": NOW,
            "ended_at": NOW,
            "frames": frames,
            **changes,
        }
    )


def test_a_verdict_appears_and_changes_in_place(site: Site, open_page: Open) -> None:
    page = open_page("/")
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")
    site.fold(new_burst())
    hero, card = page.locator("#hero"), page.locator("#burst-bst-new")
    expect(hero).to_have_attribute("data-burst", "bst-new")
    expect(hero.locator(".tag").first).to_have_text("provisional")
    site.fold(
        new_burst(revision=2, status=BurstStatus.FINAL, category=BurstCategory.ANIMAL, verdict=LEOPARD, taxa=(LEOPARD,))
    )
    expect(hero.locator(".verdict")).to_have_text("snow leopard")
    expect(hero.locator("[data-was]")).to_have_text("was: blank")
    expect(card.locator(".tag").first).to_have_text("final")
    assert page.locator("#burst-bst-new").count() == 1
    site.fold(
        new_burst(
            revision=3, status=BurstStatus.REVISED, category=BurstCategory.ANIMAL, verdict=LEOPARD, taxa=(LEOPARD,)
        )
    )
    expect(card.locator(".tag").first).to_have_text("revised")


def test_what_happens_while_the_server_is_down_is_shown_when_it_is_back(site: Site, open_page: Open) -> None:
    page = open_page("/")
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")
    site.server.stop()
    expect(page.locator("#link-state")).to_have_attribute("data-state", "reconnecting")
    site.fold(new_burst("bst-meanwhile"))
    site.server.start()
    expect(page.locator("#burst-bst-meanwhile")).to_be_visible(timeout=40_000)
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")


def test_a_burst_that_was_chosen_stays_until_the_newest_is_followed_again(site: Site, open_page: Open) -> None:
    page = open_page("/")
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")
    chosen = page.locator("#feed [data-burst]").nth(3)
    burst = chosen.get_attribute("data-burst")
    chosen.locator(".cover").click()
    expect(page.locator("#hero")).to_have_attribute("data-burst", burst or "")
    site.fold(new_burst())
    expect(page.locator("#burst-bst-new")).to_be_visible()
    expect(page.locator("#hero")).to_have_attribute("data-burst", burst or "")
    # The address holds what is chosen.
    expect(page).to_have_url(f"{site.address}/?burst={burst}")
    page.reload()
    expect(page.locator("#hero")).to_have_attribute("data-burst", burst or "")
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")
    site.fold(new_burst("bst-newer"))
    expect(page.locator("#burst-bst-newer")).to_be_visible()
    expect(page.locator("#hero")).to_have_attribute("data-burst", burst or "")
    page.locator("#follow").click()
    expect(page.locator("#hero")).to_have_attribute("data-burst", "bst-newer")
    expect(page).to_have_url(f"{site.address}/")


def order_of_feed(page: Page) -> list[str]:
    """When the listed bursts began, from the first card to the last."""
    started: list[str] = page.locator("#feed [data-burst]").evaluate_all("all => all.map((one) => one.dataset.started)")
    return started


def test_a_review_of_an_old_burst_and_a_card_that_comes_late_do_not_become_the_newest(
    site: Site, open_page: Open
) -> None:
    page = open_page("/")
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")
    hero, cards = page.locator("#hero"), page.locator("#feed [data-burst]")
    newest = hero.get_attribute("data-burst") or ""
    listed = site.services.catalogue.bursts(limit=30).rows
    expect(cards).to_have_count(24)
    assert newest == listed[0].burst_id
    # Between two that are listed; older than all that are listed; of a clock that is years ahead.
    between = listed[5].started_at + (listed[4].started_at - listed[5].started_at) / 2
    site.fold(new_burst("bst-between", started_at=between, ended_at=between))
    site.fold(new_burst("bst-old", started_at=datetime(2020, 1, 1), ended_at=datetime(2020, 1, 1)))
    site.fold(new_burst("bst-ahead", started_at=datetime(2199, 1, 1), ended_at=datetime(2199, 1, 1)))
    for old in (listed[7], listed[29]):
        site.fold(
            ObservationReviewed(
                review_id=f"rev-{old.burst_id}",
                burst_id=old.burst_id,
                station=old.station,
                camera=old.camera,
                reviewer="aigul",
                decision=ReviewDecision.BLANK,
                reviewed_at=datetime.now(UTC),
            )
        )
    # The changes arrive in order: when the last one is on the page, all others were processed.
    site.fold(new_burst("bst-last", started_at=between, ended_at=between))
    expect(page.locator("#burst-bst-last")).to_be_visible()
    expect(page.locator(f"#burst-{listed[7].burst_id} .verdict")).to_have_text("blank")
    expect(hero).to_have_attribute("data-burst", newest)
    expect(page.locator("#burst-bst-old")).to_have_count(0)
    expect(page.locator("#burst-bst-ahead")).to_have_count(0)
    expect(page.locator(f"#burst-{listed[29].burst_id}")).to_have_count(0)
    order = order_of_feed(page)
    assert order == sorted(order, reverse=True)
    assert len(order) == 26
    page.reload()
    expect(hero).to_have_attribute("data-burst", newest)
    expect(page.locator("#burst-bst-ahead")).to_have_count(0)
    site.fold(new_burst())
    expect(hero).to_have_attribute("data-burst", "bst-new")
    expect(cards.first).to_have_attribute("data-burst", "bst-new")


def test_a_viewer_of_one_station_gets_no_change_of_another(site: Site, open_page: Open) -> None:
    page = open_page("/", stations=["ridge"])
    expect(page.locator("#link-state")).to_have_attribute("data-state", "connected")
    site.fold(new_burst("bst-secret", station="pass", camera="pass/cam-1"))
    site.fold(new_burst("bst-own", station="ridge", camera="ridge/cam-1"))
    expect(page.locator("#burst-bst-own")).to_be_visible()
    assert page.locator("#burst-bst-secret").count() == 0
    assert "pass/cam-1" not in page.content()


def test_the_state_of_the_pipeline_and_rejected_files_are_shown(open_page: Open) -> None:
    page = open_page("/")
    expect(page.locator("#pipeline")).to_contain_text("predict")
    expect(page.locator("#pipeline")).to_contain_text("image-truncated")


def test_the_page_fits_a_phone(open_page: Open) -> None:
    page = open_page("/", size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]


def test_the_readmes_picture_is_taken_when_the_page_shows_the_demos_last_revisions(
    site: Site, browser: Browser
) -> None:
    account = site.services.accounts.create("ranger", None, Role.REVIEWER)
    cookie = site.services.accounts.start_session(account.id)
    shown = {frame.image_id for frame in new_burst().frames}
    for event in ProjectEvents(40, seed=9):
        if isinstance(event, ImagePredicted) and event.image_id in shown:
            site.fold(event)
    site.fold(new_burst(revision=1))
    animal: dict[str, Any] = {"category": BurstCategory.ANIMAL, "verdict": LEOPARD, "taxa": (LEOPARD,)}
    folded = threading.Timer(1, site.fold, [new_burst(revision=2, **animal)])
    folded.start()
    taken = photograph_live_page(browser, site.address, cookie, {"bst-new": 2})
    folded.join()
    assert Image.open(io.BytesIO(taken)).size == (1280, 1000)
    assert len(compressed(taken)) < MAX_BYTES
