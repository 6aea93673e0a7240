"""The page of one burst in Chromium: its tools by key and by mouse."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, Open, Site, wait_for_script
from tests.browser.test_live import new_burst
from tests.unit.dashboard.catalogue.catalogue_data import ProjectEvents
from tests.unit.dashboard.web.conftest import FakePictures
from tests.waiting import SCALE
from uncia.camtrap.hidden_people import HiddenPeople
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.pictures import PictureSize
from uncia.events import BurstFrame, BurstResolved, ExplanationMethod, FetchReason, ImageExplained

FRAMES = 12


class GreyPictures(FakePictures):
    """Photographs of one grey each; those that are not listed have the level 100."""

    def __init__(self, levels: dict[str, int]) -> None:
        super().__init__()
        self.levels = levels

    def photograph(self, assessed: AssessedContent, size: PictureSize, hidden: HiddenPeople | None = None) -> bytes:
        out = io.BytesIO()
        Image.new("L", (40, 30), self.levels.get(assessed.image_id, 100)).save(out, "JPEG", quality=95)
        return out.getvalue()


def frames_of_one_camera(count: int) -> tuple[BurstFrame, ...]:
    """Frames whose photographs the catalogue of the site has, with their boxes."""
    found: dict[str, list[BurstFrame]] = {}
    for event in ProjectEvents(120):
        if isinstance(event, BurstResolved) and event.revision == 2:
            own = found.setdefault(event.camera, [])
            own += [frame for frame in event.frames if frame.rejection is None]
            if len(own) >= count:
                at = datetime.now(UTC)
                return tuple(frame.model_copy(update={"predicted_at": at}) for frame in own[:count])
    raise AssertionError(count)


@pytest.fixture
def long_burst(site: Site) -> tuple[BurstFrame, ...]:
    """A burst of twelve frames, `bst-long`; the last one is brighter."""
    frames = frames_of_one_camera(FRAMES)
    site.services.pictures = GreyPictures({frames[-1].image_id: 160})
    site.fold(new_burst("bst-long", frames=frames))
    return frames


def grey_of_difference(page: Page) -> int:
    """The grey level in the middle of the difference picture."""
    expect(page.locator("#stage canvas")).to_be_visible()
    return int(
        page.locator("#stage canvas").evaluate(
            "(canvas) => canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0]"
        )
    )


@pytest.mark.usefixtures("long_burst")
def test_the_address_holds_the_frame_that_is_shown(site: Site, open_page: Open) -> None:
    page = open_page("/bursts/bst-long?category=animal")
    image, frames = page.locator("#stage img"), page.locator("[data-frame]")
    frames.nth(10).click()
    address = f"{site.address}/bursts/bst-long?category=animal#frame=11"
    expect(page).to_have_url(address)
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("#frame=12$"))
    page.reload()
    expect(image).to_have_attribute("src", frames.nth(11).get_attribute("data-view") or "")
    expect(frames.nth(11)).to_have_class(re.compile("shown"))
    page.goto(address)
    expect(image).to_have_attribute("src", frames.nth(10).get_attribute("data-view") or "")
    assert (page.locator("#full").get_attribute("href") or "") == frames.nth(10).get_attribute("data-full")
    page.goto(f"{address}9999")
    expect(image).to_have_attribute("src", frames.nth(10).get_attribute("data-view") or "")


def tool(page: Page, name: str) -> str:
    return page.locator(f'[data-tool="{name}"]').get_attribute("aria-pressed") or ""


@pytest.mark.usefixtures("long_burst")
def test_the_difference_is_that_of_the_frame_at_hand_also_after_the_ninth(open_page: Open) -> None:
    page = open_page("/bursts/bst-long")
    page.locator(f'[data-frame="{FRAMES - 1}"]').click()
    page.keyboard.press("d")
    # Three times the distance of 160 from the median.
    assert grey_of_difference(page) == pytest.approx(180, abs=6)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#stage canvas")).to_have_count(0)
    assert tool(page, "difference") == "false"
    page.keyboard.press("d")
    assert grey_of_difference(page) == pytest.approx(0, abs=6)


@pytest.mark.usefixtures("long_burst")
def test_the_keys_and_sliders_of_the_tools_change_the_picture(open_page: Open) -> None:
    page = open_page("/bursts/bst-long")
    root, stage = page.locator("[data-inspect]"), page.locator("#stage")
    picture, image = page.locator("#stage .picture"), page.locator("#stage img")

    page.keyboard.press("b")
    assert "no-boxes" in (root.get_attribute("class") or "")
    assert tool(page, "boxes") == "false"
    page.keyboard.press("b")
    assert "no-boxes" not in (root.get_attribute("class") or "")
    assert tool(page, "boxes") == "true"

    page.locator('[data-frame="3"]').click()
    own, before = (page.locator(f'[data-frame="{at}"]').get_attribute("data-view") or "" for at in (3, 2))
    page.keyboard.press("f")
    assert tool(page, "flicker") == "true"
    expect(image).to_have_attribute("src", before)
    expect(image).to_have_attribute("src", own)
    page.keyboard.press("d")
    assert tool(page, "flicker") == "false"
    assert tool(page, "difference") == "true"
    expect(page.locator("#stage canvas")).to_be_visible()
    page.keyboard.press("d")
    assert tool(page, "difference") == "false"
    expect(image).to_have_attribute("src", own)
    expect(page.locator("#stage canvas")).to_have_count(0)

    page.keyboard.press("+")
    page.keyboard.press("+")
    assert "scale(1.96)" in picture.evaluate("(one) => one.style.transform")
    assert "zoomed" in (stage.get_attribute("class") or "")
    page.keyboard.press("-")
    assert "scale(1.4)" in picture.evaluate("(one) => one.style.transform")
    page.locator('[data-tool="brightness"]').fill("1.5")
    page.locator('[data-tool="contrast"]').fill("0.8")
    assert image.evaluate("(one) => one.style.filter") == "brightness(1.5) contrast(0.8)"
    # The slider has the focus: its own keys are left to it.
    page.locator("#stage").focus()
    page.keyboard.press("0")
    assert picture.evaluate("(one) => one.style.transform") == ""
    assert image.evaluate("(one) => one.style.filter") == ""
    assert [page.locator(f'[data-tool="{name}"]').input_value() for name in ("brightness", "contrast")] == ["1", "1"]


def test_a_favourite_is_marked_and_unmarked_on_the_page_of_a_burst_and_cards_have_a_star(
    site: Site, open_page: Open
) -> None:
    burst = site.services.catalogue.bursts(BurstFilter(reviewed=False), limit=1).rows[0].burst_id
    page = open_page(f"/bursts/{burst}", Role.REVIEWER, size=PHONE)
    button = page.get_by_role("button", name="Favourite")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#notice")).to_have_text("Marked as favourite")
    page.goto(f"{site.address}/browse?flag=favourite")
    expect(page.locator(f"#burst-{burst} .star")).to_be_visible()
    page.goto(f"{site.address}/bursts/{burst}")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("g")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#notice")).to_have_text("No longer a favourite")
    page.goto(f"{site.address}/browse")
    expect(page.locator(f"#burst-{burst}")).to_be_visible()
    expect(page.locator(f"#burst-{burst} .star")).to_have_count(0)


def test_an_explanation_that_was_requested_is_shown_when_it_arrives(site: Site, open_page: Open) -> None:
    burst = site.services.catalogue.bursts(limit=1).rows[0]
    frame = next(one for one in burst.frames if one.rejection_reason is None)
    page = open_page(f"/bursts/{burst.burst_id}", Role.REVIEWER)
    section = page.locator("#explanations")
    heat_maps = section.locator("img").count()
    button = section.get_by_role("button", name=f"Explain frame {frame.number + 1}")
    button.click()
    expect(section).to_contain_text("requested; not computed yet")
    (request,) = site.services.publisher.events  # type: ignore[attr-defined]
    page.evaluate("window.sameDocument = true")
    button.focus()
    with page.expect_response(
        f"**/pictures/explanations/{request.explanation_id}.png", timeout=SCALE * 20_000
    ) as shown:
        site.fold(
            ImageExplained(
                explanation_id=request.explanation_id,
                image_id=frame.image_id,
                station=burst.station,
                camera=burst.camera,
                method=ExplanationMethod.LIME,
                label="ibex",
                score=0.4,
                bucket="explanations",
                heat_map_key="explanations/one.png",
                explained_at=datetime.now(UTC),
            )
        )
    assert (shown.value.status, shown.value.headers["content-type"]) == (200, "image/png")
    expect(section.locator("img")).to_have_count(heat_maps + 1)
    expect(section).not_to_contain_text("requested; not computed yet")
    wait_for_script(page, "[...document.querySelectorAll('#explanations img')].every((one) => one.naturalWidth > 0)")
    # In place, without taking the focus, and the polls have ended.
    assert page.evaluate("window.sameDocument") is True
    expect(button).to_be_focused()
    expect(page.locator("#explanation-list[hx-get]")).to_have_count(0)


def test_one_frame_cannot_be_compared_and_the_tools_say_why(site: Site, open_page: Open) -> None:
    site.fold(new_burst("bst-single", frames=frames_of_one_camera(1)))
    page = open_page("/bursts/bst-single", size=PHONE, dark=True)
    for name in ("flicker", "difference"):
        button = page.locator(f'[data-tool="{name}"]')
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", "At least two readable frames are needed.")
    for key in "fd":
        page.keyboard.press(key)
    assert (tool(page, "flicker"), tool(page, "difference")) == ("false", "false")
    expect(page.locator("#stage canvas")).to_have_count(0)


def on_thin_link(frame: BurstFrame, *, whole: bool = False) -> BurstFrame:
    """The frame, with the key of a thumbnail or of the whole photograph that took its place."""
    folder = "" if whole else "thumbnail-"
    return frame.model_copy(update={"key": f"{frame.key.rpartition('/')[0]}/{folder}0f1e2d3c/{frame.image_id}.jpg"})


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desktop", "phone"])
def test_the_whole_photograph_of_a_thumbnail_is_requested_by_a_button_and_shown_as_arrived(
    site: Site, open_page: Open, size: tuple[int, int], tmp_path: Path
) -> None:
    first, second = frames_of_one_camera(2)
    burst = new_burst("bst-thin", frames=(on_thin_link(first), on_thin_link(second)))
    site.fold(burst)
    page = open_page("/bursts/bst-thin", Role.REVIEWER, size=size)
    section = page.locator("#photographs")
    expect(section.locator("li").nth(1)).to_contain_text("thumbnail only")
    button = section.get_by_role("button", name="Request the whole photograph of frame 2")
    button.click()
    expect(section.locator("li").nth(1)).to_contain_text("requested; not arrived yet")
    expect(section.locator("li").nth(1)).to_contain_text("by reviewer 0")
    expect(button).to_have_count(0)
    (request,) = site.services.publisher.events  # type: ignore[attr-defined]
    assert (request.reason, request.key) == (FetchReason.PERSON, on_thin_link(second).key)
    section.scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "requested.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    frames = (on_thin_link(first), on_thin_link(second, whole=True))
    site.fold(burst.model_copy(update={"revision": burst.revision + 1, "frames": frames}))
    expect(section.locator("li").nth(1)).to_contain_text("arrived", timeout=SCALE * 20_000)
    expect(section.locator("li").nth(1)).not_to_contain_text("not arrived")


def test_a_viewer_sees_that_there_is_a_thumbnail_alone_and_has_no_button(site: Site, open_page: Open) -> None:
    site.fold(new_burst("bst-thin", frames=tuple(map(on_thin_link, frames_of_one_camera(1)))))
    section = open_page("/bursts/bst-thin", Role.VIEWER).locator("#photographs")
    expect(section).to_contain_text("thumbnail only")
    expect(section.get_by_role("button")).to_have_count(0)


def test_a_burst_of_whole_photographs_has_no_such_section(site: Site, open_page: Open) -> None:
    site.fold(new_burst("bst-whole", frames=frames_of_one_camera(1)))
    expect(open_page("/bursts/bst-whole").locator("#photographs")).to_have_count(0)
