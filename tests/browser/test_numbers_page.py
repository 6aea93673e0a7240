"""Numbers and Health in Chromium: the map, downloads of plots as PNG, cells that open their bursts."""

import io
import re
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Open
from uncia.dashboard.web.accounts.roles import Role


def test_the_map_shows_each_place_with_a_scale_and_degrees_and_opens_its_bursts(open_page: Open) -> None:
    page = open_page("/numbers?station=ridge&measure=bursts", Role.OPERATOR)
    expect(page.locator("#map .leaflet-control-scale-line")).to_contain_text("m")
    expect(page.locator("#map .degrees").first).to_contain_text("°")
    expect(page.locator("#plot-map")).to_be_hidden()
    names = page.locator("#map .leaflet-tooltip")
    expect(names).to_have_count(2)
    expect(names.first).to_contain_text("ridge/cam-1:")
    page.locator("#map path.leaflet-interactive").first.click()
    expect(page).to_have_url(re.compile(r"/browse\?station=ridge&camera=ridge%2Fcam-1"))


def test_the_circles_of_the_map_are_links_for_the_keyboard(open_page: Open) -> None:
    page = open_page("/numbers?station=ridge&measure=bursts", Role.OPERATOR, size=PHONE)
    circles = page.locator("#map").get_by_role("link", name=re.compile(r"^ridge.cam-\d: \d+"))
    expect(circles).to_have_count(2)
    page.locator("#map").focus()
    page.keyboard.press("Tab")
    expect(circles.first).to_be_focused()
    assert circles.first.evaluate("(one) => getComputedStyle(one).strokeWidth") == "5px"
    page.keyboard.press("Tab")
    expect(circles.nth(1)).to_be_focused()
    camera = (circles.nth(1).get_attribute("aria-label") or "").partition(":")[0]
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/browse\?station=ridge&camera={quote(camera, safe='')}$"))


@pytest.mark.parametrize(
    ("path", "plot"),
    [
        ("/numbers", "plot-map"),
        ("/numbers", "plot-days"),
        ("/numbers", "plot-hours-1"),
        ("/numbers", "table-confusion"),
        ("/health?days=731", "plot-camera-days"),
    ],
)
def test_plots_and_tables_download_as_pictures_that_show_something(open_page: Open, path: str, plot: str) -> None:
    page = open_page(path, size=PHONE, dark=True)
    with page.expect_download() as download:
        page.locator(f'[data-png="{plot}"]').click()
    assert download.value.suggested_filename == f"uncia-{plot.split('-', 1)[1]}.png"
    image = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert image.format == "PNG"
    assert image.width >= 400
    colours = image.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 10


def test_a_cell_of_the_confusion_opens_as_many_bursts_as_it_says(open_page: Open) -> None:
    page = open_page("/numbers")
    cell = page.locator("#table-confusion td a").first
    count = cell.inner_text()
    cell.click()
    expect(page.locator(".results h1 small")).to_have_text(f"{count} bursts")
