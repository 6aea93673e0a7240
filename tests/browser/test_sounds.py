"""Sounds in Chromium: list, one call, playback, and the keyboard."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, WIDE, Open, Site, serious_faults, wait_for_script
from tests.unit.dashboard.web.sound_site import MemoryStore, fold_sounds
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.file_cache import FileCache
from uncia.dashboard.web.pictures import PictureService
from uncia.dashboard.web.recordings import RecordingService
from uncia.events import SoundHeard

SIZES = pytest.mark.parametrize("size", [WIDE, PHONE])


@pytest.fixture
def store(site: Site, tmp_path: Path) -> MemoryStore:
    memory = MemoryStore()
    cache = FileCache(tmp_path / "thumbnails", max_bytes=1)
    site.services.pictures = PictureService(memory, cache, max_bytes=1_000_000, max_pixels=1_000_000)
    site.services.recordings = RecordingService(memory)
    return memory


@pytest.fixture
def heard(site: Site, store: MemoryStore) -> list[SoundHeard]:
    """Three wolves and a voice at the ridge, a dog at the pass."""
    return fold_sounds(site.engine, store)


@SIZES
def test_from_the_list_to_a_call_that_plays(open_page: Open, heard: list[SoundHeard], size: tuple[int, int]) -> None:
    page = open_page("/", Role.REVIEWER, size=size)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Sounds").click()
    rows = page.locator(".sounds tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.nth(1)).to_contain_text("human")
    expect(rows.nth(1)).to_contain_text("voice heard")
    page.locator(f"#sound-{heard[0].call_id} .verdict").click()
    expect(page.locator("h1")).to_have_text("wolf 91 %")
    wait_for_script(page, "document.querySelector('figure img').naturalWidth === 384")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    player = page.get_by_label("Player of this call")
    expect(player).to_be_visible()
    player.evaluate("(audio) => { audio.muted = true; return audio.play(); }")
    wait_for_script(page, "Math.abs(document.querySelector('audio').duration - 4.5) < 0.01")
    player.evaluate("(audio) => { audio.currentTime = 4; }")
    wait_for_script(page, "document.querySelector('audio').ended")
    assert page.evaluate("document.querySelector('audio').error") is None


def test_the_list_is_limited_and_cleared(open_page: Open, heard: list[SoundHeard]) -> None:
    page = open_page("/sounds", Role.VIEWER)
    page.get_by_label("Taxon").select_option("dog")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".sounds tbody tr")).to_have_count(1)
    expect(page.locator("h1")).to_have_text("Sounds 1 call")
    expect(page.get_by_label("Taxon")).to_have_value("dog")
    page.get_by_role("link", name="Clear all filters").click()
    expect(page.locator(".sounds tbody tr")).to_have_count(5)


def test_a_call_is_reached_and_played_by_the_keyboard(open_page: Open, heard: list[SoundHeard]) -> None:
    page = open_page("/sounds", Role.REVIEWER)
    page.locator(".scroll").focus()
    page.keyboard.press("Tab")
    expect(page.locator(f"#sound-{heard[-1].call_id} .verdict")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("dog")
    page.get_by_role("link", name="All calls").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Player of this call")).to_be_focused()
    page.keyboard.press("Space")
    wait_for_script(page, "document.querySelector('audio').currentTime > 0")


def test_the_call_before_and_after_are_one_step_away(open_page: Open, heard: list[SoundHeard]) -> None:
    page = open_page(f"/sounds/{heard[1].call_id}", Role.VIEWER)
    expect(page.locator("h1")).to_have_text("wolf? score 0.42")
    page.get_by_role("link", name="Call after").click()
    expect(page).to_have_url(f"{page.url.partition('/sounds')[0]}/sounds/{heard[2].call_id}")
    page.get_by_role("link", name="Call before").click()
    expect(page.locator("h1")).to_have_text("wolf? score 0.42")


def test_a_viewer_gets_no_player(open_page: Open, heard: list[SoundHeard]) -> None:
    page = open_page(f"/sounds/{heard[0].call_id}", Role.VIEWER)
    expect(page.get_by_text("reviewers and admins can listen")).to_be_visible()
    expect(page.locator("audio")).to_have_count(0)


def test_a_recording_that_is_gone_is_replaced_by_the_reason(
    open_page: Open, heard: list[SoundHeard], store: MemoryStore
) -> None:
    store.objects.clear()
    page = open_page(f"/sounds/{heard[0].call_id}", Role.REVIEWER)
    page.get_by_label("Player of this call").evaluate("(audio) => audio.play().catch(() => {})")
    expect(page.get_by_role("alert")).to_have_text("The recording is no longer stored.")
    expect(page.locator("audio")).to_be_hidden()


def test_without_recordings_the_page_says_what_to_do(open_page: Open) -> None:
    page = open_page("/sounds", Role.VIEWER, size=PHONE)
    expect(page.locator(".empty")).to_contain_text("UNCIA_LISTEN=true")


@pytest.mark.parametrize("dark", [False, True])
@SIZES
def test_axe_finds_no_serious_fault(
    open_page: Open, heard: list[SoundHeard], size: tuple[int, int], dark: bool
) -> None:
    page = open_page("/sounds", Role.REVIEWER, size=size, dark=dark, bypass_csp=True)
    assert serious_faults(page) == []
    page.goto(f"{page.url}/{heard[0].call_id}")
    assert serious_faults(page) == []
